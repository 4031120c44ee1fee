//! What a check finds, one sentence each: what is wrong and what to do. Pure: the same look gives the same findings. A
//! finding's age decides how often it is sent.

use std::time::{Duration, SystemTime};

use super::Environment;
use crate::apply::{Proved, Shows};
use crate::cloud::Label;
use crate::cloud::{Key, KeyStatus, Rotation};
use crate::observe::{Observed, ObservedSecret, ObservedUser};
use crate::plan::{Plan, Refusal, Step, dates, left_keys};
use crate::waits::{DAY, OVERDUE, PASTE_WITHIN, REMIND_DAYS};

/// What is wrong and what to do: one sentence, without its full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) about: About,
    pub(super) text: String,
    pub(super) told: Told,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// The key cannot read.
    Access,
    /// The pair is not as the stack says.
    Repair,
    /// A key or a rotation has become too old.
    Age,
}

/// How often a finding is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Every day, because access is broken or not as the stack says.
    Daily,
    /// On the first day and every seventh after it, counted from this moment.
    Since(SystemTime),
}

impl Finding {
    /// Whether a check at this moment sends it.
    pub(super) fn is_due(&self, now: SystemTime) -> bool {
        match self.told {
            Told::Daily => true,
            Told::Since(begun) => {
                let age = now.duration_since(begun);
                age.is_ok_and(|age| (age.as_secs() / DAY.as_secs()).is_multiple_of(REMIND_DAYS))
            }
        }
    }
}

/// What the next update would repair, or why it would be refused.
pub(super) fn of_plan(plan: &Result<Plan, Refusal>) -> Option<Finding> {
    let text = match plan {
        Ok(plan) => {
            let changes = plan.steps().filter(|step| step.nature().changes);
            let changes: Vec<String> = changes.map(Step::to_string).collect();
            if changes.is_empty() {
                return None;
            }
            format!(
                "something was changed outside the stack, or an earlier run was cut off: update the stack with another \
                 `Revision`, which would {}",
                changes.join(" and ")
            )
        }
        // It passes, and the proof judges the current key.
        Err(Refusal::RotationUnderWay { .. }) => return None,
        Err(refusal) => format!("the next update would be refused: {refusal}"),
    };
    Some(Finding {
        about: About::Repair,
        text,
        told: Told::Daily,
    })
}

/// What the key cannot read, one finding for each entry.
///
/// # Errors
/// AWS did not answer, so nothing is known.
pub(super) fn of_proof(proof: &Proved) -> Vec<Result<Finding, Refusal>> {
    let found = proof.shown().into_iter().filter_map(|shown| {
        let finding = Finding {
            about: About::Access,
            text: shown.sentence.clone(),
            told: Told::Daily,
        };
        match shown.weight {
            Shows::Failure | Shows::Reservation => Some(Ok(finding)),
            Shows::Unanswered => Some(Err(Refusal::Event(format!(
                "the check could not be made: {}",
                shown.sentence
            )))),
            Shows::NotDecrypted => None,
        }
    });
    found.collect()
}

/// Keys and rotations that have become too old.
pub(super) fn of_age(environment: &Environment, observed: &Observed) -> Vec<Finding> {
    let pair = &observed.pair;
    let (Some(user), Some(secret)) = (&pair.user, &pair.secret) else {
        return Vec::new();
    };
    let now = observed.now;
    let found = [
        previous_in_use(user, secret),
        too_old(environment, user, secret, now),
        overdue(secret, now),
    ];
    let left = left_keys(pair, now).into_iter().map(|left| Finding {
        about: About::Age,
        text: left.sentence,
        told: Told::Since(left.key.created),
    });
    found.into_iter().flatten().chain(left).collect()
}

/// The key that the version with this label holds, as IAM lists it.
pub(super) fn listed<'a>(
    user: &'a ObservedUser,
    secret: &ObservedSecret,
    label: Label,
) -> Option<&'a Key> {
    let stored = secret.key_under(label)?;
    user.keys.iter().find(|key| key.id == stored.id)
}

fn previous_in_use(user: &ObservedUser, secret: &ObservedSecret) -> Option<Finding> {
    let current = listed(user, secret, Label::Current)?;
    let previous = listed(user, secret, Label::Previous)?;
    if previous.status != KeyStatus::Active || previous.id == current.id {
        return None;
    }
    let last = user.last_used.get(&previous.id)?.as_ref().ok()?.as_ref()?;
    let from = current.created + PASTE_WITHIN;
    (last.date > from).then(|| Finding {
        about: About::Age,
        text: format!(
            "key `{}` was {}, though key `{}` replaced it on {}: paste the key from the secret into DNAstack \
             Publisher, unless you did so in the last 7 days and links signed earlier are still in use",
            previous.id,
            dates::used(last),
            current.id,
            dates::date(current.created),
        ),
        told: Told::Since(from),
    })
}

fn too_old(
    environment: &Environment,
    user: &ObservedUser,
    secret: &ObservedSecret,
    now: SystemTime,
) -> Option<Finding> {
    if environment.max_key_age_days == 0 || secret.secret.rotation == Rotation::Enabled {
        return None;
    }
    let current = listed(user, secret, Label::Current)?;
    let old_from = current.created + days(environment.max_key_age_days);
    (now >= old_from).then(|| Finding {
        about: About::Age,
        text: format!(
            "key `{}` was made on {} and is older than {} days (`MaxKeyAgeDays`): raise `KeySerial` and paste the new key \
             into DNAstack Publisher, or set `RotationDays`",
            current.id,
            dates::date(current.created),
            environment.max_key_age_days,
        ),
        told: Told::Since(old_from),
    })
}

fn overdue(secret: &ObservedSecret, now: SystemTime) -> Option<Finding> {
    if secret.secret.rotation != Rotation::Enabled {
        return None;
    }
    let next = secret.secret.next_rotation?;
    (now >= next + OVERDUE).then(|| Finding {
        about: About::Age,
        text: format!(
            "a rotation has been overdue since {}: read in the function's log why it failed or was held up, mend that, \
             and rotate the secret at once",
            dates::date(next)
        ),
        told: Told::Since(next + OVERDUE),
    })
}

fn days(days: u16) -> Duration {
    DAY * u32::from(days)
}
