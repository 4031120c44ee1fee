//! Every file of `events/` is handled.

use crate::support::cloud::Manner;
use crate::support::events::{sample, samples};
use crate::support::{at_once, handled};

/// The samples that are refused: their names say why.
fn refused(name: &str) -> bool {
    ["bad-", "missing-", "unknown-", "update-bad-"]
        .iter()
        .any(|start| name.starts_with(start))
        || name == "user-name-case"
}

#[test]
fn every_sample_is_answered_once_with_its_own_ids() {
    for (name, event) in samples() {
        let answer = at_once(handled(&event.to_string(), Manner::Refuses)).answer();
        for id in ["StackId", "RequestId", "LogicalResourceId"] {
            assert_eq!(answer[id], event[id], "{name}");
        }
        if event["RequestType"] != "Create" {
            assert_eq!(
                answer["PhysicalResourceId"], event["PhysicalResourceId"],
                "{name}"
            );
        }
    }
}

#[test]
fn samples_that_break_a_rule_are_refused_without_a_call_and_the_others_reach_the_cloud() {
    for (name, event) in samples() {
        let handled = at_once(handled(&event.to_string(), Manner::Refuses));
        if refused(&name) {
            assert_eq!(handled.calls, 0, "{name}");
            let reason = handled.failure();
            assert!(reason.contains("property `"), "{name}: {reason}");
        } else if !["delete-unreadable-user", "delete-refused-id"].contains(&name.as_str()) {
            assert!(handled.calls > 0, "{name}");
        }
    }
}

#[test]
fn a_delete_of_an_invented_id_whose_user_cannot_be_read_succeeds_without_a_call() {
    let handled = at_once(handled(
        &sample("delete-unreadable-user").to_string(),
        Manner::Panics,
    ));
    assert_eq!(handled.answer()["Status"], "SUCCESS");
    assert_eq!(handled.calls, 0);
}

#[test]
fn a_failure_says_what_aws_said() {
    let handled = at_once(handled(&sample("create").to_string(), Manner::Refuses));
    let reason = handled.failure();
    for part in ["MalformedInput", "AWS's own words", "aws-request-id"] {
        assert!(reason.contains(part), "{reason}");
    }
}
