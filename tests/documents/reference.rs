//! docs/reference.md: parameters, outputs, properties, attributes, limits.

use std::collections::BTreeSet;
use std::fs;

use publisher_s3_access::plan::policy::PolicyDocument;
use publisher_s3_access::request::names::Partition;
use publisher_s3_access::request::properties::Desired;
use publisher_s3_access::waits::{
    ANSWER, INVOCATION, KEY_KNOWN, OTHERS_ALLOW, POLICY_ALLOWS, VIEW_LAG,
};
use serde_json::json;
use yaml_serde::Value;

use crate::pages::{codes, file, names, table, text};

const PAGE: &str = "docs/reference.md";

fn template() -> Value {
    yaml_serde::from_str(&text("template.yaml")).expect("YAML")
}

/// The keys of a section of the template.
fn section(name: &str) -> BTreeSet<String> {
    let template = template();
    let section = template[name].as_mapping().expect("a mapping");
    let keys = section.keys().map(|key| key.as_str().expect("a name"));
    keys.map(str::to_owned).collect()
}

#[test]
fn the_table_of_properties_names_exactly_the_known_ones() {
    let partition = Partition::parse("aws").expect("a partition");
    let refusal = Desired::parse(&json!({ "#": "" }), &partition).expect_err("a refusal");
    let refusal = refusal.to_string();
    let (_, known) = refusal.split_once("known are").expect("the known names");
    assert_eq!(names(PAGE, "| Property |"), codes(known).collect());
}

#[test]
fn the_tables_of_parameters_and_outputs_are_those_of_the_template() {
    let parameters = section("Parameters");
    assert_eq!(names(PAGE, "| Parameter |"), parameters);
    let outputs = section("Outputs");
    assert_eq!(names(PAGE, "| Output |"), outputs);
    let front = names("README.md", "| | Default | |");
    assert!(front.is_subset(&parameters), "{front:?}");
    assert_eq!(front.len(), 6);
}

#[test]
fn the_labels_defaults_and_order_of_parameters_are_those_of_the_template() {
    let name = |row: &[String]| codes(&row[0]).next().expect("a name");
    for row in table("README.md", "| | Default | |") {
        assert_eq!(row[1], default_of(&name(&row)), "{row:?}");
    }
    let interface = &template()["Metadata"]["AWS::CloudFormation::Interface"];
    let groups = interface["ParameterGroups"].as_sequence().expect("groups");
    let parameters = groups
        .iter()
        .flat_map(|group| group["Parameters"].as_sequence().expect("names"));
    let order: Vec<_> = parameters
        .map(|name| name.as_str().expect("a name"))
        .collect();
    let rows = table(PAGE, "| Parameter |");
    let listed: Vec<_> = rows.iter().map(|row| name(row)).collect();
    assert_eq!(listed, order, "the form's order");
    for row in &rows {
        let name = name(row);
        let label = &interface["ParameterLabels"][name.as_str()]["default"];
        assert_eq!(label.as_str(), Some(row[1].as_str()), "{name}");
        assert_eq!(row[2], default_of(&name), "{name}");
    }
}

/// A parameter's default in the template, as the pages write it.
fn default_of(name: &str) -> String {
    match &template()["Parameters"][name]["Default"] {
        Value::Null => "none, required".to_owned(),
        Value::String(empty) if empty.is_empty() => "empty".to_owned(),
        Value::String(default) => format!("`{default}`"),
        Value::Number(default) => format!("`{default}`"),
        other @ (Value::Bool(_) | Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_)) => {
            panic!("{name}: {other:?}")
        }
    }
}

#[test]
fn as_many_buckets_fit_as_the_table_says_and_not_one_more() {
    let rows = table(PAGE, "| Length of a bucket's name |");
    for row in rows {
        let numbers: Vec<usize> = row.iter().map(|cell| cell.parse().expect(cell)).collect();
        let [length, whole, same, other] = numbers[..] else {
            panic!("{row:?}")
        };
        let bucket = |at: usize| format!("{at:0>length$}");
        let cases: [(usize, &dyn Fn(usize) -> String); 3] = [
            (whole, &|at| bucket(at)),
            (same, &|at| format!("s3://{}/cohort-a/", bucket(at))),
            (other, &|at| format!("s3://{}/{at:0>8}/", bucket(at))),
        ];
        for (most, entry) in cases {
            assert!(fits((0..most).map(entry)), "{} × {most}", entry(0));
            assert!(!fits((0..=most).map(entry)), "{} × {most} + 1", entry(0));
        }
    }
}

fn fits(entries: impl Iterator<Item = String>) -> bool {
    let entries: Vec<String> = entries.collect();
    let partition = Partition::parse("aws").expect("a partition");
    let desired = Desired::parse(&json!({ "Buckets": entries }), &partition).expect("buckets");
    PolicyDocument::of(&desired, &partition, "amazonaws.com").is_ok()
}

#[test]
fn the_limits_are_those_of_the_template_and_the_code() {
    let rows = table(PAGE, "| Limit |");
    let seconds = |limit: &str| {
        let row = rows.iter().find(|row| row[0] == limit).expect(limit);
        row[1].split(' ').next().unwrap_or_default().to_owned()
    };
    let resources = &template()["Resources"];
    let number = |value: &Value| value.as_u64().expect("a number");
    let function = number(&resources["Function"]["Properties"]["Timeout"]);
    let service = number(&resources["S3Access"]["Properties"]["ServiceTimeout"]);
    let again = number(&resources["FunctionRetries"]["Properties"]["MaximumRetryAttempts"]);
    let event_age = number(&resources["FunctionRetries"]["Properties"]["MaximumEventAgeInSeconds"]);
    assert_eq!(function, INVOCATION.as_secs());
    let limits = [
        ("one attempt of the function", function),
        ("of these, kept for the answer", ANSWER.as_secs()),
        ("attempts", again + 1),
        ("how long CloudFormation waits", service),
        ("the age at which Lambda drops a request", event_age),
        ("how long a new key is waited for", KEY_KNOWN.as_secs()),
        ("how long a policy is waited for", POLICY_ALLOWS.as_secs()),
        (
            "how long a policy that is not IAM's is waited for",
            OTHERS_ALLOW.as_secs(),
        ),
        (
            "how long CloudFormation is asked again before a doubt is believed",
            VIEW_LAG.as_secs(),
        ),
    ];
    for (limit, value) in limits {
        assert_eq!(seconds(limit), value.to_string(), "{limit}");
    }
}

#[test]
fn every_sample_event_is_listed_and_every_listed_one_exists() {
    let rows = table("CONTRIBUTING.md", "| Kind |");
    let listed: BTreeSet<String> = rows.iter().flat_map(|row| codes(&row[1])).collect();
    let samples = |below: &str| {
        let entries = fs::read_dir(file("events").join(below)).expect("samples");
        let entries = entries.map(|entry| entry.expect("an entry"));
        let files = entries.filter(|entry| entry.path().is_file());
        let name = |file: fs::DirEntry| format!("{below}{}", file.file_name().to_string_lossy());
        files.map(name).collect::<BTreeSet<_>>()
    };
    let files = &samples("") | &samples("maintenance/");
    assert_eq!(listed, files);
}

#[test]
fn the_release_has_the_parameters_that_only_its_template_has() {
    let added = text("tools/release/src/template.rs");
    for name in names(PAGE, "| Release parameter |") {
        assert!(added.contains(&format!("{name}:\n")), "{name}");
    }
}
