//! Bad input: each row is a property, a value and the whole line that the stack's event list shows.

use serde_json::{Value, json};

use crate::{KEY, create, with};

fn message(properties: &Value) -> String {
    create(properties).map_or_else(|refusal| refusal.to_string(), |_| "accepted".to_owned())
}

fn rows() -> Vec<(&'static str, Value)> {
    let long = |length| "x".repeat(length);
    vec![
        ("Buckets", json!(null)),
        ("Buckets", json!([])),
        ("Buckets", json!("")),
        ("Buckets", json!([""])),
        ("Buckets", json!({"Name": "genomics"})),
        ("Buckets", json!([["genomics"]])),
        ("Buckets", json!(["genomics", null])),
        ("Buckets", json!("genomics,imaging")),
        ("Buckets", json!("s3://genomics/a/,s3://imaging/b/")),
        ("Buckets", json!(["genomics,imaging"])),
        ("Buckets", json!(["s3://genomics/a/,s3://imaging/b/"])),
        ("Buckets", json!(["genomics", " imaging"])),
        ("Buckets", json!("genomics\n")),
        ("Buckets", json!("*")),
        ("Buckets", json!("geno?ics")),
        ("Buckets", json!("${aws:username}")),
        ("Buckets", json!("génomique")),
        ("Buckets", json!("Genomics")),
        ("Buckets", json!("geno_mics")),
        ("Buckets", json!("ab")),
        ("Buckets", json!(long(64))),
        ("Buckets", json!("-genomics")),
        ("Buckets", json!("genomics.")),
        ("Buckets", json!("geno..mics")),
        ("Buckets", json!("192.168.5.4")),
        ("Buckets", json!("xn--genomics")),
        ("Buckets", json!("sthree-genomics")),
        ("Buckets", json!("amzn-s3-demo-bucket")),
        (
            "Buckets",
            json!("reads-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias"),
        ),
        ("Buckets", json!("reads--ol-s3")),
        ("Buckets", json!("reads--op-s3")),
        ("Buckets", json!("mfzwi23gnjvgw.mrap")),
        ("Buckets", json!("reads--use1-az4--x-s3")),
        ("Buckets", json!("reads--table-s3")),
        ("Buckets", json!("s3://")),
        ("Buckets", json!("s3:///a/")),
        ("Buckets", json!("S3://genomics/")),
        ("Buckets", json!("https://genomics.s3.amazonaws.com/a/")),
        ("Buckets", json!("genomics/a/")),
        ("Buckets", json!("s3://genomics//a/")),
        ("Buckets", json!("s3://genomics/*")),
        ("Buckets", json!("s3://genomics/a?/")),
        ("Buckets", json!("s3://genomics/home/${aws:username}/")),
        ("Buckets", json!("s3://genomics/a\u{0}b/")),
        ("Buckets", json!("s3://genomics/a\u{85}b/")),
        ("Buckets", json!("s3://genomics/基因/")),
        ("Buckets", json!("s3://genomics/\u{100}/")),
        ("Buckets", json!(format!("s3://genomics/{}", long(1024)))),
        ("Buckets", json!("arn:aws:s3:::genomics/*")),
        ("Buckets", json!("arn:aws:s3:::")),
        ("Buckets", json!("arn:aws:s3")),
        ("Buckets", json!("arn:other:s3:::genomics")),
        ("Buckets", json!("arn:aws-cn:s3:::genomics")),
        (
            "Buckets",
            json!("arn:aws:s3:us-east-1:123456789012:accesspoint/reads"),
        ),
        (
            "Buckets",
            json!("arn:aws:s3express:us-east-1:123456789012:bucket/reads--use1-az4--x-s3"),
        ),
        ("Buckets", json!("arn:aws:s3:us-east-1::genomics")),
        (
            "Buckets",
            json!(
                (0..60)
                    .map(|i| format!("genomics-{i:02}"))
                    .collect::<Vec<_>>()
            ),
        ),
        ("UserName", json!(null)),
        ("UserName", json!("")),
        ("UserName", json!(["reader"])),
        ("UserName", json!({"Name": "reader"})),
        ("UserName", json!(long(65))),
        ("UserName", json!("reader*")),
        ("UserName", json!("${aws:username}")),
        ("UserName", json!("a,b")),
        ("UserName", json!("path/reader")),
        ("UserName", json!("reader\r\n")),
        ("UserName", json!("lecteur-é")),
        ("UserName", json!("\u{202e}reader")),
        ("PolicyName", json!(null)),
        ("PolicyName", json!("")),
        ("PolicyName", json!(["S3"])),
        ("PolicyName", json!([["S3"]])),
        ("PolicyName", json!(long(129))),
        ("PolicyName", json!("S3 Access")),
        ("PolicyName", json!("S3*")),
        ("PolicyName", json!("${x}")),
        ("PolicyName", json!("S3\t")),
        ("PolicyName", json!("é")),
        ("SecretKmsKeyId", json!(null)),
        ("SecretKmsKeyId", json!("")),
        ("SecretKmsKeyId", json!([KEY])),
        ("SecretKmsKeyId", json!(true)),
        ("SecretKmsKeyId", json!("my-key")),
        ("SecretKmsKeyId", json!("mrk-1234")),
        ("SecretKmsKeyId", json!("alias/")),
        ("SecretKmsKeyId", json!("alias/*")),
        ("SecretKmsKeyId", json!("alias/${x}")),
        ("SecretKmsKeyId", json!("alias/é")),
        ("SecretKmsKeyId", json!("alias/a\n")),
        ("SecretKmsKeyId", json!("alias/aws/s3")),
        ("SecretKmsKeyId", json!(format!("alias/{}", long(251)))),
        (
            "SecretKmsKeyId",
            json!("arn:aws:kms:us-east-1:123456789012:key/*"),
        ),
        (
            "SecretKmsKeyId",
            json!("arn:aws:iam::123456789012:user/reader"),
        ),
        (
            "SecretKmsKeyId",
            json!(KEY.replace("arn:aws:", "arn:aws-us-gov:")),
        ),
        ("SecretRecoveryDays", json!(null)),
        ("SecretRecoveryDays", json!("")),
        ("SecretRecoveryDays", json!([7])),
        ("SecretRecoveryDays", json!(true)),
        ("SecretRecoveryDays", json!("-1")),
        ("SecretRecoveryDays", json!(1)),
        ("SecretRecoveryDays", json!("6")),
        ("SecretRecoveryDays", json!(31)),
        ("SecretRecoveryDays", json!("7.0")),
        ("SecretRecoveryDays", json!("263")),
        ("SecretRecoveryDays", json!("７")),
        ("SecretRecoveryDays", json!("99999999999999999999999")),
        ("BucketKmsKeyArns", json!(null)),
        ("BucketKmsKeyArns", json!("")),
        ("BucketKmsKeyArns", json!([""])),
        ("BucketKmsKeyArns", json!([[KEY]])),
        ("BucketKmsKeyArns", json!([KEY, null])),
        ("BucketKmsKeyArns", json!({"Arn": KEY})),
        (
            "BucketKmsKeyArns",
            json!(["1234abcd-12ab-34cd-56ef-1234567890ab"]),
        ),
        ("BucketKmsKeyArns", json!(["alias/genomics"])),
        (
            "BucketKmsKeyArns",
            json!(["arn:aws:kms:us-east-1:123456789012:alias/genomics"]),
        ),
        (
            "BucketKmsKeyArns",
            json!(["arn:aws:kms:us-east-1:123456789012:key/*"]),
        ),
        (
            "BucketKmsKeyArns",
            json!(["arn:aws:kms:*:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"]),
        ),
        ("BucketKmsKeyArns", json!([format!("{KEY}\n")])),
        ("BucketKmsKeyArns", json!([KEY.replace("ab", "é")])),
        (
            "BucketKmsKeyArns",
            json!([KEY.replace("123456789012", "1234")]),
        ),
        (
            "BucketKmsKeyArns",
            json!([KEY.replace("arn:aws:", "arn:aws-cn:")]),
        ),
        ("BucketKmsKeyArns", json!([long(2049)])),
        ("PermissionsBoundary", json!(null)),
        ("PermissionsBoundary", json!("")),
        (
            "PermissionsBoundary",
            json!(["arn:aws:iam::123456789012:policy/Boundary"]),
        ),
        ("PermissionsBoundary", json!({"Arn": "x"})),
        ("PermissionsBoundary", json!("Boundary")),
        (
            "PermissionsBoundary",
            json!("arn:aws:iam::123456789012:role/Boundary"),
        ),
        (
            "PermissionsBoundary",
            json!("arn:aws:iam::123456789012:policy/"),
        ),
        (
            "PermissionsBoundary",
            json!("arn:aws:iam::123456789012:policy/*"),
        ),
        (
            "PermissionsBoundary",
            json!("arn:aws:iam::123456789012:policy/*/Boundary"),
        ),
        (
            "PermissionsBoundary",
            json!("arn:aws:iam::123456789012:policy/${x}"),
        ),
        (
            "PermissionsBoundary",
            json!("arn:aws:iam::123456789012:policy/${x}/Boundary"),
        ),
        (
            "PermissionsBoundary",
            json!("arn:aws:iam::123456789012:policy/é/Boundary"),
        ),
        (
            "PermissionsBoundary",
            json!("arn:aws:iam::123456789012:policy/Boundary\n"),
        ),
        (
            "PermissionsBoundary",
            json!("arn:aws:iam::12345:policy/Boundary"),
        ),
        (
            "PermissionsBoundary",
            json!("arn:aws-cn:iam::123456789012:policy/Boundary"),
        ),
        (
            "PermissionsBoundary",
            json!(format!("arn:aws:iam::123456789012:policy/{}", long(2048))),
        ),
        ("Tags", json!(null)),
        ("Tags", json!("team=genomics")),
        ("Tags", json!({"team": "genomics"})),
        ("Tags", json!([null])),
        ("Tags", json!(["team"])),
        ("Tags", json!([[{"Key": "team", "Value": "genomics"}]])),
        ("Tags", json!([{}])),
        ("Tags", json!([{"Key": "team"}])),
        ("Tags", json!([{"Value": "genomics"}])),
        ("Tags", json!([{"key": "team", "value": "genomics"}])),
        (
            "Tags",
            json!([{"Key": "team", "Value": "genomics", "PropagateAtLaunch": true}]),
        ),
        ("Tags", json!([{"Key": "", "Value": "genomics"}])),
        ("Tags", json!([{"Key": null, "Value": "genomics"}])),
        ("Tags", json!([{"Key": "team", "Value": null}])),
        ("Tags", json!([{"Key": "team", "Value": ["genomics"]}])),
        ("Tags", json!([{"Key": long(129), "Value": "genomics"}])),
        ("Tags", json!([{"Key": "team", "Value": long(257)}])),
        ("Tags", json!([{"Key": "team*", "Value": "genomics"}])),
        ("Tags", json!([{"Key": "team", "Value": "${genomics}"}])),
        ("Tags", json!([{"Key": "team", "Value": "geno\tmics"}])),
        ("Tags", json!([{"Key": "team 🧬", "Value": "genomics"}])),
        ("Tags", json!([{"Key": "AWS:team", "Value": "genomics"}])),
        ("Tags", json!([{"Key": "team", "Value": "aws:genomics"}])),
        (
            "Tags",
            json!([{"Key": "Publisher-S3-Access:stack-id", "Value": "x"}]),
        ),
        (
            "Tags",
            json!([{"Key": "team", "Value": "a"}, {"Key": "Team", "Value": "b"}]),
        ),
        (
            "Tags",
            json!(
                (0..46)
                    .map(|i| json!({"Key": format!("k{i}"), "Value": ""}))
                    .collect::<Vec<_>>()
            ),
        ),
        ("KeySerial", json!(null)),
        ("KeySerial", json!("")),
        ("KeySerial", json!([1])),
        ("KeySerial", json!({})),
        ("KeySerial", json!(true)),
        ("KeySerial", json!(0)),
        ("KeySerial", json!("-1")),
        ("KeySerial", json!("+1")),
        ("KeySerial", json!(1.5)),
        ("KeySerial", json!("1e3")),
        ("KeySerial", json!(" 1")),
        ("KeySerial", json!("1*")),
        ("KeySerial", json!("${x}")),
        ("KeySerial", json!("１")),
        ("KeySerial", json!("9007199254740992")),
        ("VerifyAccess", json!(null)),
        ("VerifyAccess", json!("")),
        ("VerifyAccess", json!([true])),
        ("VerifyAccess", json!({})),
        ("VerifyAccess", json!("yes")),
        ("VerifyAccess", json!(1)),
        ("VerifyAccess", json!("true\n")),
        ("VerifyAccess", json!("*")),
        ("VerifyAccess", json!("${x}")),
        ("VerifyAccess", json!("vráí")),
        ("VerifyAccess", json!(long(5000))),
        ("Revision", json!(null)),
        ("Revision", json!(["1"])),
        ("Revision", json!([["1"]])),
        ("Revision", json!({"Number": 1})),
        ("Bucket", json!("genomics")),
        ("buckets", json!("genomics")),
        ("BucketNames", json!("genomics")),
        ("KmsKeyId", json!(KEY)),
        ("RecoveryDays", json!(7)),
        ("User", json!("reader")),
        ("Rotate", json!(true)),
        ("\u{1b}[31m", json!("")),
    ]
}

#[test]
fn every_refusal_says_in_one_line_which_property_which_value_and_why() {
    let mut lines = String::new();
    for (name, value) in rows() {
        let refusal =
            create(&with(name, value.clone())).expect_err(&format!("{name}: {value} is accepted"));
        let line = refusal.to_string();
        let readable = name.starts_with(|c: char| c.is_ascii_alphabetic());
        assert!(
            !readable || refusal.property().starts_with(name),
            "another property is blamed: {line}"
        );
        assert!(
            line.contains(&format!("`{}`", refusal.property())),
            "property not named: {line}"
        );
        assert!(
            !line.chars().any(char::is_control),
            "breaks the line: {line:?}"
        );
        assert!(!line.ends_with('.'), "ends in a full stop: {line}");
        assert!(line.chars().count() < 400, "too long: {line}");
        lines.extend([line.as_str(), "\n"]);
    }
    insta::assert_snapshot!("refusals", lines);
}

#[test]
fn every_property_is_tried_with_null_a_list_in_a_list_and_an_object() {
    let properties = [
        "Buckets",
        "UserName",
        "PolicyName",
        "SecretKmsKeyId",
        "SecretRecoveryDays",
        "BucketKmsKeyArns",
        "PermissionsBoundary",
        "Tags",
        "KeySerial",
        "VerifyAccess",
        "Revision",
    ];
    for name in properties {
        for value in [
            json!(null),
            json!([["x"]]),
            json!([[]]),
            json!([null]),
            json!({}),
            json!([{"Ref": []}]),
        ] {
            let refusal = create(&with(name, value.clone()))
                .expect_err(&format!("{name}: {value} is accepted"));
            assert!(refusal.property().starts_with(name), "{refusal}");
        }
    }
}

#[test]
fn properties_that_are_no_object_are_refused() {
    for properties in [json!(null), json!([]), json!("Buckets"), json!(1)] {
        assert!(message(&properties).starts_with("property `ResourceProperties`: value `"));
    }
}

#[test]
fn without_buckets_nothing_is_made() {
    assert_eq!(
        message(&json!({})),
        "property `Buckets` is missing; name at least one bucket"
    );
}

#[test]
fn a_misspelt_property_is_named_before_the_one_it_leaves_missing() {
    assert_eq!(
        message(&json!({"Bucket": "genomics"})),
        "property `Bucket` is unknown; did you mean `Buckets`?"
    );
}
