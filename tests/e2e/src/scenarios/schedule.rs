//! Between deployments: Secrets Manager and EventBridge call the maintenance function.

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
    "a rotation never ends a key in use, and notifies when it is held up",
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
    tell_of_new_key(&deployment, &inbox, notes)?;
    hold_up(bench, &user, &inbox, notes)?;
    expect_keys(bench, &user, &[&first, &second]).context("a rotation held up")?;

    // Somebody has pasted the new key, and deactivates the old one.
    account.deactivate_key(&user, &first.key.id)?;
    let third = rotate()?;
    expect_keys(bench, &user, &[&second, &third])?;
    let refused =
        Publisher::with_key(account, bench.workplace, &first.key).list_refusal(BUCKET, "")?;
    ensure!(refused.code == "InvalidAccessKeyId", "{refused}");
    repeat(bench, &deployment, &third)?;
    expect_keys(bench, &user, &[&second, &third]).context("repeated steps")?;

    // An update knows the rotated key, and another function of the stack rotates it by number.
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

/// Secrets Manager's own event makes the function send a message about the new key.
fn tell_of_new_key(
    deployment: &Deployment<'_>,
    inbox: &Inbox<'_>,
    notes: &mut Notes,
) -> anyhow::Result<()> {
    let message = inbox.receive()?;
    assert_holds(&message, &[&deployment.user, "new access key", "Paste"])?;
    notes.add(format!("told of the new key: {}", first_line(&message)));
    Ok(())
}

/// The next rotation would end a key that was used a moment ago.
fn hold_up(
    bench: &Bench<'_>,
    user: &str,
    inbox: &Inbox<'_>,
    notes: &mut Notes,
) -> anyhow::Result<()> {
    let secret = format!("publisher/{user}");
    let command = ["secretsmanager", "rotate-secret", "--secret-id", &secret];
    bench.account.json(command)?;
    let message = inbox.receive()?;
    // The emulator does not let a role that names the user look up a key's last use. That holds the rotation up too.
    assert_holds(&message, &["held up", "key `AKIA", "KeySerial"])?;
    notes.add(format!("told of the guard: {}", first_line(&message)));
    // The message comes first.
    bench.account.eventually(|| {
        let labels = bench.account.secret(&secret)?.context("it is gone")?;
        let stages = &labels["VersionIdsToStages"];
        let pending = stages.to_string().contains("AWSPENDING");
        ensure!(!pending, "AWSPENDING is left: {labels}");
        Ok(())
    })
}

fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}

fn secret_arn(bench: &Bench<'_>, deployment: &Deployment<'_>) -> anyhow::Result<String> {
    let secret = format!("publisher/{}", deployment.user);
    let secret = bench.account.secret(&secret)?;
    text(&secret.context("the secret is gone")?["ARN"])
}

/// Invokes the function, and returns what Lambda says and the function's answer.
fn send(
    bench: &Bench<'_>,
    deployment: &Deployment<'_>,
    event: &Value,
) -> anyhow::Result<(Value, Value)> {
    let function = deployment.stack.resources()?.physical_id(ROTATION)?;
    let folder = bench.workplace.scratch();
    let (payload, output) = (folder.join("event.json"), folder.join("answer.json"));
    fs::write(&payload, event.to_string())?;
    let payload = format!("file://{}", path_text(&payload)?);
    let command = ["lambda", "invoke", "--function-name", &function];
    let options = ["--payload", &payload, path_text(&output)?];
    let answer = bench.account.json(command.into_iter().chain(options))?;
    let payload = fs::read_to_string(&output)?;
    Ok((answer, serde_json::from_str(&payload)?))
}

/// Checks that the message contains all of this.
fn assert_holds(message: &str, parts: &[&str]) -> anyhow::Result<()> {
    for part in parts {
        ensure!(
            message.contains(part),
            "the message lacks {part}: {message}"
        );
    }
    Ok(())
}

/// Checks that the user has exactly these keys, that each reads, and that the last one is current.
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

/// Repeats all steps: the current version is left alone, and a version that nobody staged is refused.
fn repeat(
    bench: &Bench<'_>,
    deployment: &Deployment<'_>,
    current: &StoredKey,
) -> anyhow::Result<()> {
    let arn = secret_arn(bench, deployment)?;
    let unknown = "00000000-0000-4000-8000-000000000000";
    for step in ["createSecret", "setSecret", "testSecret", "finishSecret"] {
        for (token, taken) in [(current.version_id.as_str(), true), (unknown, false)] {
            let event = json!({"Step": step, "SecretId": arn, "ClientRequestToken": token});
            let (answer, _) = send(bench, deployment, &event)?;
            let failed = answer["FunctionError"].is_string();
            ensure!(failed != taken, "{step} for {token}: {answer}");
        }
    }
    Ok(())
}

/// A queue that gets the same messages as the person.
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
        let waiting = ["--queue-url", &self.queue, "--wait-time-seconds", "20"];
        let look = || sqs(self.account, &[&["receive-message"], &waiting[..]].concat());
        let mut received = look()?;
        // The function waits for its role before it reports that something cannot be read.
        for _ in 0..2 {
            if received["Messages"].is_null() {
                received = look()?;
            }
        }
        let body = text(&received["Messages"][0]["Body"]).context("nobody was told")?;
        let handle = text(&received["Messages"][0]["ReceiptHandle"])?;
        let taken = ["--queue-url", &self.queue, "--receipt-handle", &handle];
        sqs(self.account, &[&["delete-message"], &taken[..]].concat())?;
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
