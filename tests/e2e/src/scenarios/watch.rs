//! The daily check: what it finds on a stack that time and people change, and what is told of it.

use std::time::{Duration, SystemTime};

use anyhow::ensure;
use serde_json::{Value, json};

use super::Scenario;
use crate::{
    account::text,
    bench::{Bench, Deployment},
    dates::{DAY, Dates, HOUR, ago, daily_check},
    inbox::{Inbox, Message},
    process::{Invocation, join},
    report::Notes,
    stack::{BOUNDARY, CHECK, ROTATION, SCHEDULE, TOPIC},
};

pub(super) const SCENARIOS: &[Scenario] = &[(
    "a daily check tells what was changed by hand, deactivated, forgotten and overdue, and changes nothing",
    watch,
)];

/// A stack whose maintenance function tells somebody.
struct Watched<'a> {
    bench: &'a Bench<'a>,
    deployment: Deployment<'a>,
    function: String,
    inbox: Inbox,
}

fn watch<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let mut deployment = bench.stack("watched");
    deployment.set_parameter("NotificationEmail", "genomics@example.com");
    deployment.create()?;
    let resources = deployment.stack.resources()?;
    let mut watched = Watched {
        bench,
        deployment,
        function: resources.physical_id(ROTATION)?,
        inbox: Inbox::subscribe(bench.account, &resources.physical_id(TOPIC)?)?,
    };
    let mut dates = Dates::of(bench.workplace, "watched")?;
    healthy(&watched, notes)?;

    let first = bench.current_key(&watched.deployment.user)?.key.id;
    dates.set(&first, "CreateDate", ago(90 * DAY + HOUR))?;
    let rule = resources.physical_id(CHECK)?;
    let boundary = resources.physical_id(BOUNDARY)?;
    changed_by_hand(&watched, &boundary, notes, || {
        dates.set(&rule, "LastFired", ago(DAY))
    })?;
    deactivated(&watched, &first, notes)?;
    let second = at_work(&mut watched, &mut dates, notes)?;
    forgotten(&watched, [&first, &second], notes)
}

/// Nobody gets a message when all is well. The status shows who has not confirmed yet.
fn healthy(watched: &Watched<'_>, notes: &mut Notes) -> anyhow::Result<()> {
    let status = watched.changes_nothing(|| {
        let status = watched.status(0)?;
        watched.inbox.confirm(watched.bench.account)?;
        watched.check(Duration::ZERO)?;
        watched.inbox.assert_silent()?;
        Ok(status)
    })?;
    ensure!(
        status.starts_with("healthy\n") && status.contains("1 wait for their confirmation"),
        "{status}"
    );
    notes.add_text("healthy: nothing is told, and the status is 0", status);
    Ok(())
}

/// EventBridge has the check made that tells of an edited policy, another boundary and an old key; a person who asks
/// meanwhile is told the same.
fn changed_by_hand(
    watched: &Watched<'_>,
    boundary: &str,
    notes: &mut Notes,
    a_day_passes: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let Watched { bench, inbox, .. } = watched;
    let user = watched.deployment.user.as_str();
    let policy = bench.account.inline_policy(user, "S3AccessPolicy")?;
    let mut wider = policy.clone();
    wider["Statement"][1]["Resource"] = json!("arn:aws:s3:::*");
    watched.put_policy("S3AccessPolicy", &wider)?;
    watched.put_policy("Wide", &wider)?;
    let left = watched.on_user("create-access-key", &[])?;
    let left = text(&left["AccessKey"]["AccessKeyId"])?;
    watched.put_boundary("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")?;
    let (message, status) = watched.changes_nothing(|| {
        a_day_passes()?;
        join(|| inbox.receive(), || watched.status(1))
    })?;
    message.assert_says(&["access needs attention", "daily check"])?;
    for told in [
        "`S3AccessPolicy`",
        "another `Revision`",
        boundary,
        "`Wide`",
        &left,
        "is older than the 90 days",
    ] {
        ensure!(status.contains(told), "the status lacks {told}: {status}");
        message.assert_says(&[told])?;
    }
    notes.add_text(
        "a policy edited, a boundary exchanged, a key too old:",
        message,
    );
    notes.add_text("the same, by `make status`, whose status is 1:", status);
    watched.put_policy("S3AccessPolicy", &policy)?;
    watched.on_user("delete-user-policy", &["--policy-name", "Wide"])?;
    watched.on_user("delete-access-key", &["--access-key-id", &left])?;
    watched.put_boundary(boundary)
}

fn deactivated(watched: &Watched<'_>, key: &str, notes: &mut Notes) -> anyhow::Result<()> {
    let (account, user) = (watched.bench.account, watched.deployment.user.as_str());
    account.set_key_status(user, key, "Inactive")?;
    let message = watched.changes_nothing(|| watched.told(Duration::ZERO))?;
    message.assert_says(&["something was changed outside the stack", "key"])?;
    notes.add_text("a key deactivated:", message);
    account.set_key_status(user, key, "Active")
}

/// An update makes a new key, which is told. While it is at work, a check tells nothing, though the update has come so
/// far that there is much to tell. Gives the new key.
fn at_work(
    watched: &mut Watched<'_>,
    dates: &mut Dates,
    notes: &mut Notes,
) -> anyhow::Result<String> {
    watched.deployment.set_parameter("KeySerial", "2");
    watched.deployment.set_parameter("RotationDays", "45");
    let Watched {
        bench,
        deployment,
        function,
        inbox,
    } = &*watched;
    let (account, workplace) = (bench.account, bench.workplace);
    let secret = format!("publisher/{}", deployment.user);
    dates.set(&secret, "ScheduledAt", SystemTime::now() + HOUR)?;
    (deployment.stack).begin_update(workplace, &deployment.template())?;
    deployment.stack.wait_for(SCHEDULE)?;
    let message = inbox.receive()?;
    message.assert_says(&["paste the new key", "new access key since"])?;
    notes.add_text("an update makes a new key:", message);

    let second = bench.current_key(&deployment.user)?.key.id;
    dates.set(&second, "CreateDate", ago(10 * DAY + HOUR))?;
    dates.set(&secret, "NextRotationDate", ago(2 * DAY + HOUR))?;
    let ask = || account.invoke(workplace, function, &json!({"check": {}}));
    let (asked, ()) = join(ask, || watched.check(Duration::ZERO))?;
    ensure!(asked.answer["state"] == "stack at work", "{asked:?}");
    ensure!(asked.answer["findings"] == json!([]), "{asked:?}");
    dates.set(&secret, "ScheduledAt", SystemTime::now())?;
    let settled = deployment.stack.settle()?;
    ensure!(settled.status == "UPDATE_COMPLETE", "{settled:?}");
    inbox.assert_silent()?;
    notes.add("a check meanwhile tells nothing");
    Ok(second)
}

/// Nobody pasted the new key, and no rotation came: told on the first day, not on the second.
fn forgotten(
    watched: &Watched<'_>,
    [first, second]: [&str; 2],
    notes: &mut Notes,
) -> anyhow::Result<()> {
    let message = watched.changes_nothing(|| {
        let message = watched.told(Duration::ZERO)?;
        watched.check(DAY)?;
        Ok(message)
    })?;
    let used = format!("key `{first}` was last used on ");
    message.assert_says(&[&used, second, "overdue since"])?;
    watched.inbox.assert_silent()?;
    notes.add_text(
        "the old key still in use, a rotation overdue; nothing on the day after:",
        message,
    );
    Ok(())
}

impl Watched<'_> {
    /// The daily check, so long from now.
    fn check(&self, later: Duration) -> anyhow::Result<()> {
        let event = daily_check(SystemTime::now() + later)?;
        let Bench {
            account, workplace, ..
        } = self.bench;
        let invoked = account.invoke(workplace, &self.function, &event)?;
        ensure!(!invoked.failed && invoked.answer.is_null(), "{invoked:?}");
        Ok(())
    }

    /// What a daily check tells.
    fn told(&self, later: Duration) -> anyhow::Result<Message> {
        self.check(later)?;
        self.inbox.receive()
    }

    /// What `make status` prints, if it ends with this exit status.
    fn status(&self, expected: i32) -> anyhow::Result<String> {
        let status = Invocation::new(self.bench.workplace.repository().join("tools/status"));
        let status = status.arg(&self.deployment.stack.name);
        let finished = self.bench.account.for_administrator(status).run()?;
        ensure!(finished.status.code() == Some(expected), "{finished}");
        Ok(finished.stdout)
    }

    /// The same, if nothing was made, changed or removed meanwhile.
    fn changes_nothing<T>(&self, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        let state = || self.bench.account.state_of(&self.deployment.user);
        let before = state()?;
        let outcome = work()?;
        before.assert_unchanged(&state()?)?;
        Ok(outcome)
    }

    fn put_policy(&self, name: &str, document: &Value) -> anyhow::Result<()> {
        let document = document.to_string();
        let options = ["--policy-name", name, "--policy-document", &document];
        self.on_user("put-user-policy", &options).map(drop)
    }

    fn put_boundary(&self, arn: &str) -> anyhow::Result<()> {
        let options = ["--permissions-boundary", arn];
        self.on_user("put-user-permissions-boundary", &options)
            .map(drop)
    }

    /// What somebody does to the user by hand.
    fn on_user(&self, operation: &str, options: &[&str]) -> anyhow::Result<Value> {
        let command = ["iam", operation, "--user-name", &self.deployment.user];
        let command = command.into_iter().chain(options.iter().copied());
        self.bench.account.json(command)
    }
}
