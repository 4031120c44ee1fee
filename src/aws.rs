//! The port over AWS's SDK: the only module that names it.
//!
//! The modules below fulfil the trait's guarantees, call by call. This file only makes the clients and forwards each
//! call to its module. The same rules hold for all: every error passes [`error`], what AWS asks to repeat is repeated
//! ([`retry`]), and half an answer is none ([`complete`]).

mod buckets;
mod cloudformation;
mod complete;
mod error;
mod iam;
mod retry;
mod secrets;
mod topics;

use std::time::SystemTime;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_sts::config::Credentials;
use secrecy::{ExposeSecret, SecretString};

use self::buckets::Buckets;
use self::cloudformation::CloudFormation;
use self::complete::CompleteDocument;
use self::error::{incomplete_response, map_sdk_error};
use self::iam::Iam;
use self::secrets::Secrets;
pub use self::topics::Topics;
use crate::buckets::{BucketName, BucketUri};
use crate::cloud::{
    Attachment, AttachmentKind, Cloud, CreatedKey, Creation, Key, LastUse, ListedObject, NewSecret,
    NewUser, ObjectRead, PutVersion, Result, Secret, SecretArn, Stack, StackResource, TagMap, User,
    Version, VersionId,
};
use crate::names::{PolicyArn, PolicyName, SecretKmsKey, SecretName, UserName};
use crate::secret::{AccessKeyId, Label, StoredKey};

/// AWS, as the function reaches it. Made once and kept: its clients share one pool of connections.
#[derive(Debug)]
pub struct Aws {
    iam: Iam,
    secrets: Secrets,
    cloudformation: CloudFormation,
    buckets: Buckets,
    sts: aws_sdk_sts::Client,
}

impl Aws {
    /// Reads region, endpoints and credentials where every SDK reads them, which in a function is its environment.
    /// Sends nothing: the first call fetches the credentials.
    pub async fn load() -> Self {
        Self::new(&aws_config::load_defaults(BehaviorVersion::latest()).await)
    }

    /// The same, and SNS with the same configuration.
    pub async fn load_with_topics() -> (Self, Topics) {
        let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
        (Self::new(&config), Topics::new(&config))
    }

    /// Uses the given configuration, with this crate's time limits and retries.
    pub fn new(config: &SdkConfig) -> Self {
        let config = config
            .to_builder()
            .timeout_config(retry::timeouts())
            .retry_config(retry::retries())
            .build();
        let sts = aws_sdk_sts::config::Builder::from(&config)
            .interceptor(CompleteDocument)
            .build();
        Self {
            iam: Iam::new(&config),
            secrets: Secrets::new(&config),
            cloudformation: CloudFormation::new(&config),
            buckets: Buckets::new(&config),
            sts: aws_sdk_sts::Client::from_conf(sts),
        }
    }
}

/// The user's key as the SDK takes it; wiped from memory when dropped.
fn credentials_of(key: &StoredKey) -> Credentials {
    Credentials::new(
        key.id.as_str(),
        key.secret.expose_secret(),
        None,
        None,
        "publisher",
    )
}

impl Cloud for Aws {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    async fn find_user(&self, user: &UserName) -> Result<Option<User>> {
        self.iam.find_user(user).await
    }

    async fn create_user(&self, user: &NewUser) -> Result<Creation<User>> {
        self.iam.create_user(user).await
    }

    async fn tag_user(&self, user: &UserName, tags: &TagMap) -> Result<()> {
        self.iam.tag_user(user, tags).await
    }

    async fn untag_user(&self, user: &UserName, keys: &[String]) -> Result<()> {
        self.iam.untag_user(user, keys).await
    }

    async fn set_boundary(&self, user: &UserName, boundary: &PolicyArn) -> Result<()> {
        self.iam.set_boundary(user, boundary).await
    }

    async fn delete_user(&self, user: &UserName) -> Result<()> {
        self.iam.delete_user(user).await
    }

    async fn list_policies(&self, user: &UserName) -> Result<Vec<PolicyName>> {
        self.iam.list_policies(user).await
    }

    async fn get_policy(&self, user: &UserName, policy: &PolicyName) -> Result<Option<String>> {
        self.iam.get_policy(user, policy).await
    }

    async fn put_policy(&self, user: &UserName, policy: &PolicyName, document: &str) -> Result<()> {
        self.iam.put_policy(user, policy, document).await
    }

    async fn delete_policy(&self, user: &UserName, policy: &PolicyName) -> Result<()> {
        self.iam.delete_policy(user, policy).await
    }

    async fn list_keys(&self, user: &UserName) -> Result<Vec<Key>> {
        self.iam.list_keys(user).await
    }

    async fn create_key(&self, user: &UserName) -> Result<CreatedKey> {
        self.iam.create_key(user).await
    }

    async fn delete_key(&self, user: &UserName, key: &AccessKeyId) -> Result<()> {
        self.iam.delete_key(user, key).await
    }

    async fn key_owner(&self, key: &AccessKeyId) -> Result<Option<String>> {
        self.iam.key_owner(key).await
    }

    async fn last_used(&self, key: &AccessKeyId) -> Result<Option<LastUse>> {
        self.iam.last_used(key).await
    }

    async fn list_attachments(
        &self,
        user: &UserName,
        kind: AttachmentKind,
    ) -> Result<Vec<Attachment>> {
        self.iam.list_attachments(user, kind).await
    }

    async fn detach(&self, user: &UserName, attachment: &Attachment) -> Result<()> {
        self.iam.detach(user, attachment).await
    }

    async fn find_secret(&self, secret: &SecretName) -> Result<Option<Secret>> {
        self.secrets.find_secret(secret).await
    }

    async fn list_versions(&self, secret: &SecretName) -> Result<Vec<Version>> {
        self.secrets.list_versions(secret).await
    }

    async fn read_version(
        &self,
        secret: &SecretArn,
        version: &VersionId,
    ) -> Result<Option<SecretString>> {
        self.secrets.read_version(secret, version).await
    }

    async fn create_secret(&self, secret: &NewSecret) -> Result<Creation<SecretArn>> {
        self.secrets.create_secret(secret).await
    }

    async fn restore_secret(&self, secret: &SecretArn) -> Result<()> {
        self.secrets.restore_secret(secret).await
    }

    async fn update_secret(
        &self,
        secret: &SecretArn,
        description: &str,
        kms_key: Option<&SecretKmsKey>,
    ) -> Result<()> {
        self.secrets
            .update_secret(secret, description, kms_key)
            .await
    }

    async fn tag_secret(&self, secret: &SecretArn, tags: &TagMap) -> Result<()> {
        self.secrets.tag_secret(secret, tags).await
    }

    async fn untag_secret(&self, secret: &SecretArn, keys: &[String]) -> Result<()> {
        self.secrets.untag_secret(secret, keys).await
    }

    async fn store_version(
        &self,
        secret: &SecretArn,
        version: &VersionId,
        value: &SecretString,
        label: Label,
    ) -> Result<PutVersion> {
        self.secrets
            .store_version(secret, version, value, label)
            .await
    }

    async fn move_label(
        &self,
        secret: &SecretArn,
        label: &str,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
    ) -> Result<()> {
        self.secrets.move_label(secret, label, from, to).await
    }

    async fn remove_replicas(&self, secret: &SecretArn, regions: &[String]) -> Result<()> {
        self.secrets.remove_replicas(secret, regions).await
    }

    async fn delete_secret(&self, secret: &SecretArn, recovery_days: Option<u8>) -> Result<()> {
        self.secrets.delete_secret(secret, recovery_days).await
    }

    async fn stack_resource(&self, stack_id: &str, logical_id: &str) -> Result<StackResource> {
        self.cloudformation
            .stack_resource(stack_id, logical_id)
            .await
    }

    async fn stack(&self, stack_id: &str) -> Result<Option<Stack>> {
        self.cloudformation.stack(stack_id).await
    }

    async fn bucket_region(&self, bucket: &BucketName) -> Result<Option<String>> {
        self.buckets.region(bucket).await
    }

    async fn caller_of(&self, key: &StoredKey) -> Result<String> {
        const OPERATION: &str = "sts:GetCallerIdentity";
        let as_user = aws_sdk_sts::config::Builder::new().credentials_provider(credentials_of(key));
        let call = self
            .sts
            .get_caller_identity()
            .customize()
            .config_override(as_user);
        let answer = call.send().await.map_err(map_sdk_error(OPERATION))?;
        answer
            .arn
            .filter(|arn| !arn.is_empty())
            .ok_or_else(|| incomplete_response(OPERATION, "the caller's ARN"))
    }

    async fn list_objects(
        &self,
        key: &StoredKey,
        region: &str,
        bucket: &BucketUri,
    ) -> Result<Vec<ListedObject>> {
        self.buckets.list_objects(key, region, bucket).await
    }

    async fn read_byte(
        &self,
        key: &StoredKey,
        region: &str,
        bucket: &BucketName,
        object: &str,
    ) -> Result<ObjectRead> {
        self.buckets.read_byte(key, region, bucket, object).await
    }
}
