//! The steps on the user and on the secret, apart from the keys.

use std::collections::{BTreeMap, BTreeSet};

use super::policy::{INLINE_POLICY_LIMIT, counted_length};
use super::{Change, Goal, OnFailure, Step, Warning, Weight};
use crate::cloud::{Encryption, NewSecret, NewUser, Secret, StackOperation};
use crate::observe::{Observed, ObservedSecret, ObservedUser, Ownership, Refusal};
use crate::request::names::{PolicyName, TagKey, TagMap, TagValue};
use crate::request::property_error::PropertyError;
use crate::request::visible;

/// The steps on the user, one after the other, because IAM refuses concurrent changes of one user.
pub(super) fn user_steps(
    goal: &Goal<'_>,
    observed: &Observed,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<Step>, Refusal> {
    let Goal {
        desired, change, ..
    } = goal;
    let Some(ObservedUser {
        user,
        ownership,
        policies,
        keys: _,
        attachments: _,
        last_used: _,
    }) = &observed.pair.user
    else {
        let user = new_user(goal, observed, warnings);
        return Ok(vec![Step::CreateUser(user), put_policy(goal)]);
    };
    let mut steps = Vec::new();
    if let Some(boundary) = &desired.boundary
        && user.boundary.as_deref() != Some(boundary.as_str())
    {
        steps.push(Step::SetBoundary(boundary.clone()));
    }
    steps.extend(policy_steps(goal, ownership, policies)?);
    // The tags come last, because a previous stack's tags show that its policies go.
    let wanted = wanted_tags(goal, observed, &user.tags, warnings);
    let Retagging { remove, write } = retagging(&wanted, &user.tags, change);
    if !remove.is_empty() {
        steps.push(Step::UntagUser(remove));
    }
    if !write.is_empty() {
        steps.push(Step::TagUser(write));
    }
    Ok(steps)
}

/// A user with its tags and its boundary. If the template no longer names a boundary, a user that somebody deleted gets
/// its old one.
fn new_user(goal: &Goal<'_>, observed: &Observed, warnings: &mut Vec<Warning>) -> NewUser {
    let old = match goal.change {
        Change::Fresh => None,
        Change::InPlace(previous) => previous.boundary.clone(),
    };
    NewUser {
        name: observed.pair.name.clone(),
        boundary: goal.desired.boundary.clone().or(old),
        tags: wanted_tags(goal, observed, &TagMap::new(), warnings),
    }
}

/// Puts the policy, and removes the one that it replaces: afterwards, or first if IAM's quota has no room for both.
fn policy_steps(
    goal: &Goal<'_>,
    ownership: &Ownership,
    policies: &BTreeMap<PolicyName, String>,
) -> Result<Vec<Step>, Refusal> {
    let Goal {
        desired,
        document,
        change,
        ..
    } = goal;
    // Another policy goes if it is ours: named by the old properties, or left by a previous stack.
    let ours = |name: &PolicyName| match (ownership, change) {
        (Ownership::PreviousStack, _) => true,
        (_, Change::InPlace(previous)) => previous.policy.as_ref() == Some(name),
        (_, Change::Fresh) => false,
    };
    let others = policies.iter().filter(|(name, _)| **name != desired.policy);
    let (old, by_hand): (Vec<_>, Vec<_>) = others.partition(|(name, _)| ours(name));
    let length_of = |policies: &[(&PolicyName, &String)]| {
        let lengths = policies.iter().map(|(_, text)| counted_length(text));
        lengths.sum::<usize>()
    };
    let taken = document.length() + length_of(&by_hand);
    if taken > INLINE_POLICY_LIMIT {
        let names: Vec<_> = by_hand.iter().map(|(name, _)| name.as_str()).collect();
        let rule = format!(
            "makes a policy that has {taken} characters together with the user's other inline policies (`{}`), but IAM allows a \
             user {INLINE_POLICY_LIMIT}: remove those, or put entries into a second stack with another `UserName`",
            names.join("`, `")
        );
        return Err(PropertyError::of("Buckets", rule).into());
    }
    let room_for_all = taken + length_of(&old) <= INLINE_POLICY_LIMIT;

    let removals = old
        .into_iter()
        .map(|(name, _)| Step::DeletePolicy(name.clone()));
    let current = policies.get(&desired.policy);
    let outdated = current.is_none_or(|observed| !document.equals(observed));
    let put = outdated.then(|| put_policy(goal));
    if room_for_all {
        return Ok(put.into_iter().chain(removals).collect());
    }
    Ok(removals.chain(put).collect())
}

fn put_policy(goal: &Goal<'_>) -> Step {
    Step::PutPolicy {
        name: goal.desired.policy.clone(),
        document: goal.document.as_str().to_owned(),
    }
}

/// The steps on a secret that is absent or live.
pub(super) fn secret_steps(goal: &Goal<'_>, observed: &Observed) -> Vec<Step> {
    // The user's steps already tell which stack tags are left out.
    let warnings = &mut Vec::new();
    let Goal {
        desired, change, ..
    } = goal;
    let Some(ObservedSecret {
        secret, ownership, ..
    }) = &observed.pair.secret
    else {
        return vec![Step::CreateSecret(NewSecret {
            name: observed.pair.name.secret_name(),
            description: description(goal, observed),
            kms_key: desired.secret_kms_key.clone(),
            tags: wanted_tags(goal, observed, &TagMap::new(), warnings),
        })];
    };
    let wanted = wanted_tags(goal, observed, &secret.tags, warnings);
    let mut steps = Vec::new();
    let Retagging { remove, write } = retagging(&wanted, &secret.tags, change);
    if !remove.is_empty() {
        steps.push(Step::UntagSecret(remove));
    }
    if !write.is_empty() {
        steps.push(Step::TagSecret(write));
    }
    // Replicas of a previous stack's secret are nobody's, and would keep what this one holds elsewhere.
    if *ownership == Ownership::PreviousStack && !secret.replicas.is_empty() {
        steps.push(Step::RemoveReplicas {
            secret: secret.arn.clone(),
            regions: secret.replicas.clone(),
        });
    }
    steps.extend(update_secret(goal, observed, secret));
    steps
}

/// Sets description and encryption key. In a rollback the key is set in a step of its own, because the one to go back to may
/// not work any more.
fn update_secret(goal: &Goal<'_>, observed: &Observed, secret: &Secret) -> Vec<Step> {
    let description = description(goal, observed);
    let encryption = match (&goal.desired.secret_kms_key, &secret.kms_key) {
        (None, None) => Encryption::Unchanged,
        (Some(wanted), Some(described)) if wanted.same_as(described) => Encryption::Unchanged,
        (Some(wanted), _) => Encryption::Key(wanted.clone()),
        (None, Some(_)) => Encryption::AwsManaged,
    };
    let described = secret.description == description;
    let update = |encryption, on_failure| Step::UpdateSecret {
        description: description.clone(),
        encryption,
        on_failure,
    };
    match (encryption, observed.operation) {
        (Encryption::Unchanged, _) if described => Vec::new(),
        (encryption @ (Encryption::Key(_) | Encryption::AwsManaged), StackOperation::Rollback) => {
            let text = (!described).then(|| update(Encryption::Unchanged, OnFailure::Fail));
            let key = update(encryption, OnFailure::Warn);
            text.into_iter().chain([key]).collect()
        }
        (encryption, _) => vec![update(encryption, OnFailure::Fail)],
    }
}

/// The secret's description: what Publisher's form asks for besides the key.
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

/// AWS's limit on the number of tags of a user or a secret.
const TAGS_LIMIT: usize = 50;

/// All tags that are wanted, beside those that are `present`: the ownership tags, then `Tags`, then the stack's own in
/// alphabetical order. Leaves out, with a warning, a stack tag that AWS reserves, whose key is taken (in any letter case), or
/// that finds no room. Stack tags never make a request fail, because nobody asked for them on this resource.
fn wanted_tags(
    goal: &Goal<'_>,
    observed: &Observed,
    present: &TagMap,
    warnings: &mut Vec<Warning>,
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
        } else if !all.contains(key) && all.len() >= TAGS_LIMIT {
            format!("there is no room for more than {TAGS_LIMIT} tags")
        } else {
            all.insert(key.clone());
            wanted.insert(key.clone(), value.clone());
            continue;
        };
        let text = format!("the stack's tag `{}` is left out: {why}", visible(key));
        warnings.push(Warning::new(Weight::LeftOut, text));
    }
    wanted
}

/// The difference between wanted and present tags.
struct Retagging {
    /// Removed first, because IAM ignores case in keys: removing after writing could remove what was written.
    remove: Vec<String>,
    write: TagMap,
}

/// Removes only tags that the old properties named. Tags that others have added stay.
fn retagging(wanted: &TagMap, present: &TagMap, change: &Change<'_>) -> Retagging {
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
