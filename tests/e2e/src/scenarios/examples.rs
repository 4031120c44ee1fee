//! The folder `examples`, used as its pages say.

use std::path::Path;

use anyhow::ensure;

use super::Scenario;
use crate::{
    account::path_text,
    bench::{ARTIFACTS, BUCKET, Bench},
    process::Invocation,
    report::Notes,
    stack::Stack,
};

pub(super) const SCENARIOS: &[Scenario] = &[
    (
        "the example of a nested stack makes a bucket and a key that reads it",
        nested,
    ),
    (
        "the example of a CDK app deploys a release and removes it",
        cdk,
    ),
];

fn nested<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let name = "publisher-nested";
    let template = bench
        .workplace
        .repository()
        .join("examples/own-template/nested.yaml");
    let release = format!("Release={}", bench.release.name());
    let bucket = format!("CodeBucket={ARTIFACTS}");
    let command = [
        "cloudformation",
        "deploy",
        "--stack-name",
        name,
        "--capabilities",
        "CAPABILITY_IAM",
    ];
    let input = [
        "--template-file",
        path_text(&template)?,
        "--parameter-overrides",
        &release,
        &bucket,
    ];
    bench
        .account
        .aws(command.into_iter().chain(input))
        .succeed()?;
    let stack = Stack::new(bench.account, name);
    let running = stack.settle()?.output("Release")?.to_owned();
    ensure!(
        running == bench.release.version,
        "release {running} is running"
    );
    let genomes = stack.resources()?.physical_id("Genomes")?;
    let publisher = bench.publisher("publisher-genomics")?;
    ensure!(
        publisher.list(&genomes, "", 1)?.is_empty(),
        "the new bucket is not empty"
    );
    let refusal = publisher.list_refusal(BUCKET, "")?;
    ensure!(refusal.code == "AccessDenied", "{refusal}");
    notes.add(format!("reads s3://{genomes} and nothing else"));
    stack.delete()?;
    bench.assert_nothing_of("publisher-genomics")
}

fn cdk<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let app = bench.workplace.repository().join("examples/cdk");
    let program = app.join("node_modules/.bin/cdk");
    if !program.exists() {
        // `make check-end-to-end` installs it wherever Node is.
        notes.add("NOT RUN: Node is missing, or `npm ci` was not run in examples/cdk");
        return Ok(());
    }
    let name = "publisher-cdk";
    let run = |words: &[&str]| run_cdk(bench, &app, &program, name, words);
    run(&["deploy", "--require-approval", "never"])?;
    bench.assert_reads(name)?;
    notes.add(format!(
        "`cdk deploy` made the stack, and {name} reads s3://{BUCKET}"
    ));
    run(&["destroy", "--force"])?;
    bench.assert_nothing_of(name)
}

fn run_cdk(
    bench: &Bench<'_>,
    app: &Path,
    program: &Path,
    name: &str,
    words: &[&str],
) -> anyhow::Result<()> {
    let output = bench.workplace.scratch().join("cdk.out");
    let release = bench.release.folder();
    let context = [
        ("stack", name),
        ("userName", name),
        ("release", path_text(&release)?),
        ("codeBucket", ARTIFACTS),
        ("buckets", BUCKET),
    ];
    let context = context.map(|(name, value)| format!("{name}={value}"));
    let context = context.iter().flat_map(|pair| ["--context", pair]);
    let invocation = Invocation::new(program)
        .args(words)
        .args(["--output", path_text(&output)?])
        .args(context)
        .in_folder(app);
    bench.account.for_administrator(invocation).succeed()?;
    Ok(())
}
