//! A request that CloudFormation did not send changes nothing, whatever it says.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::Scenario;
use crate::{
    bench::{Bench, Deployment, Forger},
    report::Notes,
    stack::RESOURCE,
};

mod events;

use events::{Answer, Forged, StackState};

pub(super) const SCENARIOS: &[Scenario] = &[
    (
        "forged requests change nothing while the stack rests",
        at_rest,
    ),
    (
        "forged requests change nothing while the stack is at work on another resource",
        at_work,
    ),
    (
        "forged requests make nothing for a resource that the stack no longer has",
        removed,
    ),
    (
        "forged requests make nothing for a resource that could not be created",
        failed,
    ),
];

/// A resource of the stack that exists only to be waited for.
const OTHER: &str = "Wait";

fn at_rest<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let deployment = bench.stack("forged-at-rest");
    deployment.create()?;
    let forger = Forger::of(bench, &deployment)?;
    let genuine = Genuine::of(&deployment)?;
    let mut forged = events::of_other_stacks(&genuine.0)?;
    forged.extend(events::of_other_resources(&genuine.0, StackState::AtRest));
    forged.extend(events::of_the_resource(&genuine.0, StackState::AtRest));
    send_in_vain(bench, &deployment, &forger, &forged)?;
    bench.assert_reads(&deployment.user)?;
    tell(notes, &forger);
    deployment.stack.delete()?;
    bench.assert_nothing_of(&deployment.user)
}

fn at_work<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let deployment = bench.stack("forged-at-work");
    deployment.create()?;
    let forger = Forger::of(bench, &deployment)?;
    let genuine = Genuine::of(&deployment)?;
    let mut template = deployment.template();
    template["Resources"][OTHER] = json!({
        "Type": "AWS::CloudFormation::WaitCondition",
        "DependsOn": RESOURCE,
        "CreationPolicy": {"ResourceSignal": {"Count": 1, "Timeout": "PT10M"}},
    });
    let stack = &deployment.stack;
    stack.begin_update(bench.workplace, &template)?;
    stack.wait_for(OTHER)?;
    let mut forged = events::of_other_resources(&genuine.0, StackState::AtWork);
    forged.extend(events::of_the_resource(&genuine.0, StackState::AtWork));
    send_in_vain(bench, &deployment, &forger, &forged)?;
    let status = stack.describe()?.context("the stack is gone")?["StackStatus"].take();
    ensure!(status == "UPDATE_IN_PROGRESS", "the stack was {status}");
    bench.assert_reads(&deployment.user)?;
    tell(notes, &forger);

    let signal = ["cloudformation", "signal-resource", "--status", "SUCCESS"];
    let named = ["--stack-name", &stack.name, "--logical-resource-id", OTHER];
    let signal = signal.into_iter().chain(named);
    bench.account.json(signal.chain(["--unique-id", "1"]))?;
    let settled = stack.settle()?;
    ensure!(settled.status == "UPDATE_COMPLETE", "{settled:?}");
    stack.delete()?;
    bench.assert_nothing_of(&deployment.user)
}

fn removed<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let deployment = bench.stack("forged-removed");
    deployment.create()?;
    let forger = Forger::of(bench, &deployment)?;
    let genuine = Genuine::of(&deployment)?;
    let mut template = deployment.template();
    for part in ["Resources", "Outputs"] {
        let named = template[part].as_object_mut().context("no object")?;
        named.remove(RESOURCE);
        // What refers to it goes along: `["S3Access", "UserName"]`, `${S3Access.UserName}`.
        named.retain(|_, definition| {
            let text = definition.to_string();
            !text.contains(&format!("[\"{RESOURCE}\"")) && !text.contains(&format!("{{{RESOURCE}."))
        });
    }
    let settled = deployment.stack.update(bench.workplace, &template)?;
    ensure!(settled.status == "UPDATE_COMPLETE", "{settled:?}");
    let deleted = deployment.stack.deleted()?;
    ensure!(
        deleted == [format!("publisher/{}", deployment.user)],
        "{deleted:?}"
    );
    bench.assert_nothing_of(&deployment.user)?;

    let forged = genuine.each("of the removed resource");
    send_in_vain(bench, &deployment, &forger, &forged)?;
    bench.assert_nothing_of(&deployment.user)?;
    tell(notes, &forger);
    deployment.stack.delete()
}

fn failed<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let mut deployment = bench.stack("forged-failed");
    deployment.set("Buckets", json!(["genomes-never-made"]));
    deployment.fail_to_create_for_good()?;
    let forger = Forger::of(bench, &deployment)?;
    // Of a bucket that is there.
    deployment.set("Buckets", json!([crate::bench::BUCKET]));
    let genuine = Genuine::of(&deployment)?;
    let forged = genuine.each("after the failure");
    let wrong = send_all(&forger, &forged)?;
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Half a pair may exist until somebody deletes the stack, but no key.
    let keys = match bench.account.user(&deployment.user)? {
        Some(_) => bench.account.key_ids(&deployment.user)?,
        None => [].into(),
    };
    ensure!(keys.is_empty(), "there is a key: {keys:?}");
    tell(notes, &forger);
    deployment.stack.delete()?;
    bench.assert_nothing_of(&deployment.user)
}

/// What CloudFormation would send for the resource as it is: Create, Update, Delete.
struct Genuine([Value; 3]);

impl Genuine {
    fn of(deployment: &Deployment<'_>) -> anyhow::Result<Self> {
        Ok(Self([
            deployment.request("Create")?,
            deployment.request("Update")?,
            deployment.request("Delete")?,
        ]))
    }

    /// Each of them, for a resource that nobody wants, so it has to fail.
    fn each(&self, when: &str) -> Vec<Forged> {
        let forged = self.0.iter().map(|event| {
            let what = format!("{} {when}", events::kind(event));
            Forged::new(what, event.clone(), Answer::Failed)
        });
        forged.collect()
    }
}

/// Sends all of them side by side, and returns what is wrong with the answers.
fn send_all(forger: &Forger<'_>, forged: &[Forged]) -> anyhow::Result<Vec<String>> {
    let events: Vec<_> = forged.iter().map(|one| &one.event).collect();
    let mut wrong = Vec::new();
    for (one, expected) in forged.iter().zip(forger.send(&events)?) {
        let answer = forger.receive(expected);
        if let Err(error) = answer.and_then(|answer| one.check(&answer)) {
            wrong.push(format!("{}: {error:#}", one.what));
        }
    }
    Ok(wrong)
}

/// Sends all of them side by side.
///
/// # Errors
/// If one is answered in another way than it has to, or anything was made, changed or removed.
fn send_in_vain(
    bench: &Bench<'_>,
    deployment: &Deployment<'_>,
    forger: &Forger<'_>,
    forged: &[Forged],
) -> anyhow::Result<()> {
    let before = bench.account.state_of(&deployment.user)?;
    let mut wrong = send_all(forger, forged)?;
    let after = bench.account.state_of(&deployment.user)?;
    if let Err(error) = before.assert_unchanged(&after) {
        wrong.push(error.to_string());
    }
    let (count, wrong_count) = (forged.len(), wrong.len());
    ensure!(
        wrong.is_empty(),
        "{wrong_count} faults with {count} forged requests: {}",
        wrong.join("\n")
    );
    Ok(())
}

fn tell(notes: &mut Notes, forger: &Forger<'_>) {
    notes.add(format!(
        "{} forged requests, each answered as it has to be; nothing was made, changed or removed",
        forger.sent()
    ));
}
