//! What a person does with a release who builds nothing, and what keeps a bad one from being published.

use std::fs;

use anyhow::{Context, ensure};

use super::Scenario;
use crate::{
    account::path_text,
    bench::Bench,
    process::{Finished, Invocation},
    release::{Story, tool},
    report::Notes,
};

pub(super) const SCENARIOS: &[Scenario] = &[
    (
        "a release and the AWS CLI are enough to create, use, update and delete a stack",
        from_release,
    ),
    (
        "a release is published only whole, and only to a private bucket of the right region",
        publishing,
    ),
];

fn from_release<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    Story::new(bench.workplace, bench.account, "publisher-from-release").whole(notes)
}

fn publishing<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let account = bench.account;
    let release = bench
        .release
        .copy_to(&bench.workplace.scratch().join("published"))?;
    let folder = release.folder();
    let folder = path_text(&folder)?;
    let publish = |bucket: &str, options: &[&str]| {
        let publish = ["publish", folder, "--bucket", bucket].into_iter();
        let words = publish.chain(options.iter().copied());
        account.for_administrator(tool(bench.workplace).args(words))
    };
    let bucket = "publisher-releases";
    account.create_bucket(bucket)?;

    refused(
        &publish("publisher-releases-missing", &[]),
        &["does not exist", "aws s3 mb"],
        notes,
    )?;
    let elsewhere = "publisher-releases-elsewhere";
    account.create_bucket_in(elsewhere, "eu-north-1")?;
    let region = account.region();
    refused(
        &publish(elsewhere, &[]),
        &["is in eu-north-1", region, "REGION=eu-north-1"],
        notes,
    )?;
    let public = "publisher-releases-public";
    account.create_bucket(public)?;
    account.json(["s3api", "delete-public-access-block", "--bucket", public])?;
    refused(
        &publish(public, &[]),
        &["can be public", "put-public-access-block"],
        notes,
    )?;
    let nobody = publish(bucket, &[])
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY");
    refused(
        &nobody,
        &["no valid AWS credentials", "aws configure"],
        notes,
    )?;

    let published = publish(bucket, &["--prefix", "lambda"]).succeed()?;
    let link = published
        .stdout
        .lines()
        .find(|line| line.contains("#/stacks/create/review?"));
    let link = link.context("no link was printed")?.trim();
    ensure!(link.contains(&format!("region={region}")), "{link}");
    ensure!(
        link.ends_with("&param_CodeBucket=publisher-releases&param_CodePrefix=lambda%2F"),
        "{link}"
    );
    notes.add(link);
    for name in [
        "template.yaml",
        "custom-resource-x86_64.zip",
        "SHA256SUMS",
        "sbom.cdx.json",
    ] {
        let key = format!("lambda/{}/{name}", release.name());
        account.json(["s3api", "head-object", "--bucket", bucket, "--key", &key])?;
    }
    publish(bucket, &["--prefix", "lambda/"])
        .succeed()
        .context("the same release a second time")?;

    let archive = release.folder().join("custom-resource-x86_64.zip");
    let mut content = fs::read(&archive)?;
    content.push(0);
    fs::write(&archive, content)?;
    refused(
        &publish(bucket, &[]),
        &["`custom-resource-x86_64.zip` was changed", "make release"],
        notes,
    )?;
    let other = account.find(
        [
            "s3api",
            "head-object",
            "--bucket",
            bucket,
            "--key",
            &format!("{}/template.yaml", release.name()),
        ],
        "404",
    )?;
    ensure!(other.is_none(), "a changed release was uploaded");
    Ok(())
}

/// # Errors
/// If the command succeeds, or one of `words` is not in its message.
fn refused(command: &Invocation, words: &[&str], notes: &mut Notes) -> anyhow::Result<()> {
    let Finished { status, stderr, .. } = command.run()?;
    ensure!(!status.success(), "`{}` succeeded", command.shown());
    let missing: Vec<_> = words
        .iter()
        .filter(|word| !stderr.contains(**word))
        .collect();
    ensure!(
        missing.is_empty(),
        "the message does not say {missing:?}: {stderr}"
    );
    notes.add(stderr.trim());
    Ok(())
}
