//! A Create or Update that CloudFormation stops waiting for while it is at work: what it has made goes, what was there
//! stays, and its answer says which.

use std::time::Duration;

use kit::faults::Faulty;
use kit::function::invoke;
use kit::stack::Answer;
use publisher_s3_access::secret::Label;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::scene::{OTHER_USER, SECRET, Scene, USER, properties, properties_with};

const MADE_AND_REMOVED: &str = "what this request had made was removed";

/// An Update of a created stack to these properties.
fn update(scene: &mut Scene, changes: Value) -> Value {
    scene.stack.set("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS");
    let changed = properties_with(changes);
    scene
        .stack
        .request("Update", Some(SECRET), &changed, Some(&properties()))
}

/// Sends the event. Once the first call of this name has been made, CloudFormation shows the stack and the resource in
/// these states.
async fn overtaken(
    scene: &Scene,
    event: &Value,
    after: &'static str,
    shown: (&str, &str),
) -> Answer {
    let process = Faulty::holding_first(scene.stack.cloud(), after);
    let mut run = Box::pin(invoke(&scene.account, &process, event));
    assert!(process.until_held(run.as_mut()).await.is_none());
    let (stack, resource) = shown;
    scene.stack.set(stack, resource);
    // What stands beside the held call ends before it.
    assert!(timeout(Duration::from_secs(1), run.as_mut()).await.is_err());
    process.release();
    let answer = run.await.map(Answer).expect("it lives");
    assert!(!answer.succeeded());
    answer
}

/// Fails the test unless the pair is as it was created.
#[track_caller]
fn assert_as_created(scene: &Scene) {
    assert_eq!(scene.account.keys(USER).len(), 1, "one key");
    assert_eq!(scene.account.current_key(SECRET), scene.first_key());
    assert_eq!(scene.account.key_under(SECRET, Label::Candidate), None);
    scene.assert_works(USER, "reads");
}

#[tokio::test(start_paused = true)]
async fn an_update_whose_stack_turns_back_withdraws_the_key_that_it_made() {
    let mut scene = Scene::created().await;
    let event = update(&mut scene, json!({"KeySerial": 2}));
    let back = ("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_IN_PROGRESS");
    let answer = overtaken(&scene, &event, "store_version", back).await;
    let reason = answer.reason();
    assert!(reason.contains("begun to roll back"), "{reason}");
    assert!(reason.contains(MADE_AND_REMOVED), "{reason}");
    assert_as_created(&scene);
}

#[tokio::test(start_paused = true)]
async fn an_update_that_was_answered_meanwhile_withdraws_the_key_that_it_made() {
    let mut scene = Scene::created().await;
    let event = update(&mut scene, json!({"KeySerial": 2}));
    let done = ("UPDATE_COMPLETE", "UPDATE_COMPLETE");
    let answer = overtaken(&scene, &event, "store_version", done).await;
    let reason = answer.reason();
    assert!(reason.contains("answered before"), "{reason}");
    assert!(reason.contains(MADE_AND_REMOVED), "{reason}");
    assert_as_created(&scene);
}

#[tokio::test(start_paused = true)]
async fn an_update_that_made_nothing_says_that_nothing_was_changed() {
    let mut scene = Scene::created().await;
    let event = update(&mut scene, json!({"KeySerial": 2}));
    scene.stack.set("UPDATE_COMPLETE", "UPDATE_COMPLETE");
    let process = scene.process();
    let answer = invoke(&scene.account, &process, &event).await;
    let answer = answer.map(Answer).expect("it lives");
    let reason = answer.reason();
    assert!(reason.contains("; nothing was changed"), "{reason}");
    assert!(!process.calls().contains(&"delete_key"), "{reason}");
    assert_as_created(&scene);
}

#[tokio::test(start_paused = true)]
async fn a_replacement_whose_stack_turns_back_removes_the_new_pair_and_keeps_the_old_one() {
    let mut scene = Scene::created().await;
    let event = update(&mut scene, json!({"UserName": OTHER_USER}));
    let back = ("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_IN_PROGRESS");
    let answer = overtaken(&scene, &event, "store_version", back).await;
    let reason = answer.reason();
    assert!(reason.contains(MADE_AND_REMOVED), "{reason}");
    scene.account.assert_gone(OTHER_USER);
    assert_as_created(&scene);
}

#[tokio::test(start_paused = true)]
async fn a_create_whose_stack_has_given_it_up_removes_its_pair() {
    for shown in [
        ("ROLLBACK_IN_PROGRESS", "CREATE_FAILED"),
        ("ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"),
    ] {
        let mut scene = Scene::new().await;
        let event = scene.stack.begin_create(&properties());
        let answer = overtaken(&scene, &event, "store_version", shown).await;
        let reason = answer.reason();
        assert!(reason.contains("nobody wants the resource"), "{reason}");
        assert!(
            reason.contains("what was left of it was removed"),
            "{reason}"
        );
        scene.assert_nothing_left();
    }
}

#[tokio::test(start_paused = true)]
async fn a_create_of_a_retained_resource_removes_the_pair_that_it_made() {
    let mut scene = Scene::new().await;
    let event = scene.stack.begin_create(&properties());
    let retained = ("UPDATE_COMPLETE", "DELETE_SKIPPED");
    let answer = overtaken(&scene, &event, "store_version", retained).await;
    let reason = answer.reason();
    assert!(reason.contains("does not wait"), "{reason}");
    assert!(reason.contains(MADE_AND_REMOVED), "{reason}");
    scene.assert_nothing_left();
}
