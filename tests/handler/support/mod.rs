//! Doubles around the flow: a cloud that does one thing at every call, a sink that keeps its answers, and small HTTP
//! servers.

pub(crate) mod cloud;
pub(crate) mod events;
pub(crate) mod function;
pub(crate) mod server;

use std::cell::RefCell;
use std::time::Duration;

use publisher_s3_access::reply::{PutError, Sink};
use publisher_s3_access::request::response_url::ResponseUrl;
use publisher_s3_access::request::settings::Settings;
use publisher_s3_access::waits::Deadline;
use publisher_s3_access::{Unanswered, handle};
use serde_json::Value;

use cloud::{Fake, Manner};

/// The time that Lambda gives.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(120);

pub(crate) fn settings() -> Settings {
    settings_with(&[])
}

/// The template's settings, with others added or replaced.
pub(crate) fn settings_with(variables: &[(&str, &str)]) -> Settings {
    let template = [
        ("_HANDLER", "custom-resource"),
        ("STACK_ID", events::STACK),
        ("URL_SUFFIX", "amazonaws.com"),
        ("USER_NAME_PREFIX", "publisher-"),
        (
            "AWS_LAMBDA_LOG_STREAM_NAME",
            "2026/11/23/[$LATEST]log-stream",
        ),
    ];
    let variable = |name: &str| {
        let all = variables.iter().chain(&template);
        let value = all.clone().find(|(key, _)| *key == name)?.1;
        Some(value.to_owned())
    };
    Settings::read(variable, "invocation-id")
}

/// Takes every answer and keeps it.
#[derive(Default)]
pub(crate) struct Kept(RefCell<Vec<String>>);

impl Sink for Kept {
    async fn put(&self, _url: &ResponseUrl, body: &str) -> Result<u16, PutError> {
        self.0.borrow_mut().push(body.to_owned());
        Ok(200)
    }
}

/// The result of one invocation.
#[derive(Debug)]
pub(crate) struct Handled {
    pub(crate) result: Result<(), Unanswered>,
    pub(crate) bodies: Vec<String>,
    pub(crate) calls: usize,
}

impl Handled {
    /// The one answer.
    pub(crate) fn answer(&self) -> Value {
        let [body] = &self.bodies[..] else {
            panic!("not exactly one answer: {:?}", self.bodies);
        };
        assert!(body.len() <= 4096, "the answer has {} bytes", body.len());
        assert_eq!(self.result, Ok(()), "the answer was delivered");
        let answer: Value = serde_json::from_str(body).expect("the answer is JSON");
        let members = answer.as_object().expect("the answer is an object");
        assert!(members.values().all(|member| !member.is_null()), "{answer}");
        answer
    }

    /// The reason of the one answer, which must be FAILED.
    pub(crate) fn failure(&self) -> String {
        let answer = self.answer();
        assert_eq!(answer["Status"], "FAILED", "{answer}");
        let reason = answer["Reason"].as_str().expect("a failure has a reason");
        assert!(
            reason.ends_with("(log stream 2026/11/23/[$LATEST]log-stream)"),
            "{reason}"
        );
        assert!(!reason.contains('\n'), "{reason}");
        assert_ne!(answer["PhysicalResourceId"], "", "{answer}");
        reason.to_owned()
    }
}

/// Handles an event's text with the template's settings.
pub(crate) async fn handled(event: &str, manner: Manner) -> Handled {
    handled_with(event, manner, &settings()).await
}

pub(crate) async fn handled_with(event: &str, manner: Manner, settings: &Settings) -> Handled {
    let (cloud, sink) = (Fake::new(manner), Kept::default());
    let result = handle(
        event,
        Deadline::after(TIMEOUT),
        settings,
        async { &cloud },
        &sink,
    )
    .await;
    Handled {
        result,
        bodies: sink.bodies(),
        calls: cloud.calls(),
    }
}

/// Runs a future in a runtime of its own whose clock jumps over every pause.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.expect("a runtime").block_on(future)
}

impl Kept {
    /// All answers.
    pub(crate) fn bodies(self) -> Vec<String> {
        self.0.into_inner()
    }
}
