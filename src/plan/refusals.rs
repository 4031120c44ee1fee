//! Refusals: what stops a plan until a person acts, and what that person can do. Each variant is a row of the table in
//! docs/troubleshooting.md, and a test compares the two.

use super::goal::Goal;
use super::{OnFailure, Plan, Step};
use crate::cloud::{CloudError, StackOperation, VersionId};
use crate::names::{SecretName, UserName};
use crate::observe::{BucketRegion, Observed, ObservedSecret, ObservedUser, Pair};
use crate::ownership::{Owner, Ownership};
use crate::property_error::PropertyError;
use crate::secret::Label;

/// Why a plan cannot be made, and what to do: one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A property cannot be accepted beside what exists.
    #[error(transparent)]
    Property(#[from] PropertyError),
    /// The new name is the old one in another letter case.
    #[error(
        "property `UserName`: `{desired}` differs from `{current}` in letter case alone, and IAM takes both for the same \
         name: keep the old spelling or choose another name"
    )]
    LetterCaseChanged {
        /// The name so far.
        current: UserName,
        desired: UserName,
    },
    /// A user has the name in another letter case.
    #[error(
        "user `{found}` exists, and IAM takes `{name}` for the same name because only the letter case differs: choose \
         another `UserName`"
    )]
    LetterCaseTaken {
        name: UserName,
        /// The name as IAM spells it.
        found: String,
    },
    /// Somebody renamed the user, which moved its keys and policies too.
    #[error(
        "user `{name}` was renamed to `{renamed}`, which has its key; nothing was changed: run `aws iam update-user \
         --user-name {renamed} --new-user-name {name}` and try again"
    )]
    UserRenamed {
        /// The name that the secret stands for.
        name: UserName,
        /// The user's name now.
        renamed: String,
    },
    /// Our secret names a key of a user without tags.
    #[error(
        "user `{name}` has lost its ownership tags, though its secret holds its key; nothing was changed: if it is this \
         stack's, run `aws iam tag-user --user-name {name} --tags {tags}` and try again (a rollback: `aws cloudformation \
         continue-update-rollback`)"
    )]
    TagsStripped {
        name: UserName,
        /// The tags, as the command takes them.
        tags: String,
    },
    /// A user of this name was not made by a stack.
    #[error(
        "user `{0}` exists and was not made by this stack, so it stays untouched: deploy with another `UserName`, paste \
         the new key into Publisher, then delete the old user"
    )]
    UserUntagged(UserName),
    /// A user of this name belongs to another resource.
    #[error(
        "user `{name}` exists and belongs to {whose}: IAM user names are account-wide over all regions, so every stack \
         needs a `UserName` of its own"
    )]
    UserForeign {
        name: UserName,
        /// What its tags say.
        whose: String,
    },
    /// A secret of this name was not made by a stack.
    #[error(
        "secret `{0}` exists and was not made by this stack, so it stays untouched: deploy with another `UserName`, or \
         delete that secret"
    )]
    SecretUntagged(SecretName),
    /// A secret of this name belongs to another resource.
    #[error(
        "secret `{name}` exists and belongs to {whose}: every stack needs a `UserName` of its own"
    )]
    SecretForeign {
        name: SecretName,
        /// What its tags say.
        whose: String,
    },
    /// The secret cannot be read.
    #[error(
        "secret `{name}` cannot be read, so nothing is known of its keys; nothing was changed: restore the KMS key that \
         encrypts it (enable it, cancel its deletion, or allow this function's role in its key policy) and try again; if \
         the KMS key is gone for good, run `aws secretsmanager delete-secret --force-delete-without-recovery --secret-id \
         {name}` and update the stack with another `Revision`, which ends the key that Publisher uses: paste the new one at \
         once ({error})"
    )]
    SecretUnreadable {
        name: SecretName,
        error: Box<CloudError>,
    },
    /// A bucket that a proof would read does not exist.
    #[error(
        "there is no bucket `{0}`: correct `Buckets`, create the bucket, or set `VerifyAccess: false`"
    )]
    NoSuchBucket(String),
    /// Secrets Manager is making a key right now.
    #[error(
        "Secrets Manager is rotating the secret right now (version `{0}` is {pending}), so no other key is made: try again \
         in 15 minutes",
        pending = Label::Pending
    )]
    RotationUnderWay(VersionId),
    /// The user is in groups, and a safe role cannot change groups.
    #[error(
        "user `{name}` is in a group, which this function has no permission to change: run {commands}, then delete again"
    )]
    UserInGroup { name: UserName, commands: String },
    /// The function's code is of another release than the template.
    #[error(
        "the function's code is release `{code}`, but the template is release `{template}`: upload the archives of \
         `{template}` and update again"
    )]
    WrongRelease {
        /// The release of the code.
        code: &'static str,
        /// The release that `RELEASE` names.
        template: String,
    },
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

/// Refuses to change anything that does not have our tags.
pub(super) fn refuse_strangers(owner: &Owner, pair: &Pair) -> Result<(), Refusal> {
    let Pair {
        name,
        user,
        secret,
        renamed_to,
    } = pair;
    if let Some(renamed) = renamed_to {
        return Err(Refusal::UserRenamed {
            name: name.clone(),
            renamed: renamed.clone(),
        });
    }
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

/// Our secret names a key of an untagged user. Somebody stripped the tags, and only a person can say that this was
/// wrong.
pub(super) fn refuse_stripped_tags(
    owner: &Owner,
    name: &UserName,
    user: &ObservedUser,
    secret: &ObservedSecret,
) -> Result<(), Refusal> {
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
    Err(Refusal::TagsStripped {
        name: name.clone(),
        tags: tags.join(" "),
    })
}

/// Refuses an unreadable secret, which proves nothing. A rollback goes through all the same.
pub(super) fn refuse_unreadable(observed: &Observed) -> Result<(), Refusal> {
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
pub(super) fn refuse_missing_buckets(plan: &Plan, observed: &Observed) -> Result<(), Refusal> {
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

/// Refuses code of another release than the template's, because it may not know what the template asks for. A rollback
/// and a Delete have to go through with any code.
pub(super) fn refuse_wrong_release(goal: &Goal<'_>, observed: &Observed) -> Result<(), Refusal> {
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

/// The release of this code.
pub(super) const RELEASE: &str = env!("CARGO_PKG_VERSION");
