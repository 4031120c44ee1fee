//! One invocation at work: what it is given, and what it has learned and done so far.

use std::time::SystemTime;

use backon::Retryable;
use tokio::time::Instant;

use super::verdict::Conversation;
use crate::cloud::{AccessKeyId, Cloud, CloudError, ErrorKind, Result, VersionId};
use crate::request::owner::Owner;
use crate::waits::{Deadline, IAM_LAG, ROLE_LAG, while_iam_lags};

/// What an invocation is given. It never changes.
#[derive(Clone, Copy, Debug)]
pub struct Invocation<'a, C> {
    pub cloud: &'a C,
    pub owner: &'a Owner,
    /// When CloudFormation sent the request; `None` if that is unknown, or if Secrets Manager or `EventBridge` sent it.
    pub sent: Option<SystemTime>,
    /// When the invocation began, and when the work must have ended.
    pub deadline: Deadline,
}

/// What an invocation has learned and done so far. It is passed from step to step and from round to round.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Until when an IAM write may not be visible everywhere.
    lags_until: Instant,
    pub conversation: Conversation,
    pub done: Done,
    /// Whether a step has changed what the user may do, so that a proof is needed.
    pub access: Access,
    /// The version in which another run of the same decision has stored its key first. No further key is made then.
    pub overtaken_by: Option<VersionId>,
}

/// What an invocation has made and changed. If CloudFormation does not wait for its request, what it made is removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Whether the user was made, or may have been, because the answer was lost.
    pub user: bool,
    /// Whether the secret was made, or may have been.
    pub secret: bool,
    /// The key that was stored, or may have been.
    pub stored: Option<AccessKeyId>,
    /// Whether a key was made and deleted again.
    pub discarded: bool,
    /// Whether anything else was changed, such as the policy.
    pub changed: bool,
}

impl Done {
    /// Adds what another step has done.
    pub fn add(&mut self, other: Self) {
        let Self {
            user,
            secret,
            stored,
            discarded,
            changed,
        } = other;
        self.user |= user;
        self.secret |= secret;
        self.stored = stored.or(self.stored.take());
        self.discarded |= discarded;
        self.changed |= changed;
    }
}

/// Whether the user's access has changed, so that a proof is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Same,
    /// User, policy, boundary or current key was made or changed.
    Changed,
}

impl<C: Cloud> Invocation<'_, C> {
    /// Makes a reading call, and repeats it while IAM lags and denies it.
    pub async fn while_denied<T>(
        &self,
        progress: &Progress,
        call: impl AsyncFn() -> Result<T>,
    ) -> Result<T> {
        (|| call())
            .retry(while_iam_lags())
            .when(|error| error.kind == ErrorKind::Denied && progress.may_lag(error))
            .await
    }
}

impl Progress {
    pub fn new(deadline: Deadline) -> Self {
        Self {
            lags_until: deadline.started() + ROLE_LAG,
            conversation: Conversation::default(),
            done: Done::default(),
            access: Access::Same,
            overtaken_by: None,
        }
    }

    /// Whether a call may have failed only because IAM does not show everything yet. Nothing has happened then, and
    /// repeating is worthwhile. At first, the role of a new stack lags; later, what this invocation has written.
    pub fn may_lag(&self, error: &CloudError) -> bool {
        matches!(error.kind, ErrorKind::NotFound | ErrorKind::Denied) && self.is_lagging()
    }

    /// Whether IAM may not show everything yet.
    pub fn is_lagging(&self) -> bool {
        Instant::now() < self.lags_until
    }

    /// Notes a write that IAM may show late.
    pub fn wrote(&mut self) {
        self.lags_until = self.lags_until.max(Instant::now() + IAM_LAG);
    }
}
