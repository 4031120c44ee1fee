//! Another user name makes another user and secret.

use anyhow::ensure;
use serde_json::json;

use super::Scenario;
use crate::{
    account::text,
    bench::{BUCKET, Bench},
    publisher::Publisher,
    report::Notes,
    stack::RESOURCE,
};

pub(super) const SCENARIOS: &[Scenario] = &[
    (
        "another user name makes a new pair that reads, and removes the old one with its sessions",
        replace,
    ),
    (
        "a replacement that is rolled back leaves the old pair as it was, and no other",
        roll_back,
    ),
];

fn replace<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let first = bench.stack("replaced");
    first.create()?;
    let old = bench.current_key(&first.user)?;
    let key = Publisher::with_key(bench.account, bench.workplace, &old.key).session()?;
    let session = Publisher::with_key(bench.account, bench.workplace, &key);
    ensure!(
        !session.list(BUCKET, "", 1)?.is_empty(),
        "the session listed nothing"
    );
    let second = bench.stack("replaced").with_user("publisher-replacement");
    let settled = second.update()?;
    ensure!(settled.output("UserName")? == second.user, "{settled:?}");
    let new = bench.current_key(&second.user)?;
    ensure!(new.key.id != old.key.id, "the key is the same");
    bench.assert_reads(&second.user)?;
    bench.assert_nothing_of(&first.user)?;
    let refusal = session.list_refusal(BUCKET, "")?;
    notes.add(format!("a session of the old user: {refusal}"));
    notes.add(format!(
        "{} with {} instead of {} with {}",
        second.user, new.key.id, first.user, old.key.id
    ));
    second.stack.delete()?;
    bench.assert_nothing_of(&second.user)
}

fn roll_back<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let first = bench.stack("kept");
    first.create()?;
    let before = bench.account.state_of("publisher-kept")?;
    let second = bench.stack("kept").with_user("publisher-kept-not");
    // An output that nothing answers fails the update after the resource was replaced.
    let mut template = second.template();
    template["Outputs"]["Broken"] = json!({"Value": {"Fn::GetAtt": [RESOURCE, "Broken"]}});
    let settled = first.stack.update(bench.workplace, &template)?;
    ensure!(settled.status == "UPDATE_ROLLBACK_COMPLETE", "{settled:?}");
    let [kept, made] = [&first, &second].map(|one| format!("publisher/{}", one.user));
    let events = first.stack.events(RESOURCE)?;
    let events = events.iter().map(|event| {
        let (status, id) = (&event["ResourceStatus"], &event["PhysicalResourceId"]);
        Ok((text(status)?, text(id)?))
    });
    let events = events.collect::<anyhow::Result<Vec<_>>>()?;
    // What CloudFormation sends: an Update back that carries the new id, then a Delete for it.
    let back = [
        ("UPDATE_IN_PROGRESS", &made),
        ("UPDATE_COMPLETE", &kept),
        ("DELETE_IN_PROGRESS", &made),
        ("DELETE_COMPLETE", &made),
    ];
    let back = back.map(|(status, id)| (status.to_owned(), id.clone()));
    ensure!(events.ends_with(&back), "it ended with {events:?}");
    before.assert_unchanged(&bench.account.state_of("publisher-kept")?)?;
    bench.assert_reads(&first.user)?;
    notes.add(format!("made and deleted again: {made}"));
    first.stack.delete()?;
    bench.assert_nothing_of(&first.user)
}
