//! Old properties and those of a Delete: everything readable is read, whatever the rest is.

use publisher_s3_access::request::names::{KeySerial, RecoveryWindow, Verification};
use publisher_s3_access::request::properties::{Deletion, Previous};
use serde_json::{Value, json};

use crate::{KEY, create};

fn texts<T: ToString>(items: &[T]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

#[test]
fn what_was_accepted_once_is_read_back_as_it_was() {
    let properties = json!({
        "Buckets": ["s3://genomics/a", "imaging"],
        "UserName": "reader",
        "PolicyName": "Read",
        "SecretKmsKeyId": "alias/secrets",
        "BucketKmsKeyArns": [KEY],
        "PermissionsBoundary": "arn:aws:iam::123456789012:policy/Boundary",
        "Tags": [{"Key": "team", "Value": "genomics"}, {"Key": "stage", "Value": ""}],
        "KeySerial": "3",
        "VerifyAccess": "false",
        "Revision": "4",
    });
    let desired = create(&properties).unwrap();
    let previous = Previous::read(&properties);
    assert_eq!(previous.user.as_ref(), Some(&desired.user));
    assert_eq!(previous.policy.as_ref(), Some(&desired.policy));
    assert_eq!(previous.buckets.as_ref(), Some(&desired.buckets));
    assert_eq!(previous.bucket_kms_keys, desired.bucket_kms_keys);
    assert_eq!(previous.boundary, desired.boundary);
    assert_eq!(texts(&previous.tag_keys), ["team", "stage"]);
    assert_eq!(previous.key_serial, Some(desired.key_serial));
    assert_eq!(previous.verification, Some(Verification::Skip));
    assert_eq!(previous.revision.as_deref(), Some("4"));
}

#[test]
fn what_was_left_out_had_its_default() {
    let previous = Previous::read(&json!({}));
    assert_eq!(previous.user.unwrap().as_str(), "publisher-connectors");
    assert_eq!(previous.policy.unwrap().as_str(), "S3AccessPolicy");
    assert_eq!(previous.verification, Some(Verification::Prove));
    assert_eq!(previous.key_serial, Some(KeySerial::default()));
    assert_eq!((previous.buckets, previous.revision), (None, None));
}

#[test]
fn one_broken_property_hides_no_other() {
    let good = json!({"Buckets": ["genomics"], "UserName": "reader", "Tags": [{"Key": "team", "Value": "x"}]});
    for (name, value) in [
        ("Unknown", json!({})),
        ("PolicyName", json!("a b")),
        ("KeySerial", json!("soon")),
        ("VerifyAccess", json!(null)),
        ("SecretKmsKeyId", json!([])),
        ("BucketKmsKeyArns", json!("x")),
        ("PermissionsBoundary", json!({})),
        ("Revision", json!([])),
    ] {
        let mut properties = good.clone();
        properties[name] = value;
        let previous = Previous::read(&properties);
        assert_eq!(previous.user.unwrap().as_str(), "reader", "{name}");
        assert_eq!(
            previous.buckets.unwrap().first().to_string(),
            "s3://genomics/",
            "{name}"
        );
        assert_eq!(texts(&previous.tag_keys), ["team"], "{name}");
    }
}

#[test]
fn only_valid_keys_among_old_tags_count_as_ours() {
    let tags = json!([
        {"Key": "team", "Value": "genomics"},
        {"Key": "no-value"},
        {"Key": "aws:cloudformation:stack-name", "Value": "x"},
        {"Key": "publisher-s3-access:stack-id", "Value": "x"},
        {"Value": "x"},
        "team2",
        null,
        {"Key": ["x"]},
    ]);
    assert_eq!(
        texts(&Previous::read(&json!({"Tags": tags})).tag_keys),
        ["team", "no-value"]
    );
    assert_eq!(
        Previous::read(&json!({"Tags": {"Key": "team"}})).tag_keys,
        []
    );
}

#[test]
fn properties_that_are_not_an_object_say_nothing() {
    for properties in [Value::Null, json!([]), json!("x")] {
        assert_eq!(Previous::read(&properties), Previous::default());
        let deletion = Deletion::read(&properties);
        assert_eq!(
            (deletion.user, deletion.recovery),
            (None, RecoveryWindow::LONGEST)
        );
    }
}

#[test]
fn a_delete_finds_its_user_however_broken_the_rest_is() {
    let deletion = Deletion::read(
        &json!({"UserName": "reader", "Buckets": [["x"]], "Unknown": 1, "Tags": null}),
    );
    assert_eq!(deletion.user.unwrap().as_str(), "reader");
    assert_eq!(
        Deletion::read(&json!({})).user.unwrap().as_str(),
        "publisher-connectors"
    );
    for unreadable in [
        json!(null),
        json!(""),
        json!(["reader"]),
        json!({}),
        json!("a/b"),
        json!("*"),
    ] {
        assert_eq!(
            Deletion::read(&json!({ "UserName": unreadable })).user,
            None,
            "{unreadable}"
        );
    }
}

#[test]
fn an_unreadable_recovery_window_counts_as_the_longest() {
    let recovery = |value: Value| Deletion::read(&json!({ "SecretRecoveryDays": value })).recovery;
    assert_eq!(Deletion::read(&json!({})).recovery, RecoveryWindow::None);
    assert_eq!(recovery(json!("0")), RecoveryWindow::None);
    assert_eq!(recovery(json!(7)), RecoveryWindow::Days(7));
    for unreadable in [
        json!(null),
        json!(""),
        json!("soon"),
        json!([0]),
        json!(1),
        json!("-0"),
        json!(31),
    ] {
        assert_eq!(
            recovery(unreadable.clone()),
            RecoveryWindow::Days(30),
            "{unreadable}"
        );
    }
}
