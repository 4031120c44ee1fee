//! One template for every partition.

use kit::template::document::strings;
use kit::template::rendering::{CHINA, COMMERCIAL, GOV_CLOUD, Place, Stack};

/// These principals have the same name in every partition. Everything else must follow the stack's partition.
const UNIVERSAL: [&str; 4] = [
    "cloudwatch.amazonaws.com",
    "events.amazonaws.com",
    "lambda.amazonaws.com",
    "secretsmanager.amazonaws.com",
];

fn rendered(stack: &Stack) -> Vec<String> {
    let resources = stack.template.section("Resources");
    let properties = resources
        .keys()
        .map(|logical_id| stack.properties(logical_id));
    let outputs = stack.template.section("Outputs").values();
    let outputs = outputs.map(|output| stack.rendered(output));
    properties
        .chain(outputs)
        .flat_map(|value| strings(&value))
        .collect()
}

#[test]
fn every_arn_is_of_the_stacks_partition() {
    for place in [COMMERCIAL, CHINA, GOV_CLOUD] {
        let Place { partition, .. } = place;
        let own = [format!("arn:{partition}:"), "arn:*:s3:::".to_owned()];
        for text in rendered(&Stack::rotating(place)) {
            let is_own = |at: usize| own.iter().any(|start| text[at..].starts_with(start));
            let foreign = text.match_indices("arn:").find(|(at, _)| !is_own(*at));
            assert_eq!(foreign, None, "{partition}: {text}");
        }
    }
}

#[test]
fn every_host_name_follows_the_stacks_dns_suffix() {
    let Place { url_suffix, .. } = CHINA;
    for text in rendered(&Stack::rotating(CHINA)) {
        let foreign = text.replace(url_suffix, "").contains("amazonaws.com");
        // What KMS calls its callers in China is not known for sure, so both endings are allowed.
        let of_kms = text.starts_with("s3.") || text.starts_with("secretsmanager.");
        assert!(
            of_kms || UNIVERSAL.contains(&text.as_str()) || !foreign,
            "{text}"
        );
    }
}
