//! The stack's outputs.

use serde_json::Value;

use super::lifecycle::RESOURCE;
use kit::template::document::Template;
use kit::template::rendering::{CHINA, COMMERCIAL, GOV_CLOUD, Stack};

#[test]
fn the_outputs_are_the_resources_attributes_of_the_same_name() {
    let stack = Stack::usual();
    let resource = stack.template.only(RESOURCE);
    for name in ["SecretArn", "UserArn", "UserName", "BucketUri", "Region"] {
        let value = stack.rendered(&stack.template.section("Outputs")[name]["Value"]);
        assert_eq!(value, stack.attribute(resource, name));
    }
}

#[test]
fn every_output_says_what_it_is_and_none_is_exported() {
    for (name, output) in Template::read().section("Outputs") {
        assert!(output["Description"].is_string(), "`{name}`");
        assert_eq!(
            output["Export"],
            Value::Null,
            "`{name}`: a second stack could not export it"
        );
    }
}

#[test]
fn the_link_opens_the_secret_in_the_console_of_the_partition() {
    for (place, host) in [
        (COMMERCIAL, "eu-west-1.console.aws.amazon.com"),
        (CHINA, "cn-north-1.console.amazonaws.cn"),
        (GOV_CLOUD, "us-gov-west-1.console.amazonaws-us-gov.com"),
    ] {
        let stack = Stack::new(place, &[("Buckets", "genomes")]);
        let url = stack.rendered(&stack.template.section("Outputs")["SecretConsoleUrl"]["Value"]);
        let secret = stack.attribute(stack.template.only(RESOURCE), "SecretName");
        let secret = secret.replace('+', "%2B");
        let region = host.split('.').next().unwrap_or_default();
        assert_eq!(
            url,
            format!("https://{host}/secretsmanager/secret?name={secret}&region={region}")
        );
    }
}
