//! Refusals before any call to AWS, with an id whose Delete then succeeds.

use publisher_s3_access::request::settings::Settings;
use serde_json::{Value, json};

use crate::support::cloud::Manner;
use crate::support::events::{STACK, sample, with, with_property};
use crate::support::{Handled, at_once, handled_with, settings, settings_with};

fn refused(event: &Value, settings: &Settings) -> Handled {
    let handled = at_once(handled_with(&event.to_string(), Manner::Panics, settings));
    assert_eq!(handled.calls, 0);
    handled
}

/// Refuses a Create, then sends the Delete that CloudFormation sends after it. Returns the id and the reason.
fn create_then_delete(create: &Value, settings: &Settings) -> (String, String) {
    let handled = refused(create, settings);
    let (id, reason) = (
        handled.answer()["PhysicalResourceId"].clone(),
        handled.failure(),
    );
    let delete = with(
        &with(create, "RequestType", Some("Delete".into())),
        "PhysicalResourceId",
        Some(id.clone()),
    );
    let deleted = refused(&delete, settings).answer();
    assert_eq!(deleted["Status"], "SUCCESS", "{deleted}");
    assert_eq!(deleted["PhysicalResourceId"], id);
    (id.as_str().expect("text").to_owned(), reason)
}

/// Refuses every kind of event for this reason, without a call.
fn refuses_everything(settings: &Settings, change: impl Fn(&Value) -> Value, why: &str) {
    for kind in ["create", "update", "delete"] {
        let handled = refused(&change(&sample(kind)), settings);
        let reason = handled.failure();
        assert!(reason.contains(why), "{kind}: {reason}");
        let id = match kind {
            "create" => json!("S3Access-refused"),
            _ => sample(kind)["PhysicalResourceId"].clone(),
        };
        assert_eq!(handled.answer()["PhysicalResourceId"], id);
    }
}

#[test]
fn an_event_of_another_stack_is_refused() {
    for (part, other) in [
        ("012345678912", "210987654321"),
        ("us-east-1", "us-west-2"),
        ("arn:aws:", "arn:aws-us-gov:"),
        ("8d7e4d70", "8d7e4d71"),
    ] {
        let stack = STACK.replace(part, other);
        let elsewhere = |event: &Value| with(event, "StackId", Some(stack.clone().into()));
        refuses_everything(&settings(), elsewhere, "serves only stack");
    }
}

#[test]
fn a_function_that_does_not_know_its_stack_refuses_every_event() {
    let settings = settings_with(&[("STACK_ID", "")]);
    refuses_everything(&settings, Value::clone, "`STACK_ID`");
}

#[test]
fn a_handler_that_is_not_the_programs_refuses_every_event() {
    for handler in ["", "bootstrap", "maintenance", "Custom-Resource"] {
        let settings = settings_with(&[("_HANDLER", handler)]);
        refuses_everything(&settings, Value::clone, "`custom-resource`");
    }
}

#[test]
fn a_user_name_out_of_the_roles_reach_is_refused_and_can_be_deleted() {
    let event = with_property(&sample("create"), "UserName", Some("admin".into()));
    let (id, reason) = create_then_delete(&event, &settings());
    assert_eq!(id, "S3Access-refused");
    for part in ["`UserName`", "`admin`", "`publisher-*`"] {
        assert!(reason.contains(part), "{reason}");
    }
    let update = with_property(&sample("update"), "UserName", Some("admin".into()));
    let handled = refused(&update, &settings());
    handled.failure();
    assert_eq!(
        handled.answer()["PhysicalResourceId"],
        sample("update")["PhysicalResourceId"]
    );
}

#[test]
fn without_a_prefix_in_the_settings_every_user_name_is_in_reach() {
    let event = with_property(&sample("create"), "UserName", Some("admin".into()));
    let settings = settings_with(&[("USER_NAME_PREFIX", "")]);
    let handled = at_once(handled_with(&event.to_string(), Manner::Refuses, &settings));
    assert!(handled.calls > 0);
    assert_eq!(handled.answer()["PhysicalResourceId"], "publisher/admin");
}

#[test]
fn a_create_refused_for_another_property_answers_the_id_that_its_name_gives() {
    let event = with_property(&sample("create"), "Bucket", Some("x".into()));
    assert_eq!(
        refused(&event, &settings()).answer()["PhysicalResourceId"],
        "publisher/publisher-connectors"
    );
    let event = with_property(&event, "UserName", Some("publisher-other".into()));
    assert_eq!(
        refused(&event, &settings()).answer()["PhysicalResourceId"],
        "publisher/publisher-other"
    );
}

#[test]
fn a_create_whose_user_name_cannot_be_read_answers_the_refused_id_and_can_be_deleted() {
    for name in [
        json!("a,b"),
        json!(["x"]),
        json!(null),
        json!("x".repeat(65)),
    ] {
        let event = with_property(&sample("create"), "UserName", Some(name));
        let (id, _) = create_then_delete(&event, &settings());
        assert_eq!(id, "S3Access-refused");
    }
}

#[test]
fn a_policy_beyond_iams_limit_is_refused_without_a_call() {
    let handled = refused(&sample("bad-too-many-buckets"), &settings());
    let reason = handled.failure();
    assert!(reason.contains("2048"), "{reason}");
}

#[test]
fn only_what_begins_with_publisher_and_holds_a_user_name_is_an_id_made_here() {
    use publisher_s3_access::request::names::PhysicalId;
    let ours = PhysicalId::parse("publisher/publisher-connectors").user();
    assert_eq!(ours.expect("a user").as_str(), "publisher-connectors");
    for id in [
        "publisher-S3Access-1X2C3V4B5N6M",
        "publisher/",
        "publisher/a/b",
        "publisher/a,b",
        "S3Access-refused",
        "",
        "\u{0}",
    ] {
        assert_eq!(PhysicalId::parse(id).user(), None);
        assert_eq!(PhysicalId::parse(id).as_str(), id);
    }
}
