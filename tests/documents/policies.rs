//! Blocks of JSON and YAML: policies, and what the log gives to a bucket's owner.

use std::collections::BTreeSet;

use publisher_s3_access::plan::policy::PolicyDocument;
use publisher_s3_access::request::names::Partition;
use publisher_s3_access::request::properties::Desired;
use serde_json::{Value, json};

use crate::pages::{Page, codes, names, pages, table, text};

fn blocks(page: &Page, language: &str) -> Vec<String> {
    let blocks = page.blocks().into_iter();
    let blocks = blocks.filter(|block| block.language == language);
    blocks.map(|block| block.text).collect()
}

#[test]
fn blocks_of_json_are_json_and_policies_are_of_a_version_that_exists() {
    let mut texts: Vec<String> = pages()
        .iter()
        .flat_map(|page| blocks(page, "json"))
        .collect();
    assert!(texts.len() > 2, "only {} blocks", texts.len());
    texts.push(text("docs/deployer-policy.json"));
    for block in texts {
        let value: Value = serde_json::from_str(&block).expect(&block);
        let version = value
            .get("Version")
            .filter(|_| value.get("Statement").is_some());
        assert!(
            version.is_none_or(|version| version == "2012-10-17"),
            "{block}"
        );
    }
}

#[test]
fn the_second_user_of_the_example_has_properties_that_exist() {
    let mut known = names("docs/reference.md", "| Property |");
    known.extend(["ServiceTimeout", "ServiceToken"].map(str::to_owned));
    let example = text("examples/own-template/second-user.yaml");
    let example: yaml_serde::Value = yaml_serde::from_str(&example).expect("YAML");
    let properties = example["Resources"]["SecondAccess"]["Properties"].as_mapping();
    for (name, _) in properties.expect("properties") {
        let name = name.as_str().expect("a name");
        assert!(known.contains(name), "{name}");
    }
}

#[test]
fn the_policy_on_the_page_is_the_one_that_the_function_writes() {
    let path = "docs/what-you-will-see.md".to_owned();
    let page = Page {
        text: text(&path),
        path,
    };
    let shown = blocks(&page, "json").pop().expect("the last block");
    let partition = Partition::parse("aws").expect("a partition");
    let properties = json!({"Buckets": ["example-genomics", "s3://example-cohorts/2024/"]});
    let desired = Desired::parse(&properties, &partition).expect("buckets");
    let written = PolicyDocument::of(&desired, &partition, "amazonaws.com").expect("it fits");
    assert!(written.equals(&shown), "{}", written.as_str());
}

#[test]
fn the_table_of_the_roles_actions_is_that_of_the_template() {
    let template: yaml_serde::Value = yaml_serde::from_str(&text("template.yaml")).expect("YAML");
    let policies = &template["Resources"]["FunctionRole"]["Properties"]["Policies"];
    let policies = policies.as_sequence().expect("policies").iter();
    let statements = policies.flat_map(|policy| {
        let statements = policy["PolicyDocument"]["Statement"].as_sequence();
        statements.expect("statements")
    });
    let allowed = statements.filter(|statement| statement["Effect"] == "Allow");
    let actions = allowed.flat_map(|statement| {
        let action = &statement["Action"];
        let several = action.as_sequence().cloned();
        several.unwrap_or_else(|| vec![action.clone()])
    });
    let actions: BTreeSet<String> = actions
        .map(|action| action.as_str().expect("an action").to_owned())
        .collect();
    let rows = table("docs/security.md", "| Actions |");
    let listed: BTreeSet<String> = rows.iter().flat_map(|row| codes(&row[0])).collect();
    assert_eq!(listed, actions);
}
