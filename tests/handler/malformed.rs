//! Malformed events: answered, or, without a usable URL, ignored; never acted on.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::cloud::Manner;
use crate::support::events::{sample, through_topic, with, with_property};
use crate::support::{Handled, at_once, handled};

/// What nobody expects in the place of an id.
fn odd_values() -> Vec<(&'static str, Option<Value>)> {
    vec![
        ("left out", None),
        ("null", Some(Value::Null)),
        ("a number", Some(json!(4711))),
        ("a bool", Some(json!(true))),
        ("a list", Some(json!(["x"]))),
        ("an object", Some(json!({"x": "y"}))),
        ("empty", Some(json!(""))),
    ]
}

/// Events with a usable URL that nobody can act on.
fn answerable() -> Vec<(String, String)> {
    let mut events = Vec::new();
    let mut add = |name: String, event: String| events.push((name, event));
    for base in ["create", "update", "delete"] {
        let event = sample(base);
        for field in ["RequestType", "StackId", "RequestId", "LogicalResourceId"] {
            for (what, value) in odd_values() {
                add(
                    format!("{base}: `{field}` is {what}"),
                    with(&event, field, value).to_string(),
                );
            }
        }
        for (what, stack) in [
            ("no ARN", "publisher"),
            (
                "a change set's ARN",
                "arn:aws:cloudformation:us-east-1:012345678912:changeSet/a/b",
            ),
            (
                "of another account",
                "arn:aws:cloudformation:us-east-1:210987654321:stack/publisher/guid",
            ),
            (
                "of another region",
                "arn:aws:cloudformation:us-east-2:012345678912:stack/publisher/guid",
            ),
            (
                "of another partition",
                "arn:aws-cn:cloudformation:us-east-1:012345678912:stack/publisher/guid",
            ),
            (
                "of no partition",
                "arn:gcp:cloudformation:us-east-1:012345678912:stack/publisher/guid",
            ),
            (
                "two lines",
                "arn:aws:cloudformation:us-east-1:012345678912:\nstack/publisher/guid",
            ),
        ] {
            add(
                format!("{base}: `StackId` is {what}"),
                with(&event, "StackId", Some(json!(stack))).to_string(),
            );
        }
        for kind in ["create", "CREATE", "Read", "Create ", "\u{0}", "Créate"] {
            add(
                format!("{base}: `RequestType` is {kind:?}"),
                with(&event, "RequestType", Some(json!(kind))).to_string(),
            );
        }
        let text = event.to_string();
        let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
        for (what, odd) in [
            ("nested deeper than the decoder goes", deep.as_str()),
            ("a number beyond all numbers", "1e999"),
            ("half a character", r#""\ud800""#),
        ] {
            add(
                format!("{base}: an unknown member is {what}"),
                text.replacen('{', &format!("{{\"Odd\":{odd},"), 1),
            );
        }
        add(
            format!("{base}: through a topic"),
            through_topic(&event).to_string(),
        );
    }
    for base in ["update", "delete"] {
        for (what, value) in odd_values() {
            let event = with(&sample(base), "PhysicalResourceId", value);
            add(
                format!("{base}: `PhysicalResourceId` is {what}"),
                event.to_string(),
            );
        }
    }
    for base in ["create", "update"] {
        for (what, value) in odd_values() {
            let event = with(&sample(base), "ResourceProperties", value);
            add(
                format!("{base}: `ResourceProperties` is {what}"),
                event.to_string(),
            );
        }
        for property in [
            "Buckets",
            "UserName",
            "PolicyName",
            "SecretKmsKeyId",
            "SecretRecoveryDays",
            "PermissionsBoundary",
            "Tags",
            "KeySerial",
            "VerifyAccess",
        ] {
            for (what, value) in [
                ("an object", json!({"x": "y"})),
                ("a list in a list", json!([["x"]])),
                ("null", Value::Null),
                ("empty", json!("")),
                ("a bell", json!("\u{7}")),
            ] {
                let event = with_property(&sample(base), property, Some(value));
                add(format!("{base}: `{property}` is {what}"), event.to_string());
            }
        }
    }
    events
}

/// Events that leave nobody to answer.
fn unanswerable() -> Vec<(String, String)> {
    let mut events: Vec<(String, String)> = [
        "",
        " ",
        "null",
        "true",
        "5",
        "\"text\"",
        "[]",
        "[{}]",
        "{}",
        "{",
        "\u{feff}{}",
        "not JSON",
        r#"{"Records":[]}"#,
        r#"{"Records":[{}]}"#,
        r#"{"Records":[{"Sns":{"Message":"hello"}}]}"#,
        r#"{"Records":[{"Sns":{"Message":"{}"}}]}"#,
        r#"{"Records":[{"s3":{"bucket":{"name":"b"}}}]}"#,
        r#"{"key1":"value1","key2":"value2"}"#,
        r#"{"version":"0","detail-type":"Scheduled Event","detail":{}}"#,
    ]
    .map(|text| (format!("{text:?}"), text.to_owned()))
    .to_vec();
    for base in ["create", "update", "delete"] {
        let event = sample(base);
        let url = event["ResponseURL"].as_str().expect("a URL").to_owned();
        for (what, value) in odd_values() {
            events.push((
                format!("{base}: `ResponseURL` is {what}"),
                with(&event, "ResponseURL", value).to_string(),
            ));
        }
        for odd in [
            url.replacen("https", "http", 1),
            url.replacen("amazonaws.com", "amazonaws.com.evil.example", 1),
            url.replacen("https://", "https://user@", 1),
            "https://169.254.170.2/v2/credentials".into(),
            "http://127.0.0.1:9001/2018-06-01/runtime/invocation/x/response".into(),
            "file:///etc/passwd".into(),
            format!("https://s3.amazonaws.com/{}", "x".repeat(70_000)),
        ] {
            let name = format!(
                "{base}: `ResponseURL` is {}",
                odd.chars().take(60).collect::<String>()
            );
            events.push((
                name,
                with(&event, "ResponseURL", Some(odd.into())).to_string(),
            ));
        }
        for field in ["StackId", "RequestId", "LogicalResourceId"] {
            for (what, part) in [
                ("far too long", "x"),
                ("far too long once escaped", "\u{1}"),
            ] {
                let long = Value::from(part.repeat(3000));
                events.push((
                    format!("{base}: `{field}` is {what}"),
                    with(&event, field, Some(long)).to_string(),
                ));
            }
        }
        let text = event.to_string();
        events.push((
            format!("{base}: cut short"),
            text[..text.len() / 2].to_owned(),
        ));
    }
    events
}

fn run(event: &str) -> Handled {
    let handled = at_once(handled(event, Manner::Panics));
    assert_eq!(handled.calls, 0, "AWS was called");
    handled
}

#[test]
fn at_least_two_hundred_malformed_events_with_a_usable_url_are_answered_failed_without_a_call() {
    let events = answerable();
    for (name, event) in &events {
        println!("answered: {name}");
        let reason = run(event).failure();
        assert!(!reason.contains("panicked"), "{name}: {reason}");
    }
    println!("{} malformed events were answered", events.len());
    assert!(events.len() >= 200, "{}", events.len());
}

#[test]
fn events_without_a_usable_url_are_ignored_without_a_call_or_an_answer() {
    let events = unanswerable();
    for (name, event) in &events {
        println!("ignored: {name}");
        let handled = run(event);
        assert_eq!(
            (handled.result, handled.bodies.len()),
            (Ok(()), 0),
            "{name}"
        );
    }
    println!("{} malformed events were ignored", events.len());
    assert!(events.len() >= 60, "{}", events.len());
}

/// Any JSON value, a few levels deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(".{0,8}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

const FIELDS: [&str; 9] = [
    "RequestType",
    "StackId",
    "RequestId",
    "LogicalResourceId",
    "PhysicalResourceId",
    "ResourceProperties",
    "OldResourceProperties",
    "ResourceType",
    "ServiceToken",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_event_with_any_two_members_replaced_by_anything_is_answered_exactly_once(
        base in prop::sample::select(vec!["create", "update", "delete"]),
        first in prop::sample::select(FIELDS.to_vec()),
        second in prop::sample::select(FIELDS.to_vec()),
        one in any_json(),
        two in any_json(),
    ) {
        let event = with(&with(&sample(base), first, Some(one)), second, Some(two));
        let answer = at_once(handled(&event.to_string(), Manner::Refuses)).answer();
        prop_assert_ne!(&answer["PhysicalResourceId"], "");
    }

    #[test]
    fn any_text_is_handled_without_a_call_or_an_answer(text in ".{0,200}") {
        let handled = run(&text);
        prop_assert_eq!(handled.bodies.len(), 0);
    }
}
