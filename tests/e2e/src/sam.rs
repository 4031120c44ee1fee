//! What a user does with `sam`: build, deploy and delete. The tests package once.

use std::{fs, time::Duration};

use anyhow::Context;
use serde_json::Value;

use crate::{
    account::{Account, path_text},
    process::Finished,
    workplace::Workplace,
};

/// A tag of every stack that is deployed with `sam`, which user and secret get too.
pub(crate) const STACK_TAG: (&str, &str) = ("CostCenter", "4711");

/// Template parameters, such as `("Buckets", "genomes")`.
pub(crate) type Parameters<'a> = &'a [(&'a str, &'a str)];

impl Account {
    /// `sam build`, as a user types it.
    pub(crate) fn sam_build(&self, workplace: &Workplace) -> anyhow::Result<Duration> {
        let finished = self.sam(["build"]).succeed();
        log(workplace, "sam-build.log", finished)
    }

    /// `sam deploy`, as a user types it after `sam build`, with the artifacts in a bucket of this run.
    pub(crate) fn sam_deploy(
        &self,
        workplace: &Workplace,
        stack: &str,
        artifacts: &str,
        parameters: Parameters<'_>,
    ) -> anyhow::Result<Duration> {
        let fixed = [
            "deploy",
            "--stack-name",
            stack,
            "--s3-bucket",
            artifacts,
            "--capabilities",
            "CAPABILITY_IAM",
            "--no-confirm-changeset",
            "--no-progressbar",
            "--tags",
        ];
        let (key, value) = STACK_TAG;
        let tag = [format!("{key}={value}"), "--parameter-overrides".to_owned()];
        let overrides = parameters
            .iter()
            .map(|(key, value)| format!("{key}={value}"));
        let finished = self.sam(fixed).args(tag).args(overrides).succeed();
        log(workplace, "sam-deploy.log", finished)
    }

    /// `sam delete`, which removes the stack's artifacts from the bucket too.
    pub(crate) fn sam_delete(
        &self,
        workplace: &Workplace,
        stack: &str,
        artifacts: &str,
    ) -> anyhow::Result<Duration> {
        let command = [
            "delete",
            "--stack-name",
            stack,
            "--s3-bucket",
            artifacts,
            "--no-prompts",
        ];
        let region = ["--region", self.region()];
        let finished = self.sam(command).args(region).succeed();
        log(workplace, "sam-delete.log", finished)
    }

    /// Uploads the built functions to `artifacts` once, and returns the template that refers to them.
    pub(crate) fn sam_package(
        &self,
        workplace: &Workplace,
        artifacts: &str,
    ) -> anyhow::Result<Value> {
        self.sam_package_of(
            workplace,
            artifacts,
            path_text(&workplace.built_template())?,
        )
    }

    /// The same with another template than the built one.
    pub(crate) fn sam_package_of(
        &self,
        workplace: &Workplace,
        artifacts: &str,
        template: &str,
    ) -> anyhow::Result<Value> {
        let output = workplace.scratch().join("packaged.json");
        let command = ["package", "--use-json", "--no-progressbar"];
        let finished = self
            .sam(command)
            .args(["--template-file", template, "--s3-bucket", artifacts])
            .args(["--output-template-file", path_text(&output)?])
            .succeed();
        log(workplace, "sam-package.log", finished)?;
        serde_json::from_str(&fs::read_to_string(&output)?)
            .context("the packaged template is no JSON")
    }
}

/// Appends a command's output to a log of this run, and returns the command's time.
fn log(
    workplace: &Workplace,
    name: &str,
    finished: anyhow::Result<Finished>,
) -> anyhow::Result<Duration> {
    let path = workplace.logs().join(name);
    let earlier = fs::read_to_string(&path).unwrap_or_default();
    match finished {
        Ok(finished) => {
            fs::write(&path, format!("{earlier}{}", finished.whole()))?;
            Ok(finished.elapsed)
        }
        Err(error) => {
            fs::write(&path, format!("{earlier}{error}\n"))?;
            Err(error.context(format!("see {}", path.display())))
        }
    }
}
