//! Errors that AWS answered, as the command line prints them.

use std::fmt;

use anyhow::{Context, ensure};

use crate::process::Finished;

/// An error that AWS answered.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// Such as `AccessDenied`.
    pub(crate) code: String,
    /// The API's name of the operation, such as `PutObject`.
    pub(crate) operation: String,
    pub(crate) message: String,
}

impl Refusal {
    /// The refusal that ended a command.
    ///
    /// # Errors
    /// If the command succeeded, or failed before AWS answered.
    pub(crate) fn of(finished: &Finished) -> anyhow::Result<Self> {
        ensure!(!finished.status.success(), "it was not refused: {finished}");
        Self::parse(&finished.stderr).with_context(|| format!("no answer of AWS: {finished}"))
    }

    /// From `… An error occurred (CODE) when calling the OPERATION operation: MESSAGE`.
    fn parse(output: &str) -> Option<Self> {
        let (_, error) = output.split_once("An error occurred (")?;
        let (code, rest) = error.split_once(") when calling the ")?;
        let (operation, message) = rest.split_once(" operation")?;
        Some(Self {
            code: code.to_owned(),
            operation: operation.to_owned(),
            message: message.trim_start_matches(':').trim().to_owned(),
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            code,
            operation,
            message,
        } = self;
        write!(f, "{operation}: {code}: {message}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_read_from_what_aws_prints() {
        let line = "upload failed: - to s3://b/k An error occurred (AccessDenied) when calling the PutObject operation: no\n";
        let refusal = Refusal::parse(line).map(|refusal| refusal.to_string());
        assert_eq!(refusal.as_deref(), Some("PutObject: AccessDenied: no"));
    }

    #[test]
    fn a_failure_before_aws_answers_is_no_refusal() {
        assert!(Refusal::parse("Unable to locate credentials").is_none());
    }
}
