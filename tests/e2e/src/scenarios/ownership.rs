//! A stack does not touch what it does not own.

use anyhow::ensure;

use super::Scenario;
use crate::{
    bench::{Bench, assert_names},
    report::Notes,
    stack::RESOURCE,
};

pub(super) const SCENARIOS: &[Scenario] = &[
    (
        "a second stack with the same user name is refused and the first keeps working",
        same_user,
    ),
    (
        "a user made by hand is refused, and neither create nor delete touches it",
        made_by_hand,
    ),
];

fn same_user<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let first = bench.stack("same-user-1");
    first.create()?;
    let before = state_of(bench, &first.user)?;
    let second = bench.stack("same-user-2").with_user(&first.user);
    let reason = second.fail_to_create()?;
    notes.add(&reason);
    assert_names(
        &reason,
        &[first.user.as_str(), first.stack.name.as_str(), "`UserName`"],
    )?;
    let deleted = second.stack.deleted()?;
    ensure!(
        deleted == [format!("publisher/{}", first.user)],
        "Deletes were sent for {deleted:?}"
    );
    second.stack.delete()?;
    let after = state_of(bench, &first.user)?;
    ensure!(
        before == after,
        "the first stack's user changed: {before} became {after}"
    );
    bench.assert_reads(&first.user)?;
    first.stack.delete()?;
    bench.assert_nothing_of(&first.user)
}

fn made_by_hand<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let deployment = bench.stack("made-by-hand");
    let user = deployment.user.as_str();
    bench
        .account
        .json(["iam", "create-user", "--user-name", user])?;
    bench
        .account
        .json(["iam", "create-access-key", "--user-name", user])?;
    let keys = bench.account.key_ids(user)?;
    let reason = deployment.fail_to_create_for_good()?;
    notes.add(&reason);
    assert_names(&reason, &[user, "`UserName`"])?;
    let failed = deployment.stack.resources()?.physical_id(RESOURCE)?;
    ensure!(failed == format!("publisher/{user}"), "{failed} failed");
    // CloudFormation sends a Delete for what could not be created, and the stack goes only if that succeeds.
    deployment.stack.delete()?;
    ensure!(
        bench.account.key_ids(user)? == keys,
        "the user's keys changed"
    );
    let secret = bench.account.secret(&format!("publisher/{user}"))?;
    ensure!(secret.is_none(), "a secret is left: {secret:?}");
    Ok(())
}

/// Everything that another stack could have changed.
fn state_of(bench: &Bench<'_>, user: &str) -> anyhow::Result<String> {
    let record = bench.account.user(user)?;
    let keys = bench.account.key_ids(user)?;
    let policy = bench.account.inline_policy(user, "S3AccessPolicy")?;
    let version = bench.current_key(user)?.version_id;
    Ok(format!("{record:?} {keys:?} {policy} {version}"))
}
