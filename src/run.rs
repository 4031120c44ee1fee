//! One invocation at work: its context, what it has made so far, and how it waits for AWS to settle.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use backon::Retryable;
use futures_util::future::join;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::cloud::{Cloud, CloudError, ErrorKind, Result, StackOperation, StackView, VersionId};
use crate::confirm::{Confirmation, Question, operation};
use crate::deadline::Deadline;
use crate::ownership::Owner;
use crate::secret::AccessKeyId;
use crate::waits::{
    IAM_LAG, ProofTimeouts, ROLE_LAG, VIEW_LAG, WITHDRAW, between_looks, while_iam_lags,
};

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
    /// Until when an IAM write may not be visible everywhere.
    lags_until: Cell<Instant>,
    /// How long the invocation has waited for CloudFormation to say "go on".
    view_waited: Cell<Duration>,
    /// Whether CloudFormation has said "go on".
    confirmed: Cell<bool>,
    /// Whether the stack went forward or rolled back when CloudFormation first said "go on".
    operation: Cell<Option<StackOperation>>,
}

/// Which stacks a function serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serves {
    /// The one that `STACK_ID` names.
    OneStack,
    /// Every stack of its account and region.
    AnyStack,
}

/// What an invocation has made. If its request turns out to be unwanted, exactly this is removed.
#[derive(Debug, Default)]
pub struct Made {
    /// What existed of the pair before the first step; `None` until it is observed.
    pub found: Cell<Option<Found>>,
    /// Whether the user or the secret was made.
    pub user_or_secret: Cell<bool>,
    /// The keys, with the version that each was to be stored in.
    pub keys: RefCell<Vec<(VersionId, AccessKeyId)>>,
}

/// What existed of a pair before the first step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Neither user nor secret.
    Nothing,
    /// One of them, or both.
    Something,
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
            lags_until: Cell::new(deadline.started() + ROLE_LAG),
            view_waited: Cell::default(),
            confirmed: Cell::default(),
            operation: Cell::default(),
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

    /// Looks once at the resource and its stack, as CloudFormation shows them.
    pub async fn look(&self) -> StackView {
        let stack = self.owner.stack.as_str();
        let (resource, stack) = join(
            self.cloud.stack_resource(stack, &self.owner.logical_id),
            self.cloud.stack(stack),
        )
        .await;
        StackView { resource, stack }
    }

    /// Asks CloudFormation whether it still waits for this Create or Update.
    pub async fn ask(&self) -> Confirmation {
        let view = self.look().await;
        self.confirm(view, Question::Change).await.confirmation
    }

    /// Judges a look. Believes "go on" at once. On any other answer, asks again, because CloudFormation's view lags:
    /// until the whole invocation has spent [`VIEW_LAG`] on that or, without an answer, as long as the role may lag.
    pub async fn confirm(&self, first: StackView, question: Question<'_>) -> Confirmed {
        let (mut view, mut waited) = (first, false);
        let mut pauses = between_looks();
        loop {
            let confirmation = self.judge(&view, question);
            let left = self.left_to_wait(&confirmation, question);
            let Some(pause) = pauses.next().filter(|_| !left.is_zero()) else {
                return Confirmed {
                    view,
                    confirmation,
                    waited,
                };
            };
            if !waited {
                info!(?confirmation, "asking CloudFormation again");
            }
            let asked = Instant::now();
            sleep(pause.min(left)).await;
            view = self.look().await;
            waited = true;
            if !matches!(confirmation, Confirmation::Unanswered(_)) {
                self.view_waited
                    .set(self.view_waited.get() + asked.elapsed());
            }
        }
    }

    /// How much longer to ask again.
    fn left_to_wait(&self, confirmation: &Confirmation, question: Question<'_>) -> Duration {
        let until = |end: Instant| end.saturating_duration_since(Instant::now());
        match (confirmation, question) {
            (Confirmation::Confirmed | Confirmation::TurnedBack, _) => Duration::ZERO,
            (Confirmation::Unanswered(error), question) => match (error.kind, question) {
                (ErrorKind::Throttled | ErrorKind::Indeterminate, Question::Removal(_)) => {
                    until(self.deadline.of_work()).saturating_sub(WITHDRAW)
                }
                (ErrorKind::Throttled | ErrorKind::Indeterminate, Question::Change)
                | (ErrorKind::Denied, _) => until(self.deadline.started() + ROLE_LAG),
                // AWS refuses the question itself, and would do so again.
                (
                    ErrorKind::NotFound
                    | ErrorKind::UnknownKey
                    | ErrorKind::Conflict
                    | ErrorKind::LimitExceeded
                    | ErrorKind::Rejected,
                    _,
                ) => Duration::ZERO,
            },
            (
                Confirmation::Answered(_)
                | Confirmation::Unwanted(_)
                | Confirmation::Contradicted(_),
                _,
            ) => VIEW_LAG.saturating_sub(self.view_waited.get()),
        }
    }

    /// Judges one look, in the light of those before it.
    fn judge(&self, view: &StackView, question: Question<'_>) -> Confirmation {
        let confirmation = question.judge(view, &self.owner.logical_id);
        if let Confirmation::Unanswered(error) = &confirmation {
            // After a "go on", silence changes nothing.
            if self.confirmed.get() {
                warn!(%error, "CloudFormation does not answer; going on as it said before");
                return Confirmation::Confirmed;
            }
            // A role of somebody's own template may lack the permission to ask.
            if self.serves == Serves::AnyStack
                && matches!(question, Question::Removal(_))
                && error.kind == ErrorKind::Denied
                && !self.may_lag(error)
            {
                warn!(%error, "the role may not ask CloudFormation about this stack; going on with the removal");
                return Confirmation::Confirmed;
            }
        }
        if !confirmation.is_confirmed() {
            return confirmation;
        }
        self.confirmed.set(true);
        match (question, self.operation.get(), operation(view)) {
            (Question::Change, Some(StackOperation::Forward), Some(StackOperation::Rollback)) => {
                Confirmation::TurnedBack
            }
            (_, None, now) => {
                self.operation.set(now);
                Confirmation::Confirmed
            }
            (_, Some(_), _) => Confirmation::Confirmed,
        }
    }

    /// Whether the stack goes forward or rolls back. Forward until CloudFormation says otherwise, so that a failed
    /// proof counts.
    pub fn operation(&self) -> StackOperation {
        self.operation.get().unwrap_or(StackOperation::Forward)
    }
}

/// The answer to a question.
#[derive(Debug)]
pub struct Confirmed {
    pub view: StackView,
    pub confirmation: Confirmation,
    /// Whether time has passed since the first look.
    pub waited: bool,
}
