//! The target of the pre-signed URLs in events that the driver sends, because the emulator's CloudFormation does not
//! send them. It takes the function's answers.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, anyhow, bail, ensure};
use serde_json::Value;
use tiny_http::{Method, Request, Response, Server};

/// CloudFormation takes no larger answer.
const BODY_LIMIT: usize = 4096;

type Waiting = Arc<Mutex<HashMap<String, Sender<anyhow::Result<Value>>>>>;

/// A listener on a free port of this machine, which lives as long as the driver.
#[derive(Debug)]
pub(crate) struct Sink {
    origin: String,
    waiting: Waiting,
    issued: AtomicUsize,
}

/// One answer, expected at one URL.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) url: String,
    answer: Receiver<anyhow::Result<Value>>,
}

impl Sink {
    /// # Errors
    /// If no port can be had.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let server = Server::http("127.0.0.1:0")
            .map_err(|error| anyhow!("cannot listen for answers: {error}"))?;
        let origin = format!("http://{}", server.server_addr());
        let waiting = Waiting::default();
        let known = Arc::clone(&waiting);
        thread::spawn(move || {
            for request in server.incoming_requests() {
                serve(request, &known);
            }
        });
        Ok(Self {
            origin,
            waiting,
            issued: AtomicUsize::new(0),
        })
    }

    /// Such as `http://127.0.0.1:40123`, for the function's `EXTRA_RESPONSE_ORIGINS`.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// A new URL for one answer. Its query looks like a signature, and must come back unchanged.
    pub(crate) fn expect(&self) -> Expected {
        let number = self.issued.fetch_add(1, Ordering::Relaxed);
        let path = format!("/answers/{number}?X-Amz-Signature=a%2Fb%2Bc{number}");
        let (send, answer) = mpsc::channel();
        let url = format!("{}{path}", self.origin);
        lock(&self.waiting).insert(path, send);
        Expected { url, answer }
    }
}

impl Expected {
    /// The answer's body.
    ///
    /// # Errors
    /// If none came, or one that CloudFormation's storage would refuse.
    pub(crate) fn receive(self, limit: Duration) -> anyhow::Result<Value> {
        self.answer
            .recv_timeout(limit)
            .with_context(|| format!("no answer came within {limit:?}"))?
    }
}

fn serve(mut request: Request, waiting: &Waiting) {
    let awaited = lock(waiting).remove(request.url());
    let answer = awaited.is_some().then(|| read(&mut request));
    let status = match &answer {
        None => 403,
        Some(Err(_)) => 400,
        Some(Ok(_)) => 200,
    };
    // The client may be gone. The test then reports what it has.
    let _gone = request.respond(Response::empty(status));
    if let (Some(awaited), Some(answer)) = (awaited, answer) {
        // The test may have given up waiting.
        let _abandoned = awaited.send(answer);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What S3 requires of a PUT to a pre-signed URL, and CloudFormation of its body.
fn read(request: &mut Request) -> anyhow::Result<Value> {
    let method = request.method();
    ensure!(*method == Method::Put, "the answer came by {method}");
    let named = |header: &&tiny_http::Header| header.field.equiv("Content-Type");
    let kind = request.headers().iter().find(named);
    if let Some(kind) = kind.filter(|kind| !kind.value.is_empty()) {
        bail!("the answer has `{kind}`: its signature would not match");
    }
    let length = request.body_length().context("no `Content-Length`")?;
    ensure!(length <= BODY_LIMIT, "the answer has {length} bytes");
    let mut body = Vec::new();
    request.as_reader().read_to_end(&mut body)?;
    ensure!(
        body.len() == length,
        "`Content-Length` {length} is not the body's"
    );
    serde_json::from_slice(&body).context("the answer is no JSON")
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{Shutdown, TcpStream},
    };

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    /// Puts an answer that is announced to have `length` bytes; gives the response.
    fn put(url: &str, length: usize, headers: &str, body: &str) -> anyhow::Result<String> {
        let url = url.trim_start_matches("http://");
        let (address, path) = url.split_once('/').context("no path")?;
        let mut stream = TcpStream::connect(address)?;
        write!(
            stream,
            "PUT /{path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}",
        )?;
        stream.shutdown(Shutdown::Write)?;
        let mut response = String::new();
        stream.read_to_string(&mut response)?;
        Ok(response)
    }

    #[test]
    fn an_answer_reaches_the_one_who_waits_for_it() -> anyhow::Result<()> {
        let sink = Sink::listen()?;
        let (one, other) = (sink.expect(), sink.expect());
        let response = put(&other.url, 20, "", r#"{"Status":"SUCCESS"}"#)?;
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
        assert_eq!(other.receive(LIMIT)?["Status"], "SUCCESS");
        assert!(one.receive(Duration::from_millis(1)).is_err());
        Ok(())
    }

    #[test]
    fn an_answer_with_a_content_type_is_refused() -> anyhow::Result<()> {
        let expected = Sink::listen()?.expect();
        let response = put(&expected.url, 2, "Content-Type: application/json\r\n", "{}")?;
        assert!(response.starts_with("HTTP/1.1 400"), "{response}");
        assert!(expected.receive(LIMIT).is_err());
        Ok(())
    }

    #[test]
    fn an_answer_that_breaks_off_is_no_answer() -> anyhow::Result<()> {
        let sink = Sink::listen()?;
        for length in [20, 2000] {
            let expected = sink.expect();
            let response = put(&expected.url, length, "", "{}")?;
            assert!(!response.starts_with("HTTP/1.1 200"), "{response}");
            assert!(expected.receive(Duration::from_secs(1)).is_err());
        }
        Ok(())
    }
}
