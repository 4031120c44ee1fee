//! The value that the secret holds, and the labels on its versions.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

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

    /// The id as IAM gives it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One access key as a version of the secret holds it. Its secret half cannot be printed.
#[derive(Clone, Debug)]
pub struct StoredKey {
    pub id: AccessKeyId,
    /// The key's secret half; wiped from memory when dropped.
    pub secret: SecretString,
    /// The IAM user that the value names as the key's.
    pub user: String,
    /// The `KeySerial` that the key was made for.
    pub serial: u64,
}

/// The JSON of a version. `Version` 1 is what `credential_process` asks for.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Value<'a> {
    version: u8,
    access_key_id: &'a str,
    secret_access_key: &'a str,
    user_name: &'a str,
    key_serial: u64,
}

impl StoredKey {
    /// The secret's value: a valid answer of a `credential_process`
    /// ([format](https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html)).
    pub fn to_value(&self) -> SecretString {
        let value = Value {
            version: 1,
            access_key_id: self.id.as_str(),
            secret_access_key: self.secret.expose_secret(),
            user_name: &self.user,
            key_serial: self.serial,
        };
        // Serializing strings and numbers into memory cannot fail.
        serde_json::to_string(&value).unwrap_or_default().into()
    }

    /// Reads a version's value; `None` if it is not ours because somebody edited it.
    pub fn from_value(value: &SecretString) -> Option<Self> {
        let fields: std::collections::HashMap<String, serde_json::Value> =
            serde_json::from_str(value.expose_secret()).ok()?;
        let text = |name: &str| fields.get(name).and_then(serde_json::Value::as_str);
        let secret = text("SecretAccessKey").filter(|secret| !secret.is_empty())?;
        Some(Self {
            id: AccessKeyId::parse(text("AccessKeyId")?)?,
            secret: secret.into(),
            user: text("UserName")?.to_owned(),
            serial: fields
                .get("KeySerial")
                .and_then(serde_json::Value::as_u64)
                .unwrap_or(1),
        })
    }
}

/// A staging label of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label {
    /// `AWSCURRENT`: the current key.
    Current,
    /// `AWSPREVIOUS`: the previous key, active until the next rotation. Secrets Manager moves this label by itself.
    Previous,
    /// `PublisherCandidate`: a new key that is stored and not proved yet.
    Candidate,
    /// `AWSPENDING`: Secrets Manager's own rotation is under way.
    Pending,
}

impl Label {
    /// The label as Secrets Manager spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "AWSCURRENT",
            Self::Previous => "AWSPREVIOUS",
            Self::Candidate => "PublisherCandidate",
            Self::Pending => "AWSPENDING",
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
