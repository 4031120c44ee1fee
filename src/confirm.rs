//! Whether CloudFormation's own word confirms a request: asks it, asks again, and judges what it says.
//!
//! Whoever may invoke the function can forge an event, and Lambda may deliver a real one late or twice. So an event is
//! only a hint, and CloudFormation's own view of the resource and its stack decides: `change` is the table for a Create or
//! Update, `removal` for a Delete. The table is pure.

use std::time::Duration;

use futures_util::future::join;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::cloud::{Cloud, CloudError, ErrorKind, StackOperation, StackResource, StackView};
use crate::names::{PhysicalId, UserName};
use crate::run::{Run, Serves};
use crate::waits::{ROLE_LAG, VIEW_LAG, WITHDRAW, between_looks};

/// What CloudFormation has to confirm.
#[derive(Clone, Copy, Debug)]
pub enum Question<'a> {
    /// A Create or an Update.
    Change,
    /// The removal of this user and its secret by a Delete.
    Removal(&'a UserName),
}

/// What CloudFormation's word means for the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// Go on.
    Confirmed,
    /// This request was answered before: change nothing.
    Answered(ResourceNow),
    /// Nobody wants the resource any more.
    Unwanted(ResourceNow),
    /// Change nothing. Holds what CloudFormation says.
    Contradicted(String),
    /// The stack went forward at an earlier look, and rolls back now: stop.
    TurnedBack,
    /// CloudFormation did not answer.
    Unanswered(CloudError),
}

/// The resource as CloudFormation shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceNow {
    pub status: String,
    pub physical_id: PhysicalId,
}

/// The answer to a question.
#[derive(Debug)]
pub struct Confirmed {
    pub view: StackView,
    pub confirmation: Confirmation,
    /// Whether time has passed since the first look.
    pub waited: bool,
}

/// Looks once at the resource and its stack, as CloudFormation shows them.
pub async fn look<C: Cloud>(run: &Run<'_, C>) -> StackView {
    let stack = run.owner.stack.as_str();
    let (resource, stack) = join(
        run.cloud.stack_resource(stack, &run.owner.logical_id),
        run.cloud.stack(stack),
    )
    .await;
    StackView { resource, stack }
}

/// Asks CloudFormation whether it still waits for this Create or Update.
pub async fn ask<C: Cloud>(run: &Run<'_, C>) -> Confirmation {
    let view = look(run).await;
    confirm(run, view, Question::Change).await.confirmation
}

/// Judges a look. Believes at once that it may go on, or that the stack has turned back. On any other answer, asks again,
/// because CloudFormation's view lags, for at most [`VIEW_LAG`] in the whole invocation. Without an answer, asks again
/// for as long as [`left_to_wait`] says.
pub async fn confirm<C: Cloud>(
    run: &Run<'_, C>,
    first: StackView,
    question: Question<'_>,
) -> Confirmed {
    let (mut view, mut waited) = (first, false);
    let mut pauses = between_looks();
    loop {
        let confirmation = judge(run, &view, question);
        let left = left_to_wait(run, &confirmation, question);
        let Some(pause) = pauses.next().filter(|_| !left.is_zero()) else {
            return Confirmed {
                view,
                confirmation,
                waited,
            };
        };
        if !waited {
            let says = confirmation.sentence(&run.owner.logical_id);
            info!(says, "asking CloudFormation again");
        }
        let asked = Instant::now();
        sleep(pause.min(left)).await;
        view = look(run).await;
        waited = true;
        if !matches!(confirmation, Confirmation::Unanswered(_)) {
            let spent = &run.heard.waited;
            spent.set(spent.get() + asked.elapsed());
        }
    }
}

/// How much longer to ask again.
fn left_to_wait<C: Cloud>(
    run: &Run<'_, C>,
    confirmation: &Confirmation,
    question: Question<'_>,
) -> Duration {
    let until = |end: Instant| end.saturating_duration_since(Instant::now());
    match (confirmation, question) {
        (Confirmation::Confirmed | Confirmation::TurnedBack, _) => Duration::ZERO,
        (Confirmation::Unanswered(error), question) => match (error.kind, question) {
            (ErrorKind::Throttled | ErrorKind::Indeterminate, Question::Removal(_)) => {
                until(run.deadline.of_work()).saturating_sub(WITHDRAW)
            }
            (ErrorKind::Throttled | ErrorKind::Indeterminate, Question::Change)
            | (ErrorKind::Denied, _) => until(run.deadline.started() + ROLE_LAG),
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
            Confirmation::Answered(_) | Confirmation::Unwanted(_) | Confirmation::Contradicted(_),
            _,
        ) => VIEW_LAG.saturating_sub(run.heard.waited.get()),
    }
}

/// Judges one look, in the light of those before it.
fn judge<C: Cloud>(run: &Run<'_, C>, view: &StackView, question: Question<'_>) -> Confirmation {
    let confirmation = question.judge(view, &run.owner.logical_id);
    let heard = match question {
        Question::Change => &run.heard.change,
        Question::Removal(_) => &run.heard.removal,
    };
    if let Confirmation::Unanswered(error) = &confirmation {
        // Once CloudFormation has said "go on" to this question, silence changes nothing.
        if heard.get() {
            warn!(%error, "CloudFormation does not answer; going on as it said before");
            return Confirmation::Confirmed;
        }
        // A role of somebody's own template may lack the permission to ask.
        if run.serves == Serves::AnyStack
            && matches!(question, Question::Removal(_))
            && error.kind == ErrorKind::Denied
            && !run.may_lag(error)
        {
            warn!(%error, "the role may not ask CloudFormation about this stack; going on with the removal");
            return Confirmation::Confirmed;
        }
    }
    if !confirmation.is_confirmed() {
        return confirmation;
    }
    heard.set(true);
    match (question, run.heard.operation.get(), operation_of(view)) {
        (Question::Change, Some(StackOperation::Forward), Some(StackOperation::Rollback)) => {
            Confirmation::TurnedBack
        }
        (_, None, now) => {
            run.heard.operation.set(now);
            Confirmation::Confirmed
        }
        (_, Some(_), _) => Confirmation::Confirmed,
    }
}

/// Whether the stack goes forward or rolls back. Forward until CloudFormation says otherwise, so that a failed
/// proof counts.
pub fn operation<C: Cloud>(run: &Run<'_, C>) -> StackOperation {
    run.heard.operation.get().unwrap_or(StackOperation::Forward)
}

impl Question<'_> {
    /// Judges one look. `logical_id` is the resource's.
    pub fn judge(&self, view: &StackView, logical_id: &str) -> Confirmation {
        match self {
            Self::Change => change(view, logical_id),
            Self::Removal(user) => removal(view, logical_id, user),
        }
    }
}

fn change(view: &StackView, logical_id: &str) -> Confirmation {
    let (status, physical_id) = match &view.resource {
        Ok(StackResource::Custom {
            status,
            physical_id,
        }) => (status.0.as_str(), physical_id),
        Ok(StackResource::OtherType(kind)) => {
            return Confirmation::Contradicted(format!(
                "resource `{logical_id}` of this stack is of type `{kind}`, not a custom resource"
            ));
        }
        Ok(StackResource::Missing(message)) => return Confirmation::Contradicted(message.clone()),
        Err(error) => return Confirmation::Unanswered(error.clone()),
    };
    let now = ResourceNow {
        status: status.to_owned(),
        physical_id: PhysicalId::parse(physical_id),
    };
    match status {
        // Retained: the resource left the stack, and somebody chose to keep it as it is.
        "DELETE_SKIPPED" => Confirmation::Contradicted(now.sentence(logical_id)),
        "CREATE_FAILED" => Confirmation::Unwanted(now),
        status if status.starts_with("DELETE_") => Confirmation::Unwanted(now),
        status if status.ends_with("_COMPLETE") => Confirmation::Answered(now),
        // An export to another stack sends no request. The ending decides for a status that AWS may add one day.
        status if status.ends_with("_IN_PROGRESS") && !status.starts_with("EXPORT_") => {
            Confirmation::Confirmed
        }
        _ => Confirmation::Contradicted(now.sentence(logical_id)),
    }
}

fn removal(view: &StackView, logical_id: &str, user: &UserName) -> Confirmation {
    match &view.stack {
        Err(error) => return Confirmation::Unanswered(error.clone()),
        Ok(None) => return Confirmation::Contradicted("there is no such stack".to_owned()),
        Ok(Some(stack)) if !stack.status.is_in_progress() => {
            return Confirmation::Contradicted(format!(
                "the stack is at rest (`{}`), and a stack at rest deletes nothing",
                stack.status
            ));
        }
        Ok(Some(_)) => {}
    }
    let (status, physical_id) = match &view.resource {
        Err(error) => return Confirmation::Unanswered(error.clone()),
        Ok(StackResource::Missing(_) | StackResource::OtherType(_)) => {
            return Confirmation::Confirmed;
        }
        Ok(StackResource::Custom {
            status,
            physical_id,
        }) => (status.0.as_str(), PhysicalId::parse(physical_id)),
    };
    let held = match status {
        "DELETE_SKIPPED" => true,
        status if status.starts_with("DELETE_") => false,
        status => status.ends_with("_IN_PROGRESS") || status.ends_with("_COMPLETE"),
    };
    let named = match physical_id.user() {
        Some(named) => named.eq_ignore_case(user),
        // A resource that is being created has no id yet.
        None => status.starts_with("CREATE_"),
    };
    if held && named {
        let now = ResourceNow {
            status: status.to_owned(),
            physical_id,
        };
        Confirmation::Contradicted(format!(
            "{}, so user `{user}` is in use",
            now.sentence(logical_id)
        ))
    } else {
        Confirmation::Confirmed
    }
}

impl Confirmation {
    /// Whether CloudFormation says "go on".
    pub fn is_confirmed(&self) -> bool {
        *self == Self::Confirmed
    }

    /// What it means for the request: one sentence without a full stop.
    pub fn sentence(&self, logical_id: &str) -> String {
        let says = |now: &ResourceNow| now.sentence(logical_id);
        match self {
            Self::Confirmed => "CloudFormation confirmed this request".to_owned(),
            Self::Answered(now) => format!(
                "CloudFormation says that {}: this request was answered before, and what it asks for is not what is there",
                says(now)
            ),
            Self::Unwanted(now) => format!(
                "CloudFormation says that {}: nobody wants the resource any more",
                says(now)
            ),
            Self::Contradicted(said) => {
                format!("CloudFormation does not wait for this request; it says: {said}")
            }
            Self::TurnedBack => {
                "the stack has begun to roll back while this request was at work".to_owned()
            }
            Self::Unanswered(error) => {
                format!("CloudFormation did not say whether it waits for this request: {error}")
            }
        }
    }

    /// The resource, if nobody wants it any more.
    pub fn unwanted(&self) -> Option<&ResourceNow> {
        if let Self::Unwanted(now) = self {
            Some(now)
        } else {
            None
        }
    }
}

impl ResourceNow {
    /// What CloudFormation says, as one sentence without a full stop.
    pub fn sentence(&self, logical_id: &str) -> String {
        let Self {
            status,
            physical_id,
        } = self;
        match physical_id.as_str() {
            "" => format!("resource `{logical_id}` is `{status}`"),
            id => format!("resource `{logical_id}` is `{status}` with physical id `{id}`"),
        }
    }
}

/// Whether the stack goes forward or rolls back; `None` if CloudFormation did not say.
fn operation_of(view: &StackView) -> Option<StackOperation> {
    let stack = view.stack.as_ref().ok()?.as_ref()?;
    Some(stack.status.operation())
}

#[cfg(test)]
mod tests;
