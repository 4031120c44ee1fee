//! The maintenance function as Lambda runs it: the invocation's result is the answer.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::function::{CANARY, Function, Outcome};
use crate::support::server::{Reaction, Request};

const SECRET: &str =
    "arn:aws:secretsmanager:us-east-1:012345678912:secret:publisher/publisher-connectors-AbCdEf";

const VARIABLES: [(&str, &str); 5] = [
    (
        "STACK_ID",
        "arn:aws:cloudformation:us-east-1:012345678912:stack/publisher/0a1b2c3d",
    ),
    ("LOGICAL_ID", "S3Access"),
    ("SECRET_ARN", SECRET),
    ("USER_NAME", "publisher-connectors"),
    ("BUCKETS", "a-bucket"),
];

fn sample(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("events/maintenance");
    let text = std::fs::read_to_string(folder.join(name)).expect("a sample");
    serde_json::from_str(&text).expect("JSON")
}

fn run(
    events: &[String],
    seconds: u64,
    aws: impl Fn(&Request) -> Reaction + Send + Sync + 'static,
    variables: &[(&str, &str)],
) -> Outcome {
    let no_sink = |_: &Request| Reaction::status(500);
    Function::start_as("maintenance", events, seconds, no_sink, aws, variables)
        .outcome(events.len())
}

/// Refuses in the words of Secrets Manager or, in XML, of IAM.
fn denied(request: &Request) -> Reaction {
    let (kind, body) = if request.headers.contains_key("x-amz-target") {
        let body = json!({"__type": "InvalidRequestException", "message": "not now"});
        ("application/x-amz-json-1.1", body.to_string())
    } else {
        let error = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
        let body = format!("<ErrorResponse>{error}</ErrorResponse>");
        ("text/xml", body)
    };
    Reaction::Answer {
        status: 400,
        headers: vec![("content-type".into(), kind.into())],
        body,
    }
}

/// Fails the test unless every invocation ended in an error that says this, and no output shows the canary.
#[track_caller]
fn assert_errors(outcome: &Outcome, expected: &str) {
    for (kind, body) in &outcome.reports {
        assert_eq!(kind, "error");
        assert!(body.contains(expected), "{expected}: {body}");
        assert!(body.contains("MaintenanceError"), "{body}");
        assert!(!body.contains(CANARY), "{body}");
    }
    assert!(!outcome.lines.is_empty(), "it is logged as well");
    for line in outcome.lines.iter().chain([&outcome.errors]) {
        assert!(!line.contains(CANARY), "{line}");
    }
    assert_eq!(outcome.answers.len(), 0, "nobody else is answered");
}

#[test]
fn whatever_cannot_be_read_is_an_error_and_the_next_event_is_handled() {
    let mut odd = sample("create-secret.json");
    odd["Step"] = json!(CANARY);
    odd["RotationToken"] = json!(CANARY);
    let events = ["null", "5", "[]", &odd.to_string()].map(str::to_owned);
    let outcome = run(&events, 120, denied, &VARIABLES);
    assert_errors(&outcome, "does not serve such an event");
}

#[test]
fn a_refusal_of_aws_is_an_error_in_its_words() {
    let mut event = sample("finish-secret.json");
    event["RotationToken"] = json!(CANARY);
    let outcome = run(&[event.to_string()], 120, denied, &VARIABLES);
    assert_errors(&outcome, "AccessDenied");
}

#[test]
fn a_function_without_its_settings_says_what_is_missing() {
    let event = sample("test-secret.json").to_string();
    assert_errors(&run(&[event], 120, denied, &[]), "LOGICAL_ID");
}

#[test]
fn when_aws_hangs_the_error_comes_before_the_deadline() {
    let event = sample("finish-secret.json").to_string();
    let outcome = run(&[event], 4, |_| Reaction::Silence, &VARIABLES);
    assert_errors(&outcome, "did not end within");
    assert!(outcome.took < Duration::from_secs(30), "{:?}", outcome.took);
}
