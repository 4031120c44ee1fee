//! What a check finds, one sentence each: what is wrong and what to do. Pure: the same look gives the same findings. A
//! finding's age decides how often it is sent.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::Environment;
use crate::apply::{Proved, Shows};
use crate::cloud::{
    Attachment, AttachmentKind, Key, KeyStatus, Label, Rotation, Subscriptions, TopicArn,
};
use crate::observe::{BucketRegion, Observed, ObservedSecret, ObservedUser, Refusal};
use crate::plan::{Plan, Step, dates, left_keys};
use crate::request::labels::with_labels;
use crate::request::visible;
use crate::waits::{DAY, OVERDUE, PASTE_WITHIN, REMIND_DAYS};

/// What is wrong and what to do: one sentence, without its full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) about: About,
    pub(super) text: String,
    pub(super) told: Told,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// The key cannot read.
    Access,
    /// AWS did not answer, so it is unknown whether the key can read.
    Unanswered,
    /// The pair is not as the stack says.
    Repair,
    /// The current key was deactivated.
    InactiveKey,
    /// The user can do more than the stack lets it.
    AddedPower,
    /// AWS has found the key in public.
    Quarantine,
    NobodyHears,
    PreviousKeyInUse,
    /// No label of the secret names a key.
    LeftKey,
    KeyAge,
    RotationOverdue,
}

impl About {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Unanswered => "unanswered",
            Self::Repair => "repair",
            Self::InactiveKey => "inactive-key",
            Self::AddedPower => "added-power",
            Self::Quarantine => "quarantine",
            Self::NobodyHears => "nobody-hears",
            Self::PreviousKeyInUse => "previous-key-in-use",
            Self::LeftKey => "left-key",
            Self::KeyAge => "key-age",
            Self::RotationOverdue => "rotation-overdue",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Every day, because access is broken or not as the stack says.
    Daily,
    /// On the first day and every seventh after it, counted from this moment.
    Since(SystemTime),
}

impl Finding {
    fn daily(about: About, text: impl Into<String>) -> Self {
        Self {
            about,
            text: text.into(),
            told: Told::Daily,
        }
    }

    fn since(about: About, begun: SystemTime, text: impl Into<String>) -> Self {
        Self {
            about,
            text: text.into(),
            told: Told::Since(begun),
        }
    }

    /// Whether a check with this finding is healthy all the same.
    pub(super) fn is_of_age(&self) -> bool {
        self.told != Told::Daily
    }

    pub(super) fn to_json(&self) -> Value {
        json!({"about": self.about.name(), "text": with_labels(&self.text)})
    }

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
    Some(Finding::daily(About::Repair, text))
}

/// What the key cannot read, one finding for each entry.
pub(super) fn of_proof(proof: &Proved) -> Vec<Finding> {
    let found = proof.shown().into_iter().filter_map(|shown| {
        let about = match shown.weight {
            Shows::Failure | Shows::Reservation => About::Access,
            Shows::Unanswered => About::Unanswered,
            Shows::Note => return None,
        };
        Some(Finding::daily(about, shown.sentence))
    });
    found.collect()
}

/// In the wrong region S3 answers with the region, whatever the key, so a proof needs the right one.
pub(super) fn of_regions(observed: &Observed) -> Option<Finding> {
    let unknown = observed.regions.iter().find_map(|(bucket, region)| {
        let BucketRegion::Unknown(why) = region else {
            return None;
        };
        Some(format!(
            "the region of bucket `{bucket}` is unknown, so the key was not tried: {why}"
        ))
    });
    unknown.map(|text| Finding::daily(About::Unanswered, text))
}

/// Nobody can read with a deactivated key, whatever else is wrong.
pub(super) fn of_inactive_key(observed: &Observed) -> Option<Finding> {
    let pair = &observed.pair;
    let (user, secret) = (pair.user.as_ref()?, pair.secret.as_ref()?);
    let current = listed(user, secret, Label::Current)?;
    (current.status == KeyStatus::Inactive).then(|| {
        let text = format!(
            "key `{}`, which the secret names as the one in use, was deactivated, so Publisher cannot read: update the stack \
             with another `Revision`, which makes a new key, and paste that",
            current.id
        );
        Finding::daily(About::InactiveKey, text)
    })
}

/// Power that the stack did not give the user. Its boundary holds all the same.
pub(super) fn of_added_power(environment: &Environment, observed: &Observed) -> Vec<Finding> {
    let Some(user) = &observed.pair.user else {
        return Vec::new();
    };
    let (name, own) = (&observed.pair.name, &environment.desired.policy);
    let others = user.policies.keys().filter(|policy| *policy != own);
    let inline = others.map(|policy| {
        (
            format!("the inline policy `{policy}`"),
            format!("delete-user-policy --user-name {name} --policy-name {policy}"),
        )
    });
    let attached = user
        .attachments
        .iter()
        .filter_map(|Attachment { kind, id }| {
            let id = visible(id);
            Some(match kind {
                AttachmentKind::ManagedPolicy if is_quarantine(&id) => return None,
                AttachmentKind::ManagedPolicy => (
                    format!("the managed policy `{id}`"),
                    format!("detach-user-policy --user-name {name} --policy-arn {id}"),
                ),
                AttachmentKind::Group => (
                    format!("a place in group `{id}`"),
                    format!("remove-user-from-group --user-name {name} --group-name {id}"),
                ),
                AttachmentKind::LoginProfile => (
                    "a password for the console".to_owned(),
                    format!("delete-login-profile --user-name {name}"),
                ),
                AttachmentKind::SshKey
                | AttachmentKind::SigningCertificate
                | AttachmentKind::ServiceCredential
                | AttachmentKind::MfaDevice => return None,
            })
        });
    let added = inline.chain(attached).map(|(what, command)| {
        let text = format!(
            "user `{name}` has {what}, which the stack did not give it: if nobody needs it, run `aws iam {command}`"
        );
        Finding::daily(About::AddedPower, text)
    });
    added.chain(of_quarantine(user)).collect()
}

/// [What AWS does](https://docs.aws.amazon.com/IAM/latest/UserGuide/security-iam-awsmanpol.html) with a user whose key it finds
/// in public. An update leaves the policy attached.
fn of_quarantine(user: &ObservedUser) -> Option<Finding> {
    let mut policies = user.attachments.iter().filter(|attachment| {
        attachment.kind == AttachmentKind::ManagedPolicy && is_quarantine(&attachment.id)
    });
    let Attachment { id, .. } = policies.next()?;
    let name = &user.user.name;
    let text = format!(
        "AWS has found a key of user `{name}` in public, and attached `{}`: deactivate that key, raise `KeySerial`, paste the \
         new key into DNAstack Publisher, and then run `aws iam detach-user-policy --user-name {name} --policy-arn {}`",
        visible(id.rsplit('/').next().unwrap_or_default()),
        visible(id)
    );
    Some(Finding::daily(About::Quarantine, text))
}

fn is_quarantine(arn: &str) -> bool {
    arn.rsplit('/')
        .next()
        .is_some_and(|name| name.starts_with("AWSCompromisedKeyQuarantine"))
}

pub(super) fn of_topic(topic: &TopicArn, subscriptions: Subscriptions) -> Option<Finding> {
    let Subscriptions { confirmed, pending } = subscriptions;
    let waiting = match pending {
        0 => {
            "subscribe somebody again (`aws sns subscribe`), because AWS forgets what nobody confirms for two days, or name \
             another topic if this one was deleted"
        }
        _ => "somebody has to confirm the subscription that AWS has sent a mail about",
    };
    (confirmed == 0).then(|| {
        let text = format!("no subscription of topic `{topic}` is confirmed, so nobody gets these messages: {waiting}");
        Finding::daily(About::NobodyHears, text)
    })
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
    let left = left_keys(pair, now).into_iter();
    let left = left.map(|left| Finding::since(About::LeftKey, left.key.created, left.sentence));
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
    (last.date > from).then(|| {
        let text = format!(
            "key `{}` was {}, though key `{}` replaced it on {}: paste the key from the secret into DNAstack \
             Publisher, unless you did so in the last 7 days and links signed earlier are still in use",
            previous.id,
            dates::used(last),
            current.id,
            dates::date(current.created),
        );
        Finding::since(About::PreviousKeyInUse, from, text)
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
    (now >= old_from).then(|| {
        let text = format!(
            "key `{}` was made on {} and is older than the {} days of `MaxKeyAgeDays`: raise `KeySerial` and paste the new key \
             into DNAstack Publisher, or set `RotationDays`",
            current.id,
            dates::date(current.created),
            environment.max_key_age_days,
        );
        Finding::since(About::KeyAge, old_from, text)
    })
}

fn overdue(secret: &ObservedSecret, now: SystemTime) -> Option<Finding> {
    if secret.secret.rotation != Rotation::Enabled {
        return None;
    }
    let next = secret.secret.next_rotation?;
    (now >= next + OVERDUE).then(|| {
        let text = format!(
            "a rotation has been overdue since {}: read in the function's log why it failed or was held up, mend that, \
             and rotate the secret at once",
            dates::date(next)
        );
        Finding::since(About::RotationOverdue, next + OVERDUE, text)
    })
}

fn days(days: u16) -> Duration {
    DAY * u32::from(days)
}

#[cfg(test)]
mod tests {
    use super::About;

    #[test]
    fn the_page_lists_every_name_of_a_finding() {
        let page = include_str!("../../docs/what-you-will-see.md");
        for about in [
            About::Access,
            About::Unanswered,
            About::Repair,
            About::InactiveKey,
            About::AddedPower,
            About::Quarantine,
            About::NobodyHears,
            About::PreviousKeyInUse,
            About::LeftKey,
            About::KeyAge,
            About::RotationOverdue,
        ] {
            let row = format!("| `{}` |", about.name());
            assert!(page.contains(&row), "{row}");
        }
    }
}
