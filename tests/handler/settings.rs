//! What the function's environment says.

use publisher_s3_access::request::settings::Settings;

fn read(variables: &[(&str, &str)]) -> Settings {
    let variable = |name: &str| {
        let found = variables.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    Settings::read(variable, "invocation")
}

const STACK: &str = "arn:aws:cloudformation:eu-west-1:123456789012:stack/publisher/0a1b";

#[test]
fn the_suffix_is_the_templates_or_else_the_partitions() {
    let suffix = |given, stack: &str| {
        let variables = [("URL_SUFFIX", given), ("STACK_ID", stack)];
        read(&variables).url_suffix
    };
    assert_eq!(suffix("amazonaws.eu", STACK), "amazonaws.eu");
    assert_eq!(suffix("", STACK), "amazonaws.com");
    let china = STACK.replace("arn:aws:", "arn:aws-cn:");
    assert_eq!(suffix("", &china), "amazonaws.com.cn");
}
