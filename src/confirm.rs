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
mod tests {
    use super::*;
    use crate::cloud::{ErrorKind, ResourceStatus, Stack, StackStatus, TagMap};

    const OWN: &str = "publisher/publisher-reader";

    fn view(stack: &str, resource: &str, physical_id: &str) -> StackView {
        StackView {
            resource: Ok(StackResource::Custom {
                status: ResourceStatus(resource.to_owned()),
                physical_id: physical_id.to_owned(),
            }),
            stack: Ok(Some(Stack {
                status: StackStatus(stack.to_owned()),
                tags: TagMap::new(),
            })),
        }
    }

    /// The row of the table that a status falls into.
    fn row(status: &str) -> &'static str {
        match change(&view("UPDATE_IN_PROGRESS", status, OWN), "Access") {
            Confirmation::Confirmed => "go on",
            Confirmation::Answered(_) => "answered",
            Confirmation::Unwanted(_) => "unwanted",
            Confirmation::Contradicted(reason) => {
                assert!(reason.contains(status), "{reason}");
                "change nothing"
            }
            Confirmation::TurnedBack | Confirmation::Unanswered(_) => "another",
        }
    }

    #[test]
    fn every_status_of_a_resource_falls_into_one_row_of_the_table() {
        for (expected, statuses) in [
            (
                "go on",
                &[
                    "CREATE_IN_PROGRESS",
                    "UPDATE_IN_PROGRESS",
                    "IMPORT_IN_PROGRESS",
                    "ROLLBACK_IN_PROGRESS",
                    "UPDATE_ROLLBACK_IN_PROGRESS",
                    "IMPORT_ROLLBACK_IN_PROGRESS",
                    "REFACTOR_IN_PROGRESS",
                ][..],
            ),
            (
                "answered",
                &[
                    "CREATE_COMPLETE",
                    "UPDATE_COMPLETE",
                    "IMPORT_COMPLETE",
                    "EXPORT_COMPLETE",
                    "ROLLBACK_COMPLETE",
                    "UPDATE_ROLLBACK_COMPLETE",
                    "IMPORT_ROLLBACK_COMPLETE",
                    "EXPORT_ROLLBACK_COMPLETE",
                ],
            ),
            (
                "unwanted",
                &[
                    "CREATE_FAILED",
                    "DELETE_IN_PROGRESS",
                    "DELETE_COMPLETE",
                    "DELETE_FAILED",
                ],
            ),
            (
                "change nothing",
                &[
                    "DELETE_SKIPPED",
                    "UPDATE_FAILED",
                    "IMPORT_FAILED",
                    "EXPORT_FAILED",
                    "EXPORT_IN_PROGRESS",
                    "EXPORT_ROLLBACK_IN_PROGRESS",
                    "EXPORT_ROLLBACK_FAILED",
                    "ROLLBACK_FAILED",
                    "UPDATE_ROLLBACK_FAILED",
                    "IMPORT_ROLLBACK_FAILED",
                    "REFACTORED",
                ],
            ),
        ] {
            for status in statuses {
                assert_eq!(row(status), expected, "{status}");
            }
        }
    }

    fn may_remove(view: &StackView) -> bool {
        let user = UserName::parse("publisher-reader").unwrap();
        let confirmation = removal(view, "Access", &user);
        assert!(
            matches!(
                confirmation,
                Confirmation::Confirmed | Confirmation::Contradicted(_)
            ),
            "{confirmation:?}"
        );
        confirmation == Confirmation::Confirmed
    }

    #[test]
    fn a_stack_at_rest_removes_nothing() {
        for status in [
            "CREATE_COMPLETE",
            "CREATE_FAILED",
            "ROLLBACK_COMPLETE",
            "ROLLBACK_FAILED",
            "DELETE_COMPLETE",
            "DELETE_FAILED",
            "UPDATE_COMPLETE",
            "UPDATE_FAILED",
            "UPDATE_ROLLBACK_FAILED",
            "REVIEWED",
        ] {
            assert!(
                !may_remove(&view(status, "DELETE_IN_PROGRESS", OWN)),
                "{status}"
            );
        }
        let mut gone = view("", "DELETE_IN_PROGRESS", OWN);
        gone.stack = Ok(None);
        assert!(!may_remove(&gone));
    }

    #[test]
    fn the_pair_that_cloudformation_holds_is_not_removed() {
        for status in [
            "CREATE_IN_PROGRESS",
            "UPDATE_IN_PROGRESS",
            "IMPORT_IN_PROGRESS",
            "CREATE_COMPLETE",
            "UPDATE_COMPLETE",
            "UPDATE_ROLLBACK_COMPLETE",
            "DELETE_SKIPPED",
        ] {
            let stack = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS";
            let held = |id| !may_remove(&view(stack, status, id));
            assert!(held(OWN), "{status}");
            assert!(held("publisher/PUBLISHER-reader"), "{status}");
            assert!(!held("publisher/publisher-other"), "{status}");
            let creating = status.starts_with("CREATE_");
            assert_eq!(held(""), creating, "{status}");
            assert_eq!(held("stack-Access-1ABC"), creating, "{status}");
        }
        for status in ["DELETE_IN_PROGRESS", "DELETE_COMPLETE", "UPDATE_FAILED"] {
            assert!(
                may_remove(&view("DELETE_IN_PROGRESS", status, OWN)),
                "{status}"
            );
        }
    }

    #[test]
    fn without_an_answer_nothing_is_confirmed() {
        let error = CloudError::unanswered("o", ErrorKind::Throttled, "m");
        let mut silent = view("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", OWN);
        silent.resource = Err(error.clone());
        let user = UserName::parse("publisher-reader").unwrap();
        let unanswered = Confirmation::Unanswered(error.clone());
        assert_eq!(change(&silent, "Access"), unanswered);
        assert_eq!(removal(&silent, "Access", &user), unanswered);
        silent.stack = Err(error);
        assert_eq!(removal(&silent, "Access", &user), unanswered);
    }

    #[test]
    fn a_stack_rolls_back_only_while_it_is_at_work() {
        let operation = |status: &str| operation(&view(status, "", "")).unwrap();
        for status in [
            "ROLLBACK_IN_PROGRESS",
            "UPDATE_ROLLBACK_IN_PROGRESS",
            "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
            "IMPORT_ROLLBACK_IN_PROGRESS",
        ] {
            assert_eq!(operation(status), StackOperation::Rollback, "{status}");
        }
        // A late view of the stack before an update that has begun meanwhile.
        for status in ["UPDATE_ROLLBACK_COMPLETE", "UPDATE_IN_PROGRESS"] {
            assert_eq!(operation(status), StackOperation::Forward, "{status}");
        }
    }
}
