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
    (
        "a folder without objects fails the stack, until the stack says that it may be empty",
        empty,
    ),
    (
        "a bucket policy that denies fails the stack and leaves nothing",
        denied,
    ),
    (
        "an object under a KMS key fails the stack until the key is named",
        encrypted,
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

fn empty<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    bench.account.create_bucket("genomes-to-come")?;
    let mut deployment = bench.stack("empty");
    deployment.set("Buckets", json!("genomes-to-come"));
    let words = [
        "s3://genomes-to-come/",
        "`VerifyAccess`",
        "`allow-empty`",
        "delete the stack",
    ];
    fail_and_leave_nothing(bench, &deployment, notes, &words)?;
    deployment.stack.delete()?;
    deployment.set("VerifyAccess", json!("allow-empty"));
    let warnings = deployment.create()?.output("Warnings")?.to_owned();
    ensure!(warnings.contains("s3://genomes-to-come/"), "{warnings}");
    notes.add(warnings);
    let listed = bench
        .publisher(&deployment.user)?
        .list("genomes-to-come", "", 1)?;
    ensure!(listed.is_empty(), "it listed {listed:?}");
    Ok(())
}

fn denied<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    bench.account.create_bucket("genomes-denied")?;
    bench.account.deny_reading("genomes-denied")?;
    let mut deployment = bench.stack("denied");
    deployment.set("Buckets", json!(["genomes-denied"]));
    let words = [
        "s3://genomes-denied/",
        "the bucket's policy denies",
        "`VerifyAccess`",
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
