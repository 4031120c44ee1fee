//! The AWS CLI, and its errors as sentences that say what to do.

use std::{ffi::OsStr, process::Command};

use anyhow::{Context, bail};

/// Runs `aws` and returns what it prints.
///
/// # Errors
/// If it fails. The error is its own last line, or a better one.
pub(crate) fn aws<A: AsRef<OsStr>>(
    arguments: impl IntoIterator<Item = A>,
) -> anyhow::Result<String> {
    let output = Command::new("aws")
        .args(arguments)
        .env("AWS_PAGER", "")
        .output();
    let output = output.context("the AWS CLI is missing: install `aws`, or run `make tools`")?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let last = errors
        .lines()
        .rfind(|line| !line.trim().is_empty())
        .unwrap_or("aws failed");
    bail!("{}", explained(last.trim()))
}

fn explained(error: &str) -> String {
    let no_credentials = [
        "Unable to locate credentials",
        "ExpiredToken",
        "InvalidClientTokenId",
        "config profile",
    ];
    if no_credentials.iter().any(|part| error.contains(part)) {
        return format!(
            "no valid AWS credentials: run `aws configure` or `aws sso login`, or set AWS_PROFILE ({error})"
        );
    }
    error.to_owned()
}
