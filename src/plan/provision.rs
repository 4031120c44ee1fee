//! The plan that brings a pair to what the template says.

use std::time::SystemTime;

use super::keys::{KeyDecision, KeyPlan, Make, Wanted, keys};
use super::policy::PolicyDocument;
use super::resources::{secret_steps, user_steps};
use super::step::in_turn;
use super::strangers::refuse_strangers;
use super::warning::{Warning, Weight};
use super::{End, NewKey, OnEmpty, OnFailure, Plan, Proof, Step, Target, Trial, Whose};
use crate::cloud::{
    AccessKeyId, CloudError, Denied, KeyStatus, Label, PolicyKind, SecretState, StackOperation,
    StoredKey,
};
use crate::observe::{Access, Observed, Ownership, Pair, Progress, Refusal};
use crate::request::buckets::{BucketUri, Buckets};
use crate::request::names::{SecretName, UserName, Verification};
use crate::request::owner::Owner;
use crate::request::properties::{Desired, Previous};

/// The version that this program was built from.
pub const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// What is wanted, and by whom.
#[derive(Clone, Copy, Debug)]
pub struct Goal<'a> {
    pub owner: &'a Owner,
    pub desired: &'a Desired,
    pub change: Change<'a>,
    /// The release that the template was made for; `None` if it does not say.
    pub release: Option<&'a str>,
    /// The policy that grants what the template says.
    pub document: &'a PolicyDocument,
    /// When the request was sent; `None` if that is unknown.
    pub sent: Option<SystemTime>,
}

#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// Nothing: it makes a new pair, for a Create or as the new half of a replacement.
    Fresh,
    /// The same pair, which had these properties.
    InPlace(&'a Previous),
}

impl<'a> Change<'a> {
    /// The entries that were there before.
    fn buckets(self) -> Option<&'a Buckets> {
        match self {
            Self::Fresh => None,
            Self::InPlace(previous) => previous.buckets.as_ref(),
        }
    }
}

/// Plans the steps from what is observed to what is wanted, in the light of what earlier rounds have done.
pub fn provision(
    goal: &Goal<'_>,
    observed: &Observed,
    progress: &Progress,
) -> Result<Plan, Refusal> {
    let pair = &observed.pair;
    refuse_wrong_release(goal, observed)?;
    refuse_strangers(goal.owner, pair)?;
    refuse_unreadable(observed)?;
    let mut plan = Plan::nothing(End::Done);
    plan.access = progress.access;
    let user_steps = user_steps(goal, observed, &mut plan.warnings)?;
    let only_tags = |step: &Step| matches!(step, Step::TagUser(_) | Step::UntagUser(_));
    if !user_steps.iter().all(only_tags) {
        plan.access = Access::Changed;
    }
    if let Some(error) = pair.unreadable() {
        // A rollback. The secret stays as it is, because writing to it may need the KMS key too.
        let text =
            format!("the secret cannot be read, so its key stays as it is, unproved: {error}");
        plan.warnings.push(Warning::new(Weight::Secret, text));
        plan.stages = in_turn(user_steps);
        return Ok(plan);
    }
    if let Some(secret) = &pair.secret
        && secret.secret.state == SecretState::PendingDeletion
    {
        // The user first: once it carries our tags, a Delete that arrives now recognizes the secret as ours too.
        let restore = Step::RestoreSecret(secret.secret.arn.clone());
        plan.stages = in_turn(user_steps.into_iter().chain([restore]));
        plan.end = End::ObserveAgain("the secret was pending deletion".to_owned());
        return Ok(plan);
    }
    let secret_steps = secret_steps(goal, observed);
    if was_restored(pair) {
        // Its tags come last, because they show that it still needs a new key.
        let is_tags = |step: &Step| matches!(step, Step::TagSecret(_));
        let (tags, others) = secret_steps.into_iter().partition(is_tags);
        plan.stages = side_by_side(user_steps, others);
        plan_keys(&mut plan, goal, observed, progress)?;
        if matches!(plan.end, End::Done) {
            plan.stages.push(tags);
        }
    } else {
        plan.stages = if is_taken_over(pair) {
            in_turn(secret_steps.into_iter().chain(user_steps))
        } else {
            side_by_side(user_steps, secret_steps)
        };
        plan_keys(&mut plan, goal, observed, progress)?;
    }
    Ok(plan)
}

fn is_taken_over(pair: &Pair) -> bool {
    let secret = pair.secret.as_ref();
    secret.is_some_and(|secret| secret.ownership == Ownership::PreviousStack)
}

/// Whether the secret of a previous stack was pending deletion, and was restored: the user is tagged before that, and the
/// secret after it. Otherwise the secret is tagged first.
fn was_restored(pair: &Pair) -> bool {
    let user = pair.user.as_ref();
    is_taken_over(pair) && user.is_some_and(|user| user.ownership == Ownership::Ours)
}

/// Refuses a new name that differs from the old one in letter case alone.
pub fn letter_case_change(current: &UserName, desired: &UserName) -> Result<(), Refusal> {
    if current != desired && current.eq_ignore_case(desired) {
        return Err(Refusal::LetterCaseChanged {
            current: current.clone(),
            desired: desired.clone(),
        });
    }
    Ok(())
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

/// Refuses an unreadable secret, which does not show whose the keys are. A rollback goes through all the same.
fn refuse_unreadable(observed: &Observed) -> Result<(), Refusal> {
    let name = observed.pair.name.secret_name();
    match (observed.pair.unreadable(), observed.operation) {
        (Some(error), StackOperation::Forward) => Err(unreadable(name, error)),
        (Some(_), StackOperation::Rollback) | (None, _) => Ok(()),
    }
}

/// A secret that cannot be read, with the way out by cause.
pub(super) fn unreadable(name: SecretName, error: &CloudError) -> Refusal {
    let by_policy = error
        .denial
        .as_ref()
        .filter(|denial| denial.of == Denied::Call);
    let cure = match by_policy.map(|denial| denial.by) {
        Some(PolicyKind::Resource) => format!(
            "the secret's own resource policy denies it: remove that statement (`aws secretsmanager get-resource-policy \
             --secret-id {name}` shows it, `delete-resource-policy` removes the whole policy) and try again"
        ),
        Some(
            PolicyKind::Organization
            | PolicyKind::Boundary
            | PolicyKind::Identity
            | PolicyKind::Endpoint,
        ) => "let the function's role read it, and try again".to_owned(),
        Some(PolicyKind::Unsaid) | None => format!(
            "restore the KMS key that encrypts it (enable it, cancel its deletion, or allow this function's role in its key \
             policy) and try again; if the KMS key is gone for good, run `aws secretsmanager delete-secret \
             --force-delete-without-recovery --secret-id {name}` and update the stack with another `Revision`, which ends \
             the key that Publisher uses: paste the new one at once"
        ),
    };
    Refusal::SecretUnreadable {
        name,
        cure,
        error: Box::new(error.clone()),
    }
}

/// The entries of `Buckets` with their regions, as far as these are known. Only an entry that `known` has may be empty: a new
/// one that is empty was probably mistyped.
pub fn targets(
    desired: &Desired,
    owner: &Owner,
    observed: &Observed,
    known: Option<&Buckets>,
) -> Vec<Target> {
    let target = |bucket: &BucketUri| {
        let is_known = || known.is_some_and(|known| known.iter().any(|entry| entry == bucket));
        Target {
            bucket: bucket.clone(),
            region: observed.region(owner, &bucket.bucket).to_owned(),
            on_empty: match desired.verification {
                Verification::Prove if is_known() => OnEmpty::Warn,
                Verification::Prove => OnEmpty::Fail,
                Verification::AllowEmpty | Verification::Skip => OnEmpty::Allow,
            },
        }
    };
    desired.buckets.iter().map(target).collect()
}

/// Adds what the keys need.
fn plan_keys(
    plan: &mut Plan,
    goal: &Goal<'_>,
    observed: &Observed,
    progress: &Progress,
) -> Result<(), Refusal> {
    let wanted = Wanted {
        serial: goal.desired.key_serial,
        before: match (goal.change, observed.operation) {
            // What a rollback goes back to was reached before.
            (_, StackOperation::Rollback) => Some(goal.desired.key_serial),
            (Change::Fresh, _) => None,
            (Change::InPlace(previous), _) => Some(previous.key_serial.unwrap_or_default()),
        },
        sent: goal.sent,
        restored: was_restored(&observed.pair),
    };
    let KeyPlan {
        decision,
        stale_labels,
        lost,
        warnings,
    } = keys(&observed.pair, wanted, observed.now)?;
    plan.warnings.extend(warnings);
    if !stale_labels.is_empty() {
        plan.stages.push(stale_labels);
    }
    let when = when_to_prove(goal.desired, goal.change, plan.access);
    let trial = Trial {
        on_failure: match observed.operation {
            StackOperation::Forward => OnFailure::Fail,
            StackOperation::Rollback => OnFailure::Warn,
        },
        targets: targets(goal.desired, goal.owner, observed, goal.change.buckets()),
    };
    match decision {
        KeyDecision::Keep(key) => {
            if when == ProveWhen::Always {
                plan.stages.push(vec![prove_current(key, trial)]);
            }
            plan.stages.push(deletions(lost));
        }
        KeyDecision::GoBack { from, to } => {
            let (label, to) = (Label::Current, Some(to));
            plan.stages.push(vec![Step::MoveLabel { label, from, to }]);
            plan.access = Access::Changed;
            plan.end = End::ObserveAgain("AWSCURRENT went back to a key that works".to_owned());
        }
        KeyDecision::Wait(why) => plan.end = End::ObserveAgain(why),
        KeyDecision::Make(make) => match why_no_other(progress, &observed.pair)? {
            Some(why) => plan.end = End::ObserveAgain(why),
            None => {
                let trial = (when != ProveWhen::Never).then_some(trial);
                make_key(plan, make, trial, lost);
            }
        },
    }
    Ok(())
}

/// One request makes one key. Why to wait until that key, or that of another run of the same decision, can be seen.
fn why_no_other(progress: &Progress, pair: &Pair) -> Result<Option<String>, Refusal> {
    if let Some(version) = &progress.overtaken_by {
        let secret = pair.secret.as_ref();
        return match secret.and_then(|secret| secret.stored_at(version)) {
            Some(_) => Err(Refusal::Overtaken(version.clone())),
            None => Ok(Some(
                "the secret does not show another run's key yet".to_owned(),
            )),
        };
    }
    let stored = progress.done.stored.as_ref();
    Ok(stored.map(|key| format!("the secret does not show new key `{key}` yet")))
}

fn prove_current(key: StoredKey, trial: Trial) -> Step {
    let whose = Whose::Current;
    Step::Prove(Proof { key, whose, trial })
}

/// Makes room, and a key. What a crash has lost goes once the new key is current.
fn make_key(plan: &mut Plan, make: Make, trial: Option<Trial>, lost: Vec<AccessKeyId>) {
    // Before an active key goes, CloudFormation is asked and the current key is tried.
    if make.room.iter().any(|key| key.status == KeyStatus::Active) {
        let mut stage = vec![Step::AskCloudFormation];
        if let (Some(key), Some(trial)) = (make.tried_first, &trial) {
            let mut trial = trial.clone();
            if trial.on_failure == OnFailure::Fail {
                trial.on_failure = OnFailure::FailIfAccepted;
            }
            stage.push(prove_current(key, trial));
        }
        plan.stages.push(stage);
    }
    plan.stages
        .push(deletions(make.room.into_iter().map(|key| key.id)));
    plan.stages.push(vec![Step::MakeKey(NewKey {
        version: make.version,
        label: Label::Current,
        serial: make.serial,
        trial,
    })]);
    plan.stages.push(deletions(lost));
}

fn deletions(keys: impl IntoIterator<Item = AccessKeyId>) -> Vec<Step> {
    keys.into_iter().map(Step::DeleteKey).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ProveWhen {
    Always,
    KeyIsNew,
    Never,
}

fn when_to_prove(desired: &Desired, change: Change<'_>, access: Access) -> ProveWhen {
    if desired.verification == Verification::Skip {
        return ProveWhen::Never;
    }
    let asked = match change {
        Change::Fresh => true,
        Change::InPlace(previous) => {
            previous.verification != Some(desired.verification)
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
