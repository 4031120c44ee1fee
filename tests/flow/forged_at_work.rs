//! What a forger can do while `CloudFormation` is at work on this very resource, when a forged event looks like a real
//! one. Each line of the list in docs/security.md is one test.

use std::future::ready;
use std::sync::atomic::{AtomicUsize, Ordering};

use kit::account::{BOUNDARY, Owner};
use kit::faults::{Fault, Faulty};
use kit::function::invoke;
use kit::stack::{Answer, Outcome};
use publisher_s3_access::cloud::ErrorKind;
use publisher_s3_access::handle;
use publisher_s3_access::reply::{PutError, Sink};
use publisher_s3_access::request::response_url::ResponseUrl;
use publisher_s3_access::request::settings::Settings;
use publisher_s3_access::waits::{Deadline, INVOCATION};
use serde_json::{Value, json};

use crate::scene::{OTHER_SECRET, OTHER_USER, SECRET, Scene, USER, properties, properties_with};

/// The stack while this resource is being updated.
const UPDATING: (&str, &str) = ("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS");

/// A created stack that CloudFormation shows in this state.
async fn at((stack, resource): (&str, &str)) -> Scene {
    let scene = Scene::created().await;
    scene.stack.set(stack, resource);
    scene
}

/// Sends a forged event, and fails the test if it changed anything that is not the stack's.
async fn forge(scene: &mut Scene, kind: &str, id: Option<&str>, properties: &Value) -> Answer {
    let old = (kind == "Update").then(self::properties);
    let event = scene.stack.request(kind, id, properties, old.as_ref());
    let answer = invoke(&scene.account, &scene.process(), &event).await;
    scene.assert_neighbours_untouched();
    Answer(answer.expect("it lives"))
}

#[tokio::test(start_paused = true)]
async fn during_an_update_a_forged_update_rotates_the_key_and_the_old_key_keeps_working() {
    let mut scene = at(UPDATING).await;
    let rotated = properties_with(json!({"KeySerial": 99}));
    let answer = forge(&mut scene, "Update", Some(SECRET), &rotated).await;
    assert!(answer.succeeded(), "{}", answer.reason());
    let current = scene.account.current_key(SECRET);
    assert_ne!(current, scene.first_key());
    let mut both = vec![scene.first_key().expect("a key"), current.expect("a key")];
    both.sort();
    assert_eq!(scene.active_keys(USER), both);
}

#[tokio::test(start_paused = true)]
async fn during_an_update_two_forged_rotations_end_the_key_that_publisher_has() {
    let mut scene = at(UPDATING).await;
    for serial in [98, 99] {
        let rotated = properties_with(json!({"KeySerial": serial}));
        let answer = forge(&mut scene, "Update", Some(SECRET), &rotated).await;
        assert!(answer.succeeded(), "{}", answer.reason());
    }
    let first = scene.first_key().expect("a key");
    assert!(!scene.active_keys(USER).contains(&first));
}

#[tokio::test(start_paused = true)]
async fn during_an_update_a_forged_update_grants_other_buckets_under_the_same_boundary() {
    let mut scene = at(UPDATING).await;
    let widened = properties_with(json!({"Buckets": ["reads", "others"]}));
    let answer = forge(&mut scene, "Update", Some(SECRET), &widened).await;
    assert!(answer.succeeded(), "{}", answer.reason());
    let policies = scene.account.policies(USER);
    assert!(policies.values().any(|policy| policy.contains("others")));
    assert_eq!(scene.account.boundary(USER).as_deref(), Some(BOUNDARY));
    assert_eq!(scene.account.current_key(SECRET), scene.first_key());
}

#[tokio::test(start_paused = true)]
async fn during_an_update_a_forged_create_puts_old_properties_back() {
    let mut scene = at(UPDATING).await;
    let new = properties_with(json!({"Buckets": "others"}));
    assert!(
        forge(&mut scene, "Update", Some(SECRET), &new)
            .await
            .succeeded()
    );
    let answer = forge(&mut scene, "Create", None, &properties()).await;
    assert!(answer.succeeded(), "{}", answer.reason());
    scene.assert_works(USER, "reads");
    assert_eq!(scene.account.current_key(SECRET), scene.first_key());
}

#[tokio::test(start_paused = true)]
async fn during_an_update_a_forged_update_makes_another_pair_of_this_stack() {
    let mut scene = at(UPDATING).await;
    let replaced = properties_with(json!({"UserName": OTHER_USER}));
    let answer = forge(&mut scene, "Update", Some(SECRET), &replaced).await;
    assert_eq!(answer.physical_id(), OTHER_SECRET);
    scene.account.assert_in_order(OTHER_USER, scene.owner());
    assert_eq!(
        scene.account.boundary(OTHER_USER).as_deref(),
        Some(BOUNDARY)
    );
    scene.assert_works(USER, "reads");
}

#[tokio::test(start_paused = true)]
async fn during_an_update_a_forged_update_cannot_remove_the_pair_in_use_as_the_previous_one() {
    let mut scene = at(UPDATING).await;
    let replaced = properties_with(json!({"UserName": OTHER_USER}));
    let answer = forge(&mut scene, "Update", Some(OTHER_SECRET), &replaced).await;
    assert!(!answer.succeeded());
    scene.account.assert_gone(OTHER_USER);
    scene.assert_works(USER, "reads");
}

/// That CloudFormation has said "go on" to the Update does not confirm a removal.
#[tokio::test(start_paused = true)]
async fn during_an_update_a_forged_update_removes_no_pair_while_cloudformation_is_silent() {
    let mut scene = at(UPDATING).await;
    let replaced = properties_with(json!({"UserName": OTHER_USER}));
    let event = scene
        .stack
        .request("Update", Some(OTHER_SECRET), &replaced, Some(&properties()));
    let throttled = Fault::Refuse(ErrorKind::Throttled);
    let process = Faulty::with_named_after(scene.stack.cloud(), "stack_resource", 3, throttled);
    let answer = invoke(&scene.account, &process, &event).await;
    let answer = answer.map(Answer).expect("it lives");
    assert!(!answer.succeeded());
    let reason = answer.reason();
    assert!(reason.contains("did not say whether it waits"), "{reason}");
    scene.account.assert_gone(OTHER_USER);
    scene.assert_works(USER, "reads");
}

#[tokio::test(start_paused = true)]
async fn during_an_update_a_forged_delete_removes_nothing() {
    let mut scene = at(UPDATING).await;
    let answer = forge(&mut scene, "Delete", Some(SECRET), &properties()).await;
    assert!(!answer.succeeded());
    scene.assert_works(USER, "reads");
}

#[tokio::test(start_paused = true)]
async fn during_a_replacement_a_forged_delete_removes_the_new_pair() {
    let mut scene = at(UPDATING).await;
    let replaced = properties_with(json!({"UserName": OTHER_USER}));
    let answer = forge(&mut scene, "Update", Some(SECRET), &replaced).await;
    assert_eq!(answer.physical_id(), OTHER_SECRET);
    let answer = forge(&mut scene, "Delete", Some(OTHER_SECRET), &replaced).await;
    assert!(answer.succeeded(), "{}", answer.reason());
    scene.account.assert_gone(OTHER_USER);
    scene.assert_works(USER, "reads");
}

#[tokio::test(start_paused = true)]
async fn during_a_deletion_every_forged_event_finishes_it_and_makes_nothing() {
    for kind in ["Create", "Update", "Delete"] {
        let mut scene = at(("DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS")).await;
        let id = (kind != "Create").then_some(SECRET);
        forge(&mut scene, kind, id, &properties()).await;
        scene.assert_nothing_left();
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_failed_create_a_forged_event_removes_the_pair_that_cloudformation_removes_next() {
    let creating = ("ROLLBACK_IN_PROGRESS", "CREATE_FAILED");
    let at_rest = ("DELETE_FAILED", "DELETE_FAILED");
    for (state, kind) in [
        (creating, "Create"),
        (creating, "Update"),
        (creating, "Delete"),
        (at_rest, "Create"),
        (at_rest, "Update"),
    ] {
        let mut scene = at(state).await;
        let id = (kind != "Create").then_some(SECRET);
        forge(&mut scene, kind, id, &properties()).await;
        scene.assert_nothing_left();
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_failed_update_a_forged_delete_removes_the_pair_and_the_rollback_makes_it_again() {
    let mut scene = at(("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_FAILED")).await;
    let answer = forge(&mut scene, "Delete", Some(SECRET), &properties()).await;
    assert!(answer.succeeded(), "{}", answer.reason());
    scene.account.assert_nothing_of(scene.owner());
    let revised = properties_with(json!({"Revision": "2"}));
    assert_eq!(scene.update(revised).await, Outcome::Complete);
    scene.assert_works(USER, "reads");
    assert_ne!(scene.account.current_key(SECRET), scene.first_key());
}

#[tokio::test(start_paused = true)]
async fn a_forged_delete_removes_a_retained_pair_once_a_stack_at_work_no_longer_has_the_resource() {
    let mut scene = at(("UPDATE_IN_PROGRESS", "DELETE_SKIPPED")).await;
    let answer = forge(&mut scene, "Delete", Some(SECRET), &properties()).await;
    assert!(!answer.succeeded());
    scene.assert_works(USER, "reads");
    let Owner {
        stack_id,
        logical_id,
    } = scene.owner();
    scene.account.forget_resource(stack_id, logical_id);
    let answer = forge(&mut scene, "Delete", Some(SECRET), &properties()).await;
    assert!(answer.succeeded(), "{}", answer.reason());
    scene.assert_nothing_left();
}

/// Counts the answers.
#[derive(Default)]
struct Answers(AtomicUsize);

impl Sink for Answers {
    async fn put(&self, _: &ResponseUrl, _: &str) -> Result<u16, PutError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(200)
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_with_a_response_url_outside_aws_makes_no_call_and_fails() {
    let mut scene = at(UPDATING).await;
    let rotated = properties_with(json!({"KeySerial": 99}));
    let event = scene
        .stack
        .request("Update", Some(SECRET), &rotated, Some(&properties()));
    let real = event["ResponseURL"].as_str().expect("a URL").to_owned();
    let host = "cloudformation-custom-resource-response-useast1.s3.amazonaws.com";
    let stack_id = scene.owner().stack_id.clone();
    let variable = |name: &str| match name {
        "STACK_ID" => Some(stack_id.clone()),
        "_HANDLER" => Some("custom-resource".to_owned()),
        _ => None,
    };
    let settings = Settings::read(variable, "invocation");
    for (to, answered) in [
        ("attacker.example", 0),
        ("s3.amazonaws.com.attacker.example", 0),
        (host, 1),
    ] {
        let mut event = event.clone();
        event["ResponseURL"] = json!(real.replace(host, to));
        let (process, answers) = (scene.process(), Answers::default());
        let deadline = Deadline::after(INVOCATION);
        let event = event.to_string();
        let done = handle(&event, deadline, &settings, ready(&process), &answers).await;
        assert_eq!(done.is_ok(), answered == 1, "{to}");
        assert_eq!(answers.0.into_inner(), answered, "{to}");
        assert_eq!(process.calls().is_empty(), answered == 0, "{to}");
    }
}
