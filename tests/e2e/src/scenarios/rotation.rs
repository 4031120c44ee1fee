//! When keys are made, and when they die.

use anyhow::ensure;
use serde_json::json;

use super::Scenario;
use crate::{
    bench::{BUCKET, Bench},
    publisher::Publisher,
    report::Notes,
};

pub(super) const SCENARIOS: &[Scenario] = &[(
    "a lowered KeySerial makes no key, and two raises end the first one",
    serials,
)];

fn serials<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let account = bench.account;
    let mut deployment = bench.stack("serials");
    deployment.set("KeySerial", json!(2));
    deployment.create()?;
    let user = deployment.user.clone();
    let leaked = bench.current_key(&user)?;

    // What a rollback does.
    deployment.set("KeySerial", json!(1));
    deployment.update()?;
    ensure!(
        bench.current_key(&user)?.version_id == leaked.version_id,
        "a key was made"
    );

    for serial in [3, 4] {
        deployment.set("KeySerial", json!(serial));
        deployment.update()?;
    }
    let previous = account.stored_key(&format!("publisher/{user}"), "AWSPREVIOUS")?;
    let current = bench.current_key(&user)?;
    ensure!(
        (previous.serial, current.serial) == (3, 4),
        "{previous:?} and {current:?}"
    );
    let living = [previous.key.id.clone(), current.key.id.clone()].into();
    ensure!(account.key_ids(&user)? == living, "another key is there");
    let refusal =
        Publisher::with_key(account, bench.workplace, &leaked.key).list_refusal(BUCKET, "")?;
    ensure!(refusal.code == "InvalidAccessKeyId", "{refusal}");
    bench.assert_reads(&user)?;
    notes.add(format!("{} of serial 2: {}", leaked.key.id, refusal.code));
    Ok(())
}
