//! CloudFormation's view of the resource and the stack.

use publisher_s3_access::cloud::{Cloud, Direction, ErrorKind, Standing};

use crate::wire::{Answer, Wire, query_error, query_result, reply};

const STACK: &str = "arn:aws:cloudformation:eu-west-1:111122223333:stack/access/6b1d3ad0-2f3a-11f0-8e0e-0affd1f3a0c1";

fn resource(status: &str) -> Answer {
    query_result(
        "DescribeStackResource",
        &format!(
            "<StackResourceDetail><StackId>{STACK}</StackId><LogicalResourceId>Access</LogicalResourceId>\
             <PhysicalResourceId>publisher/x</PhysicalResourceId><ResourceStatus>{status}</ResourceStatus></StackResourceDetail>"
        ),
    )
}

fn stack(status: &str) -> Answer {
    query_result(
        "DescribeStacks",
        &format!(
            "<Stacks><member><StackName>access</StackName><StackStatus>{status}</StackStatus></member></Stacks>"
        ),
    )
}

async fn standing(answer: Answer) -> Result<Standing, ErrorKind> {
    let wire = Wire::always(answer);
    wire.aws()
        .standing(STACK, "Access")
        .await
        .map_err(|error| error.kind)
}

#[tokio::test(start_paused = true)]
async fn the_status_of_the_resource_says_whether_it_is_wanted() {
    for (status, expected) in [
        ("CREATE_IN_PROGRESS", Standing::Wanted),
        ("UPDATE_IN_PROGRESS", Standing::Wanted),
        ("SOMETHING_NEW", Standing::Wanted),
        ("CREATE_COMPLETE", Standing::Settled("publisher/x".into())),
        ("UPDATE_COMPLETE", Standing::Settled("publisher/x".into())),
        ("CREATE_FAILED", Standing::Abandoned),
        ("DELETE_IN_PROGRESS", Standing::Abandoned),
        ("DELETE_COMPLETE", Standing::Abandoned),
    ] {
        assert_eq!(standing(resource(status)).await, Ok(expected), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_is_gone_wants_nothing() {
    for text in [
        format!("Stack with id {STACK} does not exist"),
        format!("Stack '{STACK}' does not exist"),
    ] {
        assert_eq!(
            standing(query_error(400, "ValidationError", &text)).await,
            Ok(Standing::Abandoned)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_is_not_yet_known_is_wanted() {
    let text = format!("Resource Access does not exist for stack {STACK}");
    assert_eq!(
        standing(query_error(400, "ValidationError", &text)).await,
        Ok(Standing::Wanted)
    );
}

#[tokio::test(start_paused = true)]
async fn no_other_refusal_is_taken_for_an_answer() {
    for (answer, kind) in [
        (
            query_error(403, "AccessDenied", "Stack x does not exist"),
            ErrorKind::Denied,
        ),
        (
            query_error(400, "ValidationError", "1 validation error detected"),
            ErrorKind::Rejected,
        ),
        (
            query_error(400, "Throttling", "Rate exceeded"),
            ErrorKind::Throttled,
        ),
        (
            query_error(500, "InternalFailure", "No."),
            ErrorKind::Indeterminate,
        ),
        (
            query_result("DescribeStackResource", ""),
            ErrorKind::Indeterminate,
        ),
        (Answer::Silence, ErrorKind::Indeterminate),
    ] {
        assert_eq!(standing(answer.clone()).await, Err(kind), "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_rolling_back_status_is_a_rollback() {
    for (status, expected) in [
        ("CREATE_IN_PROGRESS", Direction::Forward),
        ("UPDATE_IN_PROGRESS", Direction::Forward),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Direction::Forward),
        ("DELETE_IN_PROGRESS", Direction::Forward),
        ("ROLLBACK_IN_PROGRESS", Direction::Rollback),
        ("UPDATE_ROLLBACK_IN_PROGRESS", Direction::Rollback),
        (
            "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
            Direction::Rollback,
        ),
        ("IMPORT_ROLLBACK_IN_PROGRESS", Direction::Rollback),
    ] {
        let wire = Wire::playing([stack(status)]);
        assert_eq!(wire.aws().direction(STACK).await, Ok(expected), "{status}");
    }
    let wire = Wire::playing([query_result("DescribeStacks", "<Stacks></Stacks>")]);
    assert_eq!(
        wire.aws()
            .direction(STACK)
            .await
            .map_err(|error| error.kind),
        Err(ErrorKind::Indeterminate)
    );
}

#[tokio::test(start_paused = true)]
async fn half_an_answer_is_none() {
    let Answer::Reply { body, .. } = resource("DELETE_COMPLETE") else {
        panic!("a reply")
    };
    let cut = body.find("_COMPLETE").unwrap();
    assert_eq!(
        standing(reply(200, &body[..cut])).await,
        Err(ErrorKind::Indeterminate)
    );
}
