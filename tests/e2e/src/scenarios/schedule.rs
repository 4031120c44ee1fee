//! Rotation on a schedule: Secrets Manager calls the rotation function.

use std::fs;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::Scenario;
use crate::{
    account::{Account, path_text, secrets::StoredKey, text},
    bench::{BUCKET, Bench, Deployment},
    publisher::Publisher,
    report::Notes,
    stack::{ROTATION, TOPIC},
};

pub(super) const SCENARIOS: &[Scenario] = &[(
    "a rotation leaves the key before active, and the next one ends it",
    rotations,
)];

fn rotations<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let account = bench.account;
    let mut deployment = bench.stack("schedule");
    deployment.set_parameter("RotationDays", "45");
    deployment.set_parameter("NotificationEmail", "genomics@example.com");
    deployment.create()?;
    let user = deployment.user.clone();
    let secret = format!("publisher/{user}");
    let first = bench.current_key(&user)?;
    expect_keys(bench, &user, &[&first]).context("the schedule's test")?;
    let inbox = Inbox::of(account, &deployment)?;

    let rotate = || account.rotate(&secret, || bench.assert_reads(&user));
    let second = rotate()?;
    expect_keys(bench, &user, &[&first, &second])?;
    let message = inbox.receive()?;
    assert_holds(&message, &[&user, &format!("name={secret}")])?;
    notes.add(format!("told by e-mail: {message}"));

    let third = rotate()?;
    expect_keys(bench, &user, &[&second, &third])?;
    let refused =
        Publisher::with_key(account, bench.workplace, &first.key).list_refusal(BUCKET, "")?;
    ensure!(refused.code == "InvalidAccessKeyId", "{refused}");
    notes.add(format!(
        "{} after two rotations: {}",
        first.key.id, refused.code
    ));

    repeat(bench, &deployment, &third)?;
    expect_keys(bench, &user, &[&second, &third]).context("repeated steps")?;

    // An update knows the rotated key, and another function of the stack rotates it by number.
    deployment.set("Revision", json!("2"));
    deployment.update()?;
    expect_keys(bench, &user, &[&second, &third]).context("an update after rotations")?;
    deployment.set("KeySerial", json!(2));
    deployment.update()?;
    let fourth = bench.current_key(&user)?;
    ensure!(
        (third.serial, fourth.serial) == (1, 2),
        "{third:?}, {fourth:?}"
    );
    expect_keys(bench, &user, &[&third, &fourth])?;

    deployment.set_parameter("RotationDays", "0");
    deployment.update()?;
    let described = account.secret(&secret)?.context("the secret is gone")?;
    ensure!(described["RotationEnabled"] != true, "{described}");
    expect_keys(bench, &user, &[&third, &fourth]).context("the schedule's end")?;
    deployment.stack.delete()?;
    bench.assert_nothing_of(&user)
}

/// Whether the message says to whom the new key belongs and who is to get it.
fn assert_holds(message: &str, names: &[&str]) -> anyhow::Result<()> {
    for part in names.iter().chain(&["DNAstack Publisher"]) {
        ensure!(
            message.contains(part),
            "the message lacks {part}: {message}"
        );
    }
    Ok(())
}

/// Whether the user has exactly these keys, each reads, and the last one is in use.
fn expect_keys(bench: &Bench<'_>, user: &str, expected: &[&StoredKey]) -> anyhow::Result<()> {
    let living = bench.account.key_ids(user)?;
    let ids = expected
        .iter()
        .map(|stored| stored.key.id.clone())
        .collect();
    ensure!(living == ids, "the keys are {living:?} instead of {ids:?}");
    for stored in expected {
        let publisher = Publisher::with_key(bench.account, bench.workplace, &stored.key);
        let listed = publisher.list(BUCKET, "", 1)?;
        ensure!(!listed.is_empty(), "{} listed nothing", stored.key.id);
    }
    let current = bench.current_key(user)?.version_id;
    let last = expected.last().map(|stored| &stored.version_id);
    ensure!(last == Some(&current), "{current} is in use");
    bench.assert_reads(user)
}

/// All steps once more: the version in use is left alone, and one that nobody staged is refused.
fn repeat(
    bench: &Bench<'_>,
    deployment: &Deployment<'_>,
    current: &StoredKey,
) -> anyhow::Result<()> {
    let function = deployment.stack.resources()?.physical_id(ROTATION)?;
    let secret = bench
        .account
        .secret(&format!("publisher/{}", deployment.user))?;
    let arn = text(&secret.context("the secret is gone")?["ARN"])?;
    let unknown = "00000000-0000-4000-8000-000000000000";
    for step in ["createSecret", "setSecret", "testSecret", "finishSecret"] {
        for (token, taken) in [(current.version_id.as_str(), true), (unknown, false)] {
            let event = json!({"Step": step, "SecretId": arn, "ClientRequestToken": token});
            let folder = bench.workplace.scratch();
            let (payload, output) = (folder.join("step.json"), folder.join("taken.json"));
            fs::write(&payload, event.to_string())?;
            let payload = format!("file://{}", path_text(&payload)?);
            let command = [
                "lambda",
                "invoke",
                "--function-name",
                &function,
                "--payload",
                &payload,
            ];
            let answer = bench
                .account
                .json(command.into_iter().chain([path_text(&output)?]))?;
            let failed = answer["FunctionError"].is_string();
            ensure!(failed != taken, "{step} for {token}: {answer}");
        }
    }
    Ok(())
}

/// A queue that is told what the person is told.
struct Inbox<'a> {
    account: &'a Account,
    queue: String,
}

impl<'a> Inbox<'a> {
    fn of(account: &'a Account, deployment: &Deployment<'_>) -> anyhow::Result<Self> {
        let topic = deployment.stack.resources()?.physical_id(TOPIC)?;
        let anybody = json!({ "Statement": { "Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*" } });
        let attributes = json!({ "Policy": anybody.to_string() }).to_string();
        let named = [
            "--queue-name",
            "publisher-inbox",
            "--attributes",
            &attributes,
        ];
        let queue = sqs(account, &[&["create-queue"], &named[..]].concat())?;
        let queue = text(&queue["QueueUrl"])?;
        let named = ["--queue-url", &queue, "--attribute-names", "QueueArn"];
        let attributes = sqs(account, &[&["get-queue-attributes"], &named[..]].concat())?;
        let arn = text(&attributes["Attributes"]["QueueArn"])?;
        let command = ["sns", "subscribe", "--topic-arn", &topic];
        let endpoint = ["--protocol", "sqs", "--notification-endpoint", &arn];
        account.json(command.into_iter().chain(endpoint))?;
        Ok(Self { account, queue })
    }

    /// The next message's text.
    fn receive(&self) -> anyhow::Result<String> {
        let waiting = ["--queue-url", &self.queue, "--wait-time-seconds", "10"];
        let received = sqs(self.account, &[&["receive-message"], &waiting[..]].concat())?;
        let body = text(&received["Messages"][0]["Body"]).context("nobody was told")?;
        let notification: Value = serde_json::from_str(&body)?;
        text(&notification["Message"])
    }
}

/// `aws sqs`, which needs the emulator's address on the command line: its version 1 knows only old host names otherwise.
fn sqs(account: &Account, arguments: &[&str]) -> anyhow::Result<Value> {
    let mut exports = account.exports();
    let endpoint = exports.find(|(name, _)| name == "AWS_ENDPOINT_URL");
    let (_, endpoint) = endpoint.context("this is not the emulator")?;
    let command = ["sqs", "--endpoint-url", &endpoint];
    account.json(command.iter().chain(arguments).copied())
}
