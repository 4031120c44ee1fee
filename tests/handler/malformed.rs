//! Malformed events: answered, or, without a usable URL, ignored; never acted on.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::cloud::Manner;
use crate::support::events::{sample, with, with_property};
use crate::support::{Handled, at_once, handled};
use publisher_s3_access::Unanswered;

/// Values that nobody expects as an id.
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

/// A malformed event and what is wrong with it.
type Malformed = (String, String);

fn malformed(base: &str, what: &str, event: impl ToString) -> Malformed {
    (format!("{base}: {what}"), event.to_string())
}

/// The sample with such a value in this member.
fn odd(base: &str, field: &str) -> Vec<Malformed> {
    let odd = |(what, value)| {
        let event = with(&sample(base), field, value);
        malformed(base, &format!("`{field}` is {what}"), event)
    };
    odd_values().into_iter().map(odd).collect()
}

/// Events with a usable URL that nobody can act on.
fn answerable() -> Vec<Malformed> {
    let mut events = Vec::new();
    for base in ["create", "update", "delete"] {
        for field in ["RequestType", "StackId", "RequestId", "LogicalResourceId"] {
            events.extend(odd(base, field));
        }
        events.extend(foreign_stacks(base));
        events.extend(unknown_kinds(base));
        events.extend(unknown_members(base));
    }
    for base in ["update", "delete"] {
        events.extend(odd(base, "PhysicalResourceId"));
    }
    for base in ["create", "update"] {
        events.extend(odd(base, "ResourceProperties"));
        events.extend(odd_properties(base));
    }
    events
}

fn foreign_stacks(base: &str) -> impl Iterator<Item = Malformed> {
    let stacks = [
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
    ];
    stacks.into_iter().map(move |(what, stack)| {
        let event = with(&sample(base), "StackId", Some(json!(stack)));
        malformed(base, &format!("`StackId` is {what}"), event)
    })
}

fn unknown_kinds(base: &str) -> impl Iterator<Item = Malformed> {
    let kinds = ["create", "CREATE", "Read", "Create ", "\u{0}", "Créate"];
    kinds.into_iter().map(move |kind| {
        let event = with(&sample(base), "RequestType", Some(json!(kind)));
        malformed(base, &format!("`RequestType` is {kind:?}"), event)
    })
}

fn unknown_members(base: &str) -> impl Iterator<Item = Malformed> {
    let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
    let members = [
        ("nested deeper than the decoder goes", deep.as_str()),
        ("a number beyond all numbers", "1e999"),
        ("half a character", r#""\ud800""#),
    ];
    let text = sample(base).to_string();
    let events = members.map(|(what, odd)| {
        let event = text.replacen('{', &format!("{{\"Odd\":{odd},"), 1);
        malformed(base, &format!("an unknown member is {what}"), event)
    });
    events.into_iter()
}

fn odd_properties(base: &str) -> Vec<Malformed> {
    let properties = [
        "Buckets",
        "UserName",
        "PolicyName",
        "SecretKmsKeyId",
        "SecretRecoveryDays",
        "PermissionsBoundary",
        "Tags",
        "KeySerial",
        "VerifyAccess",
    ];
    let values = [
        ("an object", json!({"x": "y"})),
        ("a list in a list", json!([["x"]])),
        ("null", Value::Null),
        ("empty", json!("")),
        ("a bell", json!("\u{7}")),
    ];
    let event = sample(base);
    let mut events = Vec::new();
    for property in properties {
        for (what, value) in &values {
            let event = with_property(&event, property, Some(value.clone()));
            events.push(malformed(base, &format!("`{property}` is {what}"), event));
        }
    }
    events
}

/// Input that is not an event of CloudFormation at all.
const TEXTS: [&str; 19] = [
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
];

/// Events that leave nobody to answer.
fn unanswerable() -> Vec<Malformed> {
    let mut events: Vec<_> = TEXTS
        .map(|text| (format!("{text:?}"), text.to_owned()))
        .into();
    for base in ["create", "update", "delete"] {
        events.extend(odd(base, "ResponseURL"));
        events.extend(unusable_urls(base));
        for field in ["StackId", "RequestId", "LogicalResourceId"] {
            for (what, part) in [
                ("far too long", "x"),
                ("far too long once escaped", "\u{1}"),
            ] {
                let long = Value::from(part.repeat(3000));
                let event = with(&sample(base), field, Some(long));
                events.push(malformed(base, &format!("`{field}` is {what}"), event));
            }
        }
        let text = sample(base).to_string();
        events.push(malformed(base, "cut short", &text[..text.len() / 2]));
    }
    events
}

fn unusable_urls(base: &str) -> impl Iterator<Item = Malformed> {
    let event = sample(base);
    let url = event["ResponseURL"].as_str().expect("a URL");
    let urls = [
        url.replacen("https", "http", 1),
        url.replacen("amazonaws.com", "amazonaws.com.evil.example", 1),
        url.replacen("https://", "https://user@", 1),
        "https://169.254.170.2/v2/credentials".into(),
        "http://127.0.0.1:9001/2018-06-01/runtime/invocation/x/response".into(),
        "file:///etc/passwd".into(),
        format!("https://s3.amazonaws.com/{}", "x".repeat(70_000)),
    ];
    urls.into_iter().map(move |url| {
        let shown: String = url.chars().take(60).collect();
        let event = with(&event, "ResponseURL", Some(url.into()));
        malformed(base, &format!("`ResponseURL` is {shown}"), event)
    })
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
fn events_without_a_usable_url_fail_the_invocation_without_a_call_or_an_answer() {
    let events = unanswerable();
    for (name, event) in &events {
        println!("failed: {name}");
        let handled = run(event);
        assert!(
            matches!(handled.result, Err(Unanswered::Envelope(_))),
            "{name}"
        );
        assert_eq!(handled.bodies.len(), 0, "{name}");
    }
    println!("{} malformed events failed", events.len());
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
