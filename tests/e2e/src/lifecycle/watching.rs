//! Between deployments the stack is looked at, and somebody else breaks what worked.

use std::time::SystemTime;

use anyhow::ensure;
use serde_json::json;

use super::Lifecycle;
use crate::{
    dates::daily_check,
    inbox::Inbox,
    report::Notes,
    stack::{ROTATION, TOPIC},
    status::rendered,
};

/// What `make status` does.
pub(super) fn ask(story: &mut Lifecycle<'_>, notes: &mut Notes) -> anyhow::Result<()> {
    let function = story.stack().resources()?.physical_id(ROTATION)?;
    let before = story.account.state_of(&story.names.user)?;
    let check = json!({"check": {}});
    let asked = (story.account).invoke(story.workplace, &function, &check)?;
    ensure!(!asked.failed, "{asked:?}");
    let (text, healthy) = rendered(&asked.answer)?;
    ensure!(healthy, "{text}");
    before.assert_unchanged(&story.account.state_of(&story.names.user)?)?;
    notes.add_text("make status:", text);
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
