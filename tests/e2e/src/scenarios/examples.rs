//! The folder `examples`, used as its pages say.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
};

use anyhow::{Context, ensure};
use zip::{ZipWriter, write::SimpleFileOptions};

use super::Scenario;
use crate::{
    account::{path_text, text},
    bench::{ARTIFACTS, BUCKET, Bench},
    process::Invocation,
    report::Notes,
    stack::{ROTATION, Stack},
};

/// A program that subscribes to the messages.
const EXAMPLE: &str = "examples/new-key/app.py";

pub(super) const SCENARIOS: &[Scenario] = &[
    (
        "the example of a nested stack makes a bucket and a key that reads it",
        nested,
    ),
    (
        "the example of a CDK app deploys a release and removes it",
        cdk,
    ),
    (
        "a queue and a function that subscribe take the new key by themselves",
        new_key,
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

/// The function between deployments is invoked as EventBridge does it.
fn new_key<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let account = bench.account;
    let json = |command: &str| account.json(command.split(' '));
    let topic = text(&json("sns create-topic --name new-keys")?["TopicArn"])?;
    // The AWS CLI does not read the variable for SQS.
    let mut exports = account.exports();
    let endpoint = exports.find(|(name, _)| name == "AWS_ENDPOINT_URL");
    let (_, endpoint) = endpoint.context("the emulator has no address")?;
    let sqs = |command: &str| json(&format!("sqs {command} --endpoint-url {endpoint}"));
    let queue = text(&sqs("create-queue --queue-name new-keys")?["QueueUrl"])?;
    let attributes = sqs(&format!(
        "get-queue-attributes --attribute-names QueueArn --queue-url {queue}"
    ))?;
    let queue_arn = text(&attributes["Attributes"]["QueueArn"])?;
    let policy = serde_json::json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
        "Resource": queue_arn, "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }});
    let policy = serde_json::json!({"Policy": policy.to_string()});
    sqs(&format!(
        "set-queue-attributes --queue-url {queue} --attributes {policy}"
    ))?;
    let function = make_function(bench, "new-keys")?;
    for (protocol, endpoint) in [("sqs", &queue_arn), ("lambda", &function)] {
        json(&format!(
            "sns subscribe --topic-arn {topic} --protocol {protocol} --notification-endpoint {endpoint}"
        ))?;
    }
    let mut deployment = bench.stack("new-key");
    deployment.set_parameter("NotificationTopicArn", &topic);
    let settled = deployment.create()?;
    let event = serde_json::json!({
        "source": "aws.secretsmanager",
        "detail-type": "Secret Label Updated",
        "time": "2026-01-02T03:04:05Z",
        "resources": [settled.output("SecretArn")?],
        "detail": {"labelUpdated": "AWSCURRENT"},
    });
    let maintenance = deployment.stack.resources()?.physical_id(ROTATION)?;
    let invoked = account.invoke(bench.workplace, &maintenance, &event)?;
    ensure!(!invoked.failed, "{invoked:?}");

    let current = bench.current_key(&deployment.user)?;
    let handed_on = format!("new-key {}", current.key.id);
    let app = [EXAMPLE, queue.as_str()];
    let printed = account.python(app).succeed()?.stdout;
    // An alarm of the stack may come before.
    ensure!(printed.lines().any(|line| line == handed_on), "{printed}");
    let log = account.eventually(|| {
        let log = account.log_lines("/aws/lambda/new-keys")?;
        ensure!(log.contains(&handed_on), "the function's log: {log}");
        Ok(log)
    })?;
    for said in [&printed, &log] {
        ensure!(!current.key.secret_appears_in(said), "the secret is shown");
    }
    notes.add(format!("by the queue and by the function: {handed_on}"));
    deployment.stack.delete()
}

/// The example as a Lambda function; its ARN.
fn make_function(bench: &Bench<'_>, name: &str) -> anyhow::Result<String> {
    let archive = bench.workplace.scratch().join("new-key.zip");
    let mut writer = ZipWriter::new(File::create(&archive)?);
    writer.start_file("app.py", SimpleFileOptions::default())?;
    writer.write_all(&fs::read(bench.workplace.repository().join(EXAMPLE))?)?;
    writer.finish()?;
    let code = format!("fileb://{}", path_text(&archive)?);
    let (account, json) = (bench.account, |command: &str| {
        bench.account.json(command.split(' '))
    });
    let trust = r#"{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"lambda.amazonaws.com"}}}"#;
    let role = json(&format!(
        "iam create-role --role-name {name} --assume-role-policy-document {trust}"
    ))?;
    let may = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"*"}}"#;
    let put = ["iam", "put-role-policy", "--role-name", name];
    let policy = ["--policy-name", "ReadSecret", "--policy-document", may];
    account.json(put.into_iter().chain(policy))?;
    let role = text(&role["Role"]["Arn"])?;
    let made = json(&format!(
        "lambda create-function --function-name {name} --runtime python3.12 --handler app.handler \
         --role {role} --zip-file {code}"
    ))?;
    text(&made["FunctionArn"])
}
