//! IAM users, their keys, and what is attached to them.

use std::time::SystemTime;

use secrecy::SecretString;

use super::TagMap;
use crate::names::{PolicyArn, UserName};
use crate::secret::AccessKeyId;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    pub name: UserName,
    /// The managed policy that bounds it.
    pub boundary: Option<PolicyArn>,
    /// All its tags, including the ownership tags.
    pub tags: TagMap,
}

/// An IAM user as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its name as IAM spells it. The letter case can differ from what was asked for.
    pub name: String,
    pub arn: String,
    pub tags: TagMap,
    /// The ARN of its permissions boundary.
    pub boundary: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub id: AccessKeyId,
    pub status: KeyStatus,
    pub created: SystemTime,
}

/// The last use of a key, which IAM shows only after a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastUse {
    pub date: SystemTime,
    /// The service it was used with, such as `s3`.
    pub service: String,
    /// The region it was used in.
    pub region: String,
}

/// Whether a key works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStatus {
    Active,
    /// It was deactivated or has expired. It still counts towards IAM's limit of two.
    Inactive,
}

/// The result of `CreateAccessKey`.
#[derive(Debug)]
pub enum CreatedKey {
    /// A whole key.
    Created {
        id: AccessKeyId,
        /// Its secret half.
        secret: SecretString,
    },
    /// The user has two keys already: nothing was made.
    LimitReached,
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

/// One thing that is attached to a user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attachment {
    pub kind: AttachmentKind,
    /// Its id within its kind.
    pub id: String,
}
