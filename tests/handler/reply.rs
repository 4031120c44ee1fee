//! The answer's limits.

use std::collections::BTreeMap;

use proptest::prelude::*;
use publisher_s3_access::reply::{LIMIT, Reply};
use publisher_s3_access::request::Envelope;
use publisher_s3_access::request::outcome::{Failure, Outcome, Success};
use serde_json::{Value, json};

use crate::support::events::{sample, with};
use crate::support::settings;

fn envelope(event: &Value) -> Envelope {
    Envelope::read(&event.to_string(), &settings()).expect("an event that can be answered")
}

fn body(event: &Value, outcome: &Outcome, log_stream: &str) -> (usize, Value) {
    let reply = Reply::new(&envelope(event), outcome, log_stream);
    let body: Value = serde_json::from_str(reply.body()).expect("JSON");
    for id in ["StackId", "RequestId", "LogicalResourceId"] {
        assert_eq!(body[id], event[id], "{id} arrives intact");
    }
    let members = body.as_object().expect("an object");
    assert!(members.values().all(|member| !member.is_null()), "{body}");
    (reply.body().len(), body)
}

fn failed(reason: &str) -> Outcome {
    Err(Failure {
        id: "publisher/publisher-connectors".into(),
        reason: reason.into(),
    })
}

fn reason(reason: &str, log_stream: &str) -> (usize, String) {
    let (length, body) = body(&sample("create"), &failed(reason), log_stream);
    assert_eq!(body["Status"], "FAILED");
    assert_eq!(body.get("Data"), None);
    (
        length,
        body["Reason"].as_str().expect("a reason").to_owned(),
    )
}

fn succeeded(uri: &str) -> Outcome {
    let attributes = BTreeMap::from([
        ("BucketUri", uri.to_owned()),
        ("UserName", "publisher-connectors".to_owned()),
    ]);
    Ok(Success {
        id: "publisher/publisher-connectors".into(),
        attributes,
        warnings: Vec::new(),
    })
}

#[test]
fn a_success_has_exactly_the_fields_that_it_needs() {
    let (_, body) = body(&sample("create"), &succeeded("s3://b/"), "stream");
    let event = sample("create");
    assert_eq!(
        body,
        json!({
            "Status": "SUCCESS",
            "PhysicalResourceId": "publisher/publisher-connectors",
            "StackId": event["StackId"],
            "RequestId": event["RequestId"],
            "LogicalResourceId": "S3Access",
            "Data": {"BucketUri": "s3://b/", "UserName": "publisher-connectors", "Warnings": "none"},
        })
    );
}

#[test]
fn a_success_without_attributes_has_no_data() {
    let outcome = Ok(Success {
        id: "x".into(),
        attributes: BTreeMap::new(),
        warnings: Vec::new(),
    });
    assert_eq!(
        body(&sample("delete"), &outcome, "stream").1.get("Data"),
        None
    );
}

#[test]
fn attributes_that_do_not_fit_make_a_failure_that_keeps_the_id() {
    let (length, body) = body(&sample("create"), &succeeded(&"x".repeat(LIMIT)), "stream");
    assert!(length <= LIMIT);
    assert_eq!(
        (&body["Status"], &body["PhysicalResourceId"]),
        (&json!("FAILED"), &json!("publisher/publisher-connectors"))
    );
    assert!(
        body["Reason"]
            .as_str()
            .expect("a reason")
            .contains("`Buckets`")
    );
}

#[test]
fn a_success_of_exactly_the_limit_is_sent_and_of_one_byte_more_is_not() {
    let (empty, _) = body(&sample("create"), &succeeded(""), "");
    let (length, fits) = body(
        &sample("create"),
        &succeeded(&"x".repeat(LIMIT - empty)),
        "",
    );
    assert_eq!((length, &fits["Status"]), (LIMIT, &json!("SUCCESS")));
    let (_, too_long) = body(
        &sample("create"),
        &succeeded(&"x".repeat(LIMIT - empty + 1)),
        "",
    );
    assert_eq!(too_long["Status"], "FAILED");
}

#[test]
fn a_reason_that_fits_is_kept_and_ends_in_the_log_stream() {
    assert_eq!(
        reason("it failed", "2026/x").1,
        "it failed (log stream 2026/x)"
    );
    assert_eq!(reason("it failed", "").1, "it failed");
    assert_eq!(reason("", "").1, "no reason was given");
}

#[test]
fn a_reason_is_one_line() {
    assert_eq!(
        reason("a\r\n\tb\u{2028}c\u{0}\u{7}d  e\n", "s\nt").1,
        r"a b c\u{0}\u{7}d e (log stream s t)"
    );
}

#[test]
fn a_long_reason_uses_all_the_room_and_keeps_head_and_tail() {
    let long = format!("head {} tail", "x".repeat(2 * LIMIT));
    let (length, reason) = reason(&long, "2026/x");
    assert!((LIMIT - 20..=LIMIT).contains(&length), "{length}");
    assert!(reason.starts_with("head xxx") && reason.ends_with("xxx tail (log stream 2026/x)"));
    assert!(reason.contains("x […] x"));
}

#[test]
fn the_longest_ids_that_are_answered_leave_room_for_a_reason() {
    let event = with(
        &sample("delete"),
        "PhysicalResourceId",
        Some("\"".repeat(1250).into()),
    );
    let outcome = Err(envelope(&event).failure("why ".repeat(5000)));
    let (length, answer) = body(&event, &outcome, "2026/x");
    assert!(length <= LIMIT);
    assert_eq!(answer["PhysicalResourceId"], event["PhysicalResourceId"]);
    assert!(answer["Reason"].as_str().expect("a reason").len() > 500);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_reason_of_any_characters_breaks_the_limit_or_the_text(
        text in r#"[\PC"\\\n\u{0}é漢🧬]{0,2500}"#,
        repeated in 1_usize..6,
        stream in "[a-z0-9/]{0,80}",
    ) {
        let (length, reason) = reason(&text.repeat(repeated), &stream);
        prop_assert!(length <= LIMIT, "{length}");
        prop_assert!(!reason.is_empty() && !reason.chars().any(char::is_control));
    }

    #[test]
    fn no_attribute_of_any_characters_breaks_the_limit(uri in r#"[\PC"\\\n\u{0}é漢🧬]{0,2500}"#) {
        let (length, body) = body(&sample("create"), &succeeded(&uri), "stream");
        prop_assert!(length <= LIMIT, "{length}");
        prop_assert!(body["Status"] == "FAILED" || body["Data"]["BucketUri"] == uri);
    }
}
