//! What names mean beyond their text.

use publisher_s3_access::request::buckets::Prefix;
use publisher_s3_access::request::names::{
    KeySerial, KmsKeyArn, Partition, PolicyArn, SecretKmsKey, SecretName, UserName,
};
use serde_json::json;

use crate::{KEY, create, with};

const ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";

#[test]
fn users_that_differ_in_case_alone_are_one_to_iam() {
    let reader = UserName::parse("reader").unwrap();
    assert!(reader.eq_ignore_case(&UserName::parse("READER").unwrap()));
    assert!(!reader.eq_ignore_case(&UserName::parse("reader2").unwrap()));
    assert_ne!(reader, UserName::parse("Reader").unwrap());
}

#[test]
fn a_physical_id_leads_back_to_its_user() {
    let secret = SecretName::parse("publisher/reader").unwrap();
    assert_eq!(secret.user().as_str(), "reader");
    assert_eq!(secret.user().secret_name(), secret);
    for foreign in [
        "publisher-S3Access-1X2C3V4B5N6M",
        "S3Access-refused",
        "publisher/",
        "publisher/a/b",
        "reader",
        "",
    ] {
        assert!(SecretName::parse(foreign).is_err(), "{foreign}");
    }
}

#[test]
fn a_key_serial_compares_as_a_number() {
    assert!(KeySerial::parse("10").unwrap() > KeySerial::parse("9").unwrap());
}

#[test]
fn the_secrets_key_is_recognised_however_secrets_manager_shows_it() {
    let alias = "arn:aws:kms:us-east-1:123456789012:alias/team";
    for (given, shown, same) in [
        (ID, ID, true),
        (ID, KEY, true),
        (KEY, ID, true),
        (KEY, KEY, true),
        ("alias/team", "alias/team", true),
        ("alias/team", alias, true),
        (alias, "alias/team", true),
        (KEY, &KEY.replace("us-east-1", "us-west-2"), false),
        (ID, &ID.replace('a', "b"), false),
        ("alias/team", ID, false),
        ("alias/team", "alias/other", false),
        ("alias/team", "team", false),
    ] {
        let key = SecretKmsKey::parse(given).unwrap().unwrap();
        assert_eq!(key.same_as(shown), same, "{given} and {shown}");
    }
}

#[test]
fn a_kms_key_knows_its_region_and_partition() {
    let key = KmsKeyArn::parse(
        "arn:aws-cn:kms:cn-north-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab",
    )
    .unwrap();
    assert_eq!((key.region(), key.partition()), ("cn-north-1", "aws-cn"));
}

#[test]
fn a_partition_begins_with_aws() {
    for name in [
        "aws",
        "aws-cn",
        "aws-us-gov",
        "aws-iso",
        "aws-iso-b",
        "aws-eusc",
    ] {
        Partition::parse(name).unwrap();
    }
    for name in [
        "", "AWS", "awsome", "gcp", "aws:x", "aws-*", "aws-${x}", "aws-é",
    ] {
        assert!(Partition::parse(name).is_err(), "{name}");
    }
}

#[test]
fn arns_of_other_things_are_no_boundaries_and_no_keys() {
    for arn in [
        "arn:aws:iam:us-east-1:123456789012:policy/x",
        "arn:aws:iot::123456789012:policy/x",
        "arn:aws:iam::someone:policy/x",
        "arn:aws:iam::123456789012:policy/x/",
        "arn:gcp:iam::123456789012:policy/x",
        "aws:iam::123456789012:policy/x",
    ] {
        assert!(PolicyArn::parse(arn).is_err(), "{arn}");
    }
    for arn in [
        KEY.replace("kms", "s3"),
        KEY.replace("us-east-1", ""),
        KEY.replace("us-east-1", "us_east_1"),
        KEY.replace("123456789012", "12345678901x"),
        KEY.replace("key/", "key:"),
        KEY.replace("-12ab", "12ab"),
        KEY.replace("1234abcd", "1234abcg"),
        format!("{KEY}-00"),
        format!("arn:aws:kms:{}:123456789012:key/{ID}", "x".repeat(33)),
    ] {
        assert!(KmsKeyArn::parse(&arn).is_err(), "{arn}");
        assert!(SecretKmsKey::parse(&arn).is_err(), "{arn}");
    }
}

#[test]
fn a_refused_value_is_shown_up_to_sixty_characters() {
    let shown = |length| {
        create(&with("KeySerial", json!("é".repeat(length))))
            .unwrap_err()
            .to_string()
    };
    assert!(shown(60).contains(&format!("`{}`", "é".repeat(60))));
    assert!(shown(61).contains(&format!("`{}…`", "é".repeat(60))));
}

#[test]
fn a_prefix_has_as_many_bytes_as_a_key_can_its_slash_included() {
    assert_eq!(
        Prefix::parse(&"x".repeat(1023)).unwrap().as_str().len(),
        1024
    );
    assert_eq!(
        Prefix::parse(&format!("{}/", "é".repeat(511)))
            .unwrap()
            .as_str()
            .len(),
        1023
    );
    assert!(Prefix::parse(&"x".repeat(1024)).is_err());
    assert!(Prefix::parse(&"é".repeat(512)).is_err());
}
