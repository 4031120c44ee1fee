//! Input that is refused before any call is made.

use anyhow::ensure;
use serde_json::json;

use super::Scenario;
use crate::{
    bench::{Bench, assert_names},
    report::Notes,
    stack::RESOURCE,
};

pub(super) const SCENARIOS: &[Scenario] = &[
    (
        "a create with a wildcard bucket is refused and leaves nothing",
        wildcard,
    ),
    (
        "a create with a misspelt property is refused with the right name",
        misspelt,
    ),
    (
        "a user name outside `publisher-*` is refused with a reason that says so",
        foreign_prefix,
    ),
];

fn wildcard<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let mut deployment = bench.stack("wildcard");
    deployment.set("Buckets", json!(["genomes-*"]));
    let reason = deployment.fail_to_create()?;
    notes.add(&reason);
    assert_names(&reason, &["`Buckets", "`genomes-*`", "wildcard"])?;
    let deleted = deployment.stack.deleted()?;
    ensure!(
        deleted == [format!("publisher/{}", deployment.user)],
        "Deletes were sent for {deleted:?}"
    );
    bench.assert_nothing_of(&deployment.user)?;
    Ok(())
}

fn misspelt<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let mut deployment = bench.stack("misspelt");
    deployment.set("PolicyNmae", json!("S3AccessPolicy"));
    let reason = deployment.fail_to_create()?;
    notes.add(&reason);
    assert_names(&reason, &["`PolicyNmae`", "did you mean `PolicyName`?"])?;
    bench.assert_nothing_of(&deployment.user)?;
    Ok(())
}

fn foreign_prefix<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let deployment = bench.stack("foreign-prefix").with_user("genomics-reader");
    let reason = deployment.fail_to_create()?;
    notes.add(&reason);
    assert_names(
        &reason,
        &["`UserName`", "`genomics-reader`", "`publisher-*`"],
    )?;
    let deleted = deployment.stack.deleted()?;
    ensure!(
        deleted == [format!("{RESOURCE}-refused")],
        "Deletes were sent for {deleted:?}"
    );
    bench.assert_nothing_of(&deployment.user)?;
    Ok(())
}
