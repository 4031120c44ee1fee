//! The account in memory, with every call of the port turned into the requests that IAM would see.
//!
//! Which condition keys a request has is in the
//! [Service Authorization Reference](https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html):
//! `iam:PermissionsBoundary` with what creates a user or changes its policies, `aws:RequestTag` and `aws:TagKeys` with
//! what tags, `aws:ResourceTag` with everything on a user or secret that exists. What a call needs besides its own
//! action (tagging while creating, KMS behind a secret) is a request of its own.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use publisher_s3_access::buckets::{BucketName, BucketUri};
use publisher_s3_access::cloud::{
    Attachment, AttachmentKind, Cloud, CreatedKey, Creation, Direction, Key, NewSecret, NewUser,
    PutVersion, Result, Secret, SecretArn, Standing, TagMap, User, Version, VersionId,
};
use publisher_s3_access::names::{PolicyArn, PolicyName, SecretKmsKey, SecretName, UserName};
use publisher_s3_access::secret::{AccessKeyId, Label, StoredKey};
use secrecy::SecretString;

use super::calls::Call;
use kit::account::{ACCOUNT, Account, REGION};

/// The characters that Secrets Manager appends to a secret's name in its ARN.
const SUFFIX: usize = "-AbCdEf".len();

/// The account, as one stack's function reaches it.
#[derive(Clone)]
pub(crate) struct Watched {
    account: Account,
    stack_id: String,
    calls: Arc<Mutex<BTreeSet<Call>>>,
}

impl Watched {
    pub(crate) fn new(account: Account, stack_id: &str) -> Self {
        Self {
            account,
            stack_id: stack_id.to_owned(),
            calls: Arc::default(),
        }
    }

    /// Every call so far.
    pub(crate) fn calls(&self) -> BTreeSet<Call> {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.clone()
    }

    fn note(&self, call: Call) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.insert(call);
    }

    fn call(&self, action: &str, resource: &str) -> Call {
        Call::new(action, resource, &self.stack_id)
    }

    /// A request on a user, with the tags it has.
    fn user(&self, action: &str, user: &str) -> Call {
        let tags = self.account.user_tags(user).unwrap_or_default();
        self.call(action, &format!("arn:aws:iam::{ACCOUNT}:user/{user}"))
            .with_all(keys_of("aws:ResourceTag/", &tags))
    }

    /// The same with the boundary it has.
    fn bounded(&self, action: &str, user: &str) -> Call {
        let boundary = self.account.boundary(user);
        let boundary = boundary.map(|arn| ("iam:PermissionsBoundary".to_owned(), arn));
        self.user(action, user).with_all(boundary)
    }

    /// A request on a secret, with the tags it has.
    fn secret(&self, action: &str, name: &str, arn: &str) -> Call {
        let tags = self.account.secret_tags(name).unwrap_or_default();
        self.call(action, arn)
            .with_all(keys_of("aws:ResourceTag/", &tags))
    }

    fn by_arn(&self, action: &str, arn: &SecretArn) -> Call {
        self.secret(action, name_in(arn), &arn.0)
    }

    /// A secret that is asked for by its name is evaluated by the ARN that it has, or else by one without a suffix.
    async fn by_name(&self, action: &str, name: &SecretName) -> Call {
        let found = self.account.find_secret(name).await.ok().flatten();
        let arn = found.map_or_else(|| secret_arn(name), |secret| secret.arn.0);
        self.secret(action, name.as_str(), &arn)
    }

    /// What Secrets Manager does with the key that encrypts the secret, on the caller's behalf.
    fn kms(&self, action: &str) {
        let key =
            format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab");
        let via = format!("secretsmanager.{REGION}.amazonaws.com");
        self.note(self.call(action, &key).with("kms:ViaService", via));
    }
}

fn name_in(SecretArn(arn): &SecretArn) -> &str {
    let name = arn.split_once(":secret:").map_or("", |(_, name)| name);
    &name[..name.len().saturating_sub(SUFFIX)]
}

fn secret_arn(name: &SecretName) -> String {
    format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}")
}

fn keys_of(prefix: &str, tags: &TagMap) -> Vec<(String, String)> {
    let keys = tags.iter();
    keys.map(|(key, value)| (format!("{prefix}{key}"), value.clone()))
        .collect()
}

/// The keys of a request that carries tags.
fn request_tags(tags: &TagMap) -> Vec<(String, String)> {
    let mut keys = keys_of("aws:RequestTag/", tags);
    keys.extend(tag_keys(tags.keys()));
    keys
}

fn tag_keys<'a>(keys: impl IntoIterator<Item = &'a String>) -> Vec<(String, String)> {
    let keys = keys.into_iter();
    keys.map(|key| ("aws:TagKeys".to_owned(), key.clone()))
        .collect()
}

fn listing(kind: AttachmentKind) -> &'static str {
    match kind {
        AttachmentKind::ManagedPolicy => "iam:ListAttachedUserPolicies",
        AttachmentKind::LoginProfile => "iam:GetLoginProfile",
        AttachmentKind::SshKey => "iam:ListSSHPublicKeys",
        AttachmentKind::SigningCertificate => "iam:ListSigningCertificates",
        AttachmentKind::ServiceCredential => "iam:ListServiceSpecificCredentials",
        AttachmentKind::MfaDevice => "iam:ListMFADevices",
        AttachmentKind::Group => "iam:ListGroupsForUser",
    }
}

fn detaching(kind: AttachmentKind) -> &'static str {
    match kind {
        AttachmentKind::ManagedPolicy => "iam:DetachUserPolicy",
        AttachmentKind::LoginProfile => "iam:DeleteLoginProfile",
        AttachmentKind::SshKey => "iam:DeleteSSHPublicKey",
        AttachmentKind::SigningCertificate => "iam:DeleteSigningCertificate",
        AttachmentKind::ServiceCredential => "iam:DeleteServiceSpecificCredential",
        AttachmentKind::MfaDevice => "iam:DeactivateMFADevice",
        AttachmentKind::Group => "iam:RemoveUserFromGroup",
    }
}

/// Implements the port by saying what each call asks of IAM, before it is made. A call of the port that is not here does
/// not compile.
macro_rules! every_call {
    ($(fn $name:ident($this:ident $(, $argument:ident: $kind:ty)*) -> $answer:ty { $($asks:tt)* })*) => {
        impl Cloud for Watched {
            fn now(&self) -> SystemTime {
                self.account.now()
            }

            $(async fn $name(&self $(, $argument: $kind)*) -> Result<$answer> {
                let $this = self;
                $($asks)*
                $this.account.$name($($argument),*).await
            })*
        }
    };
}

every_call! {
    fn find_user(this, user: &UserName) -> Option<User> {
        this.note(this.user("iam:GetUser", user.as_str()));
    }
    fn create_user(this, user: &NewUser) -> Creation<User> {
        let boundary = user.boundary.as_ref().map(|arn| arn.as_str().to_owned());
        let boundary = boundary.map(|arn| ("iam:PermissionsBoundary".to_owned(), arn));
        let name = user.name.as_str();
        let create = this.user("iam:CreateUser", name).with_all(boundary);
        this.note(create.with_all(request_tags(&user.tags)));
        this.note(this.user("iam:TagUser", name).with_all(request_tags(&user.tags)));
    }
    fn tag_user(this, user: &UserName, tags: &TagMap) -> () {
        this.note(this.user("iam:TagUser", user.as_str()).with_all(request_tags(tags)));
    }
    fn untag_user(this, user: &UserName, keys: &[String]) -> () {
        this.note(this.user("iam:UntagUser", user.as_str()).with_all(tag_keys(keys)));
    }
    fn set_boundary(this, user: &UserName, boundary: &PolicyArn) -> () {
        // The boundary to be, as in AWS's example of delegating with boundaries.
        let put = this.user("iam:PutUserPermissionsBoundary", user.as_str());
        this.note(put.with("iam:PermissionsBoundary", boundary.as_str()));
    }
    fn delete_user(this, user: &UserName) -> () {
        this.note(this.user("iam:DeleteUser", user.as_str()));
    }
    fn list_policies(this, user: &UserName) -> Vec<PolicyName> {
        this.note(this.user("iam:ListUserPolicies", user.as_str()));
    }
    fn get_policy(this, user: &UserName, policy: &PolicyName) -> Option<String> {
        this.note(this.user("iam:GetUserPolicy", user.as_str()));
    }
    fn put_policy(this, user: &UserName, policy: &PolicyName, document: &str) -> () {
        this.note(this.bounded("iam:PutUserPolicy", user.as_str()));
    }
    fn delete_policy(this, user: &UserName, policy: &PolicyName) -> () {
        this.note(this.bounded("iam:DeleteUserPolicy", user.as_str()));
    }
    fn list_keys(this, user: &UserName) -> Vec<Key> {
        this.note(this.user("iam:ListAccessKeys", user.as_str()));
    }
    fn create_key(this, user: &UserName) -> CreatedKey {
        this.note(this.user("iam:CreateAccessKey", user.as_str()));
    }
    fn delete_key(this, user: &UserName, key: &AccessKeyId) -> () {
        this.note(this.user("iam:DeleteAccessKey", user.as_str()));
    }
    fn key_owner(this, key: &AccessKeyId) -> Option<String> {
        let owner = this.account.key_owner(key).await.ok().flatten();
        this.note(this.user("iam:GetAccessKeyLastUsed", &owner.unwrap_or_default()));
    }
    fn list_attachments(this, user: &UserName, kind: AttachmentKind) -> Vec<Attachment> {
        this.note(this.user(listing(kind), user.as_str()));
    }
    fn detach(this, user: &UserName, attachment: &Attachment) -> () {
        this.note(this.bounded(detaching(attachment.kind), user.as_str()));
    }
    fn find_secret(this, secret: &SecretName) -> Option<Secret> {
        this.note(this.by_name("secretsmanager:DescribeSecret", secret).await);
    }
    fn list_versions(this, secret: &SecretName) -> Vec<Version> {
        this.note(this.by_name("secretsmanager:ListSecretVersionIds", secret).await);
    }
    fn read_version(this, secret: &SecretArn, version: &VersionId) -> Option<SecretString> {
        this.note(this.by_arn("secretsmanager:GetSecretValue", secret));
        this.kms("kms:Decrypt");
    }
    fn create_secret(this, secret: &NewSecret) -> Creation<SecretArn> {
        let arn = secret_arn(&secret.name);
        for action in ["secretsmanager:CreateSecret", "secretsmanager:TagResource"] {
            this.note(this.call(action, &arn).with_all(request_tags(&secret.tags)));
        }
    }
    fn restore_secret(this, secret: &SecretArn) -> () {
        this.note(this.by_arn("secretsmanager:RestoreSecret", secret));
    }
    fn update_secret(this, secret: &SecretArn, description: &str, kms_key: Option<&SecretKmsKey>) -> () {
        this.note(this.by_arn("secretsmanager:UpdateSecret", secret));
        // Under another key it encrypts the labelled versions anew.
        for action in ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"] {
            this.kms(action);
        }
    }
    fn tag_secret(this, secret: &SecretArn, tags: &TagMap) -> () {
        this.note(this.by_arn("secretsmanager:TagResource", secret).with_all(request_tags(tags)));
    }
    fn untag_secret(this, secret: &SecretArn, keys: &[String]) -> () {
        this.note(this.by_arn("secretsmanager:UntagResource", secret).with_all(tag_keys(keys)));
    }
    fn store_version(
        this, secret: &SecretArn, version: &VersionId, value: &SecretString, label: Label
    ) -> PutVersion {
        this.note(this.by_arn("secretsmanager:PutSecretValue", secret));
        for action in ["kms:Decrypt", "kms:GenerateDataKey"] {
            this.kms(action);
        }
    }
    fn move_label(
        this, secret: &SecretArn, label: &str, from: Option<&VersionId>, to: Option<&VersionId>
    ) -> () {
        this.note(this.by_arn("secretsmanager:UpdateSecretVersionStage", secret));
    }
    fn remove_replicas(this, secret: &SecretArn, regions: &[String]) -> () {
        this.note(this.by_arn("secretsmanager:RemoveRegionsFromReplication", secret));
    }
    fn delete_secret(this, secret: &SecretArn, recovery_days: Option<u8>) -> () {
        this.note(this.by_arn("secretsmanager:DeleteSecret", secret));
    }
    fn standing(this, stack_id: &str, logical_id: &str) -> Standing {
        this.note(this.call("cloudformation:DescribeStackResource", stack_id));
    }
    fn direction(this, stack_id: &str) -> Direction {
        this.note(this.call("cloudformation:DescribeStacks", stack_id));
    }
    fn bucket_region(this, bucket: &BucketName) -> Option<String> {
        // Not signed.
    }
    fn caller_of(this, key: &StoredKey) -> String {
        // With the user's key, as the two below.
    }
    fn first_object(this, key: &StoredKey, region: &str, bucket: &BucketUri) -> Option<String> {}
    fn first_byte(this, key: &StoredKey, region: &str, bucket: &BucketName, object: &str) -> () {}
}
