//! What the function's environment and ARN say.

use publisher_s3_access::request::settings::{BodyLogging, Invocation, Settings};

fn read(variables: &[(&str, &str)], function_arn: &str) -> Settings {
    let variable = |name: &str| {
        let found = variables.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    Settings::read(
        variable,
        Invocation {
            id: "invocation",
            function_arn,
        },
    )
}

const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:publisher";

#[test]
fn home_is_read_from_the_functions_arn_with_or_without_a_version() {
    for arn in [ARN.to_owned(), format!("{ARN}:7")] {
        let home = read(&[], &arn).home.expect("a home");
        assert_eq!(
            (home.partition.as_str(), home.region.as_str()),
            ("aws", "eu-west-1")
        );
        assert_eq!(home.account, "123456789012");
    }
}

#[test]
fn an_arn_that_is_not_a_functions_gives_no_home() {
    for arn in [
        "",
        "function",
        "arn:aws:iam::123456789012:role/x",
        "arn:other:lambda:r:1:function:f",
    ] {
        assert_eq!(read(&[], arn).home, None, "{arn}");
    }
}

#[test]
fn the_environment_gives_the_arn_only_if_lambda_gives_none() {
    let variables = [(
        "FUNCTION_ARN",
        "arn:aws:lambda:us-east-1:012345678912:function:local",
    )];
    let home = |arn| read(&variables, arn).home.expect("a home").account;
    assert_eq!(home("function-arn"), "012345678912");
    assert_eq!(home(ARN), "123456789012");
}

#[test]
fn the_suffix_is_the_templates_or_else_the_partitions() {
    assert_eq!(
        read(&[("URL_SUFFIX", "amazonaws.eu")], ARN).url_suffix,
        "amazonaws.eu"
    );
    assert_eq!(read(&[("URL_SUFFIX", "")], ARN).url_suffix, "amazonaws.com");
    let china = ARN.replace("arn:aws:", "arn:aws-cn:");
    assert_eq!(read(&[], &china).url_suffix, "amazonaws.com.cn");
}

#[test]
fn body_logging_is_on_whatever_its_variable_says() {
    assert_eq!(read(&[], ARN).body_logging, BodyLogging::Off);
    assert_eq!(
        read(&[("LOG_SENSITIVE_BODIES", "false")], ARN).body_logging,
        BodyLogging::On
    );
}
