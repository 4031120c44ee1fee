//! Good input, and its meaning.

use publisher_s3_access::plan::policy::PolicyDocument;
use publisher_s3_access::request::names::{Partition, RecoveryWindow, Verification};
use publisher_s3_access::request::properties::Desired;
use serde_json::{Value, json};

use crate::{KEY, create, with};

fn buckets(value: Value) -> Vec<String> {
    let desired = create(&with("Buckets", value)).unwrap();
    desired.buckets.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_left_out_takes_its_documented_default() {
    let desired = create(&json!({"Buckets": "genomics"})).unwrap();
    assert_eq!(desired.user.as_str(), "publisher-connectors");
    assert_eq!(
        desired.user.secret_name().as_str(),
        "publisher/publisher-connectors"
    );
    assert_eq!(desired.policy.as_str(), "S3AccessPolicy");
    assert_eq!(desired.bucket_kms_keys, []);
    assert_eq!(desired.boundary, None);
    assert_eq!(desired.secret_kms_key, None);
    assert_eq!(desired.recovery, RecoveryWindow::None);
    assert_eq!(desired.tags, []);
    assert_eq!(desired.key_serial.get(), 1);
    assert_eq!(desired.verification, Verification::Prove);
    assert_eq!(desired.revision, None);
}

/// A bucket cannot be renamed, and until 2018 us-east-1 took more names.
#[test]
fn names_of_before_2018_are_accepted() {
    for name in [
        "ABCD_Central_1",
        "x-",
        "a..b",
        "192.168.5.4",
        &"N".repeat(255),
    ] {
        let name = &format!("{name:0<3}");
        assert_eq!(buckets(json!(name)), [format!("s3://{name}/")]);
    }
}

#[test]
fn every_way_to_write_a_bucket_means_the_same() {
    for spelling in [
        "genomics",
        "s3://genomics",
        "s3://genomics/",
        "arn:aws:s3:::genomics",
        "arn:aws:s3:::genomics/",
    ] {
        assert_eq!(buckets(json!(spelling)), ["s3://genomics/"], "{spelling}");
        assert_eq!(buckets(json!([spelling])), ["s3://genomics/"], "{spelling}");
    }
    for spelling in [
        "s3://genomics/a/b",
        "s3://genomics/a/b/",
        "arn:aws:s3:::genomics/a/b",
        "arn:aws:s3:::genomics/a/b/",
    ] {
        assert_eq!(
            buckets(json!(spelling)),
            ["s3://genomics/a/b/"],
            "{spelling}"
        );
    }
}

#[test]
fn buckets_keep_their_order_and_count_once() {
    let given = json!([
        "s3://zebra/b/",
        "zebra",
        "s3://apple/",
        "s3://zebra/b",
        "arn:aws:s3:::apple"
    ]);
    assert_eq!(
        buckets(given),
        ["s3://zebra/b/", "s3://zebra/", "s3://apple/"]
    );
}

#[test]
fn names_at_the_edge_of_the_rules_are_buckets() {
    let longest = "x".repeat(63);
    for name in [
        "abc",
        "1000genomes",
        "my.bucket.example.org",
        "a-.b",
        "192.168.5.4.5",
        "s3alias",
        &longest,
    ] {
        assert_eq!(buckets(json!(name)), [format!("s3://{name}/")]);
    }
}

#[test]
fn prefixes_hold_every_plain_character_that_a_policy_can() {
    for prefix in [
        "a b/", "é/ÿ/", "a//b/", "x$y/{z}/", "100%/", "a+b=c,d/", "\"q\"\\/",
    ] {
        assert_eq!(
            buckets(json!([format!("s3://genomics/{prefix}")])),
            [format!("s3://genomics/{prefix}")]
        );
    }
}

#[test]
fn scalars_are_the_same_as_strings_bools_and_numbers() {
    let mut strings = with("KeySerial", json!("7"));
    let mut natives = with("KeySerial", json!(7));
    for (name, string, native) in [
        ("VerifyAccess", json!("false"), json!(false)),
        ("SecretRecoveryDays", json!("14"), json!(14)),
        ("Revision", json!("20240131"), json!(20_240_131)),
        ("UserName", json!("1234"), json!(1234)),
        (
            "Tags",
            json!([{"Key": "1", "Value": "true"}]),
            json!([{"Key": 1, "Value": true}]),
        ),
    ] {
        strings[name] = string;
        natives[name] = native;
    }
    assert_eq!(create(&strings).unwrap(), create(&natives).unwrap());
    assert_eq!(create(&natives).unwrap().verification, Verification::Skip);
}

#[test]
fn booleans_are_taken_in_any_case() {
    for (text, verification) in [
        ("true", Verification::Prove),
        ("True", Verification::Prove),
        ("TRUE", Verification::Prove),
        ("false", Verification::Skip),
        ("False", Verification::Skip),
        ("FALSE", Verification::Skip),
    ] {
        assert_eq!(
            create(&with("VerifyAccess", json!(text)))
                .unwrap()
                .verification,
            verification,
            "{text}"
        );
    }
}

#[test]
fn the_ends_of_every_range_are_within_it() {
    for (name, value) in [
        ("UserName", json!("x".repeat(64))),
        ("UserName", json!("a+b=c.d@e-f_g")),
        ("PolicyName", json!("x".repeat(128))),
        ("PolicyName", json!("a,b")),
        ("KeySerial", json!(1)),
        ("KeySerial", json!("999999999")),
        ("SecretRecoveryDays", json!(0)),
        ("SecretRecoveryDays", json!(7)),
        ("SecretRecoveryDays", json!("30")),
        (
            "SecretKmsKeyId",
            json!(format!("alias/{}", "x".repeat(250))),
        ),
        (
            "Tags",
            json!([{"Key": "k".repeat(128), "Value": "v".repeat(256)}, {"Key": "empty", "Value": ""}]),
        ),
        (
            "Tags",
            json!([{"Key": "équipe génétique", "Value": "チーム 7 +-=._:/@"}]),
        ),
        (
            "Tags",
            json!(
                (0..45)
                    .map(|i| json!({"Key": format!("k{i}"), "Value": ""}))
                    .collect::<Vec<_>>()
            ),
        ),
        ("Tags", json!([])),
        ("BucketKmsKeyArns", json!([])),
        ("BucketKmsKeyArns", json!(KEY)),
        ("Revision", json!("")),
        ("Revision", json!("any * text ${at} all\n")),
        ("ServiceTimeout", json!("600")),
        (
            "PermissionsBoundary",
            json!("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"),
        ),
        (
            "PermissionsBoundary",
            json!("arn:aws:iam::123456789012:policy/teams/data/Boundary"),
        ),
    ] {
        create(&with(name, value)).unwrap();
    }
}

#[test]
fn every_way_to_name_the_secrets_key_is_taken_as_given() {
    let id = "1234abcd-12ab-34cd-56ef-1234567890ab";
    let alias = "arn:aws:kms:us-east-1:123456789012:alias/team/secrets_1";
    for key in [
        id,
        "mrk-1234abcd12ab34cd56ef1234567890ab",
        KEY,
        "alias/team/secrets_1",
        alias,
    ] {
        let parsed = create(&with("SecretKmsKeyId", json!(key)))
            .unwrap()
            .secret_kms_key;
        assert_eq!(parsed.unwrap().as_str(), key);
    }
}

#[test]
fn naming_secrets_managers_own_key_is_naming_none() {
    for key in [
        "alias/aws/secretsmanager",
        "arn:aws:kms:us-east-1:123456789012:alias/aws/secretsmanager",
    ] {
        assert_eq!(
            create(&with("SecretKmsKeyId", json!(key)))
                .unwrap()
                .secret_kms_key,
            None
        );
    }
}

#[test]
fn repeated_kms_keys_count_once() {
    assert_eq!(
        create(&with("BucketKmsKeyArns", json!([KEY, KEY])))
            .unwrap()
            .bucket_kms_keys
            .len(),
        1
    );
}

#[test]
fn every_partition_takes_its_own_arns() {
    for name in ["aws", "aws-cn", "aws-us-gov", "aws-iso-b", "aws-eusc"] {
        let partition = Partition::parse(name).unwrap();
        let properties = json!({
            "Buckets": [format!("arn:{name}:s3:::genomics/a/")],
            "BucketKmsKeyArns": [KEY.replace("arn:aws:", &format!("arn:{name}:"))],
            "PermissionsBoundary": format!("arn:{name}:iam::123456789012:policy/Boundary"),
        });
        let desired = Desired::parse(&properties, &partition).unwrap();
        let document = PolicyDocument::of(&desired, &partition, "example.org").unwrap();
        assert!(
            document
                .as_str()
                .contains(&format!("\"arn:{name}:s3:::genomics/a/*\"")),
            "{document:?}"
        );
    }
}
