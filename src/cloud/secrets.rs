//! Secrets, their versions and the labels on them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::SystemTime;

use secrecy::SecretString;

use super::{Creation, Result};
use crate::request::names::{SecretKmsKey, SecretName, TagMap};

pub trait Secrets {
    /// `secretsmanager:DescribeSecret`, also of a secret that is pending deletion.
    async fn find_secret(&self, secret: &SecretName) -> Result<Option<Secret>>;
    /// `secretsmanager:ListSecretVersionIds` with the deprecated ones, all pages; empty if the secret is missing or has
    /// no version.
    async fn list_versions(&self, secret: &SecretName) -> Result<Vec<Version>>;
    /// `secretsmanager:GetSecretValue` of one version; `None` if it has no value.
    async fn read_version(
        &self,
        secret: &SecretArn,
        version: &VersionId,
    ) -> Result<Option<SecretString>>;
    /// `secretsmanager:CreateSecret` without a value, with tags. A name whose secret is pending deletion is
    /// [`Creation::AlreadyExists`]; one that is not free yet after a forced deletion is waited for, up to half a
    /// minute, and then answered [`ErrorKind::Conflict`].
    async fn create_secret(&self, secret: &NewSecret) -> Result<Creation<SecretArn>>;
    /// `secretsmanager:RestoreSecret`.
    async fn restore_secret(&self, secret: &SecretArn) -> Result<()>;
    /// `secretsmanager:UpdateSecret` of description and encryption key, never of the value.
    async fn update_secret(
        &self,
        secret: &SecretArn,
        description: &str,
        encryption: &Encryption,
    ) -> Result<()>;
    /// `secretsmanager:TagResource`: adds or overwrites.
    async fn tag_secret(&self, secret: &SecretArn, tags: &TagMap) -> Result<()>;
    /// `secretsmanager:UntagResource`: absent keys are ignored.
    async fn untag_secret(&self, secret: &SecretArn, keys: &[String]) -> Result<()>;
    /// `secretsmanager:PutSecretValue` under one label, idempotent for an equal value.
    async fn store_version(
        &self,
        secret: &SecretArn,
        version: &VersionId,
        value: &SecretString,
        label: Label,
    ) -> Result<PutVersion>;
    /// `secretsmanager:UpdateSecretVersionStage`: moves a label; `from` must hold it, and `to` = `None` removes it. A
    /// label that is not where `from` says is [`ErrorKind::Rejected`].
    async fn move_label(
        &self,
        secret: &SecretArn,
        label: Label,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
    ) -> Result<()>;
    /// `secretsmanager:RemoveRegionsFromReplication`.
    async fn remove_replicas(&self, secret: &SecretArn, regions: &[String]) -> Result<()>;
    /// `secretsmanager:DeleteSecret`: at once for `None`, otherwise restorable for that many days. A secret that is
    /// already pending deletion counts as success.
    async fn delete_secret(&self, secret: &SecretArn, recovery_days: Option<u8>) -> Result<()>;
}

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

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSecret {
    pub name: SecretName,
    pub description: String,
    /// The key that encrypts it; `None` for the AWS-managed one.
    pub kms_key: Option<SecretKmsKey>,
    /// All its tags, including the ownership tags.
    pub tags: TagMap,
}

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
    pub replicas: Vec<String>,
    /// The region of the secret that it is a replica of, or its own; `None` if Secrets Manager does not say.
    pub primary_region: Option<String>,
    pub rotation: Rotation,
    /// When Secrets Manager rotates it next, if it says.
    pub next_rotation: Option<SystemTime>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encryption {
    Unchanged,
    AwsManaged,
    Key(SecretKmsKey),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretState {
    Live,
    /// It was deleted with a recovery window and can be restored.
    PendingDeletion,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    Enabled,
    /// Rotation is cancelled, or was never configured.
    Off,
    /// Secrets Manager does not say, perhaps because the test of the first schedule has not ended. The documentation
    /// leaves that open.
    Unsaid,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub id: VersionId,
    pub created: SystemTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutVersion {
    Stored,
    /// The version exists with another value: another run made the same decision first.
    TokenTaken,
}

/// A staging label of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label {
    Current,
    /// `AWSPREVIOUS`: the previous key, active until the next rotation. Secrets Manager moves this label by itself.
    Previous,
    /// `PublisherCandidate`, which release 0.2.0 put on a key that it had not proved yet.
    Candidate,
    /// `AWSPENDING`: Secrets Manager's own rotation is under way.
    Pending,
}

impl Label {
    /// The label as Secrets Manager spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "AWSCURRENT",
            Self::Previous => "AWSPREVIOUS",
            Self::Candidate => "PublisherCandidate",
            Self::Pending => "AWSPENDING",
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
