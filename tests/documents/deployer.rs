//! docs/deployer-policy.json: what CloudFormation's registry names for the template's resource types, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::LazyLock;

use kit::template::document::{Template, strings};
use serde_json::Value;

use crate::pages::{file, text};

/// A permission that the registry names and the policy leaves out.
struct Unneeded {
    resource_type: &'static str,
    /// It serves only this property, which no resource of the template has.
    property: &'static str,
    permissions: &'static [&'static str],
}

const fn unneeded(
    resource_type: &'static str,
    property: &'static str,
    permissions: &'static [&'static str],
) -> Unneeded {
    Unneeded {
        resource_type,
        property,
        permissions,
    }
}

const FUNCTION: &str = "AWS::Lambda::Function";
const LOG_GROUP: &str = "AWS::Logs::LogGroup";
const POLICY: &str = "AWS::IAM::ManagedPolicy";

#[rustfmt::skip]
const UNNEEDED: &[Unneeded] = &[
    unneeded("AWS::IAM::Role", "ManagedPolicyArns", &["iam:AttachRolePolicy", "iam:DetachRolePolicy"]),
    unneeded(POLICY, "Groups", &["iam:AttachGroupPolicy", "iam:DetachGroupPolicy"]),
    unneeded(POLICY, "Roles", &["iam:AttachRolePolicy", "iam:DetachRolePolicy"]),
    unneeded(POLICY, "Users", &["iam:AttachUserPolicy", "iam:DetachUserPolicy"]),
    unneeded("AWS::SNS::Topic", "DataProtectionPolicy", &["sns:PutDataProtectionPolicy"]),
    unneeded(LOG_GROUP, "BearerTokenAuthenticationEnabled", &["logs:PutBearerTokenAuthentication"]),
    unneeded(LOG_GROUP, "DataProtectionPolicy", &["firehose:TagDeliveryStream", "logs:CreateLogDelivery",
        "logs:DeleteDataProtectionPolicy", "logs:PutDataProtectionPolicy", "s3:REST.PUT.OBJECT"]),
    unneeded(LOG_GROUP, "DeletionProtectionEnabled", &["logs:PutLogGroupDeletionProtection"]),
    unneeded(LOG_GROUP, "FieldIndexPolicies", &["logs:DeleteIndexPolicy", "logs:PutIndexPolicy"]),
    unneeded(LOG_GROUP, "ResourcePolicyDocument", &["logs:DeleteResourcePolicy", "logs:PutResourcePolicy"]),
    unneeded(FUNCTION, "CapacityProviderConfig", &["lambda:PassCapacityProvider"]),
    unneeded(FUNCTION, "CodeSigningConfigArn", &["lambda:DeleteFunctionCodeSigningConfig", "lambda:GetCodeSigningConfig",
        "lambda:PutFunctionCodeSigningConfig"]),
    unneeded(FUNCTION, "FileSystemConfigs", &["elasticfilesystem:DescribeMountTargets", "s3files:ListMountTargets"]),
    unneeded(FUNCTION, "FunctionScalingConfig", &["lambda:PutFunctionScalingConfig"]),
    unneeded(FUNCTION, "KmsKeyArn", &["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]),
    unneeded(FUNCTION, "Layers", &["lambda:GetLayerVersion"]),
    unneeded(FUNCTION, "PublishToLatestPublished", &["lambda:PublishVersion"]),
    unneeded(FUNCTION, "RecursiveLoop", &["lambda:PutFunctionRecursionConfig"]),
    unneeded(FUNCTION, "ReservedConcurrentExecutions", &["lambda:DeleteFunctionConcurrency", "lambda:PutFunctionConcurrency"]),
    unneeded(FUNCTION, "RuntimeManagementConfig", &["lambda:PutRuntimeManagementConfig"]),
    unneeded(FUNCTION, "S3ObjectVersion", &["s3:GetObjectVersion"]),
    unneeded(FUNCTION, "VpcConfig", &["ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets",
        "ec2:DescribeVpcs"]),
];

/// What the policy allows although no schema names it, and who needs it.
#[rustfmt::skip]
const BEYOND: &[(&str, &[&str])] = &[
    ("the person calls CloudFormation, directly or through SAM", &[
        "cloudformation:CreateChangeSet", "cloudformation:CreateStack", "cloudformation:DeleteChangeSet",
        "cloudformation:DeleteStack", "cloudformation:DescribeChangeSet", "cloudformation:DescribeStackEvents",
        "cloudformation:DescribeStackResource", "cloudformation:DescribeStackResources", "cloudformation:DescribeStacks",
        "cloudformation:ExecuteChangeSet", "cloudformation:GetTemplate", "cloudformation:GetTemplateSummary",
        "cloudformation:ListStackResources", "cloudformation:RollbackStack", "cloudformation:UpdateStack",
        "cloudformation:ValidateTemplate",
    ]),
    ("SAM and `make publish` upload the code", &["s3:DeleteObject", "s3:GetBucketLocation", "s3:ListBucket", "s3:PutObject"]),
    ("the person pastes the key into Publisher", &["secretsmanager:GetSecretValue"]),
    ("the person reads why something failed", &["logs:FilterLogEvents"]),
    ("CloudFormation may give the boundary the stack's tags one day; the schema says not yet", &["iam:TagPolicy", "iam:UntagPolicy"]),
    ("AWS's waiter for an updated function calls it; the registry does not say how its handler waits", &["lambda:GetFunctionConfiguration"]),
];

/// The handler that CloudFormation calls for scans of an account's resources, and never for a stack.
const SCANS: &str = "list";

fn resource_types(template: &Template) -> BTreeSet<&str> {
    let resources = template.section("Resources").values();
    let types = resources.filter_map(|resource| resource["Type"].as_str());
    types.filter(|of| of.starts_with("AWS::")).collect()
}

/// What the registry names for the template's resource types. Loading the schemas takes seconds, so it is read once.
static REGISTRY: LazyLock<BTreeMap<String, BTreeSet<String>>> = LazyLock::new(|| {
    let template = Template::read();
    let types = resource_types(&template);
    let registry = registry(&types);
    assert_eq!(registry.len(), types.len());
    registry
});

fn registry(types: &BTreeSet<&str>) -> BTreeMap<String, BTreeSet<String>> {
    let python = file(".tools/python/bin/python");
    assert!(python.exists(), "the tools are missing: run `make tools`");
    let output = Command::new(python)
        .arg(file("tests/documents/permissions.py"))
        .args(types)
        .output()
        .expect("Python");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    let read: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> =
        serde_json::from_slice(&output.stdout).expect("JSON");
    read.into_iter()
        .map(|(of, mut handlers)| {
            let scans = handlers.remove(SCANS).unwrap_or_default();
            assert!(handlers.len() > 3, "{of}: {handlers:?}, beside {scans:?}");
            (of, handlers.into_values().flatten().collect())
        })
        .collect()
}

fn allowed() -> BTreeSet<String> {
    let policy: Value = serde_json::from_str(&text("docs/deployer-policy.json")).expect("JSON");
    let statements = policy["Statement"].as_array().expect("statements");
    let actions: Vec<String> = (statements.iter())
        .flat_map(|statement| strings(&statement["Action"]))
        .collect();
    assert!(actions.iter().all(|action| !action.contains('*')));
    actions.into_iter().collect()
}

fn excepted<'a>(of: &str, exceptions: impl Iterator<Item = &'a Unneeded>) -> BTreeSet<String> {
    exceptions
        .filter(|it| it.resource_type == of)
        .flat_map(|it| it.permissions.iter().map(|action| (*action).to_owned()))
        .collect()
}

#[test]
fn the_policy_allows_what_the_registry_names_for_every_resource_type_and_every_handler() {
    let allowed = allowed();
    let mut named = 0;
    for (of, permissions) in &*REGISTRY {
        let excepted = excepted(of, UNNEEDED.iter());
        let missing: BTreeSet<_> = &(permissions - &excepted) - &allowed;
        assert!(missing.is_empty(), "{of}: {missing:?}");
        let idle: BTreeSet<_> = &excepted - permissions;
        assert!(idle.is_empty(), "{of} is said to name {idle:?}");
        named += permissions.len();
    }
    println!("{named} permissions of {} resource types", REGISTRY.len());
}

#[test]
fn the_policy_allows_nothing_that_neither_the_registry_nor_a_reason_names() {
    let needed = REGISTRY.iter().flat_map(|(of, permissions)| {
        let excepted = excepted(of, UNNEEDED.iter());
        permissions - &excepted
    });
    let needed: BTreeSet<String> = needed.collect();
    let beyond = BEYOND.iter().flat_map(|(_, actions)| actions.iter());
    let beyond: BTreeSet<String> = beyond.map(|action| (*action).to_owned()).collect();
    let both: BTreeSet<_> = &needed & &beyond;
    assert!(both.is_empty(), "no exception any more: {both:?}");
    assert_eq!(&allowed() - &needed, beyond);
}

#[test]
fn no_resource_has_a_property_whose_permissions_are_left_out() {
    let template = Template::read();
    for Unneeded {
        resource_type,
        property,
        permissions,
    } in UNNEEDED
    {
        let resources = template.section("Resources").iter();
        let resources = resources.filter(|(_, resource)| resource["Type"] == *resource_type);
        let mut looked_at = 0;
        for (id, resource) in resources {
            let properties = &resource["Properties"];
            let there = [properties, &properties["Code"]].map(|of| of.get(property).is_some());
            assert_eq!(there, [false; 2], "{id}.{property} needs {permissions:?}");
            looked_at += 1;
        }
        assert!(looked_at > 0, "there is no {resource_type}");
    }
}
