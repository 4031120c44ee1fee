//! Plan: what there is and what is wanted → the steps between. Pure: no I/O, no clock, no choice left to [`crate::apply`].
//!
//! The steps of a stage are independent and run side by side; a stage begins when the one before has ended. Every step
//! can be repeated. Printed, a plan is the audit log.

mod goal;
mod keys;
mod lanes;
mod presence;
mod refusals;
mod removal;
mod rotation;
#[cfg(test)]
mod tests;

use std::fmt;

pub use goal::{Change, Goal};
pub use presence::presence;
pub use removal::removal;
pub use rotation::{RotationBlocked, RotationStep, rotation};

use crate::cloud::{Attachment, NewSecret, NewUser, SecretArn, TagMap, VersionId};
use crate::names::{PolicyArn, PolicyName, SecretKmsKey};
use crate::secret::{AccessKeyId, Label, StoredKey};

/// The steps to take, and how it ends.
#[derive(Debug)]
pub struct Plan {
    /// What a person should know, though nothing is done about it.
    pub notes: Vec<String>,
    /// The steps.
    pub stages: Vec<Vec<Step>>,
    /// Whether a step changes what the user may do.
    pub access: Access,
    /// What comes after the last step.
    pub end: End,
}

/// Whether what the user may do has changed, so that a proof has something to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// It is as it was.
    #[default]
    Same,
    /// User, policy or boundary was made or changed.
    Changed,
}

/// What comes after the last step of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// All is as wanted.
    Done,
    /// What was hidden can be seen now: observe and plan again.
    ObserveAgain,
    /// The rest is a person's to do; holds the reason for the answer.
    Refuse(String),
}

/// One step. What addresses the secret without an ARN comes after the step that makes or restores it.
#[derive(Debug)]
pub enum Step {
    /// Make the user.
    CreateUser(NewUser),
    /// Bound the user by this managed policy.
    SetBoundary(PolicyArn),
    /// Add or overwrite tags of the user.
    TagUser(TagMap),
    /// Remove tags of the user.
    UntagUser(Vec<String>),
    /// Write an inline policy.
    PutPolicy {
        /// Its name.
        name: PolicyName,
        /// Its document.
        document: String,
    },
    /// Remove an inline policy.
    DeletePolicy(PolicyName),
    /// Remove an access key.
    DeleteKey(AccessKeyId),
    /// Take off what hangs on the user.
    Detach(Attachment),
    /// Remove the user.
    DeleteUser,
    /// Make the secret, without a value.
    CreateSecret(NewSecret),
    /// Bring back the secret, which is pending deletion.
    RestoreSecret(SecretArn),
    /// Write description and encryption key of the secret.
    UpdateSecret {
        /// The description.
        description: String,
        /// The encryption key; `None` for the AWS-managed one.
        kms_key: Option<SecretKmsKey>,
    },
    /// Add or overwrite tags of the secret.
    TagSecret(TagMap),
    /// Remove tags of the secret.
    UntagSecret(Vec<String>),
    /// Move `AWSCURRENT`.
    Promote {
        /// Where it is.
        from: VersionId,
        /// Where it shall be.
        to: VersionId,
        /// The key stored there; `None`: the one that this plan made.
        key: Option<AccessKeyId>,
    },
    /// Take a label off a version.
    DropLabel {
        /// The label.
        label: Label,
        /// The version that holds it.
        version: VersionId,
    },
    /// Ask CloudFormation whether the request still stands; if not, observe again.
    AskStanding,
    /// Make a key and store it at once.
    MakeKey(NewKey),
    /// See that the key just stored still exists; if not, observe again.
    LookAgain,
    /// Read every bucket with a key.
    Prove(Proof),
    /// Remove replicas of the secret.
    RemoveReplicas {
        /// The secret.
        secret: SecretArn,
        /// The regions.
        regions: Vec<String>,
    },
    /// Remove the secret.
    DeleteSecret {
        /// The secret.
        secret: SecretArn,
        /// For how many days it can be restored; `None`: at once.
        recovery_days: Option<u8>,
    },
}

/// A key to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// The version to store it in: derived from the state in which this was decided, so that of two runs which decide
    /// the same only one can store.
    pub version: VersionId,
    /// The label to store it under.
    pub label: Label,
    /// The `KeySerial` it is for.
    pub serial: u64,
}

/// A proof to be made.
#[derive(Debug)]
pub struct Proof {
    /// With which key.
    pub key_under_test: KeyUnderTest,
    /// What a failure means.
    pub on_failure: OnFailure,
}

/// The key that a proof is made with.
#[derive(Debug)]
pub enum KeyUnderTest {
    /// The key that this plan made; if its proof fails, it is removed with its candidate label.
    Made(NewKey),
    /// A candidate of an earlier run; if its proof fails, it is removed with its label.
    Candidate(VersionId, StoredKey),
    /// The key that a rotation by Secrets Manager has stored; it stays, and the step is repeated with it.
    Pending(StoredKey),
    /// The key in use; it stays whatever the proof says.
    Current(StoredKey),
}

/// What the failure of a proof means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// The request fails.
    Fail,
    /// It is logged: in a rollback the old bucket may be gone, and a stack stuck in a failed rollback helps nobody.
    Log,
}

impl Plan {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.stages.iter().all(Vec::is_empty)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            f.write_str("nothing to do")?;
        }
        for (at, stage) in self
            .stages
            .iter()
            .filter(|stage| !stage.is_empty())
            .enumerate()
        {
            let steps: Vec<String> = stage.iter().map(Step::to_string).collect();
            write!(
                f,
                "{}{}",
                if at == 0 { "" } else { "; then " },
                steps.join(" and ")
            )?;
        }
        match &self.end {
            End::Done => Ok(()),
            End::ObserveAgain => f.write_str("; then observe again"),
            End::Refuse(reason) => write!(f, "; then refuse: {reason}"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |tags: &TagMap| {
            tags.keys()
                .map(|key| format!("`{key}`"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        match self {
            Self::CreateUser(user) => match &user.boundary {
                Some(boundary) => write!(f, "create user `{}` bounded by `{boundary}`", user.name),
                None => write!(f, "create user `{}` without a boundary", user.name),
            },
            Self::SetBoundary(boundary) => write!(f, "bound the user by `{boundary}`"),
            Self::TagUser(tags) => write!(f, "tag the user with {}", names(tags)),
            Self::UntagUser(keys) => write!(f, "untag the user of `{}`", keys.join("`, `")),
            Self::PutPolicy { name, document } => {
                write!(f, "put policy `{name}` of {} characters", document.len())
            }
            Self::DeletePolicy(name) => write!(f, "delete policy `{name}`"),
            Self::DeleteKey(key) => write!(f, "delete key `{key}`"),
            Self::Detach(Attachment { kind, id }) => write!(f, "detach {kind:?} `{id}`"),
            Self::DeleteUser => f.write_str("delete the user"),
            Self::CreateSecret(secret) => write!(f, "create secret `{}`", secret.name),
            Self::RestoreSecret(arn) => write!(f, "restore secret `{arn}`"),
            Self::UpdateSecret { kms_key, .. } => match kms_key {
                Some(key) => write!(f, "update the secret's description and its key `{key}`"),
                None => f.write_str("update the secret's description and its AWS-managed key"),
            },
            Self::TagSecret(tags) => write!(f, "tag the secret with {}", names(tags)),
            Self::UntagSecret(keys) => write!(f, "untag the secret of `{}`", keys.join("`, `")),
            Self::Promote { from, to, .. } => {
                write!(f, "move AWSCURRENT from version {from} to {to}")
            }
            Self::DropLabel { label, version } => write!(f, "take {label} off version {version}"),
            Self::AskStanding => f.write_str("ask CloudFormation"),
            Self::MakeKey(NewKey {
                version,
                label,
                serial,
            }) => {
                write!(
                    f,
                    "make a key for serial {serial} and store it as {label} in version {version}"
                )
            }
            Self::LookAgain => f.write_str("see that the stored key exists"),
            Self::Prove(Proof {
                key_under_test,
                on_failure,
            }) => {
                let whose = match key_under_test {
                    KeyUnderTest::Made(_) => "the new key",
                    KeyUnderTest::Candidate(..) => "the candidate key",
                    KeyUnderTest::Pending(_) => "the pending key",
                    KeyUnderTest::Current(_) => "the current key",
                };
                let consequence = match on_failure {
                    OnFailure::Fail => "",
                    OnFailure::Log => " (a failure is only logged)",
                };
                write!(f, "prove {whose} on every bucket{consequence}")
            }
            Self::RemoveReplicas { regions, .. } => {
                write!(f, "remove the replicas in {}", regions.join(", "))
            }
            Self::DeleteSecret {
                secret,
                recovery_days: None,
            } => write!(f, "delete secret `{secret}` at once"),
            Self::DeleteSecret {
                secret,
                recovery_days: Some(days),
            } => {
                write!(f, "delete secret `{secret}`, restorable for {days} days")
            }
        }
    }
}
