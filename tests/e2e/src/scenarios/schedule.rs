//! Between deployments: Secrets Manager and EventBridge call the maintenance function.

use anyhow::{Context, ensure};
use serde_json::json;

use super::Scenario;
use crate::{
    account::{secrets::StoredKey, text},
    bench::{BUCKET, Bench, Deployment},
    dates::{DAY, Dates, HOUR, ago},
    inbox::Inbox,
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
    let topic = deployment.stack.resources()?.physical_id(TOPIC)?;
    let inbox = Inbox::subscribe(account, &topic)?;
    inbox.confirm(account)?;
    let rotate = || account.rotate(&secret, || bench.assert_reads(&user));
    let second = rotate()?;
    expect_keys(bench, &user, &[&first, &second])?;
    let message = inbox.receive()?;
    message.assert_says(&[&user, "new access key", "Paste"])?;
    notes.add(format!("told of the new key: {}", message.subject));
    hold_up(bench, &user, &first, &inbox, notes)?;
    expect_keys(bench, &user, &[&first, &second]).context("a rotation held up")?;

    // The new key was pasted, and for a third of `RotationDays` nobody has used the old one.
    let mut dates = Dates::of(bench.workplace, "schedule")?;
    dates.set(&first.key.id, "LastUsedDate", ago(15 * DAY + HOUR))?;
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

/// The next rotation would end a key that was used a moment ago.
fn hold_up(
    bench: &Bench<'_>,
    user: &str,
    used: &StoredKey,
    inbox: &Inbox,
    notes: &mut Notes,
) -> anyhow::Result<()> {
    let secret = format!("publisher/{user}");
    let command = ["secretsmanager", "rotate-secret", "--secret-id", &secret];
    bench.account.json(command)?;
    let message = inbox.receive()?;
    let key = format!("`{}`", used.key.id);
    message.assert_says(&[
        "held up",
        &key,
        "last used on ",
        "service `s3`",
        "KeySerial",
    ])?;
    notes.add_text("a rotation that would end a key in use:", message);
    // The message comes first.
    bench.account.eventually(|| {
        let labels = bench.account.secret(&secret)?.context("it is gone")?;
        let stages = &labels["VersionIdsToStages"];
        let pending = stages.to_string().contains("AWSPENDING");
        ensure!(!pending, "AWSPENDING is left: {labels}");
        Ok(())
    })
}

fn secret_arn(bench: &Bench<'_>, deployment: &Deployment<'_>) -> anyhow::Result<String> {
    let secret = format!("publisher/{}", deployment.user);
    let secret = bench.account.secret(&secret)?;
    text(&secret.context("the secret is gone")?["ARN"])
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
    let function = deployment.stack.resources()?.physical_id(ROTATION)?;
    let unknown = "00000000-0000-4000-8000-000000000000";
    for step in ["createSecret", "setSecret", "testSecret", "finishSecret"] {
        for (token, taken) in [(current.version_id.as_str(), true), (unknown, false)] {
            let event = json!({"Step": step, "SecretId": arn, "ClientRequestToken": token});
            let invoked = bench.account.invoke(bench.workplace, &function, &event)?;
            ensure!(invoked.failed != taken, "{step} for {token}: {invoked:?}");
        }
    }
    Ok(())
}
