//! The resources for the time between deployments: they exist if asked for, as Secrets Manager and EventBridge need
//! them.

use std::cell::RefCell;
use std::collections::BTreeSet;

use publisher_s3_access::cloud::SecretArn;
use publisher_s3_access::maintenance::{Asked, Environment, Event};
use publisher_s3_access::request::names::Partition;
use publisher_s3_access::request::properties::Desired;
use publisher_s3_access::request::settings::Settings;
use serde_json::{Value, json};

use super::lifecycle::RESOURCE;
use kit::template::document::{Template, strings};
use kit::template::rendering::{ACCOUNT, CHINA, COMMERCIAL, Stack};

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

/// With `RotationDays`.
const ROTATING: [&str; 2] = ["RotationPermission", "RotationSchedule"];
/// The function itself.
const MAINTAINING: [&str; 3] = ["RotationFunction", "RotationLogs", "RotationRole"];
/// With somebody to notify.
const NOTIFYING: [&str; 10] = [
    "CheckPermission",
    "CheckRule",
    "CheckUndelivered",
    "FunctionFailed",
    "FunctionThrottled",
    "NewKeyPermission",
    "NewKeyRule",
    "NewKeyUndelivered",
    "RotationAlarm",
    "RotationThrottled",
];
/// With an address to notify.
const TOPIC: [&str; 2] = ["NewKeyTopic", "NewKeyTopicPolicy"];

const MAIL: (&str, &str) = ("NotificationEmail", "genomics@example.com");
const OWN_TOPIC: (&str, &str) = (
    "NotificationTopicArn",
    "arn:aws:sns:eu-west-1:111122223333:chat",
);
const ROTATION: (&str, &str) = ("RotationDays", "45");

fn with(given: &[(&str, &str)]) -> Stack {
    Stack::new(COMMERCIAL, &[&[("Buckets", "genomes")], given].concat())
}

#[test]
fn nothing_of_it_exists_unless_asked_for() {
    for (given, parts) in [
        (&[][..], &[][..]),
        (&[("MaxKeyAgeDays", "30")], &[]),
        (&[ROTATION], &[&ROTATING[..], &MAINTAINING]),
        (&[OWN_TOPIC], &[&MAINTAINING[..], &NOTIFYING]),
        (&[MAIL], &[&MAINTAINING[..], &NOTIFYING, &TOPIC]),
        (
            &[ROTATION, MAIL],
            &[&ROTATING[..], &MAINTAINING, &NOTIFYING, &TOPIC],
        ),
    ] {
        assert_eq!(added(&with(given)), set(&parts.concat()), "{given:?}");
    }
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
fn a_rotation_comes_every_so_many_days_and_not_at_once() {
    let schedule = Stack::rotating(COMMERCIAL).properties("RotationSchedule");
    let rules = json!({ "AutomaticallyAfterDays": "45" });
    assert_eq!(schedule["RotationRules"], rules);
    assert_eq!(schedule["RotateImmediatelyOnUpdate"], json!(false));
}

#[test]
fn days_are_from_15_to_365_or_off() {
    let template = Template::read();
    let pattern = template.section("Parameters")["RotationDays"]["AllowedPattern"].as_str();
    let pattern = regex_lite::Regex::new(pattern.expect("a pattern")).expect("an expression");
    let accepted = (0..=1000).filter(|days| pattern.is_match(&days.to_string()));
    assert!(accepted.eq([0].into_iter().chain(15..=365)));
    for other in ["", "-1", "01", "1.5", "45 ", "365d"] {
        assert!(!pattern.is_match(other), "`{other}`");
    }
}

#[test]
fn a_key_may_be_called_old_after_any_number_of_days_in_ten_years() {
    let template = Template::read();
    let pattern = template.section("Parameters")["MaxKeyAgeDays"]["AllowedPattern"].as_str();
    let pattern = regex_lite::Regex::new(pattern.expect("a pattern")).expect("an expression");
    let accepted = (0..=9999).filter(|days| pattern.is_match(&days.to_string()));
    assert!(accepted.eq(0..=3650));
}

#[test]
fn rotation_requires_exactly_one_way_to_notify() {
    for (given, told) in [
        (&[][..], None),
        (&[MAIL], None),
        (&[OWN_TOPIC], None),
        (&[ROTATION, MAIL], None),
        (&[ROTATION, OWN_TOPIC], None),
        (&[ROTATION], Some("somebody has to paste")),
        (&[MAIL, OWN_TOPIC], Some("not both")),
    ] {
        let refusals = with(given).refusals();
        match told {
            None => assert_eq!(refusals, [""; 0], "{given:?}"),
            Some(told) => assert!(
                refusals.len() == 1 && refusals[0].contains(told),
                "{given:?}: {refusals:?}"
            ),
        }
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

/// The environment of the function in a stack.
fn environment(stack: &Stack) -> Environment {
    let properties = stack.properties("RotationFunction");
    let variables = &properties["Environment"]["Variables"];
    let variable = |name: &str| variables[name].as_str().map(str::to_owned);
    Environment::read(variable, Settings::read(variable, "")).expect("the function takes it")
}

#[test]
fn the_function_knows_the_resource_with_its_properties() {
    for place in [COMMERCIAL, CHINA] {
        let partition = Partition::parse(place.partition).expect("a partition");
        let stack = Stack::rotating(place);
        let settings = environment(&stack);
        assert_eq!(settings.owner.stack.as_str(), stack.id());
        assert_eq!(
            settings.owner.logical_id,
            stack.template.only(RESOURCE),
            "the tags name it"
        );
        assert_eq!(settings.secret.0, stack.attribute("S3Access", "SecretArn"));
        assert_eq!(
            (settings.rotation_days, settings.max_key_age_days),
            (45, 90)
        );
        let topic = settings.topic.map(|topic| topic.0);
        assert_eq!(topic, Some(stack.physical_id("NewKeyTopic")));
        let sent = stack.properties_of(RESOURCE);
        let mut desired = Desired::parse(&sent, &partition).expect("taken");
        desired.revision = None;
        assert_eq!(settings.desired, desired);
    }
}

#[test]
fn every_variable_is_one_that_the_function_reads() {
    let read = RefCell::new(BTreeSet::new());
    let stack = Stack::rotating(COMMERCIAL);
    let properties = stack.properties("RotationFunction");
    let variables = properties["Environment"]["Variables"]
        .as_object()
        .expect("variables");
    let remember = |name: &str| {
        read.borrow_mut().insert(name.to_owned());
        variables.get(name)?.as_str().map(str::to_owned)
    };
    drop(Environment::read(remember, Settings::read(remember, "")));
    for name in variables.keys() {
        assert!(read.borrow().contains(name), "`{name}`");
    }
}

#[test]
fn the_functions_logs_are_its_own_and_forget() {
    let stack = Stack::rotating(COMMERCIAL);
    let function = stack.properties("RotationFunction");
    let logs = stack.properties("RotationLogs");
    assert_ne!(logs["RetentionInDays"], Value::Null);
    let logging = json!({ "LogFormat": "JSON", "LogGroup": stack.physical_id("RotationLogs") });
    assert_eq!(function["LoggingConfig"], logging);
}

fn statements(stack: &Stack) -> Vec<Value> {
    let role = stack.properties("RotationRole");
    assert_eq!(role["ManagedPolicyArns"], Value::Null);
    let policies = role["Policies"].as_array().expect("policies").iter();
    let documents = policies.map(|policy| &policy["PolicyDocument"]["Statement"]);
    documents
        .flat_map(|statements| statements.as_array().expect("statements").clone())
        .collect()
}

#[test]
fn the_role_reaches_one_user_and_one_secret_by_their_full_names() {
    let stack = Stack::rotating(COMMERCIAL);
    for statement in statements(&stack) {
        let actions = strings(&statement["Action"]);
        let (service, _) = actions[0].split_once(':').expect("SERVICE:OPERATION");
        let resource = &statement["Resource"];
        match service {
            "iam" => assert_eq!(*resource, stack.attribute("S3Access", "UserArn")),
            "secretsmanager" => assert_eq!(*resource, stack.attribute("S3Access", "SecretArn")),
            "cloudformation" => assert_eq!(*resource, stack.id()),
            "logs" => assert_eq!(*resource, stack.attribute("RotationLogs", "Arn")),
            "sns" => assert_eq!(*resource, stack.physical_id("NewKeyTopic")),
            "kms" => assert!(statement["Condition"]["StringEquals"]["kms:ViaService"].is_array()),
            other => panic!("`{other}`"),
        }
    }
}

#[test]
fn without_rotation_the_role_can_change_nothing() {
    let verbs = ["Get", "List", "Describe"];
    let beside = [
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sns:Publish",
        "kms:Decrypt",
    ];
    for (given, may_change) in [(&[MAIL][..], false), (&[ROTATION, MAIL], true)] {
        let stack = with(given);
        let actions = statements(&stack).into_iter();
        let mut changing = actions.flat_map(|statement| strings(&statement["Action"]));
        let changes = changing.any(|action| {
            let (_, operation) = action.split_once(':').expect("SERVICE:OPERATION");
            !verbs.iter().any(|verb| operation.starts_with(verb))
                && !beside.contains(&action.as_str())
        });
        assert_eq!(changes, may_change, "{given:?}");
    }
}

#[test]
fn only_the_customers_own_topic_may_be_encrypted() {
    let via = |given: &[(&str, &str)]| {
        let statements = statements(&with(given));
        let text = serde_json::to_string(&statements).expect("JSON");
        text.contains("sns.eu-west-1.amazonaws.com")
    };
    assert!(via(&[OWN_TOPIC]));
    assert!(!via(&[MAIL]));
    assert_eq!(
        with(&[MAIL]).properties("NewKeyTopic")["KmsMasterKeyId"],
        Value::Null
    );
}

#[test]
fn the_topic_takes_this_stacks_alarms_and_nothing_without_tls() {
    let stack = with(&[MAIL]);
    let policy = stack.properties("NewKeyTopicPolicy")["PolicyDocument"].take();
    let [alarms, tls] = policy["Statement"]
        .as_array()
        .map(Vec::as_slice)
        .expect("two")
    else {
        panic!("{policy}");
    };
    assert_eq!(alarms["Principal"]["Service"], "cloudwatch.amazonaws.com");
    let of_stack = stack.template.section("Resources").iter();
    let of_stack = of_stack.filter(|(_, resource)| resource["Type"] == "AWS::CloudWatch::Alarm");
    let expected: BTreeSet<String> = of_stack
        .map(|(logical_id, _)| stack.attribute(logical_id, "Arn"))
        .collect();
    let named = strings(&alarms["Condition"]["ArnEquals"]["aws:SourceArn"]);
    assert_eq!(named.into_iter().collect::<BTreeSet<_>>(), expected);
    assert_eq!(alarms["Condition"].as_object().map(|of| of.len()), Some(1));
    assert_eq!(
        (&tls["Effect"], &tls["Principal"]),
        (&json!("Deny"), &json!("*"))
    );
    let in_clear = json!({ "Bool": { "aws:SecureTransport": "false" } });
    assert_eq!(tls["Condition"], in_clear);
}

#[test]
fn eventbridge_starts_the_function_with_what_it_reads() {
    let stack = Stack::rotating(COMMERCIAL);
    let secret = stack.attribute("S3Access", "SecretArn");
    let pattern = stack.properties("NewKeyRule")["EventPattern"].take();
    // https://docs.aws.amazon.com/secretsmanager/latest/userguide/event-detail-secret-label-updated-secretsmanager.html
    let expected = json!({
        "source": ["aws.secretsmanager"],
        "detail-type": ["Secret Label Updated"],
        "resources": [secret],
        "detail": { "labelUpdated": ["AWSCURRENT"] },
    });
    assert_eq!(pattern, expected);
    for (rule, permission) in [
        ("NewKeyRule", "NewKeyPermission"),
        ("CheckRule", "CheckPermission"),
    ] {
        let target = stack.properties(rule)["Targets"][0].take();
        assert_eq!(target["Arn"], stack.attribute("RotationFunction", "Arn"));
        let permission = stack.properties(permission);
        assert_eq!(permission["Principal"], "events.amazonaws.com");
        assert_eq!(permission["SourceArn"], stack.attribute(rule, "Arn"));
    }
    let check = stack.properties("CheckRule");
    assert_eq!(check["ScheduleExpression"], "rate(1 day)");
    let input = &check["Targets"][0]["InputTransformer"];
    assert_eq!(input["InputPathsMap"], json!({ "time": "$.time" }));
    let event = input["InputTemplate"].as_str().expect("a template");
    let event = event.replace("<time>", "2026-11-24T06:00:00Z");
    let event = Event::parse(&event, &SecretArn(secret)).expect("the function takes it");
    assert!(
        matches!(event, Event::Check(Asked::OnSchedule(_))),
        "{event:?}"
    );
}

#[test]
fn every_failure_raises_an_alarm_that_notifies() {
    for (given, topic) in [(MAIL, None), (OWN_TOPIC, Some(OWN_TOPIC.1))] {
        let stack = with(&[given]);
        let topic = topic.map_or_else(|| stack.physical_id("NewKeyTopic"), str::to_owned);
        let mut watched = BTreeSet::new();
        for (logical_id, resource) in stack.template.section("Resources") {
            if resource["Type"] != "AWS::CloudWatch::Alarm" {
                continue;
            }
            let alarm = stack.properties(logical_id);
            assert_eq!(alarm["AlarmActions"], json!([topic]), "{logical_id}");
            assert_eq!(alarm["TreatMissingData"], "notBreaching", "{logical_id}");
            let metric = alarm["MetricName"].as_str().expect("a metric").to_owned();
            let of = alarm["Dimensions"][0]["Value"].as_str().expect("a value");
            watched.insert((metric, of.to_owned()));
        }
        let of = |metric: &str, logical_id| (metric.to_owned(), stack.physical_id(logical_id));
        let all = [
            of("Errors", "Function"),
            of("Errors", "RotationFunction"),
            of("FailedInvocations", "CheckRule"),
            of("FailedInvocations", "NewKeyRule"),
            of("Throttles", "Function"),
            of("Throttles", "RotationFunction"),
        ];
        assert_eq!(watched, BTreeSet::from(all));
    }
}
