//! An upgrade from an earlier release replaces or loses nothing that people use.

use serde_json::Value;

use kit::template::document::Template;

/// The templates of earlier releases, as they were.
const EARLIER: [&str; 2] = [
    "tests/template/template-0.1.0.yaml",
    "tests/template/template-0.2.0.yaml",
];
/// SAM's transform made the second type of the first, under the same logical id.
const TRANSFORMED: (&str, &str) = ("AWS::Serverless::Function", "AWS::Lambda::Function");

/// The properties of a type that cannot be changed without a replacement, by CloudFormation's registry.
fn replaces(resource_type: &str) -> &'static [&'static str] {
    match resource_type {
        "AWS::CloudWatch::Alarm" => &["AlarmName"],
        "AWS::Events::Rule" => &["EventBusName", "Name"],
        "AWS::IAM::ManagedPolicy" => &["Description", "ManagedPolicyName", "Path"],
        "AWS::IAM::Role" => &["Path", "RoleName"],
        "AWS::Lambda::EventInvokeConfig" => &["FunctionName", "Qualifier"],
        "AWS::Lambda::Function" => &["FunctionName", "PackageType", "TenancyConfig"],
        "AWS::Lambda::Permission" => &[
            "Action",
            "EventSourceToken",
            "FunctionName",
            "FunctionUrlAuthType",
            "InvokedViaFunctionUrl",
            "Principal",
            "PrincipalOrgID",
            "SourceAccount",
            "SourceArn",
        ],
        "AWS::Logs::LogGroup" => &["LogGroupName"],
        "AWS::SNS::Topic" => &["FifoTopic", "TopicName"],
        "AWS::SNS::TopicPolicy" => &[],
        "AWS::SecretsManager::RotationSchedule" => &["SecretId"],
        // `UserName` is replaced by our own rule, the token by CloudFormation's.
        "Custom::PublisherS3Access" => &["ServiceToken", "UserName"],
        unknown => panic!("say what replaces a `{unknown}`"),
    }
}

fn type_now(resource: &Value) -> &str {
    let (before, after) = TRANSFORMED;
    let resource_type = resource["Type"].as_str().expect("a type");
    if resource_type == before {
        after
    } else {
        resource_type
    }
}

fn upgrades() -> impl Iterator<Item = (Template, Template)> {
    EARLIER
        .map(|earlier| (Template::read_from(earlier), Template::read()))
        .into_iter()
}

#[test]
fn no_resource_is_deleted_or_replaced() {
    for (earlier, now) in upgrades() {
        for (logical_id, before) in earlier.section("Resources") {
            let after = now.section("Resources").get(logical_id);
            let after = after.unwrap_or_else(|| panic!("`{logical_id}` would be deleted"));
            let kind = type_now(before);
            assert_eq!(kind, type_now(after), "`{logical_id}` would be replaced");
            for property in replaces(kind) {
                assert_eq!(
                    before["Properties"].get(property),
                    after["Properties"].get(property),
                    "a change of `{property}` replaces `{logical_id}`"
                );
            }
        }
    }
}

#[test]
fn every_parameter_and_every_output_stays() {
    for (earlier, now) in upgrades() {
        for (section, loss) in [
            ("Parameters", "a stack that gives it could not be updated"),
            ("Outputs", "what reads it would fail"),
        ] {
            for name in earlier.section(section).keys() {
                assert!(now.section(section).contains_key(name), "`{name}`: {loss}");
            }
        }
        for (name, before) in earlier.section("Parameters") {
            let after = &now.section("Parameters")[name];
            assert_eq!(before["Type"], after["Type"], "`{name}`");
        }
    }
}
