//! What can go wrong with a call.

use std::fmt;

/// An AWS call that failed, as far as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct CloudError {
    /// IAM's name of the action, such as `iam:CreateUser`.
    pub operation: &'static str,
    /// What to make of it.
    pub kind: ErrorKind,
    /// AWS's error code, if it answered with one.
    pub code: Option<String>,
    /// AWS's message, or ours where its answer could not be read.
    pub message: String,
    /// AWS's request id, if it answered.
    pub request_id: Option<String>,
}

impl fmt::Display for CloudError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` failed", self.operation)?;
        if let Some(code) = &self.code {
            write!(f, " with `{code}`")?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(id) = &self.request_id {
            write!(f, " (AWS request id {id})")?;
        }
        Ok(())
    }
}

/// What to make of a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// What it was to act on is missing. Right after a create: not visible yet.
    NotFound,
    /// `AccessDenied` and its kin. Right after a create, tag or boundary step, or on a fresh role: perhaps not yet.
    Denied,
    /// The key is not known (yet): `InvalidClientTokenId`, `InvalidAccessKeyId`.
    UnknownKey,
    /// Throttled, and the adapter's own repetition did not help: nothing happened.
    Throttled,
    /// Something else is in the way for now: `DeleteConflict`, `ConcurrentModification`, `EntityTemporarilyUnmodifiable`.
    Conflict,
    /// A quota is used up.
    LimitExceeded,
    /// AWS refuses this request for good: nothing happened.
    Rejected,
    /// No answer, a 5xx, or an answer that could not be read: it may have happened.
    Indeterminate,
}
