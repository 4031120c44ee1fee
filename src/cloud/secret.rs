//! Secrets and their versions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::SystemTime;

use super::TagMap;
use crate::names::{SecretKmsKey, SecretName};

/// The full ARN of a secret, with the suffix that Secrets Manager appends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretArn(pub String);

impl fmt::Display for SecretArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of a version of the secret: the `ClientRequestToken` it was stored with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionId(pub String);

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A secret to create, without a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSecret {
    pub name: SecretName,
    pub description: String,
    /// The key that encrypts it; `None` for the AWS-managed one.
    pub kms_key: Option<SecretKmsKey>,
    /// All its tags, including the ownership tags.
    pub tags: TagMap,
}

/// A secret as it is, without values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    pub arn: SecretArn,
    pub tags: TagMap,
    /// Its description; empty if it has none.
    pub description: String,
    /// The key that encrypts it as Secrets Manager shows it; `None` for the AWS-managed one.
    pub kms_key: Option<String>,
    /// When it was made or last changed in any way.
    pub changed: SystemTime,
    pub state: SecretState,
    /// Every labelled version with its labels.
    pub labels: BTreeMap<VersionId, BTreeSet<String>>,
    /// The regions it is replicated to.
    pub replicas: Vec<String>,
    /// Whether Secrets Manager rotates it.
    pub rotation: Rotation,
    /// When Secrets Manager rotates it next, if it says.
    pub next_rotation: Option<SystemTime>,
}

/// Whether a secret is usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretState {
    /// It can be read and written.
    Live,
    /// It was deleted with a recovery window and can be restored.
    PendingDeletion,
}

/// Whether Secrets Manager rotates the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    Enabled,
    /// Rotation is cancelled, or was never configured.
    Off,
    /// Secrets Manager does not say, perhaps because the test of the first schedule has not ended. The documentation
    /// leaves that open.
    Unsaid,
}

/// A version of the secret, labelled or deprecated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub id: VersionId,
    /// When it was stored.
    pub created: SystemTime,
}

/// The result of storing a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutVersion {
    /// The version holds this value.
    Stored,
    /// The version exists with another value: another run made the same decision first.
    TokenTaken,
}
