//! The policy: its text for each form of input, its length, and when an observed one means the same.

use publisher_s3_access::plan::policy::{self, PolicyDocument};
use publisher_s3_access::request::names::Partition;
use publisher_s3_access::request::properties::Desired;
use serde_json::{Value, json};

use crate::{KEY, partition};

/// The policy for these buckets and keys; it may be too long.
pub(crate) fn document(buckets: &Value, keys: &Value) -> PolicyDocument {
    let properties = json!({ "Buckets": buckets, "BucketKmsKeyArns": keys });
    let Desired {
        buckets,
        bucket_kms_keys,
        ..
    } = Desired::parse(&properties, &partition()).unwrap();
    policy::document(&buckets, &bucket_kms_keys, &partition(), "amazonaws.com")
}

fn statements(buckets: Value, keys: Value) -> Value {
    let policy: Value = serde_json::from_str(document(&buckets, &keys).as_str()).unwrap();
    assert_eq!(policy["Version"], "2012-10-17");
    policy["Statement"].clone()
}

fn list(resource: Value) -> Value {
    json!({"Effect": "Allow", "Action": "s3:ListBucket", "Resource": resource})
}

fn list_under(resource: Value, patterns: Value) -> Value {
    let mut statement = list(resource);
    statement["Condition"] = json!({"StringLike": {"s3:prefix": patterns}});
    statement
}

fn get(resource: Value) -> Value {
    json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": resource})
}

fn decrypt(resource: Value, service: &str) -> Value {
    json!({
        "Effect": "Allow", "Action": "kms:Decrypt", "Resource": resource,
        "Condition": {"StringEquals": {"kms:ViaService": service}},
    })
}

#[test]
fn a_whole_bucket_gets_the_documented_policy_corrected() {
    assert_eq!(
        statements(json!("genomics"), json!([])),
        json!([
            list(json!("arn:aws:s3:::genomics")),
            get(json!("arn:aws:s3:::genomics/*"))
        ])
    );
}

#[test]
fn whole_buckets_share_their_statements() {
    assert_eq!(
        statements(json!(["genomics", "imaging"]), json!([])),
        json!([
            list(json!(["arn:aws:s3:::genomics", "arn:aws:s3:::imaging"])),
            get(json!(["arn:aws:s3:::genomics/*", "arn:aws:s3:::imaging/*"])),
        ])
    );
}

#[test]
fn a_folder_is_listed_under_a_condition_and_read_by_its_arn() {
    assert_eq!(
        statements(json!("s3://genomics/a/b"), json!([])),
        json!([
            list_under(json!("arn:aws:s3:::genomics"), json!(["a/b/", "a/b/*"])),
            get(json!("arn:aws:s3:::genomics/a/b/*")),
        ])
    );
}

#[test]
fn buckets_share_a_condition_only_where_their_folders_are_the_same() {
    let buckets = json!([
        "s3://one/b/",
        "s3://two/a/",
        "s3://one/a/",
        "s3://two/b/",
        "s3://three/a/",
        "four"
    ]);
    assert_eq!(
        statements(buckets, json!([])),
        json!([
            list_under(
                json!(["arn:aws:s3:::one", "arn:aws:s3:::two"]),
                json!(["a/", "a/*", "b/", "b/*"])
            ),
            list_under(json!("arn:aws:s3:::three"), json!(["a/", "a/*"])),
            list(json!("arn:aws:s3:::four")),
            get(json!([
                "arn:aws:s3:::one/b/*",
                "arn:aws:s3:::one/a/*",
                "arn:aws:s3:::two/a/*",
                "arn:aws:s3:::two/b/*",
                "arn:aws:s3:::three/a/*",
                "arn:aws:s3:::four/*",
            ])),
        ])
    );
}

#[test]
fn what_lies_inside_another_entry_is_not_written_out() {
    let collapsed = document(&json!(["genomics", "s3://imaging/a/"]), &json!([]));
    let spread = json!([
        "s3://genomics/x/",
        "genomics",
        "s3://imaging/a/b/",
        "s3://imaging/a",
        "s3://imaging/a/c/d/"
    ]);
    assert_eq!(document(&spread, &json!([])), collapsed);
    let neighbours = document(&json!(["s3://imaging/a/", "s3://imaging/ab/"]), &json!([]));
    assert!(
        neighbours.as_str().contains("imaging/ab/*"),
        "a folder swallowed its neighbour"
    );
}

#[test]
fn kms_keys_decrypt_only_for_s3_in_their_own_region() {
    let (other, third) = (
        KEY.replace("1234abcd", "5678abcd"),
        KEY.replace("us-east-1", "eu-west-1"),
    );
    assert_eq!(
        statements(json!("genomics"), json!([KEY, third, other]))
            .as_array()
            .unwrap()[2..],
        [
            decrypt(json!([KEY, other]), "s3.us-east-1.amazonaws.com"),
            decrypt(json!(third), "s3.eu-west-1.amazonaws.com"),
        ]
    );
}

#[test]
fn partition_and_dns_suffix_are_the_stacks_own() {
    let china = Partition::parse("aws-cn").unwrap();
    let key = "arn:aws-cn:kms:cn-north-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let properties = json!({"Buckets": "s3://genomics/a/", "BucketKmsKeyArns": [key]});
    let desired = Desired::parse(&properties, &china).unwrap();
    let document = PolicyDocument::of(&desired, &china, "amazonaws.com.cn").unwrap();
    assert!(!document.as_str().contains("arn:aws:"), "{document:?}");
    assert!(
        document
            .as_str()
            .contains("\"s3.cn-north-1.amazonaws.com.cn\""),
        "{document:?}"
    );
}

/// How many whole buckets, all with names of this length, one user's policy holds.
fn capacity(name_length: usize) -> usize {
    let names: Vec<String> = (100..200).map(|i| format!("{i:x<name_length$}")).collect();
    (1..=names.len())
        .take_while(|&count| document(&json!(names[..count]), &json!([])).fits().is_ok())
        .count()
}

#[test]
fn one_user_holds_as_many_buckets_as_the_page_says() {
    assert_eq!([3, 20, 40, 63].map(capacity), [47, 25, 16, 11]);
}

#[test]
fn a_policy_fits_up_to_iams_limit_and_not_beyond() {
    let with_folder = |length: usize| {
        document(
            &json!(format!("s3://genomics/{}/", "x".repeat(length))),
            &json!([]),
        )
    };
    let empty = with_folder(1).length() - 3;
    let longest = (policy::INLINE_POLICY_LIMIT - empty) / 3;
    assert!(with_folder(longest).length() > policy::INLINE_POLICY_LIMIT - 3);
    with_folder(longest).fits().unwrap();
    let too_long = with_folder(longest + 1);
    let refusal = too_long.fits().unwrap_err().to_string();
    assert!(
        refusal.contains(&too_long.length().to_string()),
        "{refusal}"
    );
}

#[test]
fn policies_added_by_hand_count_and_are_named() {
    let document = document(&json!("genomics"), &json!([]));
    let room = policy::INLINE_POLICY_LIMIT - document.length();
    document
        .fits_beside(&[("Extra", room - 1), ("Tiny", 1)])
        .unwrap();
    let refusal = document
        .fits_beside(&[("Extra", room), ("Tiny", 1)])
        .unwrap_err()
        .to_string();
    assert!(
        refusal.contains(&format!("`Extra` ({room}), `Tiny` (1)")),
        "{refusal}"
    );
}

#[test]
fn white_space_is_not_counted() {
    assert_eq!(
        policy::counted_length("{ \"a\" :\n\t[ ] }"),
        "{\"a\":[]}".len()
    );
}

#[test]
fn the_form_of_an_observed_policy_does_not_matter() {
    let wanted = document(&json!(["genomics", "s3://imaging/a/"]), &json!([KEY]));
    assert!(policy::same_meaning(&wanted, wanted.as_str()));
    let by_hand = json!({
        "Statement": [
            {"Sid": "Keys", "Effect": ["Allow"], "Action": ["kms:Decrypt"], "Resource": [KEY],
             "Condition": {"StringEquals": {"kms:ViaService": ["s3.us-east-1.amazonaws.com"]}}},
            {"Resource": ["arn:aws:s3:::imaging/a/*", "arn:aws:s3:::genomics/*", "arn:aws:s3:::genomics/*"],
             "Effect": "Allow", "Action": "s3:GetObject"},
            {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::imaging",
             "Condition": {"StringLike": {"s3:prefix": ["a/*", "a/"]}}},
            {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::genomics"},
        ],
        "Version": "2012-10-17",
    });
    assert!(policy::same_meaning(
        &wanted,
        &serde_json::to_string_pretty(&by_hand).unwrap()
    ));
}

#[test]
fn every_change_of_an_observed_policy_matters() {
    let wanted = document(&json!(["genomics", "s3://imaging/a/"]), &json!([KEY]));
    for (was, is) in [
        ("2012-10-17", "2008-10-17"),
        ("Allow", "Deny"),
        ("s3:GetObject", "s3:*"),
        ("s3:ListBucket", "s3:ListBucketVersions"),
        ("genomics/*", "genomics/x*"),
        ("\"a/\"", "\"b/\""),
        ("StringLike", "StringEquals"),
        ("us-east-1.amazonaws", "eu-west-1.amazonaws"),
        ("\"Action\"", "\"NotAction\""),
        ("\"Statement\"", "\"Id\":\"x\",\"Statement\""),
    ] {
        let observed = wanted.as_str().replace(was, is);
        assert_ne!(observed, wanted.as_str(), "{was} does not occur");
        assert!(
            !policy::same_meaning(&wanted, &observed),
            "{was} -> {is} went unnoticed"
        );
    }
    for garbage in ["", "null", "[]", "{", "%7B%7D"] {
        assert!(!policy::same_meaning(&wanted, garbage), "{garbage}");
    }
}
