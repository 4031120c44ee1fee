//! Refusals: what stops a plan until a person acts, and what that person can do. Each variant is a row of the table in
//! docs/troubleshooting.md, and a test compares the two.

use crate::cloud::{CloudError, VersionId};
use crate::names::{SecretName, UserName};
use crate::observe::{ObservedSecret, ObservedUser};
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
