//! Who is believed: whether CloudFormation waits for a request. Asks it, asks again, and judges what it says.
//!
//! Whoever may invoke the function can forge an event, and Lambda may deliver a real one late or twice. So an event is
//! only a hint, and CloudFormation's own view of the resource and its stack decides: `change` is the table for a Create or
//! Update, `removal` for a Delete. The tables are pure.

use std::time::Duration;

use futures_util::future::try_join;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::Invocation;
use crate::cloud::{
    Cloud, CloudError, CustomResource, ErrorKind, Result, Stack, StackOperation, StackResource,
    Stacks,
};
use crate::request::names::UserName;
use crate::request::owner::Owner;
use crate::request::visible;
use crate::waits::{Deadline, ROLE_LAG, VIEW_LAG, WITHDRAW, between_looks};

#[derive(Clone, Copy, Debug)]
pub enum Question<'a> {
    /// Whether it waits for this Create or Update.
    Change,
    /// Whether this user and its secret may be removed by a Delete.
    Removal(&'a UserName),
}

/// What CloudFormation's word means for the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    GoOn,
    /// This request was answered before: change nothing.
    Answered(CustomResource),
    Unwanted(CustomResource),
    /// Change nothing. Holds what CloudFormation says.
    Contradicted(String),
    /// The stack went forward at an earlier look, and rolls back now: stop.
    TurnedBack,
    Unanswered(CloudError),
}

/// One look at CloudFormation. A look without both answers is none.
#[derive(Clone, Debug)]
pub struct View {
    pub resource: StackResource,
    /// The answer to `DescribeStacks`; `None` if there is no such stack.
    pub stack: Option<Stack>,
}

/// What was said so far in an invocation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Conversation {
    /// CloudFormation's first "go on" to a Create or Update: whether the stack went forward or rolled back.
    operation: Option<StackOperation>,
    /// Whether the stack was being created then.
    creates_stack: bool,
    /// When it said "go on" last.
    told: Option<Instant>,
    /// How long it was asked again after any other answer.
    spent: Duration,
}

#[derive(Debug)]
pub struct Answer {
    pub verdict: Verdict,
    /// The last look, if CloudFormation answered.
    pub view: Option<View>,
    pub conversation: Conversation,
    /// Whether time has passed since the first look.
    pub waited: bool,
}

/// Looks once at the resource and its stack, side by side.
///
/// # Errors
/// One of the two answers is missing.
pub async fn look<C: Stacks>(cloud: &C, owner: &Owner) -> Result<View> {
    let stack = owner.stack.as_str();
    let resource = cloud.stack_resource(stack, &owner.logical_id);
    let (resource, stack) = try_join(resource, cloud.stack(stack)).await?;
    Ok(View { resource, stack })
}

impl Conversation {
    /// Whether the stack went forward or rolled back at first.
    pub fn operation(&self) -> StackOperation {
        self.operation.unwrap_or(StackOperation::Forward)
    }

    /// Whether the stack was being created: CloudFormation cannot update it once that has failed.
    pub fn creates_stack(&self) -> bool {
        self.creates_stack
    }

    /// Whether CloudFormation's last "go on" is older than this.
    pub fn is_older_than(&self, age: Duration) -> bool {
        self.told.is_none_or(|told| told.elapsed() > age)
    }

    pub async fn ask<C: Cloud>(
        self,
        invocation: &Invocation<'_, C>,
        question: Question<'_>,
    ) -> Answer {
        let first = look(invocation.cloud, invocation.owner).await;
        self.go_on(invocation, first, question).await
    }

    /// Judges a look. Believes at once that it may go on, or that the stack has turned back. On any other answer, asks
    /// again, because CloudFormation's view lags, for at most [`VIEW_LAG`] in the whole invocation. Without an answer,
    /// asks again for as long as [`Self::left`] says.
    pub async fn go_on<C: Cloud>(
        mut self,
        invocation: &Invocation<'_, C>,
        first: Result<View>,
        question: Question<'_>,
    ) -> Answer {
        let Invocation { cloud, owner, .. } = invocation;
        let (mut view, mut waited) = (first, false);
        let mut pauses = between_looks();
        loop {
            let verdict = self.judge(&view, question, owner);
            let left = self.left(invocation.deadline, &verdict);
            let Some(pause) = pauses.next().filter(|_| !left.is_zero()) else {
                return Answer {
                    verdict,
                    view: view.ok(),
                    conversation: self,
                    waited,
                };
            };
            if !waited {
                let says = verdict.sentence(&owner.logical_id);
                info!(says, "asking CloudFormation again");
            }
            let asked = Instant::now();
            sleep(pause.min(left)).await;
            view = look(*cloud, owner).await;
            waited = true;
            if !matches!(verdict, Verdict::Unanswered(_)) {
                self.spent += asked.elapsed();
            }
        }
    }

    /// Judges one look, in the light of those before it.
    fn judge(&mut self, view: &Result<View>, question: Question<'_>, owner: &Owner) -> Verdict {
        let view = match (view, question) {
            (Ok(view), _) => view,
            // Once CloudFormation has said "go on", silence changes nothing. That it waits for an Update says nothing about
            // the removal of a pair.
            (Err(error), Question::Change) if self.operation.is_some() => {
                warn!(%error, "CloudFormation does not answer; going on as it said before");
                return Verdict::GoOn;
            }
            (Err(error), _) => return Verdict::Unanswered(error.clone()),
        };
        let verdict = question.judge(view, &owner.logical_id);
        if verdict != Verdict::GoOn {
            return verdict;
        }
        self.told = Some(Instant::now());
        let now = view.stack.as_ref().map(|stack| stack.status.operation());
        match (question, self.operation, now) {
            (Question::Change, Some(StackOperation::Forward), Some(StackOperation::Rollback)) => {
                return Verdict::TurnedBack;
            }
            (Question::Change, None, now) => {
                self.operation = now;
                let stack = view.stack.as_ref();
                self.creates_stack =
                    stack.is_some_and(|stack| stack.status.0 == "CREATE_IN_PROGRESS");
            }
            (Question::Change, Some(_), _) | (Question::Removal(_), _, _) => {}
        }
        Verdict::GoOn
    }

    fn left(&self, deadline: Deadline, verdict: &Verdict) -> Duration {
        let until = |end: Instant| end.saturating_duration_since(Instant::now());
        match verdict {
            Verdict::GoOn | Verdict::TurnedBack => Duration::ZERO,
            Verdict::Answered(_) | Verdict::Unwanted(_) | Verdict::Contradicted(_) => {
                VIEW_LAG.saturating_sub(self.spent)
            }
            Verdict::Unanswered(error) => match error.kind {
                ErrorKind::Throttled | ErrorKind::Indeterminate => {
                    until(deadline.of_work()).saturating_sub(WITHDRAW)
                }
                ErrorKind::Denied => until(deadline.started() + ROLE_LAG),
                // AWS refuses the question itself, and would do so again.
                ErrorKind::NotFound
                | ErrorKind::UnknownKey
                | ErrorKind::Conflict
                | ErrorKind::LimitExceeded
                | ErrorKind::Rejected => Duration::ZERO,
            },
        }
    }
}

impl Question<'_> {
    /// Judges one look. `logical_id` is the resource's.
    pub fn judge(&self, view: &View, logical_id: &str) -> Verdict {
        match self {
            Self::Change => change(view, logical_id),
            Self::Removal(user) => removal(view, logical_id, user),
        }
    }
}

fn change(view: &View, logical_id: &str) -> Verdict {
    let now = match &view.resource {
        StackResource::Custom(now) => now.clone(),
        StackResource::OtherType(kind) => {
            return Verdict::Contradicted(format!(
                "resource `{logical_id}` of this stack is of type `{kind}`, not a custom resource"
            ));
        }
        StackResource::Missing(message) => return Verdict::Contradicted(message.clone()),
    };
    if view.stack.is_none() {
        return Verdict::Contradicted("there is no such stack".to_owned());
    }
    match now.status.as_str() {
        // Retained: the resource left the stack, and somebody chose to keep it as it is.
        "DELETE_SKIPPED" => Verdict::Contradicted(now.sentence(logical_id)),
        "CREATE_FAILED" => Verdict::Unwanted(now),
        status if status.starts_with("DELETE_") => Verdict::Unwanted(now),
        status if status.ends_with("_COMPLETE") => Verdict::Answered(now),
        // An export to another stack sends no request. The ending decides for a status that AWS may add one day.
        status if status.ends_with("_IN_PROGRESS") && !status.starts_with("EXPORT_") => {
            Verdict::GoOn
        }
        _ => Verdict::Contradicted(now.sentence(logical_id)),
    }
}

fn removal(view: &View, logical_id: &str, user: &UserName) -> Verdict {
    match &view.stack {
        None => return Verdict::Contradicted("there is no such stack".to_owned()),
        Some(stack) if !stack.status.is_in_progress() => {
            return Verdict::Contradicted(format!(
                "the stack is at rest (`{}`), and a stack at rest deletes nothing",
                stack.status
            ));
        }
        Some(_) => {}
    }
    let now = match &view.resource {
        StackResource::Missing(_) | StackResource::OtherType(_) => return Verdict::GoOn,
        StackResource::Custom(now) => now.clone(),
    };
    let held = match now.status.as_str() {
        "DELETE_SKIPPED" => true,
        status if status.starts_with("DELETE_") => false,
        status => status.ends_with("_IN_PROGRESS") || status.ends_with("_COMPLETE"),
    };
    let named = match now.physical_id.user() {
        Some(named) => named.eq_ignore_case(user),
        // A resource that is being created has no id yet.
        None => now.status.starts_with("CREATE_"),
    };
    if held && named {
        Verdict::Contradicted(format!(
            "{}, so user `{user}` is in use",
            now.sentence(logical_id)
        ))
    } else {
        Verdict::GoOn
    }
}

impl Verdict {
    /// What it means for the request: one sentence without a full stop.
    pub fn sentence(&self, logical_id: &str) -> String {
        let says = |now: &CustomResource| now.sentence(logical_id);
        match self {
            Self::GoOn => "CloudFormation waits for this request".to_owned(),
            Self::Answered(now) => format!(
                "CloudFormation says that {}: this request was answered before, and nobody waits for another answer",
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
    pub fn unwanted(&self) -> Option<&CustomResource> {
        match self {
            Self::Unwanted(now) => Some(now),
            Self::GoOn
            | Self::Answered(_)
            | Self::Contradicted(_)
            | Self::TurnedBack
            | Self::Unanswered(_) => None,
        }
    }

    /// The pair that CloudFormation names as the resource's, if it says so.
    pub fn named(&self) -> Option<UserName> {
        match self {
            Self::Answered(now) | Self::Unwanted(now) => now.physical_id.user(),
            Self::GoOn | Self::Contradicted(_) | Self::TurnedBack | Self::Unanswered(_) => None,
        }
    }
}

impl CustomResource {
    /// What CloudFormation says, as one sentence without a full stop.
    pub fn sentence(&self, logical_id: &str) -> String {
        let status = &self.status;
        match self.physical_id.as_str() {
            "" => format!("resource `{logical_id}` is `{status}`"),
            id => format!(
                "resource `{logical_id}` is `{status}` with physical id `{}`",
                visible(id)
            ),
        }
    }
}

#[cfg(test)]
mod tests;
