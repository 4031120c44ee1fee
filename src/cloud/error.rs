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
    /// AWS's message, or ours if its answer could not be read.
    pub message: String,
    /// AWS's request id, if it answered.
    pub request_id: Option<String>,
    /// Which policy stood in the way, if one did.
    pub denial: Option<Box<Denial>>,
}

impl CloudError {
    /// An error that AWS did not word: it has no code, no request id and no policy to name.
    pub fn unanswered(
        operation: &'static str,
        kind: ErrorKind,
        message: impl Into<String>,
    ) -> Self {
        Self {
            operation,
            kind,
            code: None,
            message: message.into(),
            request_id: None,
            denial: None,
        }
    }
}

/// Which policy denied a call, as far as AWS's message tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    pub by: PolicyKind,
    /// Whether a `Deny` statement matched. Otherwise no `Allow` matched.
    pub explicit: bool,
    pub of: Denied,
}

/// The kinds of policy that IAM evaluates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// The caller's own policy.
    Identity,
    /// The caller's permissions boundary.
    Boundary,
    /// The policy of the bucket or of another resource.
    Resource,
    /// A service control policy or resource control policy of the organization.
    Organization,
    /// AWS does not say. S3 does not tell callers from other accounts.
    Unsaid,
}

/// What a policy denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The call itself.
    Call,
    /// Using the KMS key that encrypts the object or the secret; holds the key's ARN if AWS names it.
    KmsKey(Option<String>),
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
    /// Its target is missing. Right after a create, it may not be visible yet.
    NotFound,
    /// `AccessDenied` and the like. It may pass if it comes right after a create, tag or boundary step, or with a new
    /// role.
    Denied,
    /// The key is not known (yet): `InvalidClientTokenId`, `InvalidAccessKeyId`.
    UnknownKey,
    /// Throttled despite the adapter's retries: nothing happened.
    Throttled,
    /// Something else is in the way right now: `DeleteConflict`, `ConcurrentModification`,
    /// `EntityTemporarilyUnmodifiable`.
    Conflict,
    /// A quota is used up.
    LimitExceeded,
    /// AWS refuses this request for good: nothing happened.
    Rejected,
    /// No answer, a 5xx, or an answer that could not be read: it may have happened.
    Indeterminate,
}
