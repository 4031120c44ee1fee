//! Odd events that the function can act on, and does.

use serde_json::{Value, json};

use crate::support::cloud::Manner;
use crate::support::events::{sample, with, with_property};
use crate::support::{at_once, handled};

fn calls(event: &Value) -> usize {
    let handled = at_once(handled(&event.to_string(), Manner::Refuses));
    handled.failure();
    handled.calls
}

#[test]
fn members_that_decide_nothing_may_be_missing_or_of_any_type() {
    for base in ["create", "update", "delete"] {
        for field in ["ServiceToken", "ResourceType", "Unknown"] {
            for value in [
                None,
                Some(Value::Null),
                Some(json!(5)),
                Some(json!(["x"])),
                Some(json!({})),
            ] {
                assert!(
                    calls(&with(&sample(base), field, value)) > 0,
                    "{base}, {field}"
                );
            }
        }
    }
}

#[test]
fn a_delete_acts_on_its_own_id_whatever_its_properties_are() {
    for properties in [
        None,
        Some(Value::Null),
        Some(json!(5)),
        Some(json!("x")),
        Some(json!([])),
        Some(json!({"A": null})),
    ] {
        assert!(calls(&with(&sample("delete"), "ResourceProperties", properties)) > 0);
    }
    for property in [
        "Buckets",
        "UserName",
        "Tags",
        "SecretRecoveryDays",
        "Unknown",
    ] {
        for value in [
            json!(null),
            json!([[]]),
            json!({"x": []}),
            json!("\u{0}"),
            json!("x".repeat(10_000)),
        ] {
            assert!(
                calls(&with_property(&sample("delete"), property, Some(value))) > 0,
                "{property}"
            );
        }
    }
}

#[test]
fn old_properties_never_hinder_an_update() {
    for old in [
        None,
        Some(Value::Null),
        Some(json!(5)),
        Some(json!([])),
        Some(json!({"UserName": {}, "Tags": 5})),
    ] {
        assert!(calls(&with(&sample("update"), "OldResourceProperties", old)) > 0);
    }
}

#[test]
fn the_last_of_two_members_with_one_name_counts() {
    let event = sample("create").to_string().replacen(
        '{',
        "{\"RequestType\":\"Delete\",\"ResponseURL\":\"x\",",
        1,
    );
    let answer = at_once(handled(&event, Manner::Refuses)).answer();
    assert_eq!(
        answer["PhysicalResourceId"],
        "publisher/publisher-connectors"
    );
}
