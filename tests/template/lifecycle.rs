//! Times, names, and the order in which things come and go.

use std::collections::BTreeSet;

use publisher_s3_access::request::settings::{CUSTOM_RESOURCE, MAINTENANCE};
use publisher_s3_access::waits::INVOCATION;
use serde_json::{Value, json};

use kit::template::document::{Template, references};
use kit::template::rendering::{COMMERCIAL, Stack};

pub(crate) const RESOURCE: &str = "Custom::PublisherS3Access";
const FUNCTION: &str = "AWS::Lambda::Function";
const RETRIES: &str = "AWS::Lambda::EventInvokeConfig";

/// Lambda waits one minute before the second attempt and two before the third.
const WAITS_BETWEEN_ATTEMPTS: u64 = 60 + 120;

fn seconds(value: &Value) -> u64 {
    value.as_u64().expect("a whole number")
}

#[test]
fn the_third_attempt_ends_before_cloudformation_gives_up() {
    let stack = Stack::usual();
    let timeout = seconds(&stack.properties_of(FUNCTION)["Timeout"]);
    let retries = seconds(&stack.properties_of(RETRIES)["MaximumRetryAttempts"]);
    let service_timeout = seconds(&stack.properties_of(RESOURCE)["ServiceTimeout"]);

    assert_eq!((timeout, retries), (INVOCATION.as_secs(), 2));
    assert!(service_timeout >= (1 + retries) * timeout + WAITS_BETWEEN_ATTEMPTS);
}

#[test]
fn no_attempt_starts_too_late_to_end_before_cloudformation_gives_up() {
    let stack = Stack::usual();
    let timeout = seconds(&stack.properties_of(FUNCTION)["Timeout"]);
    let age = seconds(&stack.properties_of(RETRIES)["MaximumEventAgeInSeconds"]);
    let service_timeout = seconds(&stack.properties_of(RESOURCE)["ServiceTimeout"]);

    assert_eq!(age, service_timeout - timeout);
}

#[test]
fn cloudformation_invokes_what_the_retries_are_set_for() {
    let stack = Stack::usual();
    let function = stack.template.only(FUNCTION);
    let retries = stack.properties_of(RETRIES);

    assert_eq!(retries["FunctionName"], stack.physical_id(function));
    assert_eq!(retries["Qualifier"], "$LATEST");
    let token = &stack.properties_of(RESOURCE)["ServiceToken"];
    assert_eq!(*token, stack.attribute(function, "Arn"));
}

#[test]
fn sam_builds_one_program_whose_handler_says_which_function_it_is() {
    let stack = Stack::rotating(COMMERCIAL);
    let build = json!({
        "BuildMethod": "rust-cargolambda",
        "BuildProperties": {"Binary": env!("CARGO_PKG_NAME")},
    });
    for (function, handler) in [
        ("Function", CUSTOM_RESOURCE),
        ("RotationFunction", MAINTENANCE),
    ] {
        // SAM builds once for all functions with the same code and metadata.
        assert_eq!(stack.template.resource(function)["Metadata"], build);
        let properties = stack.properties(function);
        assert_eq!(properties["Code"], ".");
        assert_eq!(properties["Handler"], handler);
        assert_eq!(properties["Runtime"], "provided.al2023");
        assert_eq!(properties["LoggingConfig"]["LogFormat"], "JSON");
        for same in ["Architectures", "Timeout"] {
            assert_eq!(properties[same], stack.properties("Function")[same]);
        }
    }
}

#[test]
fn no_resource_has_a_fixed_name() {
    let template = Template::read();
    let resources = template.section("Resources");
    for (logical_id, resource) in resources {
        if resource["Type"] == RESOURCE {
            continue; // its `UserName` and `PolicyName` are what the stack is for
        }
        let properties = resource["Properties"].as_object().expect("properties");
        for (property, value) in properties {
            let mut named = references(value);
            named.retain(|name| resources.contains_key(name));
            let of_itself = property.ends_with("Name") && property != "MetricName";
            let names_itself = of_itself && named.is_empty();
            assert!(!names_itself, "`{logical_id}` has a fixed `{property}`");
        }
    }
}

#[test]
fn on_deletion_the_resource_goes_before_everything_else() {
    let template = Stack::usual().template;
    let resource = template.only(RESOURCE);
    let outlive = template.all_dependencies(resource);
    assert!(!outlive.contains(resource), "it depends on itself");

    let resources = template.section("Resources").keys();
    let others: BTreeSet<String> = resources.filter(|id| *id != resource).cloned().collect();
    assert_eq!(outlive, others);
}

#[test]
fn the_roles_policies_live_as_long_as_the_role() {
    let stack = Stack::usual();
    let role = stack.template.only("AWS::IAM::Role");
    let inline = stack.properties(role)["Policies"].as_array().map(Vec::len);
    assert!(inline.is_some_and(|policies| policies > 0));
    assert_eq!(stack.properties(role)["ManagedPolicyArns"], Value::Null);

    for (logical_id, resource) in stack.template.section("Resources") {
        let attached = references(&resource["Properties"]["Roles"]);
        assert!(
            !attached.contains(role),
            "`{logical_id}` is a policy beside the role"
        );
    }
    let function = stack.properties_of(FUNCTION);
    assert_eq!(function["Role"], stack.attribute(role, "Arn"));
    assert_eq!(function["Policies"], Value::Null);
}

#[test]
fn the_function_logs_to_the_stacks_own_group_which_forgets() {
    let stack = Stack::usual();
    let group = stack.template.only("AWS::Logs::LogGroup");

    let logging = &stack.properties_of(FUNCTION)["LoggingConfig"];
    assert_eq!(logging["LogGroup"], stack.physical_id(group));
    assert_ne!(stack.properties(group)["RetentionInDays"], Value::Null);
}
