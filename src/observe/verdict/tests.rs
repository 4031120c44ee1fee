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
    let operation = |status: &str| operation_of(&view(status, "", "")).unwrap();
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
