//! What we need of AWS, in our own words: one port, implemented by the SDK ([`crate::aws`]) and, in the
//! tests, by an in-memory account.
//!
//! # Guarantees of every implementation
//! - *Absent is success on removal*: deleting what is not there answers `Ok`.
//! - *Present is an answer on creation*, not an error: [`Creation::AlreadyThere`].
//! - A missing thing is `None` on reading.
//! - No error carries a secret, the response URL or a raw body: [`CloudError`] is made from code, message and
//!   request id at the call site.
//! - Repetition that AWS itself advises (throttling, 5xx, `ConcurrentModification`, …) is over when a call returns;
//!   only [`Cloud::create_key`] is sent exactly once, because it is not idempotent.
//!
//! # What callers may assume
//! - Reads may lag behind writes for some seconds (IAM is eventually consistent).
//! - [`ErrorKind::Unclear`] on a writing call: it may or may not have taken effect.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::time::SystemTime;

use secrecy::SecretString;

use crate::buckets::{BucketName, BucketUri};
use crate::names::{PolicyArn, PolicyName, SecretKmsKey, SecretName, UserName};
use crate::secret::{AccessKeyId, Label, StoredKey};

/// What an AWS call gives: our error, never the SDK's.
pub type Result<T> = std::result::Result<T, CloudError>;

/// The calls. See the module's text for what every one of them guarantees.
pub trait Cloud {
    /// The time now, for judging ages; the planner has no clock of its own.
    fn now(&self) -> SystemTime;

    // --- IAM: the user -----------------------------------------------------------------------------------------
    /// `iam:GetUser`: the user with its tags and boundary. IAM compares names ignoring case.
    fn find_user(&self, user: &UserName) -> impl Future<Output = Result<Option<User>>>;
    /// `iam:CreateUser` with boundary and tags in the one call, so that no untagged user can exist.
    fn create_user(&self, user: &NewUser) -> impl Future<Output = Result<Creation<User>>>;
    /// `iam:TagUser`: adds or overwrites.
    fn tag_user(&self, user: &UserName, tags: &TagMap) -> impl Future<Output = Result<()>>;
    /// `iam:UntagUser`: absent keys are ignored.
    fn untag_user(&self, user: &UserName, keys: &[String]) -> impl Future<Output = Result<()>>;
    /// `iam:PutUserPermissionsBoundary`.
    fn set_boundary(
        &self,
        user: &UserName,
        boundary: &PolicyArn,
    ) -> impl Future<Output = Result<()>>;
    /// `iam:DeleteUser`; fails with [`ErrorKind::Conflict`] while anything hangs on the user.
    fn delete_user(&self, user: &UserName) -> impl Future<Output = Result<()>>;

    // --- IAM: inline policies ----------------------------------------------------------------------------------
    /// `iam:ListUserPolicies`, all pages; empty where the user is missing.
    fn list_policies(&self, user: &UserName) -> impl Future<Output = Result<Vec<PolicyName>>>;
    /// `iam:GetUserPolicy`: the document as JSON text (percent-decoded).
    fn get_policy(
        &self,
        user: &UserName,
        policy: &PolicyName,
    ) -> impl Future<Output = Result<Option<String>>>;
    /// `iam:PutUserPolicy`: makes or replaces.
    fn put_policy(
        &self,
        user: &UserName,
        policy: &PolicyName,
        document: &str,
    ) -> impl Future<Output = Result<()>>;
    /// `iam:DeleteUserPolicy`.
    fn delete_policy(
        &self,
        user: &UserName,
        policy: &PolicyName,
    ) -> impl Future<Output = Result<()>>;

    // --- IAM: access keys --------------------------------------------------------------------------------------
    /// `iam:ListAccessKeys`, all pages; empty where the user is missing.
    fn list_keys(&self, user: &UserName) -> impl Future<Output = Result<Vec<Key>>>;
    /// `iam:CreateAccessKey`, sent exactly once and checked for wholeness. On [`ErrorKind::Unclear`] a key may exist
    /// whose secret half nobody has.
    fn create_key(&self, user: &UserName) -> impl Future<Output = Result<Minting>>;
    /// `iam:DeleteAccessKey`.
    fn delete_key(&self, user: &UserName, key: &AccessKeyId) -> impl Future<Output = Result<()>>;
    /// `iam:GetAccessKeyLastUsed`: the name of the user that has this key now, of whatever name; `None` if no user
    /// of this account has it.
    fn key_owner(&self, key: &AccessKeyId) -> impl Future<Output = Result<Option<String>>>;

    // --- IAM: what people hang on a user -----------------------------------------------------------------------
    /// What of this kind hangs on the user, all pages; empty where the user is missing.
    fn list_attachments(
        &self,
        user: &UserName,
        kind: AttachmentKind,
    ) -> impl Future<Output = Result<Vec<Attachment>>>;
    /// Takes one off. Group memberships cannot be taken off with a role that is safe: they are never passed here.
    fn detach(&self, user: &UserName, attachment: &Attachment) -> impl Future<Output = Result<()>>;

    // --- Secrets Manager ---------------------------------------------------------------------------------------
    /// `secretsmanager:DescribeSecret`, also of a secret that is pending deletion.
    fn find_secret(&self, secret: &SecretName) -> impl Future<Output = Result<Option<Secret>>>;
    /// `secretsmanager:ListSecretVersionIds` with the deprecated ones, all pages; empty where the secret is missing
    /// or has no version.
    fn list_versions(&self, secret: &SecretName) -> impl Future<Output = Result<Vec<Version>>>;
    /// `secretsmanager:GetSecretValue` of one version; `None` where it has no value.
    fn read_version(
        &self,
        secret: &SecretArn,
        version: &VersionId,
    ) -> impl Future<Output = Result<Option<SecretString>>>;
    /// `secretsmanager:CreateSecret` without a value, with tags. A name whose secret is pending deletion is
    /// [`Creation::AlreadyThere`]; one that is not yet free after a forced deletion is waited for, for half a minute at
    /// most, and then answered [`ErrorKind::Conflict`].
    fn create_secret(
        &self,
        secret: &NewSecret,
    ) -> impl Future<Output = Result<Creation<SecretArn>>>;
    /// `secretsmanager:RestoreSecret`.
    fn restore_secret(&self, secret: &SecretArn) -> impl Future<Output = Result<()>>;
    /// `secretsmanager:UpdateSecret` of description and key, never of the value.
    fn update_secret(
        &self,
        secret: &SecretArn,
        description: &str,
        kms_key: Option<&SecretKmsKey>,
    ) -> impl Future<Output = Result<()>>;
    /// `secretsmanager:TagResource`: adds or overwrites.
    fn tag_secret(&self, secret: &SecretArn, tags: &TagMap) -> impl Future<Output = Result<()>>;
    /// `secretsmanager:UntagResource`: absent keys are ignored.
    fn untag_secret(&self, secret: &SecretArn, keys: &[String])
    -> impl Future<Output = Result<()>>;
    /// `secretsmanager:PutSecretValue` under one label, idempotent for an equal value.
    fn store_version(
        &self,
        secret: &SecretArn,
        version: &VersionId,
        value: &SecretString,
        label: Label,
    ) -> impl Future<Output = Result<Storing>>;
    /// `secretsmanager:UpdateSecretVersionStage`: moves a label; `from` must hold it, `to` = `None` takes it off.
    /// A label that is not where `from` says is [`ErrorKind::Rejected`].
    fn move_label(
        &self,
        secret: &SecretArn,
        label: &str,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
    ) -> impl Future<Output = Result<()>>;
    /// `secretsmanager:RemoveRegionsFromReplication`.
    fn remove_replicas(
        &self,
        secret: &SecretArn,
        regions: &[String],
    ) -> impl Future<Output = Result<()>>;
    /// `secretsmanager:DeleteSecret`: at once for `None`, else restorable for so many days. A secret that is already
    /// pending deletion is success.
    fn delete_secret(
        &self,
        secret: &SecretArn,
        recovery_days: Option<u8>,
    ) -> impl Future<Output = Result<()>>;

    // --- CloudFormation ----------------------------------------------------------------------------------------
    /// `cloudformation:DescribeStackResource`: how CloudFormation sees the resource now.
    fn standing(&self, stack_id: &str, logical_id: &str) -> impl Future<Output = Result<Standing>>;
    /// `cloudformation:DescribeStacks`: whether the stack is rolling back.
    fn direction(&self, stack_id: &str) -> impl Future<Output = Result<Direction>>;

    // --- S3 ----------------------------------------------------------------------------------------------------
    /// The bucket's region, by an unsigned `HEAD` (`x-amz-bucket-region` comes with 200, 301 and 403 alike); `None` if
    /// there is no such bucket.
    fn bucket_region(&self, bucket: &BucketName) -> impl Future<Output = Result<Option<String>>>;

    // --- with the user's own key -------------------------------------------------------------------------------
    /// `sts:GetCallerIdentity` with this key: the ARN of whose key it is.
    fn caller_of(&self, key: &StoredKey) -> impl Future<Output = Result<String>>;
    /// `s3:ListObjectsV2` with this key, at most one entry under the prefix: the first object's key, or `None` if
    /// there is none.
    fn first_object(
        &self,
        key: &StoredKey,
        region: &str,
        bucket: &BucketUri,
    ) -> impl Future<Output = Result<Option<String>>>;
    /// `s3:GetObject` of the object's first byte with this key. The body is dropped.
    fn first_byte(
        &self,
        key: &StoredKey,
        region: &str,
        bucket: &BucketName,
        object: &str,
    ) -> impl Future<Output = Result<()>>;
}

/// Tags as AWS gives them: key to value.
pub type TagMap = BTreeMap<String, String>;

/// What came of a creating call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Creation<T> {
    /// This call made it.
    Made(T),
    /// It was there before; whose it is, observing again tells.
    AlreadyThere,
}

/// An IAM user to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    /// Its name.
    pub name: UserName,
    /// The managed policy that bounds it.
    pub boundary: Option<PolicyArn>,
    /// All its tags, those of ownership included.
    pub tags: TagMap,
}

/// An IAM user as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its name as IAM spells it; the case can differ from what was asked for.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Its tags.
    pub tags: TagMap,
    /// The ARN of its permissions boundary.
    pub boundary: Option<String>,
}

/// An access key as IAM lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its id.
    pub id: AccessKeyId,
    /// Whether it works.
    pub status: KeyStatus,
    /// When it was made.
    pub created: SystemTime,
}

/// Whether a key works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStatus {
    /// It works.
    Active,
    /// It was deactivated or has expired; it still counts towards IAM's limit of two.
    Inactive,
}

/// What came of `CreateAccessKey`.
#[derive(Debug)]
pub enum Minting {
    /// A whole key.
    Minted {
        /// Its id.
        id: AccessKeyId,
        /// Its secret half.
        secret: SecretString,
    },
    /// The user has two keys already: nothing was made.
    LimitReached,
}

/// What people hang on a user, apart from inline policies and access keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttachmentKind {
    /// An attached managed policy; the id is its ARN.
    ManagedPolicy,
    /// The console password; the id is the user's name.
    LoginProfile,
    /// An SSH public key.
    SshKey,
    /// A signing certificate.
    SigningCertificate,
    /// A service-specific credential (CodeCommit, Keyspaces, Bedrock).
    ServiceCredential,
    /// An MFA device; the id is its serial number.
    MfaDevice,
    /// Membership in a group; the id is the group's name.
    Group,
}

impl AttachmentKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::ManagedPolicy,
        Self::LoginProfile,
        Self::SshKey,
        Self::SigningCertificate,
        Self::ServiceCredential,
        Self::MfaDevice,
        Self::Group,
    ];
}

/// One thing that hangs on a user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attachment {
    /// What it is.
    pub kind: AttachmentKind,
    /// Its id within its kind.
    pub id: String,
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

/// A secret to be made, without a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSecret {
    /// Its name.
    pub name: SecretName,
    /// What it says to a person.
    pub description: String,
    /// The key that encrypts it; `None` for the AWS-managed one.
    pub kms_key: Option<SecretKmsKey>,
    /// All its tags, those of ownership included.
    pub tags: TagMap,
}

/// A secret as it is, without values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// Its full ARN.
    pub arn: SecretArn,
    /// Its tags.
    pub tags: TagMap,
    /// What it says to a person; empty if nothing.
    pub description: String,
    /// The key that encrypts it as Secrets Manager shows it; `None` for the AWS-managed one.
    pub kms_key: Option<String>,
    /// When it was made or last changed in any way.
    pub changed: SystemTime,
    /// Whether it is usable.
    pub state: SecretState,
    /// Every labelled version with its labels.
    pub labels: BTreeMap<VersionId, BTreeSet<String>>,
    /// The regions it is replicated to.
    pub replicas: Vec<String>,
    /// Whether Secrets Manager rotates it.
    pub rotation: Rotation,
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
    /// Rotation is enabled.
    Enabled,
    /// Rotation is cancelled, or was never configured.
    Off,
    /// Secrets Manager leaves it out. That it does so before the test of the first schedule has ended is not documented,
    /// and not excluded.
    Unsaid,
}

/// A version of the secret, labelled or deprecated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its id.
    pub id: VersionId,
    /// When it was stored.
    pub created: SystemTime,
}

/// What came of storing a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storing {
    /// The version holds this value.
    Stored,
    /// The version exists with another value: another run took the same decision and was first.
    TokenTaken,
}

/// How CloudFormation sees the resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The operation is under way, or there is no clear answer: go on.
    Wanted,
    /// `*_COMPLETE`: somebody answered this request already, it is a late duplicate. Holds the resource's physical id.
    Settled(String),
    /// `CREATE_FAILED`, `DELETE_*`, or the stack is gone: nobody wants the resource any more.
    Abandoned,
}

impl Standing {
    /// Reads a [resource status](https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackResourceDetail.html).
    /// A status that this does not know gives no clear answer.
    pub fn of_status(status: &str, physical_id: &str) -> Self {
        match status {
            "CREATE_COMPLETE"
            | "UPDATE_COMPLETE"
            | "IMPORT_COMPLETE"
            | "ROLLBACK_COMPLETE"
            | "UPDATE_ROLLBACK_COMPLETE" => Self::Settled(physical_id.to_owned()),
            "CREATE_FAILED" => Self::Abandoned,
            // Retained (DELETE_SKIPPED) is out of the stack as well, and somebody chose to keep it as it is.
            "DELETE_SKIPPED" => Self::Settled(physical_id.to_owned()),
            status if status.starts_with("DELETE_") => Self::Abandoned,
            _ => Self::Wanted,
        }
    }
}

/// Which way the stack goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Towards the new template.
    Forward,
    /// Rolling back: the properties are those of before.
    Rollback,
}

/// An AWS call that failed, as far as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct CloudError {
    /// IAM's name of the action, such as `iam:CreateUser`.
    pub operation: &'static str,
    /// What to make of it.
    pub kind: ErrorKind,
    /// AWS's error code, if it answered with one.
    pub code: Option<String>,
    /// AWS's message, or ours where its answer could not be read.
    pub message: String,
    /// AWS's request id, if it answered.
    pub request_id: Option<String>,
}

impl fmt::Display for CloudError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` failed", self.operation)?;
        if let Some(code) = &self.code {
            write!(f, " with `{code}`")?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(id) = &self.request_id {
            write!(f, " (AWS request id {id})")?;
        }
        Ok(())
    }
}

/// What to make of a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// What it was to act on is missing. Right after a create: not visible yet.
    NotFound,
    /// `AccessDenied` and its kin. Right after a create, tag or boundary step, or on a fresh role: perhaps not yet.
    Denied,
    /// The key is not known (yet): `InvalidClientTokenId`, `InvalidAccessKeyId`.
    UnknownKey,
    /// Throttled, and the adapter's own repetition did not help: nothing happened.
    Throttled,
    /// Something else is in the way for now: `DeleteConflict`, `ConcurrentModification`, `EntityTemporarilyUnmodifiable`.
    Conflict,
    /// A quota is used up.
    LimitExceeded,
    /// AWS refuses this request for good: nothing happened.
    Rejected,
    /// No answer, a 5xx, or an answer that could not be read: it may have happened.
    Unclear,
}
