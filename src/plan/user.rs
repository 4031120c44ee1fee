//! The steps on the user, apart from its keys.

use std::collections::BTreeMap;

use super::goal::{Change, Goal};
use super::tags::{Retagging, retagging, wanted_tags};
use super::{Refusal, Step};
use crate::cloud::{NewUser, TagMap};
use crate::names::PolicyName;
use crate::observe::{Observed, ObservedUser};
use crate::ownership::Ownership;
use crate::policy::{counted_length, same_meaning};

/// The steps on the user, one after the other, because IAM refuses concurrent changes of one user.
pub(super) fn user_steps(
    goal: &Goal<'_>,
    observed: &Observed,
    notes: &mut Vec<String>,
) -> Result<Vec<Step>, Refusal> {
    let Goal {
        owner: _,
        desired,
        document,
        change,
        release: _,
        access: _,
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
        document.fits()?;
        let kept_boundary = match change {
            Change::Fresh => None,
            Change::InPlace(previous) => previous.boundary.clone(),
        };
        let boundary = desired.boundary.clone().or(kept_boundary);
        let user = NewUser {
            name: observed.pair.name.clone(),
            boundary,
            tags: wanted_tags(goal, observed, &TagMap::new(), notes),
        };
        return Ok(vec![Step::CreateUser(user), put_policy(goal)]);
    };
    let mut steps = Vec::new();
    if let Some(boundary) = &desired.boundary
        && user.boundary.as_deref() != Some(boundary.as_str())
    {
        steps.push(Step::SetBoundary(boundary.clone()));
    }
    let wanted = wanted_tags(goal, observed, &user.tags, notes);
    let Retagging { remove, write } = retagging(&wanted, &user.tags, change);
    if !remove.is_empty() {
        steps.push(Step::UntagUser(remove));
    }
    if !write.is_empty() {
        steps.push(Step::TagUser(write));
    }

    steps.extend(policy_steps(goal, ownership, policies, notes)?);
    Ok(steps)
}

/// Puts the policy, and removes the one that it replaces.
fn policy_steps(
    goal: &Goal<'_>,
    ownership: &Ownership,
    policies: &BTreeMap<PolicyName, String>,
    notes: &mut Vec<String>,
) -> Result<Vec<Step>, Refusal> {
    let Goal {
        owner: _,
        desired,
        document,
        change,
        release: _,
        access: _,
    } = goal;
    // Another policy goes if it is ours: named by the old properties, or of a previous stack, whose grants have ended.
    let ours = |name: &PolicyName| match (ownership, change) {
        (Ownership::PreviousStack, _) => true,
        (_, Change::InPlace(previous)) => previous.policy.as_ref() == Some(name),
        (_, Change::Fresh) => false,
    };
    let others = policies.iter().filter(|(name, _)| **name != desired.policy);
    let others = others.map(|(name, text)| (name, counted_length(text)));
    let (old, by_hand): (Vec<_>, Vec<_>) = others.partition(|(name, _)| ours(name));
    document.fits_beside(&by_hand)?;
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
