//! Refusals: the one way to say no, from the first look to the answer. Each says what is in the way and what to do.
//! docs/troubleshooting.md has a row for each variant.

use std::fmt::Display;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tokio::time::{Instant, timeout_at};

use super::Verdict;
use crate::cloud::{CloudError, Label, VersionId};
use crate::request::names::{SecretName, UserName};
use crate::request::property_error::PropertyError;
use crate::waits::Deadline;

/// Why a request is not fulfilled, and what to do: one line. It shows no secret, in `Debug` either.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    // --- What the template asks for ------------------------------------------------------------------------------
    /// A property cannot be accepted beside what exists.
    #[error(transparent)]
    Property(#[from] PropertyError),
    #[error(
        "property `UserName`: `{desired}` differs from `{current}` in letter case alone, and IAM takes both for the same \
         name: keep the old spelling or choose another name"
    )]
    LetterCaseChanged {
        current: UserName,
        desired: UserName,
    },
    #[error(
        "the function's code is release `{code}`, but the template is release `{template}`: upload the archives of \
         `{template}` and update again"
    )]
    WrongRelease {
        code: &'static str,
        template: String,
    },
    #[error("the function's environment is wrong: `{variable}` {rule}")]
    Environment {
        variable: &'static str,
        rule: String,
    },

    // --- What is there, and not ours -----------------------------------------------------------------------------
    #[error(
        "user `{found}` exists, and IAM takes `{name}` for the same name because only the letter case differs: choose \
         another `UserName`"
    )]
    LetterCaseTaken { name: UserName, found: String },
    /// Somebody renamed the user, which moved its keys and policies too.
    #[error(
        "user `{name}` was renamed to `{renamed}`, which has its key; nothing was changed: run `aws iam update-user \
         --user-name {renamed} --new-user-name {name}` and try again"
    )]
    UserRenamed { name: UserName, renamed: String },
    /// The function may not look at the user. A role's permissions end where a user is moved under a path.
    #[error(
        "this function may not look at user `{name}`; nothing was changed: if somebody moved it under a path (`aws iam get-user \
         --user-name {name}` shows its `Path`), run `aws iam update-user --user-name {name} --new-path /` and try again \
         ({error})"
    )]
    UserHidden {
        name: UserName,
        error: Box<CloudError>,
    },
    /// One half of the pair is ours, and shows that the other one is too, whatever its tags say.
    #[error(
        "{what}; nothing was changed: if it is this stack's, run `{command}` and try again (a rollback: `aws cloudformation \
         continue-update-rollback`)"
    )]
    TagsChanged {
        /// What has lost its tags, and why it is ours all the same.
        what: String,
        command: String,
    },
    #[error(
        "user `{0}` exists and was not made by this stack, so it stays untouched: deploy with another `UserName`, paste \
         the new key into Publisher, then delete the old user"
    )]
    UserUntagged(UserName),
    #[error(
        "user `{name}` exists and belongs to {whose}: IAM user names are account-wide over all regions, so every stack \
         needs a `UserName` of its own"
    )]
    UserForeign { name: UserName, whose: String },
    #[error(
        "secret `{0}` exists and was not made by this stack, so it stays untouched: deploy with another `UserName`, or \
         delete that secret"
    )]
    SecretUntagged(SecretName),
    #[error(
        "secret `{name}` exists and belongs to {whose}: every stack needs a `UserName` of its own"
    )]
    SecretForeign { name: SecretName, whose: String },
    /// A secret of this name that is not ours waits for its deletion, and the console hides it.
    #[error(
        "secret `{0}` was not made by this stack and is scheduled for deletion, so its name is not free yet: deploy with \
         another `UserName`, or free the name with `aws secretsmanager delete-secret --force-delete-without-recovery \
         --secret-id {0}`"
    )]
    SecretBeingDeleted(SecretName),
    #[error(
        "secret `{name}` is the replica of a secret in {region}: deploy with another `UserName`, or free the name with `aws \
         secretsmanager remove-regions-from-replication --region {region} --remove-replica-regions {here} --secret-id {name}`"
    )]
    SecretIsReplica {
        name: SecretName,
        region: String,
        here: String,
    },
    /// A live secret of a previous stack of this name is there, and no user.
    #[error(
        "secret `{0}` is left from a deleted stack of this name, without its user, and somebody may still need what it \
         holds: deploy with another `UserName`, or delete that secret with `aws secretsmanager delete-secret --secret-id \
         {0}`"
    )]
    SecretAlone(SecretName),
    #[error(
        "secret `{name}` cannot be read, so nothing is known of its keys; nothing was changed: {cure} ({error})"
    )]
    SecretUnreadable {
        name: SecretName,
        /// What to do, by the cause.
        cure: String,
        error: Box<CloudError>,
    },
    /// The user is in groups, and a safe role cannot change groups.
    #[error(
        "user `{name}` is in a group, which this function has no permission to change: run {commands}, then delete again"
    )]
    UserInGroup { name: UserName, commands: String },

    // --- Keys ----------------------------------------------------------------------------------------------------
    /// The key that would have to go for a new one is of a rotation under way.
    #[error(
        "Secrets Manager is rotating the secret right now (version `{version}` is {pending}), and a new key would end the \
         rotation's: try again after {until}",
        pending = Label::Pending
    )]
    RotationUnderWay { version: VersionId, until: String },
    /// A rotation cannot go on until a person or a later event acts.
    #[error("{0}")]
    Rotation(String),
    #[error(
        "the rotation was held up: {0}; paste the current key into Publisher, or raise `KeySerial` to end the other key \
         regardless"
    )]
    HeldUp(String),
    /// A scheduled rotation would end a key of which nobody knows whether it is in use.
    #[error("the rotation was held up: {0}; it is safe to try again")]
    UseUnknown(String),
    #[error("{0}")]
    Unproven(String),
    #[error(
        "another request stored a key in version `{0}` at the same time, and this one's was removed again; it is safe to \
         try again"
    )]
    Overtaken(VersionId),
    #[error("too little time was left to make, prove and store a key; it is safe to try again")]
    OutOfTime,

    // --- On the way ----------------------------------------------------------------------------------------------
    #[error("{}", .verdict.sentence(.logical_id))]
    NotWaitedFor {
        verdict: Box<Verdict>,
        logical_id: String,
    },
    #[error("could not look at what is there: {0}")]
    Unobserved(#[from] CloudError),
    #[error("could not {step}: {error}")]
    Failed {
        step: String,
        error: Box<CloudError>,
    },
    /// The time for another round ran out. Holds why the last one was not enough.
    #[error("user and secret did not settle: {0}; it is safe to try again")]
    Unsettled(String),
    #[error("it did not end within {0} seconds; it is safe to repeat it")]
    TooSlow(u64),
    #[error("the function has a defect: {0}; nothing more was done; please report it")]
    Defect(String),
    #[error("could not publish \"{subject}\" to topic `{topic}`: {error}")]
    Untold {
        subject: String,
        topic: String,
        error: Box<CloudError>,
    },
    /// An event of the maintenance function is not one that it serves.
    #[error("{0}")]
    Event(String),
    /// What was there could not all be removed again.
    #[error("{why}{then}")]
    WithCleanUp {
        why: Box<Refusal>,
        /// What was done about it: begins with a semicolon.
        then: String,
    },
}

impl Refusal {
    /// A step that its plan does not allow for.
    pub fn defect(step: impl Display) -> Self {
        Self::Defect(format!("it planned to {step}"))
    }
}

/// Awaits the work until `end`, and turns a panic into a refusal, even a panic while the work is dropped, so that a defect is
/// answered like any other failure. A panic's message is not shown, because it may contain anything, including a secret.
pub async fn within<T>(
    deadline: Deadline,
    end: Instant,
    work: impl Future<Output = T>,
) -> Result<T, Refusal> {
    // In a block of its own, so that the work is dropped where a panic is caught.
    match catch_panic(async { timeout_at(end, work).await }).await? {
        Ok(done) => Ok(done),
        Err(_) => Err(Refusal::TooSlow(deadline.work_time().as_secs())),
    }
}

pub async fn catch_panic<T>(work: impl Future<Output = T>) -> Result<T, Refusal> {
    let panicked = |_| Refusal::Defect("it panicked, and its log says where".to_owned());
    AssertUnwindSafe(work)
        .catch_unwind()
        .await
        .map_err(panicked)
}
