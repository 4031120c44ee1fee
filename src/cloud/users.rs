//! IAM users, their inline policies, and what else is attached to them.

use super::{Creation, Result};
use crate::request::names::{PolicyArn, PolicyName, TagMap, UserName};

pub trait Users {
    /// `iam:GetUser`: the user with its tags and boundary. IAM compares names ignoring case.
    async fn find_user(&self, user: &UserName) -> Result<Option<User>>;
    /// `iam:CreateUser` with boundary and tags in one call, so that no untagged user can exist.
    async fn create_user(&self, user: &NewUser) -> Result<Creation<User>>;
    /// `iam:TagUser`: adds or overwrites.
    async fn tag_user(&self, user: &UserName, tags: &TagMap) -> Result<()>;
    /// `iam:UntagUser`: absent keys are ignored.
    async fn untag_user(&self, user: &UserName, keys: &[String]) -> Result<()>;
    /// `iam:PutUserPermissionsBoundary`.
    async fn set_boundary(&self, user: &UserName, boundary: &PolicyArn) -> Result<()>;
    /// `iam:DeleteUser`; fails with [`ErrorKind::Conflict`] while anything is attached to the user.
    async fn delete_user(&self, user: &UserName) -> Result<()>;

    /// `iam:ListUserPolicies`, all pages; empty if the user is missing.
    async fn list_policies(&self, user: &UserName) -> Result<Vec<PolicyName>>;
    /// `iam:GetUserPolicy`: the document as JSON text (percent-decoded).
    async fn get_policy(&self, user: &UserName, policy: &PolicyName) -> Result<Option<String>>;
    /// `iam:PutUserPolicy`: makes or replaces.
    async fn put_policy(&self, user: &UserName, policy: &PolicyName, document: &str) -> Result<()>;
    /// `iam:DeleteUserPolicy`.
    async fn delete_policy(&self, user: &UserName, policy: &PolicyName) -> Result<()>;

    /// What of this kind is attached to the user, all pages; empty if the user is missing.
    async fn list_attachments(
        &self,
        user: &UserName,
        kind: AttachmentKind,
    ) -> Result<Vec<Attachment>>;
    /// Removes one. Group memberships are never passed here, because a role that could remove them would not be safe.
    async fn detach(&self, user: &UserName, attachment: &Attachment) -> Result<()>;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    pub name: UserName,
    pub boundary: Option<PolicyArn>,
    /// All its tags, including the ownership tags.
    pub tags: TagMap,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its name as IAM spells it. The letter case can differ from what was asked for.
    pub name: String,
    pub arn: String,
    pub tags: TagMap,
    /// The ARN of its permissions boundary.
    pub boundary: Option<String>,
}

/// What people attach to a user, apart from inline policies and access keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttachmentKind {
    /// An attached managed policy; the id is its ARN.
    ManagedPolicy,
    /// The console password; the id is the user's name.
    LoginProfile,
    SshKey,
    SigningCertificate,
    /// A service-specific credential (CodeCommit, Keyspaces, Bedrock).
    ServiceCredential,
    /// An MFA device; the id is its serial number.
    MfaDevice,
    /// Membership in a group; the id is the group's name.
    Group,
}

impl AttachmentKind {
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

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attachment {
    pub kind: AttachmentKind,
    /// Its id within its kind.
    pub id: String,
}
