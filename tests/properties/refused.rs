//! Bad input: each row of `refused.jsonl` is a property with a value, each line of the snapshot is what the stack's event
//! list shows of it.

use serde_json::{Value, json};

use crate::{create, with};

fn message(properties: &Value) -> String {
    create(properties).map_or_else(|refusal| refusal.to_string(), |_| "accepted".to_owned())
}

/// The rows of `refused.jsonl`, one property and its value a line, and lists that are too long to be written there.
fn rows() -> Vec<(String, Value)> {
    let numbered = |count, item: fn(usize) -> Value| (0..count).map(item).collect();
    let buckets: Value = numbered(60, |i| json!(format!("genomics-{i:02}")));
    let tags: Value = numbered(46, |i| json!({"Key": format!("k{i}"), "Value": ""}));
    let data = include_str!("refused.jsonl").lines();
    let rows = data.map(|line| serde_json::from_str(&repeated(line)).expect(line));
    let rows = rows.chain([json!({"Buckets": buckets}), json!({"Tags": tags})]);
    rows.flat_map(|row: Value| row.as_object().unwrap().clone())
        .collect()
}

/// `<64 times x>` stands for 64 of them.
fn repeated(line: &str) -> String {
    let Some((before, rest)) = line.split_once('<') else {
        return line.to_owned();
    };
    let (count, after) = rest.split_once(" times x>").expect(line);
    format!("{before}{}{after}", "x".repeat(count.parse().expect(line)))
}

#[test]
fn every_refusal_says_in_one_line_which_property_which_value_and_why() {
    for (name, value) in rows() {
        let refusal =
            create(&with(&name, value.clone())).expect_err(&format!("{name}: {value} is accepted"));
        let line = refusal.to_string();
        let readable = name.starts_with(|c: char| c.is_ascii_alphabetic());
        assert!(
            !readable || refusal.property().starts_with(&name),
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
    }
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
fn properties_that_are_not_an_object_are_refused() {
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
