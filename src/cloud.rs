//! What we need of AWS, in our own words: one port, implemented by the SDK ([`crate::aws`]) and, in the
//! tests, by an in-memory account.
//!
//! # Guarantees of every implementation
//! - *Absent is success on removal*: deleting a missing thing answers `Ok`.
//! - *Present is an answer on creation*, not an error: [`Creation::AlreadyExists`].
//! - A missing thing is `None` on reading.
//! - No error carries a secret, the response URL or a raw body: [`CloudError`] is made from code, message and
//!   request id at the call site.
//! - A call that returns has made all the retries that AWS advises (throttling, 5xx, `ConcurrentModification`, …). Only
//!   [`Cloud::create_key`] is sent exactly once, because it is not idempotent.
//!
//! # What callers may assume
//! - Reads may lag behind writes for some seconds (IAM is eventually consistent).
//! - [`ErrorKind::Indeterminate`] on a writing call: it may or may not have taken effect.

mod error;
mod notifier;
mod object;
mod secret;
mod stack;
mod user;

pub use error::{CloudError, Denial, Denied, ErrorKind, PolicyKind};
pub use notifier::{Message, Notifier, Subscriptions, TopicArn};
pub use object::{ListedObject, ObjectRead};
pub use secret::{
    NewSecret, PutVersion, Rotation, Secret, SecretArn, SecretState, Version, VersionId,
};
pub use stack::{ResourceStatus, Stack, StackOperation, StackResource, StackStatus, StackView};
pub use user::{Attachment, AttachmentKind, CreatedKey, Key, KeyStatus, LastUse, NewUser, User};

use std::collections::BTreeMap;
use std::future::Future;
use std::time::SystemTime;

use secrecy::SecretString;

use crate::buckets::{BucketName, BucketUri};
use crate::names::{PolicyArn, PolicyName, SecretKmsKey, SecretName, UserName};
use crate::secret::{AccessKeyId, Label, StoredKey};

/// The result of an AWS call, with our error and never the SDK's.
pub type Result<T> = std::result::Result<T, CloudError>;

/// The calls. The module's text says what each of them guarantees.
pub trait Cloud {
    /// The time now, for judging ages; the planner has no clock of its own.
    fn now(&self) -> SystemTime;

    // --- IAM: the user -----------------------------------------------------------------------------------------
    /// `iam:GetUser`: the user with its tags and boundary. IAM compares names ignoring case.
    fn find_user(&self, user: &UserName) -> impl Future<Output = Result<Option<User>>>;
    /// `iam:CreateUser` with boundary and tags in one call, so that no untagged user can exist.
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
    /// `iam:DeleteUser`; fails with [`ErrorKind::Conflict`] while anything is attached to the user.
    fn delete_user(&self, user: &UserName) -> impl Future<Output = Result<()>>;

    // --- IAM: inline policies ----------------------------------------------------------------------------------
    /// `iam:ListUserPolicies`, all pages; empty if the user is missing.
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
    /// `iam:ListAccessKeys`, all pages; empty if the user is missing.
    fn list_keys(&self, user: &UserName) -> impl Future<Output = Result<Vec<Key>>>;
    /// `iam:CreateAccessKey`, sent exactly once, with the answer checked to be whole. After
    /// [`ErrorKind::Indeterminate`], a key may exist whose secret half nobody has.
    fn create_key(&self, user: &UserName) -> impl Future<Output = Result<CreatedKey>>;
    /// `iam:DeleteAccessKey`.
    fn delete_key(&self, user: &UserName, key: &AccessKeyId) -> impl Future<Output = Result<()>>;
    /// `iam:GetAccessKeyLastUsed`: the name of the user that has this key now; `None` if no user of this account has
    /// it.
    fn key_owner(&self, key: &AccessKeyId) -> impl Future<Output = Result<Option<String>>>;
    /// `iam:GetAccessKeyLastUsed`: the key's last use, shown some hours late; `None` if IAM knows no use. Unlike
    /// [`Self::key_owner`], it fails for a key that this account does not have.
    fn last_used(&self, key: &AccessKeyId) -> impl Future<Output = Result<Option<LastUse>>>;

    // --- IAM: what people attach to a user -----------------------------------------------------------------------
    /// What of this kind is attached to the user, all pages; empty if the user is missing.
    fn list_attachments(
        &self,
        user: &UserName,
        kind: AttachmentKind,
    ) -> impl Future<Output = Result<Vec<Attachment>>>;
    /// Removes one. Group memberships are never passed here, because a role that could remove them would not be safe.
    fn detach(&self, user: &UserName, attachment: &Attachment) -> impl Future<Output = Result<()>>;

    // --- Secrets Manager ---------------------------------------------------------------------------------------
    /// `secretsmanager:DescribeSecret`, also of a secret that is pending deletion.
    fn find_secret(&self, secret: &SecretName) -> impl Future<Output = Result<Option<Secret>>>;
    /// `secretsmanager:ListSecretVersionIds` with the deprecated ones, all pages; empty if the secret is missing or has
    /// no version.
    fn list_versions(&self, secret: &SecretName) -> impl Future<Output = Result<Vec<Version>>>;
    /// `secretsmanager:GetSecretValue` of one version; `None` if it has no value.
    fn read_version(
        &self,
        secret: &SecretArn,
        version: &VersionId,
    ) -> impl Future<Output = Result<Option<SecretString>>>;
    /// `secretsmanager:CreateSecret` without a value, with tags. A name whose secret is pending deletion is
    /// [`Creation::AlreadyExists`]; one that is not free yet after a forced deletion is waited for, up to half a
    /// minute, and then answered [`ErrorKind::Conflict`].
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
    ) -> impl Future<Output = Result<PutVersion>>;
    /// `secretsmanager:UpdateSecretVersionStage`: moves a label; `from` must hold it, and `to` = `None` removes it. A
    /// label that is not where `from` says is [`ErrorKind::Rejected`].
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
    /// `secretsmanager:DeleteSecret`: at once for `None`, otherwise restorable for that many days. A secret that is
    /// already pending deletion counts as success.
    fn delete_secret(
        &self,
        secret: &SecretArn,
        recovery_days: Option<u8>,
    ) -> impl Future<Output = Result<()>>;

    // --- CloudFormation ----------------------------------------------------------------------------------------
    /// `cloudformation:DescribeStackResource`: CloudFormation's record of the resource.
    fn stack_resource(
        &self,
        stack_id: &str,
        logical_id: &str,
    ) -> impl Future<Output = Result<StackResource>>;
    /// `cloudformation:DescribeStacks`: the stack's status and tags; `None` if there is no such stack.
    fn stack(&self, stack_id: &str) -> impl Future<Output = Result<Option<Stack>>>;

    // --- S3 ----------------------------------------------------------------------------------------------------
    /// The bucket's region, by an unsigned `HEAD` (`x-amz-bucket-region` comes with 200, 301 and 403 alike); `None` if
    /// there is no such bucket.
    fn bucket_region(&self, bucket: &BucketName) -> impl Future<Output = Result<Option<String>>>;

    // --- with the user's own key -------------------------------------------------------------------------------
    /// `sts:GetCallerIdentity` with this key: the ARN of its user.
    fn caller_of(&self, key: &StoredKey) -> impl Future<Output = Result<String>>;
    /// `s3:ListObjectsV2` with this key: up to 100 objects under the prefix, in S3's order.
    fn list_objects(
        &self,
        key: &StoredKey,
        region: &str,
        bucket: &BucketUri,
    ) -> impl Future<Output = Result<Vec<ListedObject>>>;
    /// `s3:GetObject` of the object's first byte with this key. The body is dropped.
    fn read_byte(
        &self,
        key: &StoredKey,
        region: &str,
        bucket: &BucketName,
        object: &str,
    ) -> impl Future<Output = Result<ObjectRead>>;
}

/// Tags as AWS gives them: key to value.
pub type TagMap = BTreeMap<String, String>;

/// The result of a call that creates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Creation<T> {
    /// This call made it.
    Created(T),
    /// It was there before. Observing again tells whose it is.
    AlreadyExists,
}
