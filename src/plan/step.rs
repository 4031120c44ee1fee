//! Plans and their steps, and how they print.

use std::fmt;

use super::Refusal;
use crate::buckets::BucketUri;
use crate::cloud::{Attachment, NewSecret, NewUser, SecretArn, TagMap, VersionId};
use crate::names::{PolicyArn, PolicyName, SecretKmsKey};
use crate::secret::{AccessKeyId, Label, StoredKey};

/// The steps to take, and what comes after them.
#[derive(Debug)]
pub struct Plan {
    /// Notes for a person, on what the plan does not change.
    pub notes: Vec<String>,
    pub stages: Vec<Vec<Step>>,
    /// Whether a step changes what the user may do.
    pub access: Access,
    /// What comes after the last step.
    pub end: End,
}

/// Whether the user's access has changed, so that a proof is needed.
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
    /// Everything is as wanted.
    Done,
    /// More can be seen now, or soon: observe and plan again. Holds why.
    ObserveAgain(String),
    /// A person has to do the rest. Holds the reason.
    Refuse(Refusal),
}

/// One step. A step that needs the secret's ARN comes after the step that makes or restores the secret.
#[derive(Debug)]
pub enum Step {
    CreateUser(NewUser),
    /// Bound the user by this managed policy.
    SetBoundary(PolicyArn),
    /// Add or overwrite tags of the user.
    TagUser(TagMap),
    /// Remove tags of the user.
    UntagUser(Vec<String>),
    PutPolicy {
        name: PolicyName,
        document: String,
    },
    DeletePolicy(PolicyName),
    DeleteKey(AccessKeyId),
    /// Remove what is attached to the user.
    Detach(Attachment),
    DeleteUser,
    /// Make the secret, without a value.
    CreateSecret(NewSecret),
    /// Bring back the secret, which is pending deletion.
    RestoreSecret(SecretArn),
    /// Set the secret's description and encryption key.
    UpdateSecret {
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
        /// Where it is to be.
        to: VersionId,
        /// The key stored there; `None` means the key that this plan made.
        key: Option<AccessKeyId>,
    },
    /// Move `AWSPREVIOUS` back to the key before the one that was replaced, which is dead.
    KeepPrevious {
        /// Where `AWSCURRENT` was taken from, and so where the label is now.
        from: VersionId,
        /// The version whose key works on.
        to: VersionId,
    },
    /// Take a label off a version.
    DropLabel {
        label: Label,
        /// The version that holds it.
        version: VersionId,
    },
    /// Ask CloudFormation whether it still waits for this request; if not, observe again.
    AskCloudFormation,
    /// Make a key and store it at once.
    MakeKey(NewKey),
    /// Check that the key just stored still exists; if not, observe again.
    LookAgain,
    /// Read every bucket with a key.
    Prove(Proof),
    /// Remove replicas of the secret.
    RemoveReplicas {
        secret: SecretArn,
        regions: Vec<String>,
    },
    DeleteSecret {
        secret: SecretArn,
        /// For how many days it can be restored; `None` deletes it at once.
        recovery_days: Option<u8>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// The version to store it in. It is derived from the state of the decision, so that only one of two runs with the
    /// same decision can store a key.
    pub version: VersionId,
    /// The label to store it under.
    pub label: Label,
    /// The `KeySerial` it is for.
    pub serial: u64,
}

#[derive(Debug)]
pub struct Proof {
    pub key_under_test: KeyUnderTest,
    /// What a failure means.
    pub on_failure: OnFailure,
    /// What the key must read.
    pub targets: Vec<Target>,
}

/// A bucket to read, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The entry of `Buckets`.
    pub bucket: BucketUri,
    pub region: String,
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
    /// The current key. It stays, whatever the proof says.
    Current(StoredKey),
}

/// What a failed proof means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// The request fails.
    Fail,
    /// It is logged: in a rollback the old bucket may be gone, and a stack stuck in a failed rollback helps nobody.
    Log,
}

impl Plan {
    /// A plan without steps that ends like this.
    pub fn nothing(end: End) -> Self {
        Self {
            notes: Vec::new(),
            stages: Vec::new(),
            access: Access::Same,
            end,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.steps().next().is_none()
    }

    /// All steps, in order.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.stages.iter().flatten()
    }

    /// Whether everything is as wanted: no step changes anything (a proof does not), and the plan ends as done.
    pub fn changes_nothing(&self) -> bool {
        self.end == End::Done && self.steps().all(|step| !step.changes_something())
    }
}

impl Step {
    /// Whether the step changes something in the account.
    pub fn changes_something(&self) -> bool {
        !matches!(
            self,
            Self::AskCloudFormation | Self::LookAgain | Self::Prove(_)
        )
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
            End::ObserveAgain(_) => f.write_str("; then observe again"),
            End::Refuse(reason) => write!(f, "; then refuse: {reason}"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateUser(NewUser { name, boundary, .. }) => match boundary {
                Some(boundary) => write!(f, "create user `{name}` bounded by `{boundary}`"),
                None => write!(f, "create user `{name}` without a boundary"),
            },
            Self::SetBoundary(boundary) => write!(f, "bound the user by `{boundary}`"),
            Self::TagUser(tags) => write!(f, "tag the user with {}", keys_of(tags)),
            Self::UntagUser(keys) => write!(f, "remove tags `{}` from the user", keys.join("`, `")),
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
            Self::TagSecret(tags) => write!(f, "tag the secret with {}", keys_of(tags)),
            Self::UntagSecret(keys) => {
                write!(f, "remove tags `{}` from the secret", keys.join("`, `"))
            }
            Self::Promote { from, to, .. } => {
                write!(f, "move AWSCURRENT from version {from} to {to}")
            }
            Self::KeepPrevious { from, to } => {
                write!(f, "move AWSPREVIOUS from version {from} to {to}")
            }
            Self::DropLabel { label, version } => {
                write!(f, "remove {label} from version {version}")
            }
            Self::AskCloudFormation => f.write_str("ask CloudFormation"),
            Self::MakeKey(key) => write!(f, "make {key}"),
            Self::LookAgain => f.write_str("check that the stored key exists"),
            Self::Prove(proof) => write!(f, "{proof}"),
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

impl fmt::Display for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            version,
            label,
            serial,
        } = self;
        write!(
            f,
            "a key for serial {serial} and store it as {label} in version {version}"
        )
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = match self.key_under_test {
            KeyUnderTest::Made(_) => "the new key",
            KeyUnderTest::Candidate(..) => "the candidate key",
            KeyUnderTest::Pending(_) => "the pending key",
            KeyUnderTest::Current(_) => "the current key",
        };
        let consequence = match self.on_failure {
            OnFailure::Fail => "",
            OnFailure::Log => " (a failure is only logged)",
        };
        write!(f, "prove {whose} on every bucket{consequence}")
    }
}

fn keys_of(tags: &TagMap) -> String {
    let keys: Vec<String> = tags.keys().map(|key| format!("`{key}`")).collect();
    keys.join(", ")
}
