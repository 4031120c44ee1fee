//! Refusals before any call to AWS, with an id whose Delete then succeeds.

use publisher_s3_access::request::settings::Settings;
use serde_json::{Value, json};

use crate::support::cloud::Manner;
use crate::support::events::{sample, through_topic, with, with_property};
use crate::support::{Handled, at_once, handled_with, settings, settings_with};

fn refused(event: &Value, settings: &Settings) -> Handled {
    let handled = at_once(handled_with(&event.to_string(), Manner::Panics, settings));
    assert_eq!(handled.calls, 0);
    handled
}

/// Refuses a Create, then sends the Delete that CloudFormation sends after it. Returns the id and the reason.
fn create_then_delete(
    create: &Value,
    to_delete: impl Fn(Value) -> Value,
    settings: &Settings,
) -> (String, String) {
    let handled = refused(create, settings);
    let (id, reason) = (
        handled.answer()["PhysicalResourceId"].clone(),
        handled.failure(),
    );
    let direct = match create["Records"][0]["Sns"]["Message"].as_str() {
        Some(message) => serde_json::from_str(message).expect("an event"),
        None => create.clone(),
    };
    let delete = with(
        &with(&direct, "RequestType", Some("Delete".into())),
        "PhysicalResourceId",
        Some(id.clone()),
    );
    let deleted = refused(&to_delete(delete), settings).answer();
    assert_eq!(deleted["Status"], "SUCCESS", "{deleted}");
    assert_eq!(deleted["PhysicalResourceId"], id);
    (id.as_str().expect("text").to_owned(), reason)
}

#[test]
fn a_stack_of_another_account_region_or_partition_is_refused_and_can_be_deleted() {
    for (part, other) in [
        ("012345678912", "210987654321"),
        ("us-east-1", "us-west-2"),
        ("arn:aws:", "arn:aws-us-gov:"),
    ] {
        let stack = sample("create")["StackId"]
            .as_str()
            .expect("text")
            .replace(part, other);
        let event = with(&sample("create"), "StackId", Some(stack.into()));
        let (id, reason) = create_then_delete(&event, |delete| delete, &settings());
        assert_eq!(id, "S3Access-refused");
        assert!(
            reason.contains("`aws:us-east-1:012345678912`")
                && reason.contains(&other.replace("arn:", "")[..other.len().min(8) - 4]),
            "{reason}"
        );
    }
}

#[test]
fn a_forged_delete_of_something_made_fails_without_a_call() {
    let stack = "arn:aws:cloudformation:us-east-1:210987654321:stack/publisher/guid";
    let event = with(&sample("delete"), "StackId", Some(stack.into()));
    let reason = refused(&event, &settings()).failure();
    assert!(reason.contains("210987654321"), "{reason}");
}

#[test]
fn an_event_through_a_topic_is_refused_and_can_be_deleted() {
    let (id, reason) = create_then_delete(
        &through_topic(&sample("create")),
        |delete| through_topic(&delete),
        &settings(),
    );
    assert_eq!(id, "S3Access-refused");
    assert!(
        reason.contains("SNS") && reason.contains("`ServiceToken`"),
        "{reason}"
    );
}

#[test]
fn a_function_that_may_log_bodies_refuses_every_event() {
    let settings = settings_with(&[("LOG_SENSITIVE_BODIES", "true")]);
    let (id, reason) = create_then_delete(&sample("create"), |delete| delete, &settings);
    assert_eq!(id, "S3Access-refused");
    assert!(reason.contains("`LOG_SENSITIVE_BODIES`"), "{reason}");
    for event in ["update", "delete"] {
        let handled = refused(&sample(event), &settings);
        handled.failure();
        assert_eq!(
            handled.answer()["PhysicalResourceId"],
            sample(event)["PhysicalResourceId"]
        );
    }
}

#[test]
fn a_function_that_does_not_know_its_home_refuses_every_event() {
    let settings = Settings {
        home: None,
        ..settings()
    };
    let (_, reason) = create_then_delete(&sample("create"), |delete| delete, &settings);
    assert!(reason.contains("ARN"), "{reason}");
}

#[test]
fn a_user_name_out_of_the_roles_reach_is_refused_and_can_be_deleted() {
    let event = with_property(&sample("create"), "UserName", Some("admin".into()));
    let (id, reason) = create_then_delete(&event, |delete| delete, &settings());
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
        let (id, _) = create_then_delete(&event, |delete| delete, &settings());
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
    assert!(matches!(
        PhysicalId::parse("publisher/publisher-connectors"),
        PhysicalId::Ours(_)
    ));
    for id in [
        "publisher-S3Access-1X2C3V4B5N6M",
        "publisher/",
        "publisher/a/b",
        "publisher/a,b",
        "S3Access-refused",
        "",
        "\u{0}",
    ] {
        assert_eq!(PhysicalId::parse(id), PhysicalId::Foreign(id.to_owned()));
        assert_eq!(PhysicalId::parse(id).as_str(), id);
    }
}
