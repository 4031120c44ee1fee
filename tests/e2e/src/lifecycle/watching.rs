//! Between deployments the stack is looked at, and somebody else breaks what worked.

use std::time::SystemTime;

use anyhow::ensure;

use super::Lifecycle;
use crate::{
    dates::daily_check,
    inbox::Inbox,
    process::Invocation,
    report::Notes,
    stack::{ROTATION, TOPIC},
};

/// What `make status` does.
pub(super) fn ask(story: &mut Lifecycle<'_>, notes: &mut Notes) -> anyhow::Result<()> {
    let before = story.account.state_of(&story.names.user)?;
    let status = Invocation::new(story.workplace.repository().join("tools/status"));
    let status = story
        .account
        .for_administrator(status.arg(&story.names.stack));
    let asked = status.succeed()?;
    before.assert_unchanged(&story.account.state_of(&story.names.user)?)?;
    notes.add_text("make status:", asked.stdout);
    Ok(())
}

pub(super) fn tell_of_bucket_policy(
    story: &mut Lifecycle<'_>,
    notes: &mut Notes,
) -> anyhow::Result<()> {
    let (account, second) = (story.account, story.names.second.as_str());
    let resources = story.stack().resources()?;
    let function = resources.physical_id(ROTATION)?;
    let inbox = Inbox::subscribe(account, &resources.physical_id(TOPIC)?)?;
    inbox.confirm(account)?;
    account.deny_reading(second)?;
    let before = account.state_of(&story.names.user)?;
    // What EventBridge sends once a day.
    let event = daily_check(SystemTime::now())?;
    let invoked = account.invoke(story.workplace, &function, &event)?;
    ensure!(!invoked.failed, "{invoked:?}");
    let message = inbox.receive()?;
    message.assert_says(&[
        "access needs attention",
        &format!("`s3://{second}/`"),
        "the bucket's policy denies it",
    ])?;
    before.assert_unchanged(&account.state_of(&story.names.user)?)?;
    notes.add_text(&format!("the policy of s3://{second} denies:"), message);
    account.remove_bucket_policy(second)
}
