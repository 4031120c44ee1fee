//! The fake CloudFormation sends what CloudFormation sends.

use serde_json::{Value, json};

use super::*;
use kit::stack::{Others, Outcome, Stack};

/// A function with prepared answers: the status and the id, or `None` for no answer.
fn scripted(
    answers: Vec<Option<(&'static str, &'static str)>>,
) -> impl AsyncFnMut(Value) -> Option<Value> {
    let mut answers = answers.into_iter();
    async move |event: Value| {
        let (status, id) = answers.next().expect("no more requests than answers")?;
        Some(json!({
            "Status": status, "Reason": "because", "PhysicalResourceId": id, "StackId": event["StackId"],
            "RequestId": event["RequestId"], "LogicalResourceId": event["LogicalResourceId"], "Data": {},
        }))
    }
}

/// Type, id, and the `P` of new and old properties of every request so far.
fn requests(stack: &Stack) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let line = |event: &Value| {
        let fields = [
            &event["RequestType"],
            &event["PhysicalResourceId"],
            &event["ResourceProperties"]["P"],
            &event["OldResourceProperties"]["P"],
        ];
        fields.map(text).join(" ")
    };
    stack
        .history()
        .iter()
        .map(|exchange| line(&exchange.event))
        .collect()
}

fn stack() -> (Account, Stack) {
    let account = Account::new();
    let stack = Stack::new(&account, "mine");
    (account, stack)
}

const OK: &str = "SUCCESS";
const NO: &str = "FAILED";

#[tokio::test(start_paused = true)]
async fn a_failed_create_is_deleted_with_the_id_of_its_answer() {
    let (_account, mut stack) = stack();
    let mut run = scripted(vec![Some((NO, "a")), Some((OK, "a"))]);
    assert_eq!(
        stack
            .create(json!({"P": 1}), Others::Succeed, &mut run)
            .await,
        Outcome::RolledBack
    );
    assert_eq!(requests(&stack), ["Create - 1 -", "Delete a 1 -"]);
    assert!(stack.resource().is_none());
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_create_is_repeated_twice_and_deleted_with_an_invented_id() {
    let (account, mut stack) = stack();
    let mut seen = Vec::new();
    let mut run = async |event: Value| {
        seen.push(event.clone());
        (event["RequestType"] == "Delete").then(|| {
            json!({
                "Status": OK, "PhysicalResourceId": event["PhysicalResourceId"], "StackId": event["StackId"],
                "RequestId": event["RequestId"], "LogicalResourceId": event["LogicalResourceId"],
            })
        })
    };
    let before = account.time();
    assert_eq!(
        stack
            .create(json!({"P": [1, {"q": true}]}), Others::Succeed, &mut run)
            .await,
        Outcome::RolledBack
    );
    assert_eq!(seen.len(), 4);
    assert_eq!(seen[0], seen[2], "the same event");
    assert_eq!(
        seen[0]["ResourceProperties"]["P"],
        json!(["1", {"q": "true"}]),
        "scalars are strings"
    );
    let url = seen[0]["ResponseURL"].as_str().unwrap();
    assert!(
        url.starts_with(
            "https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com/arn%3Aaws"
        ),
        "{url}"
    );
    assert!(url.contains("X-Amz-Date=20"), "{url}");
    assert!(
        seen[3]["PhysicalResourceId"]
            .as_str()
            .unwrap()
            .starts_with("mine-S3Access-")
    );
    assert!(account.time().duration_since(before).unwrap().as_secs() >= 3600);
}

#[tokio::test(start_paused = true)]
async fn a_create_beside_a_failing_resource_is_deleted() {
    let (_account, mut stack) = stack();
    let mut run = scripted(vec![Some((OK, "a")), Some((NO, "a")), Some((OK, "a"))]);
    assert_eq!(
        stack.create(json!({"P": 1}), Others::Fail, &mut run).await,
        Outcome::Blocked
    );
    assert_eq!(stack.delete(&mut run).await, Outcome::Complete);
    assert_eq!(
        requests(&stack),
        ["Create - 1 -", "Delete a 1 -", "Delete a 1 -"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_update_is_updated_back_with_swapped_properties() {
    let (_account, mut stack) = stack();
    let mut run = scripted(vec![Some((OK, "a")), Some((NO, "a")), Some((OK, "a"))]);
    stack
        .create(json!({"P": 1}), Others::Succeed, &mut run)
        .await;
    assert_eq!(
        stack
            .update(json!({"P": 2}), Others::Succeed, &mut run)
            .await,
        Outcome::RolledBack
    );
    assert_eq!(
        requests(&stack),
        ["Create - 1 -", "Update a 2 1", "Update a 1 2"]
    );
    assert_eq!(stack.resource().unwrap().properties, json!({"P": 1}));
}

#[tokio::test(start_paused = true)]
async fn a_failed_update_with_another_id_is_rolled_back_under_that_id() {
    let (_account, mut stack) = stack();
    let mut run = scripted(vec![
        Some((OK, "a")),
        Some((NO, "b")),
        Some((OK, "a")),
        Some((OK, "b")),
    ]);
    stack
        .create(json!({"P": 1}), Others::Succeed, &mut run)
        .await;
    assert_eq!(
        stack
            .update(json!({"P": 2}), Others::Succeed, &mut run)
            .await,
        Outcome::RolledBack
    );
    assert_eq!(
        requests(&stack)[1..],
        ["Update a 2 1", "Update b 1 2", "Delete b 2 -"]
    );
    assert_eq!(stack.resource().unwrap().physical_id, "a");
}

#[tokio::test(start_paused = true)]
async fn a_replacement_is_followed_by_the_delete_of_the_old() {
    let (_account, mut stack) = stack();
    let mut run = scripted(vec![Some((OK, "a")), Some((OK, "b")), Some((NO, "a"))]);
    stack
        .create(json!({"P": 1}), Others::Succeed, &mut run)
        .await;
    assert_eq!(
        stack
            .update(json!({"P": 2}), Others::Succeed, &mut run)
            .await,
        Outcome::Complete
    );
    assert_eq!(requests(&stack)[1..], ["Update a 2 1", "Delete a 1 -"]);
    assert_eq!(stack.resource().unwrap().physical_id, "b");
}

#[tokio::test(start_paused = true)]
async fn a_rolled_back_replacement_is_updated_back_and_the_new_is_deleted() {
    let (_account, mut stack) = stack();
    let mut run = scripted(vec![
        Some((OK, "a")),
        Some((OK, "b")),
        Some((OK, "a")),
        Some((OK, "b")),
    ]);
    stack
        .create(json!({"P": 1}), Others::Succeed, &mut run)
        .await;
    assert_eq!(
        stack.update(json!({"P": 2}), Others::Fail, &mut run).await,
        Outcome::RolledBack
    );
    assert_eq!(
        requests(&stack)[1..],
        ["Update a 2 1", "Update b 1 2", "Delete b 2 -"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_rollback_can_be_continued() {
    let (_account, mut stack) = stack();
    let mut run = scripted(vec![
        Some((OK, "a")),
        None,
        None,
        None,
        Some((NO, "a")),
        Some((OK, "a")),
    ]);
    stack
        .create(json!({"P": 1}), Others::Succeed, &mut run)
        .await;
    assert_eq!(
        stack
            .update(json!({"P": 2}), Others::Succeed, &mut run)
            .await,
        Outcome::Blocked
    );
    assert_eq!(stack.continue_rollback(&mut run).await, Outcome::RolledBack);
    assert_eq!(
        requests(&stack)[1..],
        ["Update a 2 1", "Update a 1 2", "Update a 1 2"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_stack_of_the_same_name_has_another_id() {
    let (_account, stack) = stack();
    let (first, second) = (stack.owner().clone(), stack.reborn().owner().clone());
    assert_ne!(first.stack_id, second.stack_id);
    let Owner {
        stack_id,
        logical_id,
    } = &first;
    let tags = tags(&[
        ("publisher-s3-access:stack-id", stack_id),
        ("publisher-s3-access:logical-id", logical_id),
    ]);
    assert!(second.owns(&tags));
}

#[tokio::test(start_paused = true)]
async fn answers_that_cloudformation_would_not_take_are_seen() {
    let long = "x".repeat(4096);
    for (field, value) in [
        ("StackId", json!("other")),
        ("RequestId", json!("other")),
        ("LogicalResourceId", json!("other")),
        ("PhysicalResourceId", json!("")),
        ("PhysicalResourceId", json!(long[..1025])),
        ("Status", json!("DONE")),
        ("Reason", json!("")),
        ("Reason", json!("two\nlines")),
        ("Reason", json!(long)),
        ("Data", Value::Null),
        ("Data", json!({"a": 1})),
        ("Data", json!({"a": "s3cr3t/+00"})),
    ] {
        let (account, mut stack) = stack();
        let mut good = scripted(vec![Some((NO, "a"))]);
        let event = stack.request("Create", None, &json!({}), None);
        let mut run = async |event: Value| {
            let mut answer = good(event).await?;
            answer[field] = value.clone();
            Some(answer)
        };
        stack.deliver(event, &mut run).await;
        assert_eq!(account.take_violations().len(), 1, "{field} {value}");
    }
}
