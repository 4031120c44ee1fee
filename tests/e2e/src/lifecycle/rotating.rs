//! A new key, and both keys at work.

use anyhow::ensure;

use super::{Lifecycle, reading::read_both};
use crate::{publisher::Publisher, report::Notes};

pub(super) fn raise_key_serial(story: &mut Lifecycle<'_>, notes: &mut Notes) -> anyhow::Result<()> {
    let (first, second) = (story.first_bucket().to_owned(), story.names.second.clone());
    story.sam_deploy(&format!("{first},{second}"), "2")?;
    let before = story.current_key()?.clone();
    let current = story.account.stored_key(&story.secret(), "AWSCURRENT")?;
    let previous = story.account.stored_key(&story.secret(), "AWSPREVIOUS")?;
    ensure!(current.serial == 2, "the serial is {}", current.serial);
    ensure!(current.key.id != before.key.id, "the key is the same");
    ensure!(
        previous.key == before.key,
        "AWSPREVIOUS is not the key before"
    );
    ensure!(
        previous.version_id == before.version_id,
        "AWSPREVIOUS is another version"
    );
    let keys = story.account.key_ids(&story.names.user)?;
    let both = [&previous.key.id, &current.key.id].map(Clone::clone).into();
    ensure!(keys == both, "the user has the keys {keys:?}");
    for (stage, stored) in [("AWSPREVIOUS", &previous), ("AWSCURRENT", &current)] {
        let publisher = Publisher::with_key(story.account, story.workplace, &stored.key);
        let listed = story
            .account
            .eventually(|| read_both(&publisher, &first, &second))?;
        notes.add(format!(
            "{stage:11} {} lists {listed} objects",
            stored.key.id
        ));
    }
    read_both(&story.publisher()?, &first, &second)?;
    notes.add("the profile uses AWSCURRENT from now on");
    story.keys.push(current);
    Ok(())
}
