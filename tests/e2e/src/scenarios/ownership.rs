//! A stack does not touch what it does not own.

use anyhow::ensure;

use super::Scenario;
use crate::{
    bench::{Bench, assert_names},
    report::Notes,
};

pub(super) const SCENARIOS: &[Scenario] = &[(
    "a second stack with the same user name is refused and the first keeps working",
    same_user,
)];

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

/// Everything that another stack could have changed.
fn state_of(bench: &Bench<'_>, user: &str) -> anyhow::Result<String> {
    let record = bench.account.user(user)?;
    let keys = bench.account.key_ids(user)?;
    let policy = bench.account.inline_policy(user, "S3AccessPolicy")?;
    let version = bench.current_key(user)?.version_id;
    Ok(format!("{record:?} {keys:?} {policy} {version}"))
}
