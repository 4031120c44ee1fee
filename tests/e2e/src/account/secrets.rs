//! Secrets and the access keys in them.

use std::{
    fmt,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::{Account, text};
use crate::{process::Invocation, redaction::conceal};

/// The time of four invocations, and of IAM's lag for a new key.
const ROTATION: Duration = Duration::from_secs(5 * 60);

/// An access key that was fetched from a secret, or that of a role's session. It lives in memory only and cannot be
/// printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct AccessKey {
    pub(crate) id: String,
    secret: String,
    /// The session token, without which a session's key is useless.
    token: Option<String>,
}

/// A version of the secret that the stack made.
#[derive(Clone, Debug)]
pub(crate) struct StoredKey {
    pub(crate) key: AccessKey,
    pub(crate) user_name: String,
    pub(crate) serial: u64,
    pub(crate) version_id: String,
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessKey({})", self.id)
    }
}

impl AccessKey {
    /// From the answer of `aws iam create-access-key` or `aws sts assume-role`, or the value of our secret.
    ///
    /// # Errors
    /// If id or secret is missing.
    pub(crate) fn from_json(value: &Value) -> anyhow::Result<Self> {
        let secret = value["SecretAccessKey"]
            .as_str()
            .context("no `SecretAccessKey`")?;
        conceal(secret);
        let token = value["SessionToken"].as_str().map(str::to_owned);
        token.iter().for_each(|token| conceal(token));
        Ok(Self {
            id: text(&value["AccessKeyId"])?,
            secret: secret.to_owned(),
            token,
        })
    }

    /// Whether a text contains the secret.
    pub(crate) fn secret_appears_in(&self, text: &str) -> bool {
        text.contains(&self.secret)
    }

    /// Lets a command act with this key instead of the administrator's.
    pub(crate) fn sign(&self, command: Invocation) -> Invocation {
        let command = command
            .env("AWS_ACCESS_KEY_ID", &self.id)
            .env("AWS_SECRET_ACCESS_KEY", &self.secret)
            .env_remove("AWS_PROFILE")
            .env_remove("AWS_DEFAULT_PROFILE");
        match &self.token {
            Some(token) => command.env("AWS_SESSION_TOKEN", token),
            None => command.env_remove("AWS_SESSION_TOKEN"),
        }
    }
}

impl Account {
    /// The version of `secret` under `stage`, such as `AWSCURRENT`.
    ///
    /// # Errors
    /// If there is none, or its value is not the contract's.
    pub(crate) fn stored_key(&self, secret: &str, stage: &str) -> anyhow::Result<StoredKey> {
        let command = [
            "secretsmanager",
            "get-secret-value",
            "--secret-id",
            secret,
            "--version-stage",
            stage,
        ];
        let answer = self.json(command)?;
        let value = answer["SecretString"]
            .as_str()
            .context("the secret has no string")?;
        // Its error would show a part of the value.
        let value: Value = serde_json::from_str(value)
            .ok()
            .context("the secret is no JSON")?;
        Ok(StoredKey {
            key: AccessKey::from_json(&value)?,
            user_name: text(&value["UserName"])?,
            serial: value["KeySerial"]
                .as_u64()
                .context("the secret has no `KeySerial`")?,
            version_id: text(&answer["VersionId"])?,
        })
    }

    /// Has Secrets Manager rotate a secret by its function, and returns the new current key. Calls `meanwhile` again
    /// and again until then.
    ///
    /// # Errors
    /// If the rotation does not end, or `meanwhile` fails.
    pub(crate) fn rotate(
        &self,
        secret: &str,
        meanwhile: impl Fn() -> anyhow::Result<()>,
    ) -> anyhow::Result<StoredKey> {
        let begun = self.json(["secretsmanager", "rotate-secret", "--secret-id", secret])?;
        let version = text(&begun["VersionId"])?;
        let start = Instant::now();
        loop {
            meanwhile()?;
            let current = self.stored_key(secret, "AWSCURRENT")?;
            if current.version_id == version {
                return Ok(current);
            }
            ensure!(
                start.elapsed() < ROTATION,
                "{secret} still has the old key after {ROTATION:?}"
            );
        }
    }

    /// What `describe-secret` says; `None` if there is no such secret. A secret that is pending deletion exists.
    pub(crate) fn secret(&self, id: &str) -> anyhow::Result<Option<Value>> {
        let command = ["secretsmanager", "describe-secret", "--secret-id", id];
        self.find(command, "ResourceNotFoundException")
    }
}
