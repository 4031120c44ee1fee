//! Green means that the key reads. If it does not, the `Reason` says what to change.

use anyhow::ensure;
use serde_json::json;

use super::Scenario;
use crate::{
    bench::{BUCKET, Bench, Deployment, OBJECT, assert_names},
    report::Notes,
};

pub(super) const SCENARIOS: &[Scenario] = &[
    ("a folder can be read, and nothing beside it", folder),
    (
        "two buckets in two regions are read, and Region is the first one's",
        two_regions,
    ),
    ("an empty bucket is proof enough", empty),
    (
        "a missing bucket fails the stack and leaves nothing",
        missing,
    ),
    (
        "a bucket policy that denies fails the stack and leaves nothing",
        denied,
    ),
    (
        "an object under a KMS key fails the stack until the key is named",
        encrypted,
    ),
    (
        "without VerifyAccess a missing bucket is no obstacle",
        unproved,
    ),
    (
        "a rotation whose proof fails leaves the old key in use and no other",
        failed_rotation,
    ),
];

fn folder<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let mut deployment = bench.stack("folder");
    deployment.set("Buckets", json!([format!("s3://{BUCKET}/cohort-a/")]));
    deployment.create()?;
    let publisher = bench.publisher(&deployment.user)?;
    let listed = publisher.list(BUCKET, "cohort-a/", 100)?;
    let key = "cohort-a/manifest.tsv";
    ensure!(
        listed.iter().any(|listed| listed == key),
        "it listed {listed:?}"
    );
    publisher.get(BUCKET, key)?;
    for (what, refusal) in [
        ("list all", publisher.list_refusal(BUCKET, "")?),
        ("list beside", publisher.list_refusal(BUCKET, "targets/")?),
        (
            "list a longer name",
            publisher.list_refusal(BUCKET, "cohort-a")?,
        ),
        ("get beside", publisher.get_refusal(BUCKET, OBJECT)?),
    ] {
        ensure!(refusal.code == "AccessDenied", "{what}: {refusal}");
        notes.add(format!("{what}: {}", refusal.code));
    }
    Ok(())
}

fn two_regions<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let region = "eu-west-1";
    bench.account.create_bucket_in("genomes-dublin", region)?;
    bench.put_object("genomes-dublin", OBJECT, &["--region", region])?;
    let mut deployment = bench.stack("two-regions");
    deployment.set("Buckets", json!(["genomes-dublin", BUCKET]));
    let settled = deployment.create()?;
    ensure!(
        settled.output("Region")? == region,
        "Region is {}",
        settled.output("Region")?
    );
    bench
        .publisher(&deployment.user)?
        .get("genomes-dublin", OBJECT)?;
    bench.assert_reads(&deployment.user)?;
    notes.add(format!(
        "s3://genomes-dublin in {region}, s3://{BUCKET} in {}",
        bench.account.region()
    ));
    Ok(())
}

fn empty<'a>(bench: &'a Bench<'a>, _notes: &mut Notes) -> anyhow::Result<()> {
    bench.account.create_bucket("genomes-to-come")?;
    let mut deployment = bench.stack("empty");
    deployment.set("Buckets", json!("genomes-to-come"));
    deployment.create()?;
    let listed = bench
        .publisher(&deployment.user)?
        .list("genomes-to-come", "", 1)?;
    ensure!(listed.is_empty(), "it listed {listed:?}");
    Ok(())
}

fn missing<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let mut deployment = bench.stack("missing");
    deployment.set("Buckets", json!([BUCKET, "genomes-missing"]));
    fail_and_leave_nothing(
        bench,
        &deployment,
        notes,
        &["`genomes-missing`", "there is no bucket"],
    )
}

fn denied<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    bench.account.create_bucket("genomes-denied")?;
    bench.account.deny_reading("genomes-denied")?;
    let mut deployment = bench.stack("denied");
    deployment.set("Buckets", json!(["genomes-denied"]));
    let words = [
        "s3://genomes-denied/",
        "the bucket's policy denies",
        "`VerifyAccess: false`",
    ];
    fail_and_leave_nothing(bench, &deployment, notes, &words)
}

fn encrypted<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let key = bench.account.json(["kms", "create-key"])?;
    let arn = crate::account::text(&key["KeyMetadata"]["Arn"])?;
    bench.account.create_bucket("genomes-encrypted")?;
    bench.put_object(
        "genomes-encrypted",
        OBJECT,
        &[
            "--server-side-encryption",
            "aws:kms",
            "--ssekms-key-id",
            &arn,
        ],
    )?;
    let mut deployment = bench.stack("encrypted");
    deployment.set("Buckets", json!(["genomes-encrypted"]));
    let words = [
        "s3://genomes-encrypted/",
        "kms:Decrypt",
        "`BucketKmsKeyArns`",
    ];
    fail_and_leave_nothing(bench, &deployment, notes, &words)?;
    deployment.stack.delete()?;
    deployment.set("BucketKmsKeyArns", json!([arn]));
    deployment.create()?;
    bench
        .publisher(&deployment.user)?
        .get("genomes-encrypted", OBJECT)?;
    Ok(())
}

fn unproved<'a>(bench: &'a Bench<'a>, _notes: &mut Notes) -> anyhow::Result<()> {
    let mut deployment = bench.stack("unproved");
    deployment.set("Buckets", json!(["genomes-not-yet"]));
    deployment.set("VerifyAccess", json!(false));
    let settled = deployment.create()?;
    let region = settled.output("Region")?;
    ensure!(region == bench.account.region(), "Region is {region}");
    deployment.stack.delete()?;
    bench.assert_nothing_of(&deployment.user)
}

fn failed_rotation<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let bucket = "genomes-closing";
    bench.account.create_bucket(bucket)?;
    let mut deployment = bench.stack("failed-rotation");
    deployment.set("Buckets", json!([bucket]));
    deployment.create()?;
    let user = deployment.user.clone();
    let before = bench.current_key(&user)?;
    bench.account.deny_reading(bucket)?;
    deployment.set("KeySerial", json!(2));
    // The rollback's own proof fails too, which must not fail the rollback.
    let reason = deployment.fail_to_update("UPDATE_ROLLBACK_COMPLETE")?;
    notes.add(&reason);
    let after = bench.current_key(&user)?;
    ensure!(
        after.version_id == before.version_id,
        "the secret's current version changed"
    );
    let keys = bench.account.key_ids(&user)?;
    ensure!(
        keys == [before.key.id].into(),
        "the user has the keys {keys:?}"
    );
    let secret = bench
        .account
        .secret(&format!("publisher/{user}"))?
        .unwrap_or_default();
    ensure!(
        !secret.to_string().contains("PublisherCandidate"),
        "a candidate is left: {secret}"
    );
    deployment.stack.delete()?;
    bench.assert_nothing_of(&user)
}

/// Creates the stack, which must fail for a reason with `words`, and be rolled back.
fn fail_and_leave_nothing(
    bench: &Bench<'_>,
    deployment: &Deployment<'_>,
    notes: &mut Notes,
    words: &[&str],
) -> anyhow::Result<()> {
    let reason = deployment.fail_to_create()?;
    notes.add(&reason);
    assert_names(&reason, words)?;
    let deleted = deployment.stack.deleted()?;
    ensure!(
        deleted == [format!("publisher/{}", deployment.user)],
        "Deletes were sent for {deleted:?}"
    );
    bench.assert_nothing_of(&deployment.user)?;
    Ok(())
}
