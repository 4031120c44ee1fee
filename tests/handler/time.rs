//! One answer in time: when AWS hangs, when the code panics, when it cannot start.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::time::Duration;

use publisher_s3_access::handle;
use publisher_s3_access::reply::{PutError, Sink};
use publisher_s3_access::request::response_url::ResponseUrl;
use publisher_s3_access::waits::Deadline;
use tokio::time::Instant;

use crate::support::cloud::{Fake, Manner, PANIC_MESSAGE};
use crate::support::events::{sample, samples};
use crate::support::{Handled, TIMEOUT, at_once, handled, settings};

/// Keeps the answer and its time, and whether the work was dropped by then.
struct Watch<'a> {
    started: Instant,
    answered: RefCell<Vec<(Duration, String)>>,
    dropped_before: RefCell<Vec<bool>>,
    dropped: &'a Cell<bool>,
}

impl Sink for Watch<'_> {
    async fn put(&self, _url: &ResponseUrl, body: &str) -> Result<u16, PutError> {
        self.answered
            .borrow_mut()
            .push((self.started.elapsed(), body.to_owned()));
        self.dropped_before.borrow_mut().push(self.dropped.get());
        Ok(200)
    }
}

struct OnDrop<'a>(&'a Cell<bool>);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

#[test]
fn when_aws_hangs_every_sample_is_answered_failed_before_the_deadline() {
    for (name, event) in samples() {
        at_once(async {
            let started = Instant::now();
            let handled = handled(&event.to_string(), Manner::Hangs).await;
            let took = started.elapsed();
            if handled.calls > 0 {
                let reason = handled.failure();
                assert!(reason.contains("100 seconds"), "{name}: {reason}");
                assert_eq!(took.as_secs(), 100, "{name}");
            } else {
                assert_eq!(took, Duration::ZERO, "{name}");
            }
        });
    }
}

#[test]
fn work_that_is_too_slow_is_dropped_before_its_failure_is_answered() {
    at_once(async {
        let dropped = Cell::new(false);
        let sink = Watch {
            started: Instant::now(),
            answered: RefCell::default(),
            dropped_before: RefCell::default(),
            dropped: &dropped,
        };
        let cloud = async {
            let _on_drop = OnDrop(&dropped);
            pending::<&Fake>().await
        };
        let event = sample("create").to_string();
        let result = handle(&event, Deadline::after(TIMEOUT), &settings(), cloud, &sink).await;
        assert_eq!(result, Ok(()));
        assert_eq!(*sink.dropped_before.borrow(), [true]);
        let answered = sink.answered.borrow();
        assert_eq!(answered[0].0, Duration::from_secs(100));
    });
}

#[test]
fn little_time_is_still_enough_for_an_answer() {
    for seconds in [1, 3, 10] {
        at_once(async {
            let dropped = Cell::new(false);
            let sink = Watch {
                started: Instant::now(),
                answered: RefCell::default(),
                dropped_before: RefCell::default(),
                dropped: &dropped,
            };
            let deadline = Deadline::after(Duration::from_secs(seconds));
            let cloud = Fake::new(Manner::Hangs);
            let event = sample("delete").to_string();
            handle(&event, deadline, &settings(), async { &cloud }, &sink)
                .await
                .expect("delivered");
            let (when, _) = sink.answered.borrow()[0].clone();
            assert!(
                when < Duration::from_secs(seconds),
                "{when:?} of {seconds} s"
            );
        });
    }
}

/// A panic's message goes to the test's own output, but nowhere else.
fn panicked(handled: &Handled, id: &str) {
    let reason = handled.failure();
    assert!(
        reason.contains("panicked") && !reason.contains(PANIC_MESSAGE),
        "{reason}"
    );
    assert_eq!(handled.answer()["PhysicalResourceId"], id);
}

#[test]
fn a_panic_in_the_work_is_answered_failed_with_the_requests_id() {
    for (name, id) in [
        ("create", "publisher/publisher-connectors"),
        ("update", "publisher/publisher-connectors"),
        ("delete", "publisher/publisher-connectors"),
        ("delete-invented-id", "publisher-S3Access-1X2C3V4B5N6M"),
    ] {
        panicked(
            &at_once(handled(&sample(name).to_string(), Manner::Panics)),
            id,
        );
    }
}

#[test]
fn a_panic_while_the_cloud_is_made_is_answered_failed() {
    let sink = crate::support::Kept::default();
    let cloud = async { panic!("{PANIC_MESSAGE}") };
    let event = sample("create").to_string();
    let result = at_once(handle::<Fake, _>(
        &event,
        Deadline::after(TIMEOUT),
        &settings(),
        cloud,
        &sink,
    ));
    panicked(
        &Handled {
            result,
            bodies: sink.bodies(),
            calls: 0,
        },
        "publisher/publisher-connectors",
    );
}

#[test]
fn a_panic_while_slow_work_is_dropped_is_answered_failed() {
    struct PanicOnDrop;
    impl Drop for PanicOnDrop {
        fn drop(&mut self) {
            panic!("{PANIC_MESSAGE}");
        }
    }
    let sink = crate::support::Kept::default();
    let cloud = async {
        let _on_drop = PanicOnDrop;
        pending::<&Fake>().await
    };
    let event = sample("create").to_string();
    let result = at_once(handle(
        &event,
        Deadline::after(TIMEOUT),
        &settings(),
        cloud,
        &sink,
    ));
    panicked(
        &Handled {
            result,
            bodies: sink.bodies(),
            calls: 0,
        },
        "publisher/publisher-connectors",
    );
}
