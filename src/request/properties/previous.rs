//! Properties of a previous state, perhaps written for another version of this code. They are read as far as possible,
//! and never refused.

use serde_json::{Map, Value};

use super::read;
use crate::request::buckets::{BucketUri, Buckets};
use crate::request::names::{
    KeySerial, KmsKeyArn, PolicyArn, PolicyName, RecoveryWindow, Rule, TagKey, UserName,
    Verification,
};

/// The properties before an Update. They only tell what is ours to remove and what has changed.
///
/// A missing property counts as its default, and an unreadable one as `None` or empty. If the properties are not an
/// object at all, all are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Previous {
    pub user: Option<UserName>,
    pub policy: Option<PolicyName>,
    /// The valid keys in `Tags`. Others were never set.
    pub tag_keys: Vec<TagKey>,
    pub buckets: Option<Buckets>,
    pub bucket_kms_keys: Vec<KmsKeyArn>,
    pub boundary: Option<PolicyArn>,
    pub verification: Option<Verification>,
    pub revision: Option<String>,
    pub key_serial: Option<KeySerial>,
}

impl Previous {
    pub fn read(properties: &Value) -> Self {
        let Some(properties) = properties.as_object() else {
            return Self::default();
        };
        Self {
            user: or_default(properties, "UserName", UserName::parse),
            policy: or_default(properties, "PolicyName", PolicyName::parse),
            tag_keys: tag_keys(properties.get("Tags")),
            buckets: properties
                .get("Buckets")
                .and_then(|value| read::buckets(value, BucketUri::parse).ok()),
            bucket_kms_keys: properties
                .get("BucketKmsKeyArns")
                .and_then(|value| read::kms_keys(value, KmsKeyArn::parse).ok())
                .unwrap_or_default(),
            boundary: readable(properties, "PermissionsBoundary", PolicyArn::parse),
            verification: or_default(properties, "VerifyAccess", Verification::parse),
            revision: readable(properties, "Revision", |text| Ok(text.to_owned())),
            key_serial: or_default(properties, "KeySerial", KeySerial::parse),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// `UserName`, or its default if it is missing; `None` if it cannot be read.
    pub user: Option<UserName>,
    /// `SecretRecoveryDays`; the longest window if it cannot be read.
    pub recovery: RecoveryWindow,
}

impl Deletion {
    /// Reads both, however broken the rest is.
    pub fn read(properties: &Value) -> Self {
        let Some(properties) = properties.as_object() else {
            return Self {
                user: None,
                recovery: RecoveryWindow::LONGEST,
            };
        };
        Self {
            user: or_default(properties, "UserName", UserName::parse),
            recovery: or_default(properties, "SecretRecoveryDays", RecoveryWindow::parse)
                .unwrap_or(RecoveryWindow::LONGEST),
        }
    }
}

/// `None` if the property is missing or breaks a rule.
fn readable<T>(
    properties: &Map<String, Value>,
    name: &str,
    parse: impl Fn(&str) -> Result<T, Rule>,
) -> Option<T> {
    properties
        .get(name)
        .and_then(|value| read::scalar(name, value, parse).ok())
}

/// The default if the property is missing; `None` if it breaks a rule.
fn or_default<T: Default>(
    properties: &Map<String, Value>,
    name: &str,
    parse: impl Fn(&str) -> Result<T, Rule>,
) -> Option<T> {
    if properties.contains_key(name) {
        readable(properties, name, parse)
    } else {
        Some(T::default())
    }
}

fn tag_keys(tags: Option<&Value>) -> Vec<TagKey> {
    let tags = tags
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    tags.iter()
        .filter_map(|tag| read::scalar("Key", tag.get("Key")?, TagKey::parse).ok())
        .collect()
}
