//! Nothing stays behind.

use anyhow::{bail, ensure};

use super::Lifecycle;
use crate::{account::secrets::StoredKey, process::join, publisher::Publisher, report::Notes};

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
    let [_, old, new] = story.keys.as_slice() else {
        bail!("three keys were to be made: {:?}", story.keys);
    };
    let (old, new) = join(|| expect_dead(story, old), || expect_dead(story, new))?;
    notes.add(old);
    notes.add(new);
    Ok(())
}

/// Everything with a name of this story that is there now and was not before.
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

/// How AWS refuses a key that is gone.
pub(super) fn expect_dead(story: &Lifecycle<'_>, stored: &StoredKey) -> anyhow::Result<String> {
    let publisher = Publisher::with_key(story.account, story.workplace, &stored.key);
    story.account.eventually(|| {
        let refusal = publisher.list_refusal(story.first_bucket(), "")?;
        ensure!(
            refusal.code == "InvalidAccessKeyId",
            "{}: {refusal}",
            stored.key.id
        );
        Ok(format!("{}  {}", stored.key.id, refusal.code))
    })
}
