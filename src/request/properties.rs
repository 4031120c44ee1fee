//! The resource's properties: parsed strictly as desired state, and leniently as previous state.
//!
//! CloudFormation sends every scalar as a string, and some emulators send real booleans and numbers. Both are accepted.

mod known;
mod previous;
mod read;

pub use previous::{Deletion, Previous};

use serde_json::{Map, Value};

use crate::request::buckets::{BucketUri, Buckets};
use crate::request::names::{
    KeySerial, KmsKeyArn, Partition, PolicyArn, PolicyName, RecoveryWindow, Rule, SecretKmsKey,
    Tag, UserName, Verification,
};
use crate::request::property_error::PropertyError;

/// What the template asks for. Every value is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    pub user: UserName,
    pub policy: PolicyName,
    pub buckets: Buckets,
    /// `BucketKmsKeyArns`, without duplicates.
    pub bucket_kms_keys: Vec<KmsKeyArn>,
    /// `PermissionsBoundary`; on Update, `None` keeps the present one.
    pub boundary: Option<PolicyArn>,
    /// `SecretKmsKeyId`; `None` is the AWS-managed key.
    pub secret_kms_key: Option<SecretKmsKey>,
    pub recovery: RecoveryWindow,
    pub tags: Vec<Tag>,
    pub key_serial: KeySerial,
    pub verification: Verification,
    pub revision: Option<String>,
}

impl Desired {
    /// Parses the properties of a Create or Update. `partition` is the stack's, and ARNs of another one are refused.
    pub fn parse(properties: &Value, partition: &Partition) -> Result<Self, PropertyError> {
        let properties = properties.as_object().ok_or_else(|| {
            PropertyError::of_value("ResourceProperties", properties, "must be an object")
        })?;
        known::check(properties)?;
        let buckets = properties
            .get("Buckets")
            .ok_or_else(|| PropertyError::of("Buckets", "is missing; name at least one bucket"))?;
        Ok(Self {
            user: optional(properties, "UserName", UserName::parse)?.unwrap_or_default(),
            policy: optional(properties, "PolicyName", PolicyName::parse)?.unwrap_or_default(),
            buckets: read::buckets(buckets, |text| {
                partition.admits(text)?;
                BucketUri::parse(text)
            })?,
            bucket_kms_keys: match properties.get("BucketKmsKeyArns") {
                None => Vec::new(),
                Some(keys) => read::kms_keys(keys, |text| {
                    partition.admits(text)?;
                    KmsKeyArn::parse(text)
                })?,
            },
            boundary: optional(properties, "PermissionsBoundary", |text| {
                partition.admits(text)?;
                PolicyArn::parse(text)
            })?,
            secret_kms_key: optional(properties, "SecretKmsKeyId", |text| {
                partition.admits(text)?;
                SecretKmsKey::parse(text)
            })?
            .flatten(),
            recovery: optional(properties, "SecretRecoveryDays", RecoveryWindow::parse)?
                .unwrap_or_default(),
            tags: match properties.get("Tags") {
                None => Vec::new(),
                Some(tags) => read::tags(tags)?,
            },
            key_serial: optional(properties, "KeySerial", KeySerial::parse)?.unwrap_or_default(),
            verification: optional(properties, "VerifyAccess", Verification::parse)?
                .unwrap_or_default(),
            revision: optional(properties, "Revision", |text| Ok(text.to_owned()))?,
        })
    }
}

fn optional<T>(
    properties: &Map<String, Value>,
    name: &str,
    parse: impl Fn(&str) -> Result<T, Rule>,
) -> Result<Option<T>, PropertyError> {
    properties
        .get(name)
        .map(|value| read::scalar(name, value, parse))
        .transpose()
}
