//! Blocks of JSON and YAML: policies, and what the log gives to a bucket's owner.

use std::collections::BTreeSet;

use kit::template::document::strings;
use kit::template::rendering::Stack;
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

/// What a resource of the role's statements is called in the table.
fn called(stack: &Stack, resource: &str) -> &'static str {
    let own_log = stack.attribute("FunctionLogs", "Arn");
    let users = resource.split_once(":user/").map(|(_, name)| name);
    match users {
        Some("publisher-*") => "users named `publisher-*`",
        Some("*") => "any user",
        Some("publisher-connectors") => "the user that `UserName` names",
        _ if resource.ends_with(":secret:publisher/*") => "secrets named `publisher/*`",
        _ if resource.ends_with(":kms:eu-west-1:*:key/*") => "keys of this region",
        _ if resource == stack.id() => "this stack",
        _ if resource == own_log => "its own log group",
        _ => panic!("{resource} has no name in the table"),
    }
}

/// What the keys of a statement's conditions are called.
fn limited(condition: &Value) -> &'static str {
    let operators = condition.as_object().into_iter().flatten();
    let keys = operators.flat_map(|(operator, keys)| {
        let keys = keys.as_object().expect("keys").keys();
        keys.map(move |key| format!("{operator} {key}"))
    });
    match keys.collect::<Vec<_>>().join(", ").as_str() {
        "" => "",
        "StringEquals iam:PermissionsBoundary" => {
            "if the user has this stack's boundary, or gets it"
        }
        "StringEquals iam:PermissionsBoundary, StringLike aws:RequestTag/publisher-s3-access:stack-id" => {
            "with this stack's boundary and ownership tag"
        }
        "StringLike aws:RequestTag/publisher-s3-access:stack-id" => {
            "with this stack's ownership tag"
        }
        "StringLikeIfExists aws:RequestTag/publisher-s3-access:stack-id" => {
            "never for another stack"
        }
        "ForAllValues:StringNotEqualsIgnoreCase aws:TagKeys" => "without removing ownership tags",
        "StringEquals kms:ViaService" => "through Secrets Manager",
        other => panic!("{other} has no name in the table"),
    }
}

#[test]
fn the_table_of_the_roles_rights_is_that_of_the_template_in_all_columns() {
    let stack = Stack::usual();
    let role = stack.properties("FunctionRole");
    let policies = role["Policies"].as_array().expect("policies").iter();
    let statements = policies.flat_map(|policy| {
        let statements = policy["PolicyDocument"]["Statement"].as_array();
        statements.expect("statements")
    });
    let mut allowed = BTreeSet::new();
    for statement in statements.filter(|statement| statement["Effect"] == "Allow") {
        let only = limited(&statement["Condition"]);
        for resource in strings(&statement["Resource"]) {
            let on = called(&stack, &resource);
            let actions = strings(&statement["Action"]).into_iter();
            allowed.extend(actions.map(|action| (action, on.to_owned(), only.to_owned())));
        }
    }
    let rows = table("docs/security.md", "| Actions |");
    let listed = rows.iter().flat_map(|row| {
        let actions = codes(&row[0]);
        actions.map(|action| (action, row[1].clone(), row[2].clone()))
    });
    assert_eq!(listed.collect::<BTreeSet<_>>(), allowed);
}
