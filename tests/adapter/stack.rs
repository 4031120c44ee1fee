//! CloudFormation's description of the resource and the stack.

use publisher_s3_access::cloud::{
    CustomResource, ErrorKind, Stack, StackResource, StackStatus, Stacks, TagMap,
};
use publisher_s3_access::request::names::PhysicalId;

use crate::wire::{Answer, Wire, query_error, query_result, reply};

const STACK: &str = "arn:aws:cloudformation:eu-west-1:111122223333:stack/access/6b1d3ad0-2f3a-11f0-8e0e-0affd1f3a0c1";

fn resource_of(kind: &str, status: &str) -> Answer {
    query_result(
        "DescribeStackResource",
        &format!(
            "<StackResourceDetail><StackId>{STACK}</StackId><LogicalResourceId>Access</LogicalResourceId>\
             <PhysicalResourceId>publisher/x</PhysicalResourceId><ResourceType>{kind}</ResourceType>\
             <ResourceStatus>{status}</ResourceStatus></StackResourceDetail>"
        ),
    )
}

fn resource(status: &str) -> Answer {
    resource_of("Custom::PublisherS3Access", status)
}

async fn described(answer: Answer) -> Result<StackResource, ErrorKind> {
    let wire = Wire::always(answer);
    let aws = wire.aws();
    let described = aws.stack_resource(STACK, "Access").await;
    described.map_err(|error| error.kind)
}

#[tokio::test(start_paused = true)]
async fn the_status_and_the_physical_id_of_a_custom_resource_are_passed_on_unchanged() {
    for kind in [
        "Custom::PublisherS3Access",
        "AWS::CloudFormation::CustomResource",
    ] {
        for status in ["CREATE_IN_PROGRESS", "DELETE_SKIPPED", "SOMETHING_NEW"] {
            assert_eq!(
                described(resource_of(kind, status)).await,
                Ok(StackResource::Custom(CustomResource {
                    status: status.to_owned(),
                    physical_id: PhysicalId::parse("publisher/x"),
                })),
                "{kind} {status}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_resource_of_another_type_is_reported_as_such() {
    for kind in ["AWS::Logs::LogGroup", "AWS::CloudFormation::Stack", ""] {
        assert_eq!(
            described(resource_of(kind, "CREATE_COMPLETE")).await,
            Ok(StackResource::OtherType(kind.to_owned()))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_resource_cloudformation_does_not_have_is_missing_in_its_own_words() {
    for text in [
        "Resource Access does not exist for stack access".to_owned(),
        format!("Stack with id {STACK} does not exist"),
        format!("Stack '{STACK}' does not exist"),
    ] {
        assert_eq!(
            described(query_error(400, "ValidationError", &text)).await,
            Ok(StackResource::Missing(text))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_known_refusals_count_as_answers() {
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
        assert_eq!(described(answer.clone()).await, Err(kind), "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stack_has_a_status_and_tags() {
    let answer = "<Stacks><member><StackName>access</StackName><StackStatus>UPDATE_IN_PROGRESS</StackStatus>\
                  <Tags><member><Key>cost</Key><Value>42</Value></member><member><Key>empty</Key></member></Tags>\
                  </member></Stacks>";
    let wire = Wire::playing([query_result("DescribeStacks", answer)]);
    let tags = TagMap::from([
        ("cost".to_owned(), "42".to_owned()),
        ("empty".to_owned(), String::new()),
    ]);
    assert_eq!(
        wire.aws().stack(STACK).await,
        Ok(Some(Stack {
            status: StackStatus("UPDATE_IN_PROGRESS".to_owned()),
            tags,
        }))
    );
    let wire = Wire::playing([query_result("DescribeStacks", "<Stacks></Stacks>")]);
    let described = wire.aws().stack(STACK).await;
    assert_eq!(
        described.map_err(|error| error.kind),
        Err(ErrorKind::Indeterminate)
    );
    let text = format!("Stack with id {STACK} does not exist");
    let wire = Wire::playing([query_error(400, "ValidationError", &text)]);
    assert_eq!(wire.aws().stack(STACK).await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn half_an_answer_is_none() {
    let Answer::Reply { body, .. } = resource("DELETE_COMPLETE") else {
        panic!("a reply")
    };
    let cut = body.find("_COMPLETE").unwrap();
    assert_eq!(
        described(reply(200, &body[..cut])).await,
        Err(ErrorKind::Indeterminate)
    );
}
