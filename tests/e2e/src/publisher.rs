//! Publisher, seen from outside: somebody who has the stack's key and nothing else.

use std::{
    env,
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use anyhow::Context;

use crate::{
    account::{Account, Refusal, Source, buckets::RANGE, path_text, secrets::AccessKey},
    process::{Finished, Invocation},
    workplace::Workplace,
};

/// Who `aws` acts as.
#[derive(Clone, Debug)]
enum Credentials {
    /// A profile whose `credential_process` reads the secret, in a configuration file of its own.
    Profile(PathBuf),
    /// A key that was fetched before.
    Key(AccessKey),
}

/// A caller with one key, to ask what the key can do.
#[derive(Clone, Debug)]
pub(crate) struct Publisher<'a> {
    account: &'a Account,
    credentials: Credentials,
    downloads: PathBuf,
}

/// The profile's name in its file.
const PROFILE: &str = "publisher";

impl<'a> Publisher<'a> {
    /// Acts by an AWS profile with the `credential_process` line of the documentation. Each command reads the current
    /// key of `user` from the secret again.
    pub(crate) fn with_profile(
        account: &'a Account,
        workplace: &Workplace,
        user: &str,
    ) -> anyhow::Result<Self> {
        let (mut configuration, administrator) = match account.source() {
            Source::Environment => {
                let driver = env::current_exe()?;
                // The helper gets no environment variables from a named profile: this one reads them.
                let process = format!("\"{}\" environment-credentials", path_text(&driver)?);
                let profile = format!("[profile administrator]\ncredential_process = {process}\n");
                (profile, "administrator".to_owned())
            }
            Source::Profile(name) => (own_configuration()?, name.clone()),
        };
        let process = credential_process(&administrator, account.region(), user);
        configuration += &format!("\n[profile {PROFILE}]\ncredential_process = {process}\n");
        let file = workplace.scratch().join(format!("{user}.aws-config"));
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(true).mode(0o600);
        options.open(&file)?.write_all(configuration.as_bytes())?;
        Ok(Self {
            account,
            credentials: Credentials::Profile(file),
            downloads: workplace.scratch().to_owned(),
        })
    }

    /// Acts by a key that was fetched earlier, whatever the secret says now.
    pub(crate) fn with_key(account: &'a Account, workplace: &Workplace, key: &AccessKey) -> Self {
        Self {
            account,
            credentials: Credentials::Key(key.clone()),
            downloads: workplace.scratch().to_owned(),
        }
    }

    /// The configuration file of a caller that has one, for a person to look around.
    pub(crate) fn configuration(&self) -> Option<&Path> {
        match &self.credentials {
            Credentials::Profile(file) => Some(file),
            Credentials::Key(_) => None,
        }
    }

    /// `aws` with `arguments`, as this caller.
    pub(crate) fn aws<'b>(&self, arguments: impl IntoIterator<Item = &'b str>) -> Invocation {
        let command = self.account.aws(arguments);
        match &self.credentials {
            Credentials::Profile(file) => command
                .env("AWS_CONFIG_FILE", file)
                .args(["--profile", PROFILE]),
            Credentials::Key(key) => key.sign(command),
        }
    }

    /// The ARN that AWS knows this caller by.
    pub(crate) fn identity(&self) -> anyhow::Result<String> {
        let command = self.aws([
            "sts",
            "get-caller-identity",
            "--query",
            "Arn",
            "--output",
            "text",
        ]);
        Ok(command.succeed()?.stdout.trim().to_owned())
    }

    /// The key of a session that this caller begins. It outlives the caller's own key.
    pub(crate) fn session(&self) -> anyhow::Result<AccessKey> {
        let answer = self
            .aws(["sts", "get-session-token", "--output", "json"])
            .succeed()?;
        let answer: serde_json::Value = serde_json::from_str(&answer.stdout)
            .ok()
            .context("no JSON")?;
        AccessKey::from_json(&answer["Credentials"])
    }

    /// The keys of the objects below `s3://bucket/prefix`, at most `limit`.
    pub(crate) fn list(
        &self,
        bucket: &str,
        prefix: &str,
        limit: usize,
    ) -> anyhow::Result<Vec<String>> {
        let finished = self.list_command(bucket, prefix, limit).succeed()?;
        let keys: Option<Vec<String>> = serde_json::from_str(&finished.stdout)
            .with_context(|| format!("no list of keys: {finished}"))?;
        Ok(keys.unwrap_or_default())
    }

    /// Why listing is refused.
    ///
    /// # Errors
    /// If it is not.
    pub(crate) fn list_refusal(&self, bucket: &str, prefix: &str) -> anyhow::Result<Refusal> {
        Refusal::of(&self.list_command(bucket, prefix, 1).run()?)
    }

    fn list_command(&self, bucket: &str, prefix: &str, limit: usize) -> Invocation {
        let command = [
            "s3api",
            "list-objects-v2",
            "--bucket",
            bucket,
            "--prefix",
            prefix,
        ];
        let limit = limit.to_string();
        let output = [
            "--max-items",
            &limit,
            "--query",
            "Contents[].Key",
            "--output",
            "json",
        ];
        self.aws(command.into_iter().chain(output))
    }

    /// The first bytes of an object.
    pub(crate) fn get(&self, bucket: &str, key: &str) -> anyhow::Result<Vec<u8>> {
        let (finished, bytes) = self.download(bucket, key)?;
        anyhow::ensure!(finished.status.success(), "{finished}");
        bytes.context("nothing was downloaded")
    }

    /// Why getting an object is refused.
    ///
    /// # Errors
    /// If it is not.
    pub(crate) fn get_refusal(&self, bucket: &str, key: &str) -> anyhow::Result<Refusal> {
        Refusal::of(&self.download(bucket, key)?.0)
    }

    fn download(&self, bucket: &str, key: &str) -> anyhow::Result<(Finished, Option<Vec<u8>>)> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let file = self.downloads.join(format!("download-{number}"));
        let command = [
            "s3api",
            "get-object",
            "--bucket",
            bucket,
            "--key",
            key,
            "--range",
            RANGE,
        ];
        let finished = self.aws(command).arg(&file).run()?;
        let bytes = fs::read(&file).ok();
        Ok((finished, bytes))
    }

    /// Why putting a file is refused.
    ///
    /// # Errors
    /// If it is not.
    pub(crate) fn put_refusal(
        &self,
        file: &Path,
        bucket: &str,
        key: &str,
    ) -> anyhow::Result<Refusal> {
        let command = [
            "s3api",
            "put-object",
            "--bucket",
            bucket,
            "--key",
            key,
            "--body",
            path_text(file)?,
        ];
        Refusal::of(&self.aws(command).run()?)
    }

    /// Why listing the account's users is refused.
    ///
    /// # Errors
    /// If it is not.
    pub(crate) fn list_users_refusal(&self) -> anyhow::Result<Refusal> {
        Refusal::of(&self.aws(["iam", "list-users"]).run()?)
    }
}

/// The documented line.
fn credential_process(administrator: &str, region: &str, user: &str) -> String {
    format!(
        "aws --profile {administrator} --region {region} secretsmanager get-secret-value \
         --secret-id publisher/{user} --query SecretString --output text"
    )
}

/// The AWS configuration of the person who runs this: its profiles lead to the administrator.
fn own_configuration() -> anyhow::Result<String> {
    let file = match env::var_os("AWS_CONFIG_FILE") {
        Some(file) => PathBuf::from(file),
        None => {
            PathBuf::from(env::var_os("HOME").context("`HOME` is not set")?).join(".aws/config")
        }
    };
    // Credentials without a configuration file are a complete set-up too.
    Ok(fs::read_to_string(file).unwrap_or_default())
}

/// What a `credential_process` prints for the credentials in the environment.
///
/// # Errors
/// If there are none.
pub(crate) fn environment_credentials() -> anyhow::Result<String> {
    let variable = |name: &str| env::var(name).with_context(|| format!("`{name}` is not set"));
    let mut credentials = serde_json::json!({
        "Version": 1,
        "AccessKeyId": variable("AWS_ACCESS_KEY_ID")?,
        "SecretAccessKey": variable("AWS_SECRET_ACCESS_KEY")?,
    });
    if let Ok(token) = variable("AWS_SESSION_TOKEN") {
        credentials["SessionToken"] = token.into();
    }
    Ok(credentials.to_string())
}
