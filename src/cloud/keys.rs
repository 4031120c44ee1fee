//! Access keys: as IAM lists them, and as the secret holds them.

use std::collections::HashMap;
use std::fmt;
use std::time::SystemTime;

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Removal, Result};
use crate::request::names::{KeySerial, UserName};

pub trait AccessKeys {
    /// `iam:ListAccessKeys`, all pages; empty if the user is missing.
    async fn list_keys(&self, user: &UserName) -> Result<Vec<Key>>;
    /// `iam:CreateAccessKey`, sent exactly once, with the answer checked to be whole. After
    /// [`ErrorKind::Indeterminate`], a key may exist whose secret half nobody has.
    async fn create_key(&self, user: &UserName) -> Result<CreatedKey>;
    /// `iam:DeleteAccessKey`. A key that was just made may be missing because IAM does not show it yet.
    async fn delete_key(&self, user: &UserName, key: &AccessKeyId) -> Result<Removal>;
    /// `iam:GetAccessKeyLastUsed`: the name of the user that has this key now; `None` if no user of this account has
    /// it.
    async fn key_owner(&self, key: &AccessKeyId) -> Result<Option<String>>;
    /// `iam:GetAccessKeyLastUsed`: the key's last use, shown some hours late; `None` if IAM knows no use. Unlike
    /// [`Self::key_owner`], it fails for a key that this account does not have.
    async fn last_used(&self, key: &AccessKeyId) -> Result<Option<LastUse>>;
}

/// The id of an IAM access key (`AKIA…`). Not a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccessKeyId(String);

impl AccessKeyId {
    /// Takes an id as IAM gives it: 16 to 128 letters, digits or underscores
    /// ([`CreateAccessKey`](https://docs.aws.amazon.com/IAM/latest/APIReference/API_AccessKey.html));
    /// `None` for anything else.
    pub fn parse(id: &str) -> Option<Self> {
        let well_formed = (16..=128).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        well_formed.then(|| Self(id.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
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
    pub region: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStatus {
    Active,
    /// It was deactivated or has expired. It still counts towards IAM's limit of two.
    Inactive,
}

/// The result of `CreateAccessKey`.
#[derive(Debug)]
pub enum CreatedKey {
    Created {
        id: AccessKeyId,
        secret: SecretString,
    },
    /// The user has two keys already: nothing was made.
    LimitReached,
}

/// One access key as a version of the secret holds it. Its secret half cannot be printed.
#[derive(Clone, Debug)]
pub struct StoredKey {
    pub id: AccessKeyId,
    /// The key's secret half; wiped from memory when dropped.
    pub secret: SecretString,
    pub user: String,
    /// The `KeySerial` that the key was made for; `None` if the value has none that anybody can ask for.
    pub serial: Option<KeySerial>,
}

/// The JSON of a version. `Version` 1 is what `credential_process` asks for.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Value<'a> {
    version: u8,
    access_key_id: &'a str,
    secret_access_key: &'a str,
    user_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_serial: Option<u64>,
}

impl StoredKey {
    /// The longest value with room to spare, so that writing it leaves no copy behind in a buffer that grew.
    const LONGEST_VALUE: usize = 1024;

    /// The secret's value: a valid answer of a `credential_process`
    /// ([format](https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html)).
    pub fn to_value(&self) -> SecretString {
        let value = Value {
            version: 1,
            access_key_id: self.id.as_str(),
            secret_access_key: self.secret.expose_secret(),
            user_name: &self.user,
            key_serial: self.serial.map(KeySerial::get),
        };
        let mut text = Zeroizing::new(Vec::with_capacity(Self::LONGEST_VALUE));
        // Writing strings and numbers into memory cannot fail, and JSON is UTF-8.
        let written = serde_json::to_writer(&mut *text, &value);
        debug_assert!(written.is_ok());
        SecretString::from(std::str::from_utf8(&text).unwrap_or_default())
    }

    /// Reads a version's value; `None` if it is not ours because somebody edited it.
    pub fn from_value(value: &SecretString) -> Option<Self> {
        let fields: HashMap<String, &RawValue> =
            serde_json::from_str(value.expose_secret()).ok()?;
        let text = |name: &str| {
            let text = serde_json::from_str::<String>(fields.get(name)?.get()).ok()?;
            Some(Zeroizing::new(text))
        };
        let secret = text("SecretAccessKey").filter(|secret| !secret.is_empty())?;
        let serial = fields.get("KeySerial");
        let serial = serial.and_then(|number| serde_json::from_str(number.get()).ok());
        Some(Self {
            id: AccessKeyId::parse(&text("AccessKeyId")?)?,
            secret: SecretString::from(secret.as_str()),
            user: text("UserName")?.to_string(),
            serial: serial.and_then(KeySerial::stored),
        })
    }
}
