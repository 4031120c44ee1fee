//! Plans and their steps, and how they print.

use std::fmt;

use super::Warning;
use crate::cloud::{
    AccessKeyId, Attachment, Encryption, Label, NewSecret, NewUser, SecretArn, StoredKey, VersionId,
};
use crate::observe::{Access, Refusal};
use crate::request::buckets::BucketUri;
use crate::request::names::{KeySerial, PolicyArn, PolicyName, TagMap};

/// The steps to take, and what comes after them.
#[derive(Debug)]
pub struct Plan {
    pub warnings: Vec<Warning>,
    pub stages: Vec<Vec<Step>>,
    /// Whether this plan or one before it changes what the user may do.
    pub access: Access,
    pub end: End,
}

/// What comes after the last step of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Done,
    /// More can be seen now, or soon: observe and plan again. Holds why.
    ObserveAgain(String),
    /// A person has to do the rest.
    Refuse(Refusal),
}

/// One step. A step that needs the secret's ARN comes after the step that makes or restores the secret.
#[derive(Debug)]
pub enum Step {
    CreateUser(NewUser),
    SetBoundary(PolicyArn),
    TagUser(TagMap),
    UntagUser(Vec<String>),
    PutPolicy {
        name: PolicyName,
        document: String,
    },
    DeletePolicy(PolicyName),
    DeleteKey(AccessKeyId),
    Detach(Attachment),
    DeleteUser,
    CreateSecret(NewSecret),
    /// Bring back the secret, which is pending deletion.
    RestoreSecret(SecretArn),
    UpdateSecret {
        description: String,
        encryption: Encryption,
        /// In a rollback, a key that cannot be gone back to is only a warning.
        on_failure: OnFailure,
    },
    TagSecret(TagMap),
    UntagSecret(Vec<String>),
    MoveLabel {
        label: Label,
        from: VersionId,
        /// `None` removes the label.
        to: Option<VersionId>,
    },
    /// Ask CloudFormation whether it still waits for this request; if not, observe again.
    AskCloudFormation,
    /// Make a key, prove it, and only then store it.
    MakeKey(NewKey),
    /// Read every bucket with a key.
    Prove(Proof),
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

/// What a step is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nature {
    /// Whether it changes something in the account.
    pub changes: bool,
    /// Whether IAM may take a while to show it everywhere.
    pub lags: bool,
    /// Whether another run may have done it already, so that AWS refuses it: observing again shows that.
    pub may_be_overtaken: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// The version to store it in. It is derived from the state of the decision, so that only one of two runs with the
    /// same decision can store a key.
    pub version: VersionId,
    pub label: Label,
    /// The `KeySerial` it is for.
    pub serial: KeySerial,
    /// How it is proved before it is stored; `None` stores it untried.
    pub trial: Option<Trial>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    pub on_failure: OnFailure,
    pub targets: Vec<Target>,
}

/// A proof of a key that stays, whatever the proof says.
#[derive(Debug)]
pub struct Proof {
    pub key: StoredKey,
    pub whose: Whose,
    pub trial: Trial,
}

/// A bucket to read, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub bucket: BucketUri,
    pub region: String,
    pub on_empty: OnEmpty,
}

/// What it means if nothing is under an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnEmpty {
    /// The proof fails: the entry is new, and probably mistyped.
    Fail,
    /// It is a warning, and a finding of a check: something was there before.
    Warn,
    /// It is a warning only: the template allows it.
    Allow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    Current,
    /// The key that a rotation by Secrets Manager has stored.
    Pending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    Fail,
    /// The request fails, unless AWS does not accept the key itself: a new key may then read more.
    FailIfAccepted,
    /// It is a warning: in a rollback the old bucket may be gone, and a stack stuck in a failed rollback helps nobody.
    Warn,
}

impl Plan {
    /// A plan without steps that ends like this.
    pub fn nothing(end: End) -> Self {
        Self::of(Vec::new(), end)
    }

    /// A plan of these stages.
    pub fn of(stages: Vec<Vec<Step>>, end: End) -> Self {
        Self {
            warnings: Vec::new(),
            stages,
            access: Access::Same,
            end,
        }
    }

    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.stages.iter().flatten()
    }
}

/// Stages of one step each.
pub(super) fn in_turn(steps: impl IntoIterator<Item = Step>) -> Vec<Vec<Step>> {
    steps.into_iter().map(|step| vec![step]).collect()
}

impl Step {
    /// What the step is like. A new step has to decide all of it here.
    pub fn nature(&self) -> Nature {
        let (changes, lags, may_be_overtaken) = match self {
            Self::CreateUser(_)
            | Self::TagUser(_)
            | Self::SetBoundary(_)
            | Self::CreateSecret(_)
            | Self::TagSecret(_) => (true, true, false),
            Self::UntagUser(_)
            | Self::PutPolicy { .. }
            | Self::DeletePolicy(_)
            | Self::DeleteKey(_)
            | Self::Detach(_)
            | Self::DeleteUser
            | Self::RestoreSecret(_)
            | Self::UpdateSecret { .. }
            | Self::UntagSecret(_)
            | Self::MakeKey(_)
            | Self::RemoveReplicas { .. }
            | Self::DeleteSecret { .. } => (true, false, false),
            Self::MoveLabel { .. } => (true, false, true),
            Self::AskCloudFormation | Self::Prove(_) => (false, false, false),
        };
        Nature {
            changes,
            lags,
            may_be_overtaken,
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stages = self.stages.iter().filter(|stage| !stage.is_empty());
        let stages: Vec<String> = stages
            .map(|stage| {
                let steps: Vec<String> = stage.iter().map(Step::to_string).collect();
                steps.join(" and ")
            })
            .collect();
        if stages.is_empty() {
            f.write_str("nothing to do")?;
        }
        f.write_str(&stages.join("; then "))?;
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
            Self::UpdateSecret { encryption, .. } => match encryption {
                Encryption::Unchanged => f.write_str("update the secret's description"),
                Encryption::AwsManaged => {
                    f.write_str("update the secret's description and its AWS-managed key")
                }
                Encryption::Key(key) => {
                    write!(f, "update the secret's description and its key `{key}`")
                }
            },
            Self::TagSecret(tags) => write!(f, "tag the secret with {}", keys_of(tags)),
            Self::UntagSecret(keys) => {
                write!(f, "remove tags `{}` from the secret", keys.join("`, `"))
            }
            Self::MoveLabel { label, from, to } => match to {
                Some(to) => write!(f, "move {label} from version {from} to {to}"),
                None => write!(f, "remove {label} from version {from}"),
            },
            Self::AskCloudFormation => f.write_str("ask CloudFormation"),
            Self::MakeKey(key) => write!(f, "make {key}"),
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
            trial,
        } = self;
        let proved = match trial.as_ref().map(|trial| trial.on_failure) {
            Some(OnFailure::Fail | OnFailure::FailIfAccepted) => ", prove it on every bucket",
            Some(OnFailure::Warn) => ", prove it (what it cannot read is only a warning)",
            None => "",
        };
        write!(
            f,
            "a key for serial {serial}{proved} and store it as {label} in version {version}"
        )
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = match self.whose {
            Whose::Current => "the current key",
            Whose::Pending => "the pending key",
        };
        let consequence = match self.trial.on_failure {
            OnFailure::Fail => "",
            OnFailure::FailIfAccepted => " before another key goes",
            OnFailure::Warn => " (a failure is only a warning)",
        };
        write!(f, "prove {whose} on every bucket{consequence}")
    }
}

fn keys_of(tags: &TagMap) -> String {
    let keys: Vec<String> = tags.keys().map(|key| format!("`{key}`")).collect();
    keys.join(", ")
}
