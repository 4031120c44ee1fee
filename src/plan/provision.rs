//! The plan that brings a pair to what the template says.

use super::goal::{Change, Goal};
use super::keys::{KeyDecision, KeyPlan, keys};
use super::refusals::refuse_stripped_tags;
use super::resources::{secret_steps, user_steps};
use super::{Access, End, KeyUnderTest, OnFailure, Plan, Proof, Refusal, Step, Target};
use crate::buckets::BucketUri;
use crate::cloud::{SecretState, StackOperation, VersionId};
use crate::names::Verification;
use crate::observe::{BucketRegion, Observed, ObservedSecret, Pair};
use crate::ownership::{Owner, Ownership};
use crate::properties::Desired;
use crate::secret::{AccessKeyId, Label};

/// The release of this code.
const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// Plans the steps from what is observed to what is wanted.
///
/// # Errors
/// The refusal. Nothing is changed then.
pub fn provision(goal: &Goal<'_>, observed: &Observed) -> Result<Plan, Refusal> {
    let pair = &observed.pair;
    refuse_wrong_release(goal, observed)?;
    refuse_strangers(goal.owner, pair)?;
    refuse_unreadable(observed)?;
    let mut plan = Plan::nothing(End::Done);
    plan.access = goal.access;
    let user_steps = user_steps(goal, observed, &mut plan.notes)?;
    let only_tags = |step: &Step| matches!(step, Step::TagUser(_) | Step::UntagUser(_));
    if !user_steps.iter().all(only_tags) {
        plan.access = Access::Changed;
    }
    if pair.unreadable().is_some() {
        // A rollback. The secret stays as it is, because writing to it may need the KMS key too.
        plan.notes
            .push("the secret cannot be read: its key stays as it is, unproved".to_owned());
        plan.stages = in_turn(user_steps, Vec::new());
        return Ok(plan);
    }
    if let Some(secret) = &pair.secret
        && secret.secret.state == SecretState::PendingDeletion
    {
        restore(&mut plan, user_steps, pair, secret);
        return Ok(plan);
    }
    let secret_steps = secret_steps(goal, observed);
    let taken_over = pair
        .secret
        .as_ref()
        .is_some_and(|secret| secret.ownership == Ownership::PreviousStack);
    plan.stages = if taken_over {
        in_turn(user_steps, secret_steps)
    } else {
        side_by_side(user_steps, secret_steps)
    };

    let KeyPlan {
        clearing,
        notes,
        decision,
    } = keys(pair, goal.desired.key_serial, observed.now);
    plan.notes.extend(notes);
    if !clearing.is_empty() {
        // One after the other: a key goes before its label. Then everything is observed again, because another run may
        // have stored such a key, or taken it into use, in the meantime.
        plan.stages.extend(in_turn(clearing, Vec::new()));
        plan.end = End::ObserveAgain("orphans and failed attempts were cleared".to_owned());
        return Ok(plan);
    }
    let proof = ProofOf {
        when: when_to_prove(goal, plan.access),
        on_failure: match observed.operation {
            StackOperation::Forward => OnFailure::Fail,
            StackOperation::Rollback => OnFailure::Log,
        },
        targets: targets(goal.desired, goal.owner, observed),
    };
    finish(&mut plan, decision, &proof)?;
    refuse_missing_buckets(&plan, observed)?;
    Ok(plan)
}

/// Refuses code of another release than the template's, because it may not know what the template asks for. A rollback
/// and a Delete have to go through with any code.
fn refuse_wrong_release(goal: &Goal<'_>, observed: &Observed) -> Result<(), Refusal> {
    match (goal.release, observed.operation) {
        (Some(template), StackOperation::Forward) if template != RELEASE => {
            Err(Refusal::WrongRelease {
                code: RELEASE,
                template: template.to_owned(),
            })
        }
        (Some(_) | None, _) => Ok(()),
    }
}

/// Refuses to change what belongs neither to this resource nor to a previous stack of its name, and a user that somebody
/// renamed.
fn refuse_strangers(owner: &Owner, pair: &Pair) -> Result<(), Refusal> {
    let Pair {
        name,
        user,
        secret,
        renamed_to: _,
    } = pair;
    refuse_renamed(pair)?;
    if let Some(user) = user {
        if user.user.name != name.as_str() {
            return Err(Refusal::LetterCaseTaken {
                name: name.clone(),
                found: user.user.name.clone(),
            });
        }
        if let Some(secret) = secret {
            refuse_stripped_tags(owner, name, user, secret)?;
        }
        match &user.ownership {
            Ownership::Ours | Ownership::PreviousStack => {}
            Ownership::Untagged => return Err(Refusal::UserUntagged(name.clone())),
            Ownership::Foreign(whose) => {
                return Err(Refusal::UserForeign {
                    name: name.clone(),
                    whose: whose.clone(),
                });
            }
        }
    }
    match secret.as_ref().map(|secret| &secret.ownership) {
        None | Some(Ownership::Ours | Ownership::PreviousStack) => Ok(()),
        Some(Ownership::Untagged) => Err(Refusal::SecretUntagged(name.secret_name())),
        Some(Ownership::Foreign(whose)) => Err(Refusal::SecretForeign {
            name: name.secret_name(),
            whose: whose.clone(),
        }),
    }
}

/// Refuses to treat a user that somebody renamed as gone.
pub(super) fn refuse_renamed(pair: &Pair) -> Result<(), Refusal> {
    match &pair.renamed_to {
        Some(renamed) => Err(Refusal::UserRenamed {
            name: pair.name.clone(),
            renamed: renamed.clone(),
        }),
        None => Ok(()),
    }
}

/// Refuses an unreadable secret, which does not show whose the keys are. A rollback goes through all the same.
fn refuse_unreadable(observed: &Observed) -> Result<(), Refusal> {
    let error = observed.pair.unreadable();
    match (error, observed.operation) {
        (Some(error), StackOperation::Forward) => Err(Refusal::SecretUnreadable {
            name: observed.pair.name.secret_name(),
            error: Box::new(error.clone()),
        }),
        (Some(_), StackOperation::Rollback) | (None, _) => Ok(()),
    }
}

/// Refuses a missing bucket before anything is made, because a proof on it can only fail. In a rollback the old bucket
/// may be gone, and that must not stop it.
fn refuse_missing_buckets(plan: &Plan, observed: &Observed) -> Result<(), Refusal> {
    let must_hold =
        |step: &Step| matches!(step, Step::Prove(proof) if proof.on_failure == OnFailure::Fail);
    if !plan.steps().any(must_hold) {
        return Ok(());
    }
    let missing = observed
        .regions
        .iter()
        .find(|(_, region)| **region == BucketRegion::NoSuchBucket);
    match missing {
        Some((bucket, _)) => Err(Refusal::NoSuchBucket(bucket.to_string())),
        None => Ok(()),
    }
}

/// Brings back a secret that is pending deletion.
fn restore(plan: &mut Plan, user_steps: Vec<Step>, pair: &Pair, secret: &ObservedSecret) {
    // The user first: once it carries our tags, a Delete that arrives now recognizes the secret as ours too.
    plan.stages.extend(in_turn(user_steps, Vec::new()));
    let keys = match secret.ownership {
        // The keys of a previous stack go first. Its secret is restored only once IAM lists none of them, because a
        // deleted key that is still listed would look alive. A later round then makes a new key.
        Ownership::PreviousStack => all_keys(pair),
        Ownership::Ours | Ownership::Untagged | Ownership::Foreign(_) => Vec::new(),
    };
    plan.stages.push(if keys.is_empty() {
        vec![Step::RestoreSecret(secret.secret.arn.clone())]
    } else {
        keys
    });
    plan.end = End::ObserveAgain("the secret was pending deletion".to_owned());
}

/// The entries of `Buckets` with their regions, as far as these are known.
pub fn targets(desired: &Desired, owner: &Owner, observed: &Observed) -> Vec<Target> {
    let target = |bucket: &BucketUri| Target {
        bucket: bucket.clone(),
        region: observed.region(owner, &bucket.bucket).to_owned(),
    };
    desired.buckets.iter().map(target).collect()
}

/// Deletes all keys of the user.
fn all_keys(pair: &Pair) -> Vec<Step> {
    let keys = pair.user.iter().flat_map(|user| &user.keys);
    keys.map(|key| Step::DeleteKey(key.id.clone())).collect()
}

/// How a key of this plan is proved.
struct ProofOf {
    when: ProveWhen,
    on_failure: OnFailure,
    targets: Vec<Target>,
}

impl ProofOf {
    fn step(&self, key_under_test: KeyUnderTest) -> Step {
        Step::Prove(Proof {
            key_under_test,
            on_failure: self.on_failure,
            targets: self.targets.clone(),
        })
    }
}

/// Adds the steps that `decision` needs.
fn finish(plan: &mut Plan, decision: KeyDecision, proof: &ProofOf) -> Result<(), Refusal> {
    match decision {
        KeyDecision::Keep(key) => match proof.when {
            ProveWhen::Always => plan
                .stages
                .push(vec![proof.step(KeyUnderTest::Current(key))]),
            ProveWhen::KeyIsNew | ProveWhen::Never => {}
        },
        KeyDecision::Make {
            new,
            replaces,
            keeps,
            room,
        } => {
            // Asking needs no other step, so it joins the last stage before the key, or before a key is deleted for it.
            match plan.stages.last_mut() {
                Some(stage) => stage.push(Step::AskCloudFormation),
                None => plan.stages.push(vec![Step::AskCloudFormation]),
            }
            if !room.is_empty() {
                plan.stages.push(room);
            }
            plan.stages.push(vec![Step::MakeKey(new.clone())]);
            // A proof only reads, so it can begin beside the question whether it is still wanted.
            let mut stage = vec![Step::LookAgain, Step::AskCloudFormation];
            if proof.when != ProveWhen::Never {
                stage.push(proof.step(KeyUnderTest::Made(new.clone())));
            }
            plan.stages.push(stage);
            if let Some(from) = replaces {
                plan.stages
                    .extend(promote(from, new.version.clone(), None, keeps));
                plan.stages.push(drop_candidate(new.version));
            }
        }
        KeyDecision::Adopt {
            candidate,
            key,
            replaces,
        } => {
            let id = key.id.clone();
            if proof.when != ProveWhen::Never {
                let key_under_test = KeyUnderTest::Candidate(candidate.clone(), key);
                plan.stages.push(vec![proof.step(key_under_test)]);
            }
            plan.stages
                .extend(promote(replaces, candidate.clone(), Some(id), None));
            plan.stages.push(drop_candidate(candidate));
        }
        KeyDecision::MoveBack { from, to, key } => {
            let key = Some(key);
            plan.stages.push(vec![Step::Promote { from, to, key }]);
            plan.end = End::ObserveAgain("AWSCURRENT went back to a key that works".to_owned());
        }
        KeyDecision::Wait => {
            plan.end = End::ObserveAgain("IAM may not list a new key yet".to_owned());
        }
        KeyDecision::Rotating(pending) => return Err(Refusal::RotationUnderWay(pending)),
    }
    Ok(())
}

/// Moves `AWSCURRENT`. Secrets Manager then moves `AWSPREVIOUS` to the version that lost it, and `keeps` gets `AWSPREVIOUS`
/// back.
pub(super) fn promote(
    from: VersionId,
    to: VersionId,
    key: Option<AccessKeyId>,
    keeps: Option<VersionId>,
) -> Vec<Vec<Step>> {
    let keep = keeps.map(|to| Step::KeepPrevious {
        from: from.clone(),
        to,
    });
    let promoted = vec![Step::Promote { from, to, key }];
    [promoted]
        .into_iter()
        .chain(keep.map(|step| vec![step]))
        .collect()
}

fn drop_candidate(version: VersionId) -> Vec<Step> {
    let label = Label::Candidate;
    vec![Step::DropLabel { label, version }]
}

/// When a proof is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ProveWhen {
    Always,
    KeyIsNew,
    Never,
}

fn when_to_prove(goal: &Goal<'_>, access: Access) -> ProveWhen {
    let Goal {
        desired, change, ..
    } = goal;
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
    if asked || access == Access::Changed {
        ProveWhen::Always
    } else {
        ProveWhen::KeyIsNew
    }
}

/// Two sequences at once: the first steps together, then the second ones, …
fn side_by_side(one: Vec<Step>, other: Vec<Step>) -> Vec<Vec<Step>> {
    let stages = one.len().max(other.len());
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    (0..stages)
        .map(|_| one.next().into_iter().chain(other.next()).collect())
        .collect()
}

/// One sequence after the other.
fn in_turn(one: Vec<Step>, other: Vec<Step>) -> Vec<Vec<Step>> {
    one.into_iter()
        .chain(other)
        .map(|step| vec![step])
        .collect()
}
