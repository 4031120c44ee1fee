//! A new key, and both keys at work.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};

use super::{Lifecycle, ending::expect_dead, reading::read_both};
use crate::{account::secrets::StoredKey, process::join, publisher::Publisher, report::Notes};

pub(super) fn raise_key_serial(story: &mut Lifecycle<'_>, notes: &mut Notes) -> anyhow::Result<()> {
    let (first, second) = (story.first_bucket().to_owned(), story.names.second.clone());
    story.sam_deploy(&[("KeySerial", "2")])?;
    let before = story.current_key()?.clone();
    let secret = story.secret();
    let ((current, previous), keys) = join(
        || {
            join(
                || story.account.stored_key(&secret, "AWSCURRENT"),
                || story.account.stored_key(&secret, "AWSPREVIOUS"),
            )
        },
        || story.account.key_ids(&story.names.user),
    )?;
    ensure!(current.serial == 2, "the serial is {}", current.serial);
    ensure!(current.key.id != before.key.id, "the key is the same");
    ensure!(previous.key == before.key, "AWSPREVIOUS is not the old key");
    ensure!(
        previous.version_id == before.version_id,
        "AWSPREVIOUS is another version"
    );
    let both = [&previous.key.id, &current.key.id].map(Clone::clone).into();
    ensure!(keys == both, "the user has the keys {keys:?}");

    let reads = |stored: &StoredKey| {
        let publisher = Publisher::with_key(story.account, story.workplace, &stored.key);
        story
            .account
            .eventually(|| read_both(&publisher, &first, &second))
    };
    let (with_previous, with_current) = join(|| reads(&previous), || reads(&current))?;
    notes.add(format!(
        "AWSPREVIOUS {} lists {with_previous} objects",
        previous.key.id
    ));
    notes.add(format!(
        "AWSCURRENT  {} lists {with_current} objects",
        current.key.id
    ));
    story.publisher()?.list(&first, "", 1)?;
    notes.add("the profile uses AWSCURRENT from now on");
    story.keys.push(current);
    Ok(())
}

pub(super) fn rotate_on_schedule(
    story: &mut Lifecycle<'_>,
    notes: &mut Notes,
) -> anyhow::Result<()> {
    let (first, second) = (story.first_bucket().to_owned(), story.names.second.clone());
    story.sam_deploy(&[
        ("RotationDays", "45"),
        ("NotificationEmail", "genomics@example.com"),
    ])?;
    let before = story.current_key()?.clone();
    // The previous key was used a moment ago, so a schedule does not end it unless it is deactivated.
    let oldest = story.keys.first().context("no key was fetched yet")?;
    story
        .account
        .set_key_status(&story.names.user, &oldest.key.id, "Inactive")?;
    let publisher = story.publisher()?;
    // What the schedule does in 45 days.
    let current = story
        .account
        .rotate(&story.secret(), || publisher.list(&first, "", 1).map(drop))?;
    let keys = story.account.key_ids(&story.names.user)?;
    let both = [&before.key.id, &current.key.id].map(Clone::clone).into();
    ensure!(keys == both, "the user has the keys {keys:?}");
    for stored in [&before, &current] {
        let publisher = Publisher::with_key(story.account, story.workplace, &stored.key);
        let listed = (story.account).eventually(|| read_both(&publisher, &first, &second))?;
        notes.add(format!("{} lists {listed} objects", stored.key.id));
    }
    let oldest = story.keys.first().context("no key was fetched yet")?;
    notes.add(expect_dead(story, oldest)?);
    story.keys.push(current);
    Ok(())
}

/// The key before was used a moment ago.
pub(super) fn hold_up(story: &mut Lifecycle<'_>, notes: &mut Notes) -> anyhow::Result<()> {
    let (account, secret) = (story.account, story.secret());
    let stack = story.stack().settle()?;
    let group = stack.output("RotationLogGroup")?;
    account.json(["secretsmanager", "rotate-secret", "--secret-id", &secret])?;
    let line = account.eventually(|| {
        let log = account.log_lines(group)?;
        let mut lines = log.lines();
        let held_up = lines.find(|line| line.contains("the rotation is held up"));
        let line = held_up.context("the log does not say that the rotation is held up")?;
        Ok(line.to_owned())
    })?;
    account.eventually(|| {
        let described = account.secret(&secret)?.context("the secret is gone")?;
        let labels = described["VersionIdsToStages"].to_string();
        ensure!(!labels.contains("AWSPENDING"), "{labels}");
        Ok(())
    })?;
    let keys = account.key_ids(&story.names.user)?;
    let both: BTreeSet<_> = story
        .keys
        .iter()
        .rev()
        .take(2)
        .map(|stored| stored.key.id.clone())
        .collect();
    ensure!(keys == both, "the user has the keys {keys:?}");
    let line: serde_json::Value = serde_json::from_str(&line)?;
    notes.add(line["refusal"].as_str().unwrap_or_default());
    Ok(())
}
