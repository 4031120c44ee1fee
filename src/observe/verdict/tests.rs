use super::*;
use crate::cloud::{ErrorKind, Stack, StackStatus, TagMap};
use crate::request::names::PhysicalId;
use crate::request::owner::StackId;

const OWN: &str = "publisher/publisher-reader";

fn view(stack: &str, resource: &str, physical_id: &str) -> View {
    View {
        resource: StackResource::Custom(CustomResource {
            status: resource.to_owned(),
            physical_id: PhysicalId::parse(physical_id),
        }),
        stack: Some(Stack {
            status: StackStatus(stack.to_owned()),
            tags: TagMap::new(),
        }),
    }
}

/// The row of the table that a status falls into.
fn row(status: &str) -> &'static str {
    match change(&view("UPDATE_IN_PROGRESS", status, OWN), "Access") {
        Verdict::GoOn => "go on",
        Verdict::Answered(_) => "answered",
        Verdict::Unwanted(_) => "unwanted",
        Verdict::Contradicted(reason) => {
            assert!(reason.contains(status), "{reason}");
            "change nothing"
        }
        Verdict::TurnedBack | Verdict::Unanswered(_) => "another",
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

fn may_remove(view: &View) -> bool {
    let user = UserName::parse("publisher-reader").unwrap();
    let verdict = removal(view, "Access", &user);
    assert!(
        matches!(verdict, Verdict::GoOn | Verdict::Contradicted(_)),
        "{verdict:?}"
    );
    verdict == Verdict::GoOn
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
    gone.stack = None;
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

fn judged(conversation: &mut Conversation, view: &Result<View>, question: Question<'_>) -> Verdict {
    let stack = "arn:aws:cloudformation:eu-west-1:123456789012:stack/publisher/1111";
    let owner = Owner {
        stack: StackId::parse(stack).unwrap(),
        logical_id: "Access".to_owned(),
    };
    conversation.judge(view, question, &owner)
}

#[test]
fn without_an_answer_nothing_is_believed_until_cloudformation_has_said_go_on() {
    let error = CloudError::unanswered("o", ErrorKind::Throttled, "m");
    let unanswered = Verdict::Unanswered(error.clone());
    let user = UserName::parse("publisher-reader").unwrap();
    let (silent, works) = (
        Err(error),
        Ok(view("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", OWN)),
    );
    let mut conversation = Conversation::default();
    let asked = &mut conversation;
    assert_eq!(judged(asked, &silent, Question::Change), unanswered);
    assert_eq!(judged(asked, &works, Question::Change), Verdict::GoOn);
    assert_eq!(judged(asked, &silent, Question::Change), Verdict::GoOn);
    assert_eq!(judged(asked, &silent, Question::Removal(&user)), unanswered);
}

#[test]
fn a_stack_that_turns_back_between_two_looks_stops_the_request() {
    let mut conversation = Conversation::default();
    let forward = Ok(view("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", OWN));
    let back = Ok(view(
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_IN_PROGRESS",
        OWN,
    ));
    let mut judge = |view| judged(&mut conversation, view, Question::Change);
    assert_eq!(judge(&forward), Verdict::GoOn);
    assert_eq!(judge(&back), Verdict::TurnedBack);
    let mut conversation = Conversation::default();
    let mut judge = |view| judged(&mut conversation, view, Question::Change);
    assert_eq!(judge(&back), Verdict::GoOn);
    assert_eq!(judge(&forward), Verdict::GoOn);
}

#[test]
fn a_stack_rolls_back_only_while_it_is_at_work() {
    let operation = |status: &str| StackStatus(status.to_owned()).operation();
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
