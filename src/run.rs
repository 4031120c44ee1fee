//! One invocation at work: its context, what it has made and heard so far, and how it waits while IAM lags.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use backon::Retryable;
use tokio::time::Instant;

use crate::cloud::{Cloud, CloudError, ErrorKind, Result, StackOperation, VersionId};
use crate::deadline::Deadline;
use crate::ownership::Owner;
use crate::secret::AccessKeyId;
use crate::waits::{IAM_LAG, ProofTimeouts, ROLE_LAG, while_iam_lags};

/// One invocation at work for one resource.
#[derive(Debug)]
pub struct Run<'a, C> {
    pub cloud: &'a C,
    pub owner: &'a Owner,
    /// Which stacks the function serves.
    pub serves: Serves,
    /// How long a proof waits.
    pub proof_timeouts: ProofTimeouts,
    /// When the invocation began, and when the work must have ended.
    pub deadline: Deadline,
    /// What this invocation has made so far.
    pub made: Made,
    /// What CloudFormation has said to it so far.
    pub heard: Heard,
    /// Until when an IAM write may not be visible everywhere.
    lags_until: Cell<Instant>,
}

/// Which stacks a function serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serves {
    /// The one that `STACK_ID` names.
    OneStack,
    /// Every stack of its account and region.
    AnyStack,
}

/// What an invocation has made. If CloudFormation does not confirm its request, this is removed, except what is in use.
#[derive(Debug, Default)]
pub struct Made {
    /// What existed of the pair before the first step; `None` until it is observed.
    pub found: Cell<Option<Found>>,
    /// Whether the user or the secret was made, or may have been, because the answer was lost.
    pub user_or_secret: Cell<bool>,
    /// The keys, with the version that each was to be stored in.
    pub keys: RefCell<Vec<(VersionId, AccessKeyId)>>,
    /// Whether anything else was changed, such as the policy.
    pub changes: Cell<bool>,
}

/// What existed of a pair before the first step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Neither user nor secret.
    Nothing,
    /// One of them, or both.
    Something,
}

/// What CloudFormation has said to an invocation.
#[derive(Debug, Default)]
pub struct Heard {
    /// Whether it has said "go on" to the Create or Update.
    pub change: Cell<bool>,
    /// Whether it has said "go on" to the removal of a pair. That is another question, and a "go on" to the one says
    /// nothing about the other.
    pub removal: Cell<bool>,
    /// Whether the stack went forward or rolled back when it first said "go on".
    pub operation: Cell<Option<StackOperation>>,
    /// How long the invocation has asked again after an answer other than "go on".
    pub waited: Cell<Duration>,
}

impl Made {
    /// Whether the whole pair is this invocation's.
    pub fn the_pair(&self) -> bool {
        self.found.get() == Some(Found::Nothing) && self.user_or_secret.get()
    }
}

impl<'a, C: Cloud> Run<'a, C> {
    /// An invocation that begins now.
    pub fn new(
        cloud: &'a C,
        owner: &'a Owner,
        serves: Serves,
        proof_timeouts: ProofTimeouts,
        deadline: Deadline,
    ) -> Self {
        Self {
            cloud,
            owner,
            serves,
            proof_timeouts,
            deadline,
            made: Made::default(),
            heard: Heard::default(),
            lags_until: Cell::new(deadline.started() + ROLE_LAG),
        }
    }

    /// Whether a call may have failed only because IAM does not show everything yet. Nothing has happened then, and
    /// repeating is worthwhile. At first, the role of a new stack lags; later, what this invocation has written.
    pub fn may_lag(&self, error: &CloudError) -> bool {
        matches!(error.kind, ErrorKind::NotFound | ErrorKind::Denied) && self.is_lagging()
    }

    /// Whether IAM may not show everything yet.
    pub fn is_lagging(&self) -> bool {
        Instant::now() < self.lags_until.get()
    }

    /// Notes a write that IAM may show late.
    pub fn wrote(&self) {
        let until = Instant::now() + IAM_LAG;
        self.lags_until.set(self.lags_until.get().max(until));
    }

    /// Makes a reading call, and repeats it while IAM lags and denies it.
    pub async fn patiently<T>(&self, call: impl AsyncFn() -> Result<T>) -> Result<T> {
        (|| call())
            .retry(while_iam_lags())
            .when(|error| error.kind == ErrorKind::Denied && self.may_lag(error))
            .await
    }
}
