//! What a person who builds nothing does with a release, and what stops a bad one from being published.

use std::fs;

use anyhow::{Context, ensure};

use super::Scenario;
use crate::{
    account::path_text,
    bench::Bench,
    process::{Finished, Invocation},
    release::{Release, Story, tool},
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
    let (workplace, account) = (bench.workplace, bench.account);
    Story::new(
        workplace,
        account,
        "publisher-from-release",
        &workplace.built(),
    )
    .whole(notes)
}

fn publishing<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let account = bench.account;
    let parent = bench.workplace.scratch().join("published");
    let release = bench.release.copy_to(&parent)?;
    let bucket = "publisher-releases";
    account.create_bucket(bucket)?;
    refuse_buckets(bench, &release, notes)?;
    let nobody = publish(bench, &release, bucket, &[])?
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY");
    refused(
        &nobody,
        &["no valid AWS credentials", "aws configure"],
        notes,
    )?;
    let spaced = publish(bench, &release, bucket, &["--prefix", "my releases"])?;
    refused(&spaced, &["PREFIX `my releases/`", "characters"], notes)?;

    let published = publish(bench, &release, bucket, &["--prefix", "lambda"])?.succeed()?;
    let mut lines = published.stdout.lines();
    let link = lines.find(|line| line.contains("#/stacks/create/review?"));
    let link = link.context("no link was printed")?.trim();
    let region = account.region();
    ensure!(link.contains(&format!("region={region}")), "{link}");
    let filled = format!("&param_CodeBucket={bucket}&param_CodePrefix=lambda%2F");
    ensure!(link.ends_with(&filled), "{link}");
    let template = format!("/{bucket}/lambda/{}/template.yaml", release.name());
    let mut addresses = published.stdout.lines().map(str::trim);
    ensure!(
        addresses.any(|line| line.starts_with("https://s3.") && line.ends_with(&template)),
        "the template's address was not printed: {}",
        published.stdout
    );
    notes.add(link);
    for name in [
        "template.yaml",
        "publisher-s3-access-x86_64.zip",
        "SHA256SUMS",
        "sbom.cdx.json",
    ] {
        let key = format!("lambda/{}/{name}", release.name());
        account.json(["s3api", "head-object", "--bucket", bucket, "--key", &key])?;
    }
    let again = publish(bench, &release, bucket, &["--prefix", "lambda/"])?;
    again.succeed().context("the same release a second time")?;

    let archive = release.folder().join("publisher-s3-access-x86_64.zip");
    fs::write(&archive, "something else")?;
    let changed = publish(bench, &release, bucket, &[])?;
    refused(
        &changed,
        &[
            "`publisher-s3-access-x86_64.zip` was changed",
            "make release",
        ],
        notes,
    )?;
    let key = format!("{}/template.yaml", release.name());
    let head = ["s3api", "head-object", "--bucket", bucket, "--key", &key];
    let uploaded = account.find(head, "404")?;
    ensure!(uploaded.is_none(), "a changed release was uploaded");
    Ok(())
}

/// Buckets that a release is not uploaded to.
fn refuse_buckets(bench: &Bench<'_>, release: &Release, notes: &mut Notes) -> anyhow::Result<()> {
    let account = bench.account;
    let missing = publish(bench, release, "publisher-releases-missing", &[])?;
    refused(&missing, &["does not exist", "aws s3 mb"], notes)?;

    let elsewhere = "publisher-releases-elsewhere";
    account.create_bucket_in(elsewhere, "eu-north-1")?;
    let words = ["is in eu-north-1", account.region(), "REGION=eu-north-1"];
    refused(&publish(bench, release, elsewhere, &[])?, &words, notes)?;

    let public = "publisher-releases-public";
    account.create_bucket(public)?;
    account.json(["s3api", "delete-public-access-block", "--bucket", public])?;
    let words = ["can be public", "put-public-access-block"];
    refused(&publish(bench, release, public, &[])?, &words, notes)
}

/// What `make publish` runs.
fn publish(
    bench: &Bench<'_>,
    release: &Release,
    bucket: &str,
    options: &[&str],
) -> anyhow::Result<Invocation> {
    let folder = release.folder();
    let words = ["publish", path_text(&folder)?, "--bucket", bucket];
    let command = tool(bench.workplace)?.args(words).args(options);
    Ok(bench.account.for_administrator(command))
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
