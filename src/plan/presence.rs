//! The plan that makes a pair what the template says.

use super::keys::{KeyPlan, Outcome, keys};
use super::{Bearer, Demand, End, Plan, Proof, Step};
use crate::cloud::{Direction, NewSecret, NewUser, SecretState, TagMap};
use crate::names::{TagKey, UserName, Verification};
use crate::observe::{BucketRegion, Observed, ObservedSecret, ObservedUser, Pair};
use crate::ownership::{Owner, Ownership};
use crate::policy::{PolicyDocument, counted_length, same_meaning};
use crate::properties::{Desired, Previous};
use crate::secret::Label;

/// What is wanted, by whom, and since when.
#[derive(Debug)]
pub struct Want<'a> {
    /// Who asks.
    pub owner: &'a Owner,
    /// What the template says.
    pub desired: &'a Desired,
    /// The policy that grants it.
    pub document: &'a PolicyDocument,
    /// What it is a change of.
    pub change: Change<'a>,
}

/// What a request is a change of.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// A pair of its own: a Create, or the new half of a replacement.
    Fresh,
    /// The same pair with other properties.
    InPlace(&'a Previous),
}

/// Plans the way from what is observed to what is wanted.
///
/// # Errors
/// The reason for the answer where something stands in the way that is not ours to change. Nothing is changed then.
pub fn presence(want: &Want<'_>, observed: &Observed) -> Result<Plan, String> {
    let Observed {
        now,
        standing: _,
        direction,
        regions: _,
        pair,
    } = observed;
    refuse_strangers(want, pair)?;
    let mut plan = Plan {
        notes: Vec::new(),
        stages: Vec::new(),
        end: End::Done,
    };
    let user_lane = user_lane(want, pair, &mut plan.notes)?;
    // What a proof would say may have changed with any step on the user but its tags.
    let access_changed = user_lane
        .iter()
        .any(|step| !matches!(step, Step::TagUser(_) | Step::UntagUser(_)));

    if let Some(ObservedSecret { secret, .. }) = &pair.secret
        && secret.state == SecretState::PendingDeletion
    {
        // The user first: once it carries our tags, a Delete that comes now knows the secret as ours too.
        plan.stages
            .extend(user_lane.into_iter().map(|step| vec![step]));
        plan.stages
            .push(vec![Step::RestoreSecret(secret.arn.clone())]);
        plan.end = End::ObserveAgain;
        return Ok(plan);
    }
    let secret_lane = secret_lane(want, observed);
    let taken_over = pair
        .secret
        .as_ref()
        .is_some_and(|secret| secret.ownership == Ownership::EarlierLife);
    plan.stages = if taken_over {
        in_turn(user_lane, secret_lane)
    } else {
        side_by_side(user_lane, secret_lane)
    };

    let KeyPlan {
        clearing,
        notes,
        outcome,
    } = keys(pair, want.desired.key_serial, *now);
    plan.notes.extend(notes);
    // One after the other: a key goes before the label that tells of it.
    plan.stages
        .extend(clearing.into_iter().map(|step| vec![step]));
    let prove = prove(want, access_changed);
    let demand = match direction {
        Direction::Forward => Demand::Required,
        Direction::Rollback => Demand::Advisory,
    };
    finish(&mut plan, outcome, prove, demand);
    refuse_missing_buckets(&plan, observed)?;
    Ok(plan)
}

/// Adds what becomes of the key in use.
fn finish(plan: &mut Plan, outcome: Outcome, prove: ProveWhen, demand: Demand) {
    let proof = |bearer| vec![Step::Prove(Proof { bearer, demand })];
    match outcome {
        Outcome::Keep(key) => match prove {
            ProveWhen::Always => plan.stages.push(proof(Bearer::Current(key))),
            ProveWhen::KeyIsNew | ProveWhen::Never => {}
        },
        Outcome::Make { new, replaces } => {
            // Asking waits for nothing: it joins whatever is last before the key.
            match plan.stages.last_mut() {
                Some(stage) => stage.push(Step::AskStanding),
                None => plan.stages.push(vec![Step::AskStanding]),
            }
            plan.stages.push(vec![Step::MakeKey(new.clone())]);
            plan.stages.push(vec![Step::LookAgain, Step::AskStanding]);
            if prove != ProveWhen::Never {
                plan.stages.push(proof(Bearer::Made(new.clone())));
            }
            if let Some(from) = replaces {
                promote(plan, from, new.version);
            }
        }
        Outcome::Adopt {
            candidate,
            key,
            replaces,
        } => {
            if prove != ProveWhen::Never {
                plan.stages
                    .push(proof(Bearer::Candidate(candidate.clone(), key)));
            }
            promote(plan, replaces, candidate);
        }
        Outcome::MoveBack { from, to } => {
            plan.stages.push(vec![Step::Promote { from, to }]);
            plan.end = End::ObserveAgain;
        }
        Outcome::Wait => plan.end = End::ObserveAgain,
        Outcome::Rotating(pending) => {
            plan.end = End::Refuse(format!(
                "Secrets Manager is rotating the secret right now (version `{}` is {}): try again in 15 minutes",
                pending,
                Label::Pending
            ));
        }
    }
}

fn promote(plan: &mut Plan, from: crate::cloud::VersionId, to: crate::cloud::VersionId) {
    plan.stages.push(vec![Step::Promote {
        from,
        to: to.clone(),
    }]);
    plan.stages.push(vec![Step::DropLabel {
        label: Label::Candidate,
        version: to,
    }]);
}

/// When a proof is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ProveWhen {
    Always,
    KeyIsNew,
    Never,
}

fn prove(want: &Want<'_>, access_changed: bool) -> ProveWhen {
    let Want {
        desired, change, ..
    } = want;
    let asked = match (desired.verification, change) {
        (Verification::Skip, _) => return ProveWhen::Never,
        (Verification::Prove, Change::Fresh) => true,
        (Verification::Prove, Change::InPlace(previous)) => {
            previous.verification != Some(Verification::Prove)
                || previous.buckets.as_ref() != Some(&desired.buckets)
                || previous.bucket_kms_keys != desired.bucket_kms_keys
                || (desired.boundary.is_some() && previous.boundary != desired.boundary)
                || previous.revision != desired.revision
        }
    };
    if asked || access_changed {
        ProveWhen::Always
    } else {
        ProveWhen::KeyIsNew
    }
}

/// What is to be done to the user, one step after the other: IAM refuses concurrent changes of one user.
fn user_lane(want: &Want<'_>, pair: &Pair, notes: &mut Vec<String>) -> Result<Vec<Step>, String> {
    let Want {
        owner,
        desired,
        document,
        change,
    } = want;
    let wanted = wanted_tags(owner, desired);
    let put = Step::PutPolicy {
        name: desired.policy.clone(),
        document: document.as_str().to_owned(),
    };
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
        return Ok(vec![Step::CreateUser(user), put]);
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

    // Another policy goes if it is ours: named by the old properties, or of an earlier life, whose grants have ended.
    let ours = |name: &crate::names::PolicyName| match (ownership, change) {
        (Ownership::EarlierLife, _) => true,
        (_, Change::InPlace(previous)) => previous.policy.as_ref() == Some(name),
        (_, Change::Fresh) => false,
    };
    let others = policies.iter().filter(|(name, _)| **name != desired.policy);
    let (old, by_hand): (Vec<_>, Vec<_>) = others.partition(|(name, _)| ours(name));
    let lengths = |of: &[(&crate::names::PolicyName, &String)]| -> Vec<(String, usize)> {
        of.iter()
            .map(|(name, text)| (name.to_string(), counted_length(text)))
            .collect()
    };
    let fits_beside = |others: &[(String, usize)]| {
        document.fits_beside(
            &others
                .iter()
                .map(|(name, length)| (name.as_str(), *length))
                .collect::<Vec<_>>(),
        )
    };
    fits_beside(&lengths(&by_hand)).map_err(|refusal| refusal.to_string())?;
    let room_for_all = fits_beside(&[lengths(&by_hand), lengths(&old)].concat()).is_ok();
    let removal: Vec<Step> = old
        .iter()
        .map(|(name, _)| Step::DeletePolicy((*name).clone()))
        .collect();
    let current = policies.get(&desired.policy);
    let put = current
        .is_none_or(|observed| !same_meaning(document, observed))
        .then_some(put);
    if room_for_all {
        lane.extend(put.into_iter().chain(removal));
    } else {
        notes.push(
            "IAM's quota has no room for old and new policy together: the old one goes first"
                .into(),
        );
        lane.extend(removal.into_iter().chain(put));
    }
    Ok(lane)
}

/// What is to be done to a secret that is absent or live.
fn secret_lane(want: &Want<'_>, observed: &Observed) -> Vec<Step> {
    let Want {
        owner,
        desired,
        document: _,
        change,
    } = want;
    let wanted = wanted_tags(owner, desired);
    let description = description(want, observed);
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
fn description(want: &Want<'_>, observed: &Observed) -> String {
    let first = want.desired.buckets.first();
    let more = match want.desired.buckets.iter().count() {
        1 => String::new(),
        several => format!(" and {} more", several - 1),
    };
    format!(
        "Access key of IAM user {} for DNAstack Publisher. Bucket: {first}{more}. Region: {}.",
        observed.pair.name,
        observed.region(want.owner, &first.bucket)
    )
}

impl Observed {
    /// The bucket's region; the stack's where it could not be found out.
    pub fn region<'a>(&'a self, owner: &'a Owner, bucket: &crate::buckets::BucketName) -> &'a str {
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
fn side_by_side(one: Vec<Step>, other: Vec<Step>) -> Vec<Vec<Step>> {
    let stages = one.len().max(other.len());
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    (0..stages)
        .map(|_| one.next().into_iter().chain(other.next()).collect())
        .collect()
}

fn in_turn(one: Vec<Step>, other: Vec<Step>) -> Vec<Vec<Step>> {
    one.into_iter()
        .chain(other)
        .map(|step| vec![step])
        .collect()
}

/// What carries other tags than ours, or none, is never changed.
fn refuse_strangers(want: &Want<'_>, pair: &Pair) -> Result<(), String> {
    let Pair {
        name,
        user,
        secret,
        renamed_to,
    } = pair;
    let secret_name = name.secret_name();
    if let Some(renamed) = renamed_to {
        return Err(renamed_user(name, renamed));
    }
    if let Some(user) = user {
        if user.user.name != name.as_str() {
            return Err(format!(
                "user `{}` exists, and IAM takes `{name}` for the same name because only the letter case differs: \
                 choose another `UserName`",
                user.user.name
            ));
        }
        if let Some(secret) = secret {
            refuse_stripped_tags(want.owner, name, user, secret)?;
        }
        match &user.ownership {
            Ownership::Ours | Ownership::EarlierLife => {}
            Ownership::Untagged => {
                return Err(format!(
                    "user `{name}` exists and was not made by this stack, so it stays untouched: deploy with another \
                     `UserName`, paste the new key into Publisher, then delete the old user"
                ));
            }
            Ownership::Foreign(whose) => {
                return Err(format!(
                    "user `{name}` exists and belongs to {whose}: IAM user names are account-wide over all regions, so \
                     every stack needs a `UserName` of its own"
                ));
            }
        }
    }
    match secret.as_ref().map(|secret| &secret.ownership) {
        None | Some(Ownership::Ours | Ownership::EarlierLife) => Ok(()),
        Some(Ownership::Untagged) => Err(format!(
            "secret `{secret_name}` exists and was not made by this stack, so it stays untouched: deploy with another \
             `UserName`, or delete that secret"
        )),
        Some(Ownership::Foreign(whose)) => Err(format!(
            "secret `{secret_name}` exists and belongs to {whose}: every stack needs a `UserName` of its own"
        )),
    }
}

/// Our secret names a key of a user without tags: somebody stripped them, and only a person can say that this was wrong.
pub(super) fn refuse_stripped_tags(
    owner: &Owner,
    name: &UserName,
    user: &ObservedUser,
    secret: &ObservedSecret,
) -> Result<(), String> {
    let stripped = user.ownership == Ownership::Untagged
        && secret.ownership == Ownership::Ours
        && secret.names_a_key_of(user);
    if !stripped {
        return Ok(());
    }
    let tags = owner.tags();
    let tags: Vec<String> = tags
        .iter()
        .map(|(key, value)| format!("Key={key},Value={value}"))
        .collect();
    Err(format!(
        "user `{name}` has lost its ownership tags, though its secret holds its key; nothing was changed: if it is this \
         stack's, run `aws iam tag-user --user-name {name} --tags {}` and try again",
        tags.join(" ")
    ))
}

/// Renaming moves keys and policies along; what was ours goes on living under another name.
pub(super) fn renamed_user(name: &UserName, renamed: &str) -> String {
    format!(
        "user `{name}` was renamed to `{renamed}`, which has its key; nothing was changed: run `aws iam update-user \
         --user-name {renamed} --new-user-name {name}` and try again"
    )
}

/// A proof on a bucket that is not there can only fail: better before anything is made. In a rollback the old bucket may
/// be gone, and that must not stop it.
fn refuse_missing_buckets(plan: &Plan, observed: &Observed) -> Result<(), String> {
    let required =
        |step: &Step| matches!(step, Step::Prove(proof) if proof.demand == Demand::Required);
    if !plan.stages.iter().flatten().any(required) {
        return Ok(());
    }
    match observed
        .regions
        .iter()
        .find(|(_, region)| **region == BucketRegion::NoSuchBucket)
    {
        Some((bucket, _)) => Err(format!(
            "there is no bucket `{bucket}`: correct `Buckets`, create the bucket, or set `VerifyAccess: false`"
        )),
        None => Ok(()),
    }
}
