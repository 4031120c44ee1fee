//! Rotation on a schedule: there when asked for, and then as Secrets Manager needs it.

use std::collections::BTreeSet;

use publisher_s3_access::names::UserName;
use publisher_s3_access::rotate::Settings;
use publisher_s3_access::settings::Invocation;
use serde_json::{Value, json};

use super::lifecycle::RESOURCE;
use kit::template::document::Template;
use kit::template::rendering::{ACCOUNT, CHINA, COMMERCIAL, Place, Stack};

fn resources(stack: &Stack) -> BTreeSet<&str> {
    let resources = stack.template.section("Resources").keys();
    resources.map(String::as_str).collect()
}

fn added(stack: &Stack) -> BTreeSet<String> {
    let usual = Stack::usual();
    let added = &resources(stack) - &resources(&usual);
    added.into_iter().map(str::to_owned).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

const ROTATING: [&str; 6] = [
    "RotationAlarm",
    "RotationFunction",
    "RotationLogs",
    "RotationPermission",
    "RotationRole",
    "RotationSchedule",
];
const NOTIFYING: [&str; 3] = ["NewKeyRule", "NewKeyTopic", "NewKeyTopicPolicy"];

#[test]
fn nothing_of_it_is_there_unless_it_is_asked_for() {
    let with = |given: &[(&str, &str)]| {
        let all = [&[("Buckets", "genomes")], given].concat();
        added(&Stack::new(COMMERCIAL, &all))
    };
    let mail = ("NotificationEmail", "genomics@example.com");
    assert_eq!(with(&[]), set(&[]));
    assert_eq!(with(&[mail]), set(&[]));
    assert_eq!(with(&[("RotationDays", "45")]), set(&ROTATING));
    let both = [&ROTATING[..], &NOTIFYING].concat();
    assert_eq!(with(&[("RotationDays", "45"), mail]), set(&both));

    let outputs = |stack: &Stack| {
        stack
            .template
            .section("Outputs")
            .contains_key("RotationLogGroup")
    };
    assert!(!outputs(&Stack::usual()));
    assert!(outputs(&Stack::rotating(COMMERCIAL)));
}

#[test]
fn a_rotation_is_every_so_many_days_and_none_at_once() {
    let schedule = Stack::rotating(COMMERCIAL).properties("RotationSchedule");
    let rules = json!({ "AutomaticallyAfterDays": "45" });
    assert_eq!(schedule["RotationRules"], rules);
    assert_eq!(schedule["RotateImmediatelyOnUpdate"], json!(false));
}

#[test]
fn days_are_from_1_to_365_or_off() {
    let template = Template::read();
    let pattern = template.section("Parameters")["RotationDays"]["AllowedPattern"].as_str();
    let pattern = regex_lite::Regex::new(pattern.expect("a pattern")).expect("an expression");
    let accepted = (0..=1000).filter(|days| pattern.is_match(&days.to_string()));
    assert!(accepted.eq(0..=365));
    for other in ["", "-1", "01", "1.5", "45 ", "365d"] {
        assert!(!pattern.is_match(other), "`{other}`");
    }
}

#[test]
fn secrets_manager_may_call_the_function_before_it_tries_to_and_only_for_this_account() {
    let stack = Stack::rotating(COMMERCIAL);
    let permission = stack.properties("RotationPermission");
    assert_eq!(permission["Principal"], "secretsmanager.amazonaws.com");
    assert_eq!(permission["SourceAccount"], ACCOUNT);
    assert_eq!(permission["Action"], "lambda:InvokeFunction");
    assert_eq!(
        permission["FunctionName"],
        stack.physical_id("RotationFunction")
    );
    let needed = stack.template.dependencies("RotationSchedule");
    assert!(needed.contains("RotationPermission"), "{needed:?}");
}

#[test]
fn on_deletion_rotation_ends_before_user_and_secret_go() {
    let template = Stack::rotating(COMMERCIAL).template;
    let resource = template.only(RESOURCE);
    for later in [
        "RotationSchedule",
        "RotationFunction",
        "RotationRole",
        "NewKeyRule",
    ] {
        assert!(
            template.all_dependencies(later).contains(resource),
            "{later}"
        );
    }
}

#[test]
fn the_function_is_told_its_secret_and_what_a_new_key_must_read() {
    for place in [COMMERCIAL, CHINA] {
        let Place {
            partition, region, ..
        } = place;
        let function = format!("arn:{partition}:lambda:{region}:{ACCOUNT}:function:rotation");
        let stack = Stack::rotating(place);
        let properties = stack.properties("RotationFunction");
        let variables = &properties["Environment"]["Variables"];
        let variable = |name: &str| variables[name].as_str().map(str::to_owned);
        let invocation = Invocation {
            id: "",
            function_arn: &function,
        };
        let settings = Settings::read(variable, invocation).expect("the function takes them");
        assert_eq!(settings.user, UserName::default());
        assert_eq!(settings.secret.0, stack.attribute("S3Access", "SecretArn"));
        let buckets: Vec<String> = settings.buckets.iter().map(ToString::to_string).collect();
        assert_eq!(buckets, ["s3://genomes/", "s3://cohort/phase-1/"]);
        assert_eq!(variables["VERIFY_ACCESS"], "true");
    }
}

#[test]
fn sam_builds_the_rotation_and_its_logs_forget() {
    let stack = Stack::rotating(COMMERCIAL);
    let metadata = &stack.template.resource("RotationFunction")["Metadata"];
    assert_eq!(metadata["BuildMethod"], "rust-cargolambda");
    assert_eq!(metadata["BuildProperties"]["Binary"], "rotation");
    assert!(std::path::Path::new("src/bin/rotation.rs").is_file());
    let function = stack.properties("RotationFunction");
    for same in ["Runtime", "Handler", "Architectures", "Timeout"] {
        assert_eq!(function[same], stack.properties("Function")[same], "{same}");
    }
    let logs = stack.properties("RotationLogs");
    assert_ne!(logs["RetentionInDays"], Value::Null);
    let logging = json!({ "LogFormat": "JSON", "LogGroup": stack.physical_id("RotationLogs") });
    assert_eq!(function["LoggingConfig"], logging);
}

#[test]
fn the_role_reaches_one_user_and_one_secret_by_their_full_names() {
    let stack = Stack::rotating(COMMERCIAL);
    let role = stack.properties("RotationRole");
    let policy = &role["Policies"][0]["PolicyDocument"];
    let statements = policy["Statement"].as_array().expect("statements");
    for statement in statements {
        let actions = statement["Action"].as_array().expect("a list");
        let service = actions[0]
            .as_str()
            .and_then(|action| action.split_once(':'));
        let resource = &statement["Resource"];
        match service.expect("SERVICE:OPERATION").0 {
            "iam" => assert_eq!(*resource, stack.attribute("S3Access", "UserArn")),
            "secretsmanager" => assert_eq!(*resource, stack.attribute("S3Access", "SecretArn")),
            "logs" => assert_eq!(*resource, stack.attribute("RotationLogs", "Arn")),
            "kms" => assert!(statement["Condition"]["StringEquals"]["kms:ViaService"].is_string()),
            other => panic!("`{other}`"),
        }
    }
    assert_eq!(role["ManagedPolicyArns"], Value::Null);
}

#[test]
fn a_new_key_and_a_failed_rotation_are_told_to_the_same_person() {
    let stack = Stack::rotating(COMMERCIAL);
    let pattern = stack.properties("NewKeyRule")["EventPattern"].take();
    // https://docs.aws.amazon.com/secretsmanager/latest/userguide/event-detail-secret-label-updated-secretsmanager.html
    let expected = json!({
        "source": ["aws.secretsmanager"],
        "detail-type": ["Secret Label Updated"],
        "resources": [stack.attribute("S3Access", "SecretArn")],
        "detail": { "labelUpdated": ["AWSCURRENT"] },
    });
    assert_eq!(pattern, expected);
    let topic = stack.physical_id("NewKeyTopic");
    assert_eq!(stack.properties("NewKeyRule")["Targets"][0]["Arn"], topic);
    let alarm = stack.properties("RotationAlarm");
    assert_eq!(alarm["AlarmActions"], json!([topic]));
    let watched =
        json!([{ "Name": "FunctionName", "Value": stack.physical_id("RotationFunction") }]);
    assert_eq!(alarm["Dimensions"], watched);
    let quiet = Stack::new(COMMERCIAL, &[("Buckets", "genomes"), ("RotationDays", "1")]);
    assert_eq!(quiet.properties("RotationAlarm").get("AlarmActions"), None);
}

#[test]
fn the_message_is_one_json_string_that_says_what_to_do() {
    for place in [COMMERCIAL, CHINA] {
        let Place { region, .. } = place;
        let stack = Stack::rotating(place);
        let input = &stack.properties("NewKeyRule")["Targets"][0]["InputTransformer"];
        let names: Vec<&String> = input["InputPathsMap"]
            .as_object()
            .expect("paths")
            .keys()
            .collect();
        assert_eq!(names, ["time"]);
        let message = input["InputTemplate"].as_str().expect("a template");
        let message: String = serde_json::from_str(message).expect("a JSON string");
        for part in [
            "<time>",
            "Paste it into DNAstack Publisher",
            "45 days",
            region,
        ] {
            assert!(message.contains(part), "`{part}`: {message}");
        }
        let link = message.split(' ').next_back().unwrap_or_default();
        assert!(link.contains("secret?name=S3Access%2BSecretName"), "{link}");
    }
}
