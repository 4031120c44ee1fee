//! The policy: its text for each form of input, its length, and when an observed one means the same.

use publisher_s3_access::plan::policy::{self, PolicyDocument};
use publisher_s3_access::request::names::Partition;
use publisher_s3_access::request::properties::Desired;
use serde_json::{Value, json};

use crate::{KEY, create, partition, with};

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
    let fits = |count: &usize| {
        document(&json!(names[..*count]), &json!([])).length() <= policy::INLINE_POLICY_LIMIT
    };
    (1..=names.len()).take_while(fits).count()
}

#[test]
fn one_user_holds_as_many_buckets_as_the_page_says() {
    assert_eq!([3, 20, 40, 63].map(capacity), [47, 25, 16, 11]);
}

#[test]
fn a_policy_fits_up_to_iams_limit_and_not_beyond() {
    let with_folder = |length: usize| json!(format!("s3://genomics/{}/", "x".repeat(length)));
    let length = |buckets: &Value| document(buckets, &json!([])).length();
    let longest = (policy::INLINE_POLICY_LIMIT - length(&with_folder(1)) + 3) / 3;
    assert!(length(&with_folder(longest)) > policy::INLINE_POLICY_LIMIT - 3);
    create(&with("Buckets", with_folder(longest))).unwrap();
    let too_long = with_folder(longest + 1);
    let refusal = create(&with("Buckets", too_long.clone()))
        .unwrap_err()
        .to_string();
    let told = length(&too_long).to_string();
    assert!(refusal.contains(&told), "{refusal}");
}

/// Nine of these entries fit, and ten do not.
#[test]
fn a_policy_that_is_too_long_says_how_many_entries_fit() {
    let entries = |count: usize| {
        let folder =
            |i| format!("s3://consortium-genomics-bucket-{i:02}/release/folder-number-{i:02}/");
        json!((0..count).map(folder).collect::<Vec<_>>())
    };
    let fitting = (1..).take_while(|count| create(&with("Buckets", entries(*count))).is_ok());
    let fitting = fitting.count();
    let refusal = create(&with("Buckets", entries(30)))
        .unwrap_err()
        .to_string();
    assert!(
        refusal.contains(&format!("the first {fitting} entries fit")),
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
fn white_space_and_the_order_of_members_do_not_matter() {
    let wanted = document(&json!(["genomics", "s3://imaging/a/"]), &json!([KEY]));
    let value: Value = serde_json::from_str(wanted.as_str()).unwrap();
    assert!(wanted.equals(&serde_json::to_string_pretty(&value).unwrap()));
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
        assert!(!wanted.equals(&observed), "{was} -> {is} went unnoticed");
    }
    for garbage in ["", "null", "[]", "{", "%7B%7D"] {
        assert!(!wanted.equals(garbage), "{garbage}");
    }
}
