//! The answer's way to a sink that misbehaves.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::time::Duration;

use publisher_s3_access::reply::{Https, PutError, Reply, Sink, deliver};
use publisher_s3_access::request::Envelope;
use publisher_s3_access::request::response_url::{ResponseOrigins, ResponseUrl};
use tokio::time::Instant;

use crate::support::events::sample;
use crate::support::server::{Reaction, Server};
use crate::support::{at_once, settings};

/// The result of one attempt.
#[derive(Clone, Copy, Debug)]
enum Attempt {
    Status(u16),
    Broken,
    Hangs,
    /// The request cannot even be made.
    Impossible,
}

/// Gives these results in order, and repeats the last one for ever.
struct Script<'a> {
    attempts: &'a [Attempt],
    begun: RefCell<Vec<Duration>>,
    started: Instant,
}

impl Sink for Script<'_> {
    async fn put(&self, _url: &ResponseUrl, _body: &str) -> Result<u16, PutError> {
        let number = self.begun.borrow().len();
        self.begun.borrow_mut().push(self.started.elapsed());
        match self.attempts[number.min(self.attempts.len() - 1)] {
            Attempt::Status(status) => Ok(status),
            Attempt::Broken => Err(PutError::Connection),
            Attempt::Impossible => Err(PutError::Request),
            Attempt::Hangs => pending().await,
        }
    }
}

fn reply() -> Reply {
    let envelope = Envelope::read(&sample("create").to_string(), &settings()).expect("an envelope");
    Reply::new(
        &envelope,
        &Err(envelope.failure("Grüße, 漢字 and 🧬")),
        "stream",
    )
}

fn url(text: &str) -> ResponseUrl {
    ResponseUrl::parse(text, &ResponseOrigins::new("", text)).expect("an admitted URL")
}

/// Delivers within 20 seconds: whether it returned `Ok`, when each attempt began, and how long it took.
fn delivered(attempts: &[Attempt]) -> (Result<(), String>, Vec<Duration>, Duration) {
    at_once(async {
        let sink = Script {
            attempts,
            begun: RefCell::default(),
            started: Instant::now(),
        };
        let deadline = sink.started + Duration::from_secs(20);
        let result = deliver(
            &sink,
            &url("https://b.s3.amazonaws.com/k?secret"),
            &reply(),
            deadline,
        )
        .await;
        let shown = result.map_err(|error| format!("{error} {error:?}"));
        (shown, sink.begun.take(), sink.started.elapsed())
    })
}

#[test]
fn every_2xx_is_delivered_at_the_first_attempt() {
    for status in [200, 201, 204, 299] {
        let (result, begun, _) = delivered(&[Attempt::Status(status)]);
        assert_eq!((result, begun.len()), (Ok(()), 1), "{status}");
    }
}

#[test]
fn a_failure_that_repetition_can_cure_is_repeated_until_it_succeeds() {
    use Attempt::*;
    for failing in [
        Status(500),
        Status(502),
        Status(503),
        Status(504),
        Status(408),
        Status(409),
        Status(429),
        Status(301),
        Status(307),
        Status(100),
        Broken,
        Hangs,
    ] {
        let (result, begun, _) = delivered(&[failing, failing, Status(200)]);
        assert_eq!((result, begun.len()), (Ok(()), 3), "{failing:?}");
    }
}

#[test]
fn another_4xx_cannot_be_cured_and_is_not_repeated_by_anybody() {
    for status in [400, 401, 403, 404, 405, 411, 412, 451] {
        let (result, begun, took) = delivered(&[Attempt::Status(status)]);
        assert_eq!(
            (result, begun.len(), took),
            (Ok(()), 1, Duration::ZERO),
            "{status}"
        );
    }
}

#[test]
fn a_lasting_failure_is_an_error_at_the_deadline_that_shows_only_the_host() {
    for failing in [
        Attempt::Status(503),
        Attempt::Broken,
        Attempt::Hangs,
        Attempt::Status(307),
    ] {
        let (result, begun, took) = delivered(&[failing]);
        let shown = result.expect_err("an error");
        assert!(
            shown.contains("b.s3.amazonaws.com") && !shown.contains("secret"),
            "{shown}"
        );
        assert_eq!(took, Duration::from_secs(20), "{failing:?}");
        assert!(begun.len() >= 4, "{failing:?}: {begun:?}");
    }
}

#[test]
fn a_request_that_cannot_be_made_is_an_error_at_once() {
    let (result, begun, took) = delivered(&[Attempt::Impossible]);
    assert!(result.is_err());
    assert_eq!((begun.len(), took), (1, Duration::ZERO));
}

#[test]
fn pauses_grow_up_to_two_seconds_and_differ_from_run_to_run() {
    let pauses = || {
        let (_, begun, _) = delivered(&[Attempt::Status(503)]);
        begun
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .collect::<Vec<_>>()
    };
    let (one, two) = (pauses(), pauses());
    assert_ne!(one, two, "no jitter");
    for pauses in [one, two] {
        assert!(
            pauses[0] >= Duration::from_millis(100) && pauses[0] <= Duration::from_millis(200),
            "{pauses:?}"
        );
        assert!(pauses[5] >= Duration::from_secs(1), "{pauses:?}");
        assert!(
            pauses.iter().all(|pause| *pause <= Duration::from_secs(2)),
            "{pauses:?}"
        );
    }
}

/// Delivers over real connections to a server with the given reactions, the last one for ever.
async fn over_the_wire(reactions: Vec<Reaction>, time: Duration) -> (Result<(), String>, Server) {
    let next = Cell::new(0);
    let reactions = std::sync::Mutex::new((reactions, next));
    let server = Server::start(move |_| {
        let guard = reactions.lock().expect("the reactions");
        let (reactions, next) = &*guard;
        let number = next.get();
        next.set(number + 1);
        reactions[number.min(reactions.len() - 1)].clone()
    });
    let target = url_under(&server.origin());
    let result = deliver(&Https::default(), &target, &reply(), Instant::now() + time).await;
    (result.map_err(|error| error.to_string()), server)
}

const PATH: &str =
    "/arn%3Aaws%3Acloudformation%7CAccess%7Crequest?X-Amz-Signature=0%2F1&X-Amz-Credential=a%2Fb";

fn url_under(origin: &str) -> ResponseUrl {
    ResponseUrl::parse(
        &format!("{origin}{PATH}"),
        &ResponseOrigins::new("", origin),
    )
    .expect("an admitted URL")
}

#[tokio::test]
async fn the_request_is_a_put_of_the_exact_bytes_to_the_exact_url_without_a_content_type() {
    let (result, server) =
        over_the_wire(vec![Reaction::status(200)], Duration::from_secs(10)).await;
    assert_eq!(result, Ok(()));
    let requests = server.requests();
    let [request] = &requests[..] else {
        panic!("{requests:?}")
    };
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("PUT", PATH)
    );
    let body = reply().body().to_owned();
    assert!(
        body.len() > body.chars().count(),
        "the body has characters of several bytes"
    );
    assert_eq!(request.body, body.as_bytes());
    let mut names: Vec<&str> = request.headers.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "host"]);
    assert_eq!(request.headers["content-length"], body.len().to_string());
}

#[tokio::test]
async fn no_connection_outlives_its_answer() {
    let server = Server::start(|_| Reaction::status(200));
    let (sink, target) = (Https::default(), url_under(&server.origin()));
    for _ in 0..2 {
        let deadline = Instant::now() + Duration::from_secs(10);
        assert_eq!(deliver(&sink, &target, &reply(), deadline).await, Ok(()));
    }
    let connections: Vec<usize> = server
        .requests()
        .iter()
        .map(|request| request.connection)
        .collect();
    assert_eq!(connections, [0, 1]);
}

#[tokio::test]
async fn servers_that_refuse_close_break_off_or_redirect_are_tried_again() {
    for reaction in [
        Reaction::status(500),
        Reaction::Close,
        Reaction::Raw("HTTP/1.1 200"),
        Reaction::Raw("what is HTTP?\r\n\r\n"),
        Reaction::Raw(
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/elsewhere\r\ncontent-length: 0\r\n\r\n",
        ),
    ] {
        let reactions = vec![reaction.clone(), reaction.clone(), Reaction::status(200)];
        let (result, server) = over_the_wire(reactions, Duration::from_secs(20)).await;
        assert_eq!(result, Ok(()), "{reaction:?}");
        let requests = server.requests();
        assert_eq!(requests.len(), 3, "{reaction:?}");
        assert!(
            requests
                .iter()
                .all(|request| request.body == reply().body().as_bytes()),
            "{reaction:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_after_five_seconds_and_tried_again() {
    let started = Instant::now();
    let (result, server) = over_the_wire(
        vec![Reaction::Silence, Reaction::status(200)],
        Duration::from_secs(20),
    )
    .await;
    assert_eq!((result, server.requests().len()), (Ok(()), 2));
    assert!(
        (5..8).contains(&started.elapsed().as_secs()),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn an_answer_body_that_never_ends_does_not_hold_up_the_delivery() {
    let endless = Reaction::Raw("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nand so on");
    let started = Instant::now();
    let (result, _) = over_the_wire(vec![endless], Duration::from_secs(10)).await;
    assert_eq!(result, Ok(()));
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn the_delivery_fails_in_time_if_nobody_listens() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let origin = format!("http://{}", closed.local_addr().expect("an address"));
    drop(closed);
    let started = Instant::now();
    let deadline = started + Duration::from_secs(2);
    let result = deliver(&Https::default(), &url_under(&origin), &reply(), deadline).await;
    assert!(result.is_err());
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn an_https_server_without_a_certificate_gets_nothing() {
    let server = Server::start(|_| Reaction::status(200));
    let origin = server.origin().replacen("http", "https", 1);
    let deadline = Instant::now() + Duration::from_secs(1);
    assert!(
        deliver(&Https::default(), &url_under(&origin), &reply(), deadline)
            .await
            .is_err()
    );
    assert!(server.requests().is_empty());
}
