//! Nothing stays behind.

use anyhow::ensure;

use super::Lifecycle;
use crate::{publisher::Publisher, report::Notes};

pub(super) fn delete_stack(story: &mut Lifecycle<'_>, notes: &mut Notes) -> anyhow::Result<()> {
    let names = &story.names;
    story.sam += story
        .account
        .sam_delete(story.workplace, &names.stack, &names.artifacts)?;
    ensure!(
        story.stack().describe()?.is_none(),
        "the stack is still there"
    );
    notes.add(format!("{} is gone", story.names.stack));
    Ok(())
}

pub(super) fn find_nothing(story: &mut Lifecycle<'_>, notes: &mut Notes) -> anyhow::Result<()> {
    story.account.eventually(|| {
        let left = left_behind(story)?;
        ensure!(left.is_empty(), "left behind: {}", left.join(", "));
        Ok(())
    })?;
    notes.add("users, roles, managed policies, secrets: as before");
    for stored in &story.keys {
        let publisher = Publisher::with_key(story.account, story.workplace, &stored.key);
        let refusal = story
            .account
            .eventually(|| publisher.list_refusal(story.first_bucket(), ""))?;
        let dead = ["InvalidAccessKeyId", "InvalidClientTokenId"].contains(&refusal.code.as_str());
        ensure!(dead, "{}: {refusal}", stored.key.id);
        notes.add(format!("{}: {}", stored.key.id, refusal.code));
    }
    Ok(())
}

/// What is there now, was not before, and bears a name of this story.
fn left_behind(story: &Lifecycle<'_>) -> anyhow::Result<Vec<String>> {
    let now = story.account.inventory()?;
    let ours =
        |name: &String| name.contains(&story.names.stack) || name.contains(&story.names.user);
    Ok(now
        .difference(&story.before)
        .filter(|name| ours(name))
        .cloned()
        .collect())
}
