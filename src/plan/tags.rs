//! Tags: which ones the user and the secret get, and what has to change.

use std::collections::BTreeSet;

use super::goal::{Change, Goal};
use crate::cloud::TagMap;
use crate::names::{TagKey, TagValue};
use crate::observe::Observed;

/// AWS's limit of tags on a user or a secret.
const LIMIT: usize = 50;

/// The difference between wanted and present tags.
pub(super) struct Retagging {
    /// Removed first, because IAM ignores case in keys: removing after writing could remove what was written.
    pub(super) remove: Vec<String>,
    pub(super) write: TagMap,
}

/// All tags that are wanted, beside those that are `present`: the ownership tags, then `Tags`, then the stack's own in
/// alphabetical order. Leaves out, with a note, a stack tag that AWS reserves, whose key is wanted already ignoring
/// case, or that finds no room. Native resources take stack tags without asking, so stack tags never make a request
/// fail.
pub(super) fn wanted_tags(
    goal: &Goal<'_>,
    observed: &Observed,
    present: &TagMap,
    notes: &mut Vec<String>,
) -> TagMap {
    let mut wanted = goal.owner.tags();
    let own = goal.desired.tags.iter();
    wanted.extend(own.map(|tag| (tag.key.to_string(), tag.value.to_string())));
    let gone = removable(&wanted, present, &goal.change);
    let fixed: BTreeSet<String> = wanted.keys().map(|key| key.to_lowercase()).collect();
    // As Secrets Manager counts: two spellings of a key are two tags.
    let mut all: BTreeSet<String> = wanted.keys().cloned().collect();
    all.extend(present.keys().filter(|key| !gone.contains(key)).cloned());
    for (key, value) in &observed.stack_tags {
        let folded = key.to_lowercase();
        let why = if fixed.contains(&folded) || wanted.keys().any(|k| k.to_lowercase() == folded) {
            "its key is taken".to_owned()
        } else if let Some(rule) = TagKey::parse(key).err().or(TagValue::parse(value).err()) {
            rule.to_string()
        } else if !all.contains(key) && all.len() >= LIMIT {
            format!("there is no room for more than {LIMIT} tags")
        } else {
            all.insert(key.clone());
            wanted.insert(key.clone(), value.clone());
            continue;
        };
        notes.push(format!("the stack's tag `{key}` is left out: {why}"));
    }
    wanted
}

/// Removes only tags that the old properties named. Tags that others have added stay.
pub(super) fn retagging(wanted: &TagMap, present: &TagMap, change: &Change<'_>) -> Retagging {
    let differs = |(key, value): &(&String, &String)| present.get(*key) != Some(*value);
    Retagging {
        remove: removable(wanted, present, change)
            .into_iter()
            .cloned()
            .collect(),
        write: wanted
            .iter()
            .filter(differs)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    }
}

fn removable<'a>(wanted: &TagMap, present: &'a TagMap, change: &Change<'_>) -> Vec<&'a String> {
    let old: &[TagKey] = match change {
        Change::Fresh => &[],
        Change::InPlace(previous) => &previous.tag_keys,
    };
    let gone = |key: &&String| {
        old.iter().any(|old| old.as_str() == key.as_str()) && !wanted.contains_key(*key)
    };
    present.keys().filter(gone).collect()
}
