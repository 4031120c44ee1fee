//! What the tests share: one account, one packaged template, one bucket to read. Each test deploys its own stacks under
//! its own names, so they run side by side. A stack whose deletion shows nothing new goes with the emulator.

use std::{collections::BTreeSet, fs};

use anyhow::ensure;
use serde_json::Value;

use crate::{
    account::{Account, path_text, secrets::StoredKey},
    process::join,
    publisher::Publisher,
    release::{Release, X86_64},
    stack::FUNCTION,
    workplace::Workplace,
};

mod deployment;

pub(crate) use deployment::Deployment;

/// The bucket that the tests' stacks read.
pub(crate) const BUCKET: &str = "genomes-shared";
/// One of its objects.
pub(crate) const OBJECT: &str = "targets/exome.chr20.bed";
/// The bucket with the functions' code.
pub(crate) const ARTIFACTS: &str = "publisher-e2e-artifacts";

/// Everything that is made once for all tests.
#[derive(Debug)]
pub(crate) struct Bench<'a> {
    pub(crate) workplace: &'a Workplace,
    pub(crate) account: &'a Account,
    template: Value,
    /// Made from the same programs, and uploaded to [`ARTIFACTS`].
    pub(crate) release: Release,
}

impl<'a> Bench<'a> {
    /// Makes the bucket and uploads the function.
    pub(crate) fn prepare(workplace: &'a Workplace, account: &'a Account) -> anyhow::Result<Self> {
        account.create_bucket(BUCKET)?;
        account.upload(&workplace.data().join("first"), &format!("s3://{BUCKET}"))?;
        account.create_bucket(ARTIFACTS)?;
        let template = account.sam_package(workplace, ARTIFACTS)?;
        let releases = workplace.scratch().join("releases");
        let release = Release::assemble(workplace, &releases, X86_64, &workplace.built())?;
        let to = format!("s3://{ARTIFACTS}/{}", release.name());
        account.upload(&release.folder(), &to)?;
        Ok(Self {
            workplace,
            account,
            template,
            release,
        })
    }

    /// A stack named `publisher-<slug>` that is not created yet, for the user of the same name.
    pub(crate) fn stack(&'a self, slug: &str) -> Deployment<'a> {
        Deployment::new(self, format!("publisher-{slug}"))
    }

    /// The template of release 0.2 with today's program, which can answer for it: building the old one takes minutes.
    /// It gets the handlers that the old programs did not need, and this release's version.
    pub(crate) fn release_before(&self) -> anyhow::Result<Value> {
        let template = "tests/template/template-0.2.0.yaml";
        let path = self.workplace.repository().join(template);
        let mut template = fs::read_to_string(&path)?;
        template = template.replace(
            "Version: 0.2.0 }",
            &format!("Version: {} }}", self.release.version),
        );
        for handler in ["custom-resource", "maintenance"] {
            let old = "      Code: .\n      Handler: bootstrap\n";
            ensure!(
                template.contains(old),
                "{} has no {handler}",
                path.display()
            );
            let code = &self.template["Resources"][FUNCTION]["Properties"]["Code"];
            let new = format!("      Code: {code}\n      Handler: {handler}\n");
            template = template.replacen(old, &new, 1);
        }
        let folder = self.workplace.scratch().join("release-before");
        fs::create_dir_all(&folder)?;
        let path = folder.join("template.yaml");
        fs::write(&path, template)?;
        self.account
            .sam_package_of(self.workplace, ARTIFACTS, path_text(&path)?)
    }

    /// Publisher with the profile of `user`.
    pub(crate) fn publisher(&self, user: &str) -> anyhow::Result<Publisher<'a>> {
        Publisher::with_profile(self.account, self.workplace, user)
    }

    /// Puts the sample [`OBJECT`] into another bucket, with further `options`.
    pub(crate) fn put_object(
        &self,
        bucket: &str,
        key: &str,
        options: &[&str],
    ) -> anyhow::Result<()> {
        let file = self.workplace.data().join("first").join(OBJECT);
        let command = [
            "s3api",
            "put-object",
            "--bucket",
            bucket,
            "--key",
            key,
            "--body",
            path_text(&file)?,
        ];
        self.account
            .json(command.into_iter().chain(options.iter().copied()))?;
        Ok(())
    }

    /// The current key of `user`.
    pub(crate) fn current_key(&self, user: &str) -> anyhow::Result<StoredKey> {
        self.account
            .stored_key(&format!("publisher/{user}"), "AWSCURRENT")
    }

    /// Whether `user`, by its profile, reads the shared bucket's object byte for byte.
    pub(crate) fn assert_reads(&self, user: &str) -> anyhow::Result<()> {
        let publisher = self.publisher(user)?;
        let content = fs::read(self.workplace.data().join("first").join(OBJECT))?;
        let (read, listed) = join(
            || publisher.get(BUCKET, OBJECT),
            || publisher.list(BUCKET, "", 1),
        )?;
        ensure!(read == content, "{user} read another content");
        ensure!(!listed.is_empty(), "{user} listed nothing");
        Ok(())
    }

    /// Checks that neither user nor secret of that name exists.
    pub(crate) fn assert_nothing_of(&self, user: &str) -> anyhow::Result<()> {
        let secret = format!("publisher/{user}");
        let (user, secret) = join(|| self.account.user(user), || self.account.secret(&secret))?;
        ensure!(user.is_none(), "a user is there: {user:?}");
        ensure!(secret.is_none(), "a secret is there: {secret:?}");
        Ok(())
    }
}

/// # Errors
/// If the `Reason`, which tells a person what to do, lacks one of `words`.
pub(crate) fn assert_names(reason: &str, words: &[&str]) -> anyhow::Result<()> {
    let missing: BTreeSet<_> = words
        .iter()
        .filter(|word| !reason.contains(**word))
        .collect();
    ensure!(
        missing.is_empty(),
        "the Reason does not name {missing:?}: {reason}"
    );
    let line = reason.lines().count();
    ensure!(line == 1, "the Reason has {line} lines: {reason}");
    Ok(())
}
