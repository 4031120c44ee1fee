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

use kit::account::{ACCOUNT, Account, REGION};
use kit::calls::Call as PortCall;
use kit::calls::types::*;
use kit::every_call;

use serde_json::Value;

use super::calls::{Call, Deployed};

/// The characters that Secrets Manager appends to a secret's name in its ARN.
const SUFFIX: usize = "-AbCdEf".len();

/// What Secrets Manager does with the secret's key to store a value.
const ANOTHER_VALUE: &[&str] = &["kms:Decrypt", "kms:GenerateDataKey"];
/// Under another key it encrypts the labelled versions again.
const ANOTHER_KEY: &[&str] = &["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"];

/// The account, as one stack's function reaches it.
#[derive(Clone)]
pub(crate) struct Watched {
    account: Account,
    stack_id: String,
    /// The user that the template names now.
    user: Arc<Mutex<String>>,
    calls: Arc<Mutex<BTreeSet<Call>>>,
}

impl Watched {
    pub(crate) fn new(account: Account, stack_id: &str) -> Self {
        Self {
            account,
            stack_id: stack_id.to_owned(),
            user: Arc::default(),
            calls: Arc::default(),
        }
    }

    /// CloudFormation has updated the role before it sends an event, and takes it back before a rollback's. A Delete is sent
    /// when the template names another user, or as it is removed.
    pub(crate) fn is_sent(&self, event: &Value) {
        if event["RequestType"] != "Delete" {
            let user = event["ResourceProperties"]["UserName"].as_str();
            user.expect("a name")
                .clone_into(&mut self.user.lock().expect("one at a time"));
        }
    }

    /// Every call so far.
    pub(crate) fn calls(&self) -> BTreeSet<Call> {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.clone()
    }

    fn note(&self, requests: Vec<Call>) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.extend(requests);
    }

    fn call(&self, action: &str, resource: &str) -> Call {
        let user = self.user.lock().expect("one at a time").clone();
        Call::new(action, resource, &Deployed::new(&self.stack_id, &user))
    }

    /// A request on a user, with the tags it has.
    fn user(&self, action: &str, user: &str) -> Call {
        let tags = self.account.user_tags(user).unwrap_or_default();
        self.call(action, &format!("arn:aws:iam::{ACCOUNT}:user/{user}"))
            .with_all(keys_of("aws:ResourceTag/", &tags))
    }

    /// The same with the boundary it has.
    fn bounded(&self, action: &str, user: &UserName) -> Vec<Call> {
        let boundary = self.account.boundary(user.as_str());
        let boundary = boundary.as_deref().map(permissions_boundary);
        vec![self.user(action, user.as_str()).with_all(boundary)]
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

    /// IAM evaluates a secret that is named by its name under its ARN, or under one without a suffix if it does not
    /// exist.
    async fn by_name(&self, action: &str, name: &SecretName) -> Vec<Call> {
        let found = self.account.find_secret(name).await.ok().flatten();
        let arn = found.map_or_else(|| secret_arn(name), |secret| secret.arn.0);
        vec![self.secret(action, name.as_str(), &arn)]
    }

    /// A request on a secret, and what Secrets Manager does with the key that encrypts it, on the caller's behalf.
    fn encrypted(&self, action: &str, arn: &SecretArn, with_key: &[&str]) -> Vec<Call> {
        let key =
            format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab");
        let via = format!("secretsmanager.{REGION}.amazonaws.com");
        let on_key = with_key.iter();
        let on_key = on_key.map(|action| self.call(action, &key).with("kms:ViaService", &via));
        on_key.chain([self.by_arn(action, arn)]).collect()
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

fn permissions_boundary(arn: &str) -> (String, String) {
    ("iam:PermissionsBoundary".to_owned(), arn.to_owned())
}

/// The same requests, which carry tags.
fn tagging(requests: Vec<Call>, tags: &TagMap) -> Vec<Call> {
    let keys: Vec<_> = tags.keys().cloned().collect();
    let tagged = requests.into_iter();
    let tagged = tagged.map(|call| call.with_all(keys_of("aws:RequestTag/", tags)));
    untagging(tagged.collect(), &keys)
}

/// The same requests, which name tags by their keys.
fn untagging(requests: Vec<Call>, keys: &[String]) -> Vec<Call> {
    let named = keys
        .iter()
        .map(|key| ("aws:TagKeys".to_owned(), key.clone()));
    let requests = requests.into_iter();
    requests.map(|call| call.with_all(named.clone())).collect()
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

impl Watched {
    /// The requests to IAM that a call makes. Calls with the user's own key need nothing from the role.
    async fn requests(&self, call: PortCall<'_>) -> Vec<Call> {
        use PortCall as P;
        let user = |action, user: &UserName| vec![self.user(action, user.as_str())];
        let secret = |action, arn| vec![self.by_arn(&format!("secretsmanager:{action}"), arn)];
        match call {
            P::find_user { user: name } => user("iam:GetUser", name),
            P::create_user { user } => self.creating_user(user),
            P::tag_user { user: name, tags } => tagging(user("iam:TagUser", name), tags),
            P::untag_user { user: name, keys } => untagging(user("iam:UntagUser", name), keys),
            P::set_boundary { user, boundary } => self.bounding(user, boundary),
            P::delete_user { user: name } => user("iam:DeleteUser", name),
            P::list_policies { user: name } => user("iam:ListUserPolicies", name),
            P::get_policy { user: name, .. } => user("iam:GetUserPolicy", name),
            P::put_policy { user, .. } => self.bounded("iam:PutUserPolicy", user),
            P::delete_policy { user, .. } => self.bounded("iam:DeleteUserPolicy", user),
            P::list_keys { user: name } => user("iam:ListAccessKeys", name),
            P::create_key { user: name } => user("iam:CreateAccessKey", name),
            P::delete_key { user: name, .. } => user("iam:DeleteAccessKey", name),
            P::key_owner { key } | P::last_used { key } => self.last_use(key).await,
            P::list_attachments { user: name, kind } => user(listing(kind), name),
            P::detach { user, attachment } => self.bounded(detaching(attachment.kind), user),
            P::find_secret { secret } => {
                self.by_name("secretsmanager:DescribeSecret", secret).await
            }
            P::list_versions { secret: name } => {
                let action = "secretsmanager:ListSecretVersionIds";
                self.by_name(action, name).await
            }
            P::read_version { secret: arn, .. } => {
                self.encrypted("secretsmanager:GetSecretValue", arn, &["kms:Decrypt"])
            }
            P::create_secret { secret } => self.creating_secret(secret),
            P::restore_secret { secret: arn } => secret("RestoreSecret", arn),
            P::update_secret { secret: arn, .. } => {
                self.encrypted("secretsmanager:UpdateSecret", arn, ANOTHER_KEY)
            }
            P::tag_secret { secret: arn, tags } => tagging(secret("TagResource", arn), tags),
            P::untag_secret { secret: arn, keys } => untagging(secret("UntagResource", arn), keys),
            P::store_version { secret: arn, .. } => {
                self.encrypted("secretsmanager:PutSecretValue", arn, ANOTHER_VALUE)
            }
            P::move_label { secret: arn, .. } => secret("UpdateSecretVersionStage", arn),
            P::remove_replicas { secret: arn, .. } => secret("RemoveRegionsFromReplication", arn),
            P::delete_secret { secret: arn, .. } => secret("DeleteSecret", arn),
            P::stack_resource { stack_id, .. } => {
                vec![self.call("cloudformation:DescribeStackResource", stack_id)]
            }
            P::stack { stack_id } => vec![self.call("cloudformation:DescribeStacks", stack_id)],
            P::bucket_region { .. }
            | P::caller_of { .. }
            | P::list_objects { .. }
            | P::read_byte { .. } => Vec::new(),
        }
    }

    fn creating_user(&self, user: &NewUser) -> Vec<Call> {
        let name = user.name.as_str();
        let boundary = user.boundary.as_ref().map(PolicyArn::as_str);
        let create = self.user("iam:CreateUser", name);
        let create = create.with_all(boundary.map(permissions_boundary));
        tagging(vec![create, self.user("iam:TagUser", name)], &user.tags)
    }

    /// The boundary that the call sets, as in AWS's example of delegating with boundaries.
    fn bounding(&self, user: &UserName, boundary: &PolicyArn) -> Vec<Call> {
        let put = self.user("iam:PutUserPermissionsBoundary", user.as_str());
        vec![put.with_all([permissions_boundary(boundary.as_str())])]
    }

    async fn last_use(&self, key: &AccessKeyId) -> Vec<Call> {
        let owner = self.account.key_owner(key).await.ok().flatten();
        vec![self.user("iam:GetAccessKeyLastUsed", &owner.unwrap_or_default())]
    }

    fn creating_secret(&self, secret: &NewSecret) -> Vec<Call> {
        let arn = secret_arn(&secret.name);
        let actions = ["secretsmanager:CreateSecret", "secretsmanager:TagResource"];
        tagging(
            actions.map(|action| self.call(action, &arn)).into(),
            &secret.tags,
        )
    }
}

impl Notifier for Watched {
    async fn publish(&self, topic: &TopicArn, message: &Message) -> Result<()> {
        let key = format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/0a1b2c3d-topic");
        let via = format!("sns.{REGION}.amazonaws.com");
        let encrypt = ["kms:Decrypt", "kms:GenerateDataKey"];
        let encrypt = encrypt.map(|action| self.call(action, &key).with("kms:ViaService", &via));
        self.note(encrypt.into());
        self.note(vec![self.call("sns:Publish", &topic.0)]);
        self.account.publish(topic, message).await
    }

    async fn subscriptions(&self, topic: &TopicArn) -> Result<Subscriptions> {
        self.note(vec![self.call("sns:GetTopicAttributes", &topic.0)]);
        self.account.subscriptions(topic).await
    }
}

impl Cloud for Watched {
    fn now(&self) -> SystemTime {
        self.account.now()
    }
}

/// Implements the port by noting each call's requests to IAM before it is made.
macro_rules! noted {
    ($($of:ident { $($name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)* })*) => {
        $(impl $of for Watched {
            $(async fn $name(&self $(, $argument: $kind)*) -> Result<$answer> {
                let requests = self.requests(PortCall::$name { $($argument),* }).await;
                self.note(requests);
                self.account.$name($($argument),*).await
            })*
        })*
    };
}

every_call!(noted, '_);
