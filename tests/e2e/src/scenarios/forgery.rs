//! A request that CloudFormation did not send changes nothing, whatever it says. tests/flow tries every form in memory.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::Scenario;
use crate::{
    bench::{Bench, Deployment, Forger},
    report::Notes,
    stack::RESOURCE,
};

pub(super) const SCENARIOS: &[Scenario] = &[
    (
        "forged requests change nothing while the stack rests",
        at_rest,
    ),
    (
        "forged requests change nothing while the stack is at work on another resource",
        at_work,
    ),
];

/// A resource of the stack that exists only to be waited for.
const OTHER: &str = "Wait";

fn at_rest<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let deployment = bench.stack("forged-at-rest");
    deployment.create()?;
    send_in_vain(bench, &deployment, notes)?;
    bench.assert_reads(&deployment.user)?;
    deployment.stack.delete()?;
    bench.assert_nothing_of(&deployment.user)
}

fn at_work<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let deployment = bench.stack("forged-at-work");
    deployment.create()?;
    let mut template = deployment.template();
    template["Resources"][OTHER] = json!({
        "Type": "AWS::CloudFormation::WaitCondition",
        "DependsOn": RESOURCE,
        "CreationPolicy": {"ResourceSignal": {"Count": 1, "Timeout": "PT10M"}},
    });
    let stack = &deployment.stack;
    stack.begin_update(bench.workplace, &template)?;
    stack.wait_for(OTHER)?;
    send_in_vain(bench, &deployment, notes)?;
    let status = stack.describe()?.context("the stack is gone")?["StackStatus"].take();
    ensure!(status == "UPDATE_IN_PROGRESS", "the stack was {status}");

    let signal = ["cloudformation", "signal-resource", "--status", "SUCCESS"];
    let named = ["--stack-name", &stack.name, "--logical-resource-id", OTHER];
    let signal = signal.into_iter().chain(named);
    bench.account.json(signal.chain(["--unique-id", "1"]))?;
    let settled = stack.settle()?;
    ensure!(settled.status == "UPDATE_COMPLETE", "{settled:?}");
    stack.delete()?;
    bench.assert_nothing_of(&deployment.user)
}

/// Somebody who knows everything about the stack sends the genuine requests once more, and each with one member changed.
fn forged(deployment: &Deployment<'_>) -> anyhow::Result<Vec<Value>> {
    let mut forged = Vec::new();
    for kind in ["Create", "Update", "Delete"] {
        let genuine = deployment.request(kind)?;
        let own = genuine["StackId"].as_str().context("no stack id")?;
        let (front, _) = own.rsplit_once('/').context("the id has no GUID")?;
        let invented = format!("{front}/8a1b2c3d-0000-11f0-9c9e-0a1b2c3d4e5f");
        let mut properties = genuine["ResourceProperties"].clone();
        properties["Buckets"] = json!(["genomes-forged"]);
        for (member, value) in [
            ("RequestId", json!("another")),
            ("StackId", json!(invented)),
            ("LogicalResourceId", json!("Forged")),
            ("ResourceProperties", properties),
        ] {
            let mut event = genuine.clone();
            event[member] = value;
            forged.push(event);
        }
    }
    Ok(forged)
}

/// Sends all of them side by side.
///
/// # Errors
/// If one is not refused, or anything was made, changed or removed.
fn send_in_vain(
    bench: &Bench<'_>,
    deployment: &Deployment<'_>,
    notes: &mut Notes,
) -> anyhow::Result<()> {
    let forger = Forger::of(bench, deployment)?;
    let forged = forged(deployment)?;
    let before = bench.account.state_of(&deployment.user)?;
    for (event, expected) in forged.iter().zip(forger.send(&forged)?) {
        let answer = forger.receive(expected)?;
        // CloudFormation may be about to delete another resource, and nothing carries that id.
        let may_succeed =
            event["RequestType"] == "Delete" && event["LogicalResourceId"] == "Forged";
        let refused = answer["Status"] == "FAILED" || may_succeed;
        ensure!(refused, "{event} was answered {answer}");
    }
    before.assert_unchanged(&bench.account.state_of(&deployment.user)?)?;
    notes.add(format!(
        "{} forged requests: nothing was made, changed or removed",
        forged.len()
    ));
    Ok(())
}
