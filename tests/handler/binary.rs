//! The whole binary as Lambda runs it, under a small Runtime API.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::function::{CANARY, Function, to_sink};
use crate::support::server::{Reaction, Request};

fn ok(_: &Request) -> Reaction {
    Reaction::status(200)
}

fn denied(_: &Request) -> Reaction {
    Reaction::Answer {
        status: 400,
        headers: vec![("content-type".into(), "text/xml".into())],
        body: "<ErrorResponse><Error><Type>Sender</Type><Code>MalformedInput</Code><Message>no</Message></Error>\
            <RequestId>aws-request-id</RequestId></ErrorResponse>"
            .into(),
    }
}

fn reason(answer: &Value) -> &str {
    assert_eq!(answer["Status"], "FAILED", "{answer}");
    answer["Reason"].as_str().expect("a reason")
}

#[test]
fn garbage_between_requests_stops_nothing_and_every_request_is_answered_in_turn() {
    let create = to_sink("create").to_string();
    let deep = create.replacen(
        '{',
        &format!("{{\"Odd\":{}{},", "[".repeat(400), "]".repeat(400)),
        1,
    );
    let half = create.replacen("Custom::PublisherS3Access", r"\ud800", 1);
    let events = [
        "null".to_owned(),
        to_sink("unknown-property").to_string(),
        "not JSON".to_owned(),
        deep,
        json!({"key1": "value1"}).to_string(),
        half.replacen("\"Create\"", "\"Read\"", 1),
        to_sink("delete-unreadable-user").to_string(),
    ];
    let function = Function::start(&events, 120, ok, |_| Reaction::Silence, &[]);
    let outcome = function.outcome(events.len());
    let kinds: Vec<&str> = outcome
        .reports
        .iter()
        .map(|(kind, _)| kind.as_str())
        .collect();
    // Anything but JSON never reaches the handler, because Lambda refuses such payloads first.
    assert_eq!(
        kinds,
        [
            "error", "response", "error", "response", "error", "response", "response"
        ]
    );
    let [unknown, deep, half, deleted] = &outcome.answers[..] else {
        panic!("{:?}", outcome.answers)
    };
    assert!(reason(unknown).contains("did you mean"), "{unknown}");
    assert!(reason(deep).contains("recursion limit"), "{deep}");
    assert!(reason(half).contains("malformed"), "{half}");
    assert_eq!(deleted["Status"], "SUCCESS");
    assert!(
        reason(unknown).ends_with("(log stream 2026/11/23/stream)"),
        "{unknown}"
    );
}

#[test]
fn when_aws_hangs_the_answer_still_comes_before_the_deadline() {
    let events = ["create", "delete"].map(|name| to_sink(name).to_string());
    let outcome = Function::start(&events, 4, ok, |_| Reaction::Silence, &[]).outcome(2);
    assert_eq!(outcome.answers.len(), 2);
    for answer in &outcome.answers {
        assert!(reason(answer).contains("did not end within"), "{answer}");
    }
    assert!(outcome.took < Duration::from_secs(8), "{:?}", outcome.took);
}

#[test]
fn a_refusal_of_aws_is_answered_with_its_words() {
    let outcome =
        Function::start(&[to_sink("delete").to_string()], 120, ok, denied, &[]).outcome(1);
    let [answer] = &outcome.answers[..] else {
        panic!("{:?}", outcome.answers)
    };
    assert!(reason(answer).contains("MalformedInput"), "{answer}");
    assert_eq!(
        answer["PhysicalResourceId"],
        "publisher/publisher-connectors"
    );
}

#[test]
fn an_answer_that_cannot_be_delivered_is_an_error_for_lambda_and_the_next_event_is_handled() {
    let bad = to_sink("unknown-property").to_string();
    let outcome =
        Function::start(&[bad.clone(), bad], 3, |_| Reaction::status(503), ok, &[]).outcome(2);
    for (kind, body) in &outcome.reports {
        assert_eq!(kind, "error");
        assert!(
            body.contains("HTTP status 503")
                && body.contains("\"Unanswered\"")
                && !body.contains(CANARY),
            "{body}"
        );
    }
    assert!(outcome.answers.len() > 4, "{}", outcome.answers.len());
    assert!(
        outcome
            .answers
            .iter()
            .all(|answer| *answer == outcome.answers[0])
    );
}

#[test]
fn an_answer_that_is_refused_for_good_is_no_error_for_lambda() {
    let bad = to_sink("unknown-property").to_string();
    let outcome = Function::start(&[bad], 3, |_| Reaction::status(403), ok, &[]).outcome(1);
    assert_eq!(outcome.reports[0].0, "response");
    assert_eq!(outcome.answers.len(), 1);
}
