//! The steps on the user and the steps on the secret, apart from its keys: two lanes that run side by side.

use std::collections::BTreeMap;

use super::Step;
use super::goal::{Change, Goal};
use crate::buckets::BucketName;
use crate::cloud::{NewSecret, NewUser, TagMap};
use crate::names::{PolicyName, TagKey};
use crate::observe::{BucketRegion, Observed, ObservedSecret, ObservedUser, Pair};
use crate::ownership::{Owner, Ownership};
use crate::policy::{counted_length, same_meaning};
use crate::properties::Desired;

/// What is to be done to the user, one step after the other: IAM refuses concurrent changes of one user.
pub(super) fn user_lane(
    goal: &Goal<'_>,
    pair: &Pair,
    notes: &mut Vec<String>,
) -> Result<Vec<Step>, String> {
    let Goal {
        owner,
        desired,
        document,
        change,
        access: _,
    } = goal;
    let wanted = wanted_tags(owner, desired);
    let Some(ObservedUser {
        user,
        ownership,
        policies,
        keys: _,
        attachments: _,
    }) = &pair.user
    else {
        document.fits().map_err(|refusal| refusal.to_string())?;
        let kept_boundary = match change {
            Change::Fresh => None,
            Change::InPlace(previous) => previous.boundary.clone(),
        };
        let boundary = desired.boundary.clone().or(kept_boundary);
        let user = NewUser {
            name: pair.name.clone(),
            boundary,
            tags: wanted,
        };
        return Ok(vec![Step::CreateUser(user), put_policy(goal)]);
    };
    let mut lane = Vec::new();
    if let Some(boundary) = &desired.boundary
        && user.boundary.as_deref() != Some(boundary.as_str())
    {
        lane.push(Step::SetBoundary(boundary.clone()));
    }
    let Retagging { remove, write } = retagging(&wanted, &user.tags, change);
    if !remove.is_empty() {
        lane.push(Step::UntagUser(remove));
    }
    if !write.is_empty() {
        lane.push(Step::TagUser(write));
    }

    lane.extend(policy_steps(goal, ownership, policies, notes)?);
    Ok(lane)
}

/// Puts the policy and removes the one it takes the place of.
fn policy_steps(
    goal: &Goal<'_>,
    ownership: &Ownership,
    policies: &BTreeMap<PolicyName, String>,
    notes: &mut Vec<String>,
) -> Result<Vec<Step>, String> {
    let Goal {
        owner: _,
        desired,
        document,
        change,
        access: _,
    } = goal;
    // Another policy goes if it is ours: named by the old properties, or of an earlier life, whose grants have ended.
    let ours = |name: &PolicyName| match (ownership, change) {
        (Ownership::PreviousStack, _) => true,
        (_, Change::InPlace(previous)) => previous.policy.as_ref() == Some(name),
        (_, Change::Fresh) => false,
    };
    let others = policies.iter().filter(|(name, _)| **name != desired.policy);
    let others = others.map(|(name, text)| (name, counted_length(text)));
    let (old, by_hand): (Vec<_>, Vec<_>) = others.partition(|(name, _)| ours(name));
    document
        .fits_beside(&by_hand)
        .map_err(|refusal| refusal.to_string())?;
    let room_for_all = document
        .fits_beside(&[by_hand, old.clone()].concat())
        .is_ok();

    let removals = old
        .into_iter()
        .map(|(name, _)| Step::DeletePolicy(name.clone()));
    let current = policies.get(&desired.policy);
    let outdated = current.is_none_or(|observed| !same_meaning(document, observed));
    let put = outdated.then(|| put_policy(goal));
    if room_for_all {
        return Ok(put.into_iter().chain(removals).collect());
    }
    notes.push(
        "IAM's quota has no room for old and new policy together: the old one goes first".into(),
    );
    Ok(removals.chain(put).collect())
}

fn put_policy(goal: &Goal<'_>) -> Step {
    Step::PutPolicy {
        name: goal.desired.policy.clone(),
        document: goal.document.as_str().to_owned(),
    }
}

/// What is to be done to a secret that is absent or live.
pub(super) fn secret_lane(goal: &Goal<'_>, observed: &Observed) -> Vec<Step> {
    let Goal {
        owner,
        desired,
        document: _,
        change,
        access: _,
    } = goal;
    let wanted = wanted_tags(owner, desired);
    let description = description(goal, observed);
    let kms_key = desired.secret_kms_key.clone();
    let Some(ObservedSecret { secret, .. }) = &observed.pair.secret else {
        let name = observed.pair.name.secret_name();
        return vec![Step::CreateSecret(NewSecret {
            name,
            description,
            kms_key,
            tags: wanted,
        })];
    };
    let mut lane = Vec::new();
    let Retagging { remove, write } = retagging(&wanted, &secret.tags, change);
    if !remove.is_empty() {
        lane.push(Step::UntagSecret(remove));
    }
    if !write.is_empty() {
        lane.push(Step::TagSecret(write));
    }
    let same_key = match (&kms_key, &secret.kms_key) {
        (None, None) => true,
        (Some(wanted), Some(described)) => wanted.same_as(described),
        (None, Some(_)) | (Some(_), None) => false,
    };
    if secret.description != description || !same_key {
        lane.push(Step::UpdateSecret {
            description,
            kms_key,
        });
    }
    lane
}

/// What Publisher's form asks besides the key.
fn description(goal: &Goal<'_>, observed: &Observed) -> String {
    let first = goal.desired.buckets.first();
    let more = match goal.desired.buckets.iter().count() {
        1 => String::new(),
        several => format!(" and {} more", several - 1),
    };
    format!(
        "Access key of IAM user {} for DNAstack Publisher. Bucket: {first}{more}. Region: {}.",
        observed.pair.name,
        observed.region(goal.owner, &first.bucket)
    )
}

impl Observed {
    /// The bucket's region; the stack's where it could not be found out.
    pub fn region<'a>(&'a self, owner: &'a Owner, bucket: &BucketName) -> &'a str {
        match self.regions.get(bucket) {
            Some(BucketRegion::In(region)) => region,
            Some(BucketRegion::NoSuchBucket | BucketRegion::Unknown(_)) | None => {
                owner.stack.region()
            }
        }
    }
}

fn wanted_tags(owner: &Owner, desired: &Desired) -> TagMap {
    let mut tags = owner.tags();
    tags.extend(
        desired
            .tags
            .iter()
            .map(|tag| (tag.key.to_string(), tag.value.to_string())),
    );
    tags
}

/// The difference between the tags that are wanted and those that are there.
struct Retagging {
    /// First: IAM ignores case in keys, so that removing after writing could remove what was written.
    remove: Vec<String>,
    write: TagMap,
}

/// Only what the old properties named is removed; tags that others have added stay.
fn retagging(wanted: &TagMap, present: &TagMap, change: &Change<'_>) -> Retagging {
    let old: &[TagKey] = match change {
        Change::Fresh => &[],
        Change::InPlace(previous) => &previous.tag_keys,
    };
    let gone = old
        .iter()
        .map(TagKey::as_str)
        .filter(|key| present.contains_key(*key) && !wanted.contains_key(*key));
    let differs = |(key, value): &(&String, &String)| present.get(*key) != Some(*value);
    Retagging {
        remove: gone.map(str::to_owned).collect(),
        write: wanted
            .iter()
            .filter(differs)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    }
}

/// Two lanes at once: the first steps together, then the second ones, …
pub(super) fn side_by_side(one: Vec<Step>, other: Vec<Step>) -> Vec<Vec<Step>> {
    let stages = one.len().max(other.len());
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    (0..stages)
        .map(|_| one.next().into_iter().chain(other.next()).collect())
        .collect()
}

pub(super) fn in_turn(one: Vec<Step>, other: Vec<Step>) -> Vec<Vec<Step>> {
    one.into_iter()
        .chain(other)
        .map(|step| vec![step])
        .collect()
}
