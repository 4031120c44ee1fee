//! What organizations require of a stack: tags on every secret, encrypted logs that are kept for years, a boundary for
//! every role, messages to a topic of their own.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::Scenario;
use crate::{
    account::text,
    bench::{Bench, Deployment},
    inbox::Inbox,
    process::join,
    report::Notes,
    stack::{ROLE, ROTATION, ROTATION_ROLE},
};

pub(super) const SCENARIOS: &[Scenario] = &[
    (
        "what an organization does not allow fails the stack and is named",
        denied,
    ),
    (
        "where untagged secrets are denied, a tagged stack is created",
        cost_center,
    ),
    (
        "logs, roles and messages are as the organization says",
        governed,
    ),
];

/// A statement of AWS's example of a service control policy, put on the function's role: the emulator has no
/// organizations. AWS says that it stops `CloudFormation`, whose own secrets are created first and tagged then.
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

/// Both wait at once until IAM would know of a new role.
fn denied<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let untagged = || {
        let untagged = bench.stack("untagged");
        let template = demanding(&untagged)?;
        let untagged = untagged.with_template(template);
        Ok((untagged.fail_to_create()?, untagged.user))
    };
    let bounded = || {
        let boundary = role_boundary(bench, "NoUsers", &json!({"NotAction": "iam:CreateUser"}))?;
        let mut bounded = bench.stack("bounded");
        bounded.set_parameter("RolePermissionsBoundary", &boundary);
        Ok((bounded.fail_to_create()?, bounded.user))
    };
    let (untagged, bounded) = join(untagged, bounded)?;
    for ((reason, user), why) in [
        (untagged, "`secretsmanager:CreateSecret` failed with"),
        (
            bounded,
            "no permissions boundary allows the iam:CreateUser action",
        ),
    ] {
        ensure!(reason.contains(why), "{reason}");
        bench.assert_nothing_of(&user)?;
        notes.add(reason);
    }
    Ok(())
}

fn cost_center<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let mut tagged = bench.stack("tagged").tagged("CostCenter", "4711");
    let settled = tagged.stack.create(bench.workplace, &demanding(&tagged)?)?;
    ensure!(settled.status == "CREATE_COMPLETE", "{settled:?}");
    bench
        .account
        .assert_tagged(&tagged.user, ("CostCenter", "4711"))?;
    bench.assert_reads(&tagged.user)?;

    tagged = bench.stack("tagged").tagged("CostCenter", "4712");
    tagged.set("Revision", json!("the next update"));
    let settled = tagged.stack.update(bench.workplace, &demanding(&tagged)?)?;
    ensure!(settled.status == "UPDATE_COMPLETE", "{settled:?}");
    bench
        .account
        .assert_tagged(&tagged.user, ("CostCenter", "4712"))?;
    tagged.stack.delete()?;
    bench.assert_nothing_of(&tagged.user)?;
    notes.add("tagged: CREATE_COMPLETE; user and secret follow the stack's tag");
    Ok(())
}

/// Makes a managed policy to bound roles with; its ARN.
fn role_boundary(bench: &Bench<'_>, name: &str, allowed: &Value) -> anyhow::Result<String> {
    let mut statement = json!({"Effect": "Allow", "Resource": "*"});
    for (key, value) in allowed.as_object().into_iter().flatten() {
        statement[key] = value.clone();
    }
    let document = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
    let command = ["iam", "create-policy", "--policy-name", name];
    let policy = ["--policy-document", document.as_str()];
    let made = bench.account.json(command.into_iter().chain(policy))?;
    text(&made["Policy"]["Arn"])
}

fn governed<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let json = |command: &[&str]| bench.account.json(command.iter().copied());
    let key = text(&json(&["kms", "create-key"])?["KeyMetadata"]["Arn"])?;
    let topic = text(&json(&["sns", "create-topic", "--name", "publisher-tickets"])?["TopicArn"])?;
    let services = [
        "cloudformation",
        "iam",
        "kms",
        "logs",
        "secretsmanager",
        "sns",
    ];
    let services: Vec<_> = services.iter().map(|of| format!("{of}:*")).collect();
    let boundary = role_boundary(bench, "Workloads", &json!({"Action": services}))?;
    let mut deployment = bench.stack("governed");
    deployment.set_parameter("LogsKmsKeyArn", &key);
    deployment.set_parameter("LogRetentionDays", "400");
    deployment.set_parameter("RolePermissionsBoundary", &boundary);
    deployment.set_parameter("NotificationTopicArn", &topic);
    let settled = deployment.create()?;

    for group in ["LogGroup", "RotationLogGroup"] {
        let prefix = ["--log-group-name-prefix", settled.output(group)?];
        let groups = json(&[&["logs", "describe-log-groups"], &prefix[..]].concat())?;
        let group = &groups["logGroups"][0];
        ensure!(group["kmsKeyId"] == key.as_str(), "{group}");
        ensure!(group["retentionInDays"] == 400, "{group}");
    }
    for role in [ROLE, ROTATION_ROLE] {
        let role = deployment.stack.resources()?.physical_id(role)?;
        let role = json(&["iam", "get-role", "--role-name", &role])?;
        let bounded = &role["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"];
        ensure!(*bounded == boundary.as_str(), "{role}");
    }
    notes.add(format!(
        "both log groups: 400 days, {key}; both roles: {boundary}"
    ));

    let inbox = Inbox::subscribe(bench.account, &topic)?;
    inbox.confirm(bench.account)?;
    let event = json!({
        "source": "aws.secretsmanager",
        "detail-type": "Secret Label Updated",
        "time": "2026-01-02T03:04:05Z",
        "resources": [settled.output("SecretArn")?],
        "detail": {"labelUpdated": "AWSCURRENT"},
    });
    let function = deployment.stack.resources()?.physical_id(ROTATION)?;
    let invoked = bench.account.invoke(bench.workplace, &function, &event)?;
    ensure!(!invoked.failed, "{invoked:?}");
    let message = inbox.receive()?;
    message.assert_says(&[&deployment.user, "new access key", "Paste"])?;
    notes.add(format!("told on {topic}"));
    Ok(())
}
