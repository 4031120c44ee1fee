//! What organizations require of a stack: tags on every secret, and encrypted logs that are kept for a year. (The
//! emulator's `CloudFormation` gives roles no permissions boundary, so `tests/template` covers
//! `RolePermissionsBoundary`.)

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::Scenario;
use crate::{
    account::{text, texts},
    bench::{Bench, Deployment},
    report::Notes,
    stack::ROLE,
};

pub(super) const SCENARIOS: &[Scenario] = &[
    (
        "where untagged secrets are denied, a tagged stack is created and an untagged one is not",
        cost_center,
    ),
    (
        "logs are kept for a year and encrypted with the key that is given",
        logs,
    ),
];

/// AWS's example of a service control policy, put on the function's role: the emulator has no organizations.
/// <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_examples_tagging.html>
const SID: &str = "DenyCreateSecretWithNoCostCenterTag";

fn demanding(deployment: &Deployment<'_>) -> anyhow::Result<Value> {
    let mut template = deployment.template();
    let policies = template["Resources"][ROLE]["Properties"]["Policies"].as_array_mut();
    let document = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": SID,
            "Effect": "Deny",
            "Action": "secretsmanager:CreateSecret",
            "Resource": "*",
            "Condition": {"Null": {"aws:RequestTag/CostCenter": "true"}},
        }],
    });
    let policy = json!({"PolicyName": "Organization", "PolicyDocument": document});
    policies.context("the role has no policies")?.push(policy);
    Ok(template)
}

fn cost_center<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let untagged = bench.stack("untagged");
    let settled = untagged
        .stack
        .create(bench.workplace, &demanding(&untagged)?)?;
    ensure!(settled.status == "ROLLBACK_COMPLETE", "{settled:?}");
    let reason = untagged.stack.reason()?;
    ensure!(reason.contains("secretsmanager:CreateSecret"), "{reason}");
    bench.assert_nothing_of(&untagged.user)?;
    notes.add("untagged: ROLLBACK_COMPLETE, `secretsmanager:CreateSecret` denied");

    let mut tagged = bench.stack("tagged").tagged("CostCenter", "4711");
    let settled = tagged.stack.create(bench.workplace, &demanding(&tagged)?)?;
    ensure!(settled.status == "CREATE_COMPLETE", "{settled:?}");
    assert_cost_center(bench, &tagged.user, "4711")?;
    bench.assert_reads(&tagged.user)?;

    tagged = bench.stack("tagged").tagged("CostCenter", "4712");
    tagged.set("Revision", json!("the next update"));
    let settled = tagged.stack.update(bench.workplace, &demanding(&tagged)?)?;
    ensure!(settled.status == "UPDATE_COMPLETE", "{settled:?}");
    assert_cost_center(bench, &tagged.user, "4712")?;
    tagged.stack.delete()?;
    bench.assert_nothing_of(&tagged.user)?;
    notes.add("tagged: CREATE_COMPLETE; user and secret follow the stack's tag");
    Ok(())
}

fn assert_cost_center(bench: &Bench<'_>, user: &str, value: &str) -> anyhow::Result<()> {
    let of_user = bench.account.tags(user)?;
    ensure!(
        of_user.get("CostCenter").map(String::as_str) == Some(value),
        "the user has {of_user:?}"
    );
    let secret = bench.account.secret(&format!("publisher/{user}"))?;
    let secret = secret.context("the secret is missing")?;
    let tags = texts(&secret["Tags"], "Key").into_iter();
    let of_secret: Vec<_> = tags.zip(texts(&secret["Tags"], "Value")).collect();
    let expected = ("CostCenter".to_owned(), value.to_owned());
    ensure!(
        of_secret.contains(&expected),
        "the secret has {of_secret:?}"
    );
    Ok(())
}

fn logs<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let key = bench.account.json(["kms", "create-key"])?;
    let key = text(&key["KeyMetadata"]["Arn"])?;
    let mut deployment = bench.stack("governed");
    deployment.set_parameter("LogsKmsKeyArn", &key);
    let settled = deployment.create()?;
    let group = settled.output("LogGroup")?;
    let command = [
        "logs",
        "describe-log-groups",
        "--log-group-name-prefix",
        group,
    ];
    let groups = bench.account.json(command)?;
    let group = &groups["logGroups"][0];
    ensure!(group["kmsKeyId"] == key.as_str(), "{group}");
    ensure!(group["retentionInDays"] == 365, "{group}");
    notes.add(format!("{} days, {key}", group["retentionInDays"]));
    Ok(())
}
