//! CloudFormation's own word may lag behind the requests that it sends.

use anyhow::ensure;
use serde_json::json;

use super::Scenario;
use crate::{
    bench::{Bench, Deployment},
    report::Notes,
    stack::RESOURCE,
};

pub(super) const SCENARIOS: &[Scenario] = &[
    (
        "a stack that is shown late is created, updated, replaced and deleted",
        living,
    ),
    ("a stack that is shown late is rolled back", rolled_back),
];

/// How far it lags here. AWS does not say; the function asks again for 20 seconds in an invocation.
const LAG: u32 = 5;

fn living<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let mut first = bench.stack("late").seen_late(LAG);
    first.create()?;
    let made = bench.current_key(&first.user)?;
    first.set("KeySerial", json!(2));
    first.update()?;
    let raised = bench.current_key(&first.user)?;
    ensure!(raised.serial == 2, "{raised:?} after {made:?}");
    first.set("KeySerial", json!(3));
    first.update()?;
    let again = bench.current_key(&first.user)?;
    ensure!(again.serial == 3, "{again:?} after {raised:?}");
    let second = bench
        .stack("late")
        .seen_late(LAG)
        .with_user("publisher-late-2");
    second.update()?;
    bench.assert_reads(&second.user)?;
    bench.assert_nothing_of(&first.user)?;
    second.stack.delete()?;
    bench.assert_nothing_of(&second.user)?;
    notes.add(format!(
        "each of 5 operations did what it says, {LAG} seconds ahead of what was shown"
    ));
    Ok(())
}

fn rolled_back<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let late = |slug| -> Deployment<'a> { bench.stack(slug).seen_late(LAG) };
    let mut never = late("late-never");
    never.set("Buckets", json!(["genomes-never-made"]));
    never.fail_to_create()?;
    bench.assert_nothing_of(&never.user)?;

    let first = late("late-kept");
    first.create()?;
    let before = bench.account.state_of(&first.user)?;
    let second = late("late-kept").with_user("publisher-late-kept-not");
    // An output that nothing answers fails the update after the resource was replaced.
    let mut template = second.template();
    template["Outputs"]["Broken"] = json!({"Value": {"Fn::GetAtt": [RESOURCE, "Broken"]}});
    let settled = first.stack.update(bench.workplace, &template)?;
    ensure!(settled.status == "UPDATE_ROLLBACK_COMPLETE", "{settled:?}");
    before.assert_unchanged(&bench.account.state_of(&first.user)?)?;
    bench.assert_reads(&first.user)?;
    first.stack.delete()?;
    bench.assert_nothing_of(&first.user)?;
    notes.add("a failed creation left nothing, a replacement the old pair as it was");
    Ok(())
}
