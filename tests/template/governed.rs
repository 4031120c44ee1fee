//! What organizations require of every stack: role boundaries, encrypted logs, logs for a fixed time.

use regex_lite::Regex;
use serde_json::{Value, json};

use kit::template::document::Template;
use kit::template::rendering::{COMMERCIAL, Stack};

const ROLE: &str = "AWS::IAM::Role";
const LOG_GROUP: &str = "AWS::Logs::LogGroup";
const BOUNDARY: &str = "arn:aws:iam::111122223333:policy/org/WorkloadBoundary";
const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d-1111-2222-3333-444455556666";

/// A stack with everything that it can hold, and these parameters.
fn with(given: &[(&str, &str)]) -> Stack {
    let all = [
        ("Buckets", "genomes"),
        ("RotationDays", "45"),
        ("NotificationEmail", "genomics@example.com"),
    ];
    Stack::new(COMMERCIAL, &[&all, given].concat())
}

/// The resources of a stack as they are deployed.
fn deployed(stack: &Stack) -> Vec<(String, String, Value)> {
    let resources = stack.template.section("Resources").iter();
    resources
        .map(|(id, resource)| {
            let kind = resource["Type"].as_str().expect("a type").to_owned();
            (id.clone(), kind, stack.properties(id))
        })
        .collect()
}

/// Whether this parameter gives `property` this value on every resource of a type, and changes nothing else.
#[track_caller]
fn assert_sets(parameter: (&str, &str), kind: &str, property: &str) {
    let (_, value) = parameter;
    let mut expected = deployed(&with(&[]));
    let mut set = 0;
    for (_, _, properties) in expected.iter_mut().filter(|(_, of, _)| of == kind) {
        properties[property] = json!(value);
        set += 1;
    }
    assert!(set > 1, "{set} resources of type {kind}");
    assert_eq!(deployed(&with(&[parameter])), expected);
}

#[test]
fn empty_parameters_leave_the_properties_out() {
    for (id, kind, properties) in deployed(&with(&[])) {
        if kind == ROLE {
            assert_eq!(properties.get("PermissionsBoundary"), None, "{id}");
        }
        if kind == LOG_GROUP {
            assert_eq!(properties.get("KmsKeyId"), None, "{id}");
        }
    }
}

#[test]
fn every_role_gets_the_boundary_and_nothing_else_changes() {
    assert_sets(
        ("RolePermissionsBoundary", BOUNDARY),
        ROLE,
        "PermissionsBoundary",
    );
}

#[test]
fn every_log_group_gets_the_key_and_nothing_else_changes() {
    assert_sets(("LogsKmsKeyArn", KEY), LOG_GROUP, "KmsKeyId");
}

#[test]
fn every_log_group_keeps_its_logs_for_a_year_or_as_long_as_asked() {
    let usual = with(&[("LogRetentionDays", "365")]);
    assert_eq!(deployed(&usual), deployed(&with(&[])));
    assert_sets(("LogRetentionDays", "3653"), LOG_GROUP, "RetentionInDays");
}

#[test]
fn only_arns_of_managed_policies_and_of_keys_are_accepted() {
    let template = Template::read();
    for (parameter, accepted, refused) in [
        (
            "RolePermissionsBoundary",
            [
                "",
                BOUNDARY,
                "arn:aws:iam::aws:policy/PowerUserAccess",
                "arn:aws-us-gov:iam::111122223333:policy/a/b/Name+=,.@-_",
                "arn:aws-cn:iam::111122223333:policy/Boundary",
            ],
            [
                "WorkloadBoundary",
                "arn:aws:iam::111122223333:role/WorkloadBoundary",
                "arn:aws:iam::11112222333:policy/Boundary",
                "arn:aws:iam::111122223333:policy/",
                "arn:aws:iam::111122223333:policy/a b",
            ],
        ),
        (
            "LogsKmsKeyArn",
            [
                "",
                KEY,
                "arn:aws-cn:kms:cn-north-1:111122223333:key/0a1b",
                "arn:aws:kms:eu-west-1:111122223333:key/mrk-0a1b2c3d",
                "arn:aws-eusc:kms:eusc-de-east-1:111122223333:key/0a1b",
            ],
            [
                "0a1b2c3d-1111-2222-3333-444455556666",
                "alias/logs",
                "arn:aws:kms:eu-west-1:111122223333:alias/logs",
                "arn:aws:kms:eu-west-1:111122223333:key/",
                "arn:aws:kms:eu-west-1:111122223333:key/a,arn:aws:kms:eu-west-1:111122223333:key/b",
            ],
        ),
    ] {
        let pattern = &template.section("Parameters")[parameter]["AllowedPattern"];
        let pattern = Regex::new(pattern.as_str().expect("a pattern")).expect("an expression");
        for value in accepted {
            assert!(pattern.is_match(value), "{parameter}: `{value}`");
        }
        for value in refused {
            assert!(!pattern.is_match(value), "{parameter}: `{value}`");
        }
    }
}
