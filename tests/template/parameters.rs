//! The parameters, which a person fills in.

use std::collections::BTreeSet;

use publisher_s3_access::request::names::{Partition, UserName};
use publisher_s3_access::request::properties::Desired;
use serde_json::{Value, json};

use super::lifecycle::RESOURCE;
use kit::template::document::{Template, references, strings};
use kit::template::rendering::{CHINA, COMMERCIAL, Place, Stack};

fn names(members: &serde_json::Map<String, Value>) -> BTreeSet<String> {
    members.keys().cloned().collect()
}

fn desired(stack: &Stack, partition: &str) -> Desired {
    let partition = Partition::parse(partition).expect("a partition");
    let properties = stack.properties_of(RESOURCE);
    Desired::parse(&properties, &partition).expect("the function takes the properties")
}

#[test]
fn the_console_shows_every_parameter_once_with_a_label() {
    let template = Template::read();
    let interface = &template.section("Metadata")["AWS::CloudFormation::Interface"];
    let groups = interface["ParameterGroups"].as_array().expect("groups");
    let shown: Vec<String> = (groups.iter())
        .flat_map(|group| strings(&group["Parameters"]))
        .collect();
    let labels = interface["ParameterLabels"].as_object().expect("labels");
    let parameters = names(template.section("Parameters"));

    assert_eq!(shown.len(), parameters.len());
    assert_eq!(BTreeSet::from_iter(shown), parameters);
    assert_eq!(names(labels), parameters);
    for group in groups {
        assert!(group["Label"]["default"].is_string());
    }
    for (name, label) in labels {
        assert!(label["default"].is_string(), "`{name}` has no label");
    }
}

#[test]
fn every_parameter_is_limited_and_says_how() {
    for (name, parameter) in Template::read().section("Parameters") {
        if parameter["AllowedValues"].is_array() {
            continue; // the values say it themselves
        }
        assert!(
            parameter["AllowedPattern"].is_string(),
            "`{name}` takes anything"
        );
        let says = parameter["ConstraintDescription"]
            .as_str()
            .unwrap_or_default();
        assert!(
            says.starts_with("must be ") || says.starts_with("must list "),
            "`{name}`: {says}"
        );
    }
}

#[test]
fn the_bucket_is_all_that_must_be_filled_in() {
    let template = Template::read();
    let parameters = template.section("Parameters").iter();
    let required = parameters.filter(|(_, parameter)| parameter["Default"].is_null());
    assert_eq!(
        required.map(|(name, _)| name).collect::<Vec<_>>(),
        ["Buckets"]
    );
}

#[test]
fn the_function_takes_the_defaults() {
    let desired = desired(&Stack::usual(), "aws");
    assert_eq!(desired.user, UserName::default());
    assert_eq!(desired.secret_kms_key, None);
    assert_eq!(desired.bucket_kms_keys, []);
    let release = env!("CARGO_PKG_VERSION");
    let revision = format!("release {release}, revision , rotation 0, readable *");
    assert_eq!(desired.revision, Some(revision));
    assert!(desired.boundary.is_some());
}

#[test]
fn the_function_takes_every_form_the_parameters_describe() {
    let key = "arn:aws-cn:kms:cn-north-1:111122223333:key/0a1b2c3d-1111-2222-3333-444455556666";
    let keys = format!("{key},{}", key.replace("0a1b", "ffff"));
    let given = [
        (
            "Buckets",
            "genomes, s3://cohort/phase-1/, arn:aws-cn:s3:::trios/children/",
        ),
        ("BucketKmsKeyArns", keys.as_str()),
        ("UserName", "publisher-+=.@_"),
        ("SecretKmsKeyId", "alias/genomes"),
        ("SecretRecoveryDays", "30"),
        ("KeySerial", "999999999"),
        ("VerifyAccess", "false"),
        ("Revision", "2 (after the move)"),
    ];
    let Place { partition, .. } = CHINA;
    let desired = desired(&Stack::new(CHINA, &given), partition);
    assert_eq!(desired.bucket_kms_keys.len(), 2);
    let revision = desired.revision.expect("composed");
    assert!(
        revision.contains("revision 2 (after the move), "),
        "{revision}"
    );
    assert_eq!(desired.key_serial.get(), 999_999_999);
}

#[test]
fn an_empty_parameter_leaves_its_property_out() {
    let stack = Stack::usual();
    for (name, parameter) in stack.template.section("Parameters") {
        // `Revision` is part of what the property is composed of; the others are for other resources.
        let others = [
            "LogsKmsKeyArn",
            "NotificationEmail",
            "NotificationTopicArn",
            "Revision",
            "RolePermissionsBoundary",
        ];
        if parameter["Default"] == "" && !others.contains(&name.as_str()) {
            let property =
                &stack.template.resource(stack.template.only(RESOURCE))["Properties"][name];
            assert!(
                references(property).contains(name),
                "`{name}` reaches no property"
            );
            assert_eq!(stack.properties_of(RESOURCE).get(name), None);
        }
    }
}

#[test]
fn every_property_is_filled_from_the_parameter_of_its_name() {
    let stack = Stack::usual();
    let resource = stack.template.resource(stack.template.only(RESOURCE));
    let parameters = stack.template.section("Parameters");
    for (name, value) in resource["Properties"].as_object().expect("properties") {
        let of_its_own = ["ServiceToken", "ServiceTimeout", "PermissionsBoundary"];
        if of_its_own.contains(&name.as_str()) {
            continue;
        }
        let mut filled_from = references(value);
        filled_from.retain(|parameter| parameters.contains_key(parameter));
        let expected = match name.as_str() {
            "Revision" => &["ReadableBuckets", "Revision", "RotationDays"][..],
            name => &[name],
        };
        assert!(
            filled_from
                .iter()
                .map(String::as_str)
                .eq(expected.iter().copied()),
            "{name}: {filled_from:?}"
        );
    }
}

/// CloudFormation invokes a custom resource only when its properties change.
#[test]
fn everything_that_needs_a_new_check_changes_the_revision() {
    let revision = |parameters: &[(&str, &str)]| {
        let mut given = vec![("Buckets", "genomes")];
        given.extend(parameters);
        desired(&Stack::new(COMMERCIAL, &given), "aws").revision
    };
    let usual = revision(&[]);
    for parameter in [
        ("Revision", "2"),
        ("RotationDays", "45"),
        ("ReadableBuckets", "genomes*"),
    ] {
        assert_ne!(revision(&[parameter]), usual, "{parameter:?}");
    }
    assert_eq!(revision(&[("KeySerial", "2")]), usual);
}

#[test]
fn the_user_always_gets_the_stacks_boundary() {
    let stack = Stack::usual();
    let boundary = stack.template.only("AWS::IAM::ManagedPolicy");
    let resource = stack.template.resource(stack.template.only(RESOURCE));
    assert_eq!(
        resource["Properties"]["PermissionsBoundary"],
        json!({ "Ref": boundary })
    );
}

#[test]
fn the_labels_that_messages_give_are_the_forms() {
    let template = Template::read();
    let labels = &template.section("Metadata")["AWS::CloudFormation::Interface"]["ParameterLabels"];
    for (name, label) in publisher_s3_access::request::labels::LABELS {
        assert_eq!(labels[name]["default"], label, "{name}");
    }
}
