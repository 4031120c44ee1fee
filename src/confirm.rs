//! Whether CloudFormation's own word confirms a request.
//!
//! Whoever may invoke the function can forge an event, and Lambda may deliver a real one late or twice. So an event is
//! only a hint, and CloudFormation's own view of the resource and its stack decides: `change` is the table for a Create or
//! Update, `removal` for a Delete. This module is pure: [`Run`](crate::run::Run) asks, and asks again.

use crate::cloud::{CloudError, StackOperation, StackResource, StackView};
use crate::names::{PhysicalId, UserName};

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
pub fn operation(view: &StackView) -> Option<StackOperation> {
    let stack = view.stack.as_ref().ok()?.as_ref()?;
    Some(stack.status.operation())
}

#[cfg(test)]
mod tests;
