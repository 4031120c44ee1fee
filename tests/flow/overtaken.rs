//! A request that CloudFormation stops waiting for while it is at work, or that it cannot be asked about: what the request
//! has made goes, what was there stays, and its answer says which.

use std::time::Duration;

use kit::account::Lags;
use kit::account::s3::BucketPolicy;
use kit::faults::{Fault, Faulty};
use kit::function::invoke;
use kit::stack::{Answer, Outcome};
use publisher_s3_access::cloud::ErrorKind;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::scene::{OTHER_USER, SECRET, Scene, USER, properties, properties_with};

const MADE_AND_REMOVED: &str = "what this request had made was removed";
/// The stack has begun to roll back.
const BACK: (&str, &str) = ("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_IN_PROGRESS");
const CHANGES_STAY: &str = "what it had changed stays until the next update or rollback";

/// Sends the event. When the first call of this name has begun, and before it takes effect, CloudFormation shows the stack
/// and the resource in these states.
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
    // The calls beside the held one have time to end, and what CloudFormation has said becomes old.
    let early = timeout(Duration::from_secs(6), run.as_mut()).await;
    process.release();
    let answer = match early {
        Ok(answer) => answer,
        Err(_) => run.await,
    };
    let answer = answer.map(Answer).expect("it lives");
    assert!(!answer.succeeded());
    answer
}

/// Fails the test unless the pair is as it was created.
#[track_caller]
fn assert_as_created(scene: &Scene) {
    assert_eq!(scene.account.keys(USER).len(), 1, "one key");
    assert_eq!(scene.account.current_key(SECRET), scene.first_key());
    scene.assert_works(USER, "reads");
}

#[tokio::test(start_paused = true)]
async fn an_update_whose_stack_turns_back_withdraws_the_key_that_it_made() {
    let mut scene = Scene::created().await;
    let event = scene.begin_update(json!({"KeySerial": 2}));
    let answer = overtaken(&scene, &event, "list_objects", BACK).await;
    let reason = answer.reason();
    assert!(reason.contains("begun to roll back"), "{reason}");
    assert!(reason.contains(MADE_AND_REMOVED), "{reason}");
    assert!(!reason.contains(CHANGES_STAY), "{reason}");
    assert_as_created(&scene);
}

#[tokio::test(start_paused = true)]
async fn an_update_whose_stack_turns_back_says_that_its_other_changes_stay() {
    let changes = json!({"KeySerial": 2, "Buckets": ["reads", "others"], "PolicyName": "Renamed"});
    for held in ["put_policy", "create_key", "list_objects"] {
        let mut scene = Scene::created().await;
        let event = scene.begin_update(changes.clone());
        let answer = overtaken(&scene, &event, held, BACK).await;
        let reason = answer.reason();
        assert!(reason.contains(MADE_AND_REMOVED), "{reason}");
        assert!(reason.contains(CHANGES_STAY), "{reason}");
        let policies = scene.account.policies(USER);
        assert!(policies.values().any(|policy| policy.contains("others")));
        assert_as_created(&scene);
    }
}

#[tokio::test(start_paused = true)]
async fn an_update_that_was_answered_meanwhile_withdraws_the_key_that_it_made() {
    let mut scene = Scene::created().await;
    let event = scene.begin_update(json!({"KeySerial": 2}));
    let done = ("UPDATE_COMPLETE", "UPDATE_COMPLETE");
    let answer = overtaken(&scene, &event, "create_key", done).await;
    let reason = answer.reason();
    assert!(reason.contains("answered before"), "{reason}");
    assert!(reason.contains(MADE_AND_REMOVED), "{reason}");
    assert_as_created(&scene);
}

#[tokio::test(start_paused = true)]
async fn an_update_that_made_nothing_says_that_nothing_was_changed() {
    let mut scene = Scene::created().await;
    let event = scene.begin_update(json!({"KeySerial": 2}));
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
    let event = scene.begin_update(json!({"UserName": OTHER_USER}));
    let answer = overtaken(&scene, &event, "list_objects", BACK).await;
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
        let answer = overtaken(&scene, &event, "list_objects", shown).await;
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
    let answer = overtaken(&scene, &event, "create_key", retained).await;
    let reason = answer.reason();
    assert!(reason.contains("does not wait"), "{reason}");
    assert!(reason.contains(MADE_AND_REMOVED), "{reason}");
    scene.assert_nothing_left();
}

/// A role of somebody's own template may lack the permission to ask.
#[tokio::test(start_paused = true)]
async fn a_delete_that_may_not_ask_or_gets_no_answer_removes_nothing() {
    for (call, kind) in [
        ("stack_resource", ErrorKind::Denied),
        ("stack_resource", ErrorKind::Throttled),
        ("stack", ErrorKind::Denied),
        ("stack", ErrorKind::Throttled),
    ] {
        let mut scene = Scene::created().await;
        scene.stack.set("DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS");
        let event = scene
            .stack
            .request("Delete", Some(SECRET), &properties(), None);
        let refused = Fault::Refuse(kind);
        let process = Faulty::with_named_after(scene.stack.cloud(), call, 0, refused);
        let answer = invoke(&scene.account, &process, &event).await;
        let answer = answer.map(Answer).expect("it lives");
        assert!(!answer.succeeded(), "{call} {kind:?}");
        scene.assert_works(USER, "reads");
    }
}

/// A new role may not ask yet. That is no reason to believe the event.
#[tokio::test(start_paused = true)]
async fn a_delete_of_a_pair_in_use_is_refused_even_if_the_role_may_not_ask_at_first() {
    let mut scene = Scene::created().await;
    scene.stack.set("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS");
    let event = scene
        .stack
        .request("Delete", Some(SECRET), &properties(), None);
    let denied = Fault::Refuse(ErrorKind::Denied);
    let process = Faulty::with_named(scene.stack.cloud(), "stack_resource", 2, denied);
    let answer = invoke(&scene.account, &process, &event).await;
    let answer = answer.map(Answer).expect("it lives");
    assert!(!answer.succeeded());
    assert!(answer.reason().contains("is in use"), "{}", answer.reason());
    scene.assert_works(USER, "reads");
}

/// One run of an event with this bucket that the key cannot read, stopped at its proof; `meanwhile` runs; then the proof
/// fails.
async fn fails_after(scene: &mut Scene, event: &Value, meanwhile: impl AsyncFnOnce(&mut Scene)) {
    scene
        .account
        .bucket_policy("others", BucketPolicy::DeniesList);
    let account = scene.account.clone();
    let process = Faulty::holding_first(scene.stack.cloud(), "list_objects");
    let mut run = Box::pin(invoke(&account, &process, event));
    assert!(process.until_held(run.as_mut()).await.is_none());
    // The calls beside the proof have time to end.
    assert!(timeout(Duration::from_secs(1), run.as_mut()).await.is_err());
    meanwhile(scene).await;
    process.release();
    let answer = run.await.map(Answer).expect("it lives");
    assert!(!answer.succeeded());
}

#[tokio::test(start_paused = true)]
async fn a_failed_proof_ends_no_candidate_that_another_run_has_taken_into_use() {
    let mut scene = Scene::created().await;
    let event = scene.begin_update(json!({"KeySerial": 2, "Buckets": ["reads", "others"]}));
    fails_after(&mut scene, &event, async |scene| {
        let outcome = scene.update(properties_with(json!({"KeySerial": 2}))).await;
        assert_eq!(outcome, Outcome::Complete, "{}", scene.reason());
    })
    .await;
    let current = scene.account.current_key(SECRET).expect("a key");
    assert_ne!(Some(&current), scene.first_key().as_ref());
    assert!(scene.active_keys(USER).contains(&current));
}

#[tokio::test(start_paused = true)]
async fn a_failed_proof_ends_no_first_key_that_another_run_has_taken_into_use() {
    let mut scene = Scene::new().await;
    let denied = properties_with(json!({"Buckets": ["reads", "others"]}));
    let event = scene.stack.begin_create(&denied);
    fails_after(&mut scene, &event, async |scene| {
        let outcome = scene.create(properties()).await;
        assert_eq!(outcome, Outcome::Complete, "{}", scene.reason());
    })
    .await;
    scene.assert_works(USER, "reads");
}

#[tokio::test(start_paused = true)]
async fn a_failed_replacement_removes_no_pair_that_another_run_has_taken_into_use() {
    let mut scene = Scene::created().await;
    let event = scene.begin_update(json!({"UserName": OTHER_USER, "Buckets": ["reads", "others"]}));
    fails_after(&mut scene, &event, async |scene| {
        let replaced = properties_with(json!({"UserName": OTHER_USER}));
        let outcome = scene.update(replaced).await;
        assert_eq!(outcome, Outcome::Complete, "{}", scene.reason());
    })
    .await;
    scene.account.assert_gone(USER);
    scene.assert_works(OTHER_USER, "reads");
}

#[tokio::test(start_paused = true)]
async fn a_withdrawn_key_goes_though_iam_does_not_list_it_yet() {
    let mut scene = Scene::created().await;
    sleep(Duration::from_secs(60)).await;
    scene.account.lag(Lags {
        key_list: Duration::from_secs(10),
        ..Lags::default()
    });
    let event = scene.begin_update(json!({"KeySerial": 2}));
    overtaken(&scene, &event, "list_objects", BACK).await;
    sleep(Duration::from_secs(60)).await;
    assert_as_created(&scene);
}

#[tokio::test(start_paused = true)]
async fn an_update_whose_stack_turns_back_has_ended_no_key_to_make_room() {
    let mut scene = Scene::rotated().await;
    let keys = scene.active_keys(USER);
    assert_eq!(keys.len(), 2);
    let event = scene.begin_update(
        json!({"KeySerial": 3, "Buckets": ["reads", "others"], "PolicyName": "Renamed"}),
    );
    let answer = overtaken(&scene, &event, "put_policy", BACK).await;
    assert!(
        answer.reason().contains(CHANGES_STAY),
        "{}",
        answer.reason()
    );
    assert_eq!(scene.active_keys(USER), keys);
}

/// Once CloudFormation has said "go on" for the last time, the key is stored, and nothing is taken back.
#[tokio::test(start_paused = true)]
async fn a_key_that_is_stored_while_the_stack_turns_back_stays_beside_the_one_before() {
    let mut scene = Scene::created().await;
    let event = scene.begin_update(json!({"KeySerial": 2}));
    let process = Faulty::holding_first(scene.stack.cloud(), "store_version");
    let account = scene.account.clone();
    let mut run = Box::pin(invoke(&account, &process, &event));
    assert!(process.until_held(run.as_mut()).await.is_none());
    scene.stack.set(BACK.0, BACK.1);
    process.release();
    assert!(run.await.map(Answer).expect("it lives").succeeded());
    scene.assert_works(USER, "reads");
    let before = scene.first_key().expect("there was a key");
    let now = scene.account.current_key(SECRET).expect("there is a key");
    assert_eq!(scene.active_keys(USER), [before, now]);
}

/// The key stays, and the next look decides.
#[tokio::test(start_paused = true)]
async fn a_request_that_cannot_know_whether_its_key_was_stored_makes_no_second_one() {
    let mut scene = Scene::created().await;
    let event = scene.begin_update(json!({"KeySerial": 2}));
    let cloud = scene.stack.cloud();
    let process = Faulty::with_named(cloud, "store_version", usize::MAX, Fault::LoseRequest);
    let answer = invoke(&scene.account, &process, &event).await;
    let answer = answer.map(Answer).expect("it lives");
    assert!(!answer.succeeded());
    let made = process
        .calls()
        .iter()
        .filter(|call| **call == "create_key")
        .count();
    assert_eq!(made, 1, "{}", answer.reason());
    scene.assert_works_but(USER, "reads", 1);
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_cloudformation_takes_back_half_way_says_that_something_was_removed() {
    let mut scene = Scene::created().await;
    scene.stack.set("DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS");
    let event = scene
        .stack
        .request("Delete", Some(SECRET), &properties(), None);
    let conflict = Fault::Refuse(ErrorKind::Conflict);
    let process = Faulty::with_named(scene.stack.cloud(), "delete_user", 1, conflict);
    let mut run = Box::pin(invoke(&scene.account, &process, &event));
    // Until the pause before the next round.
    let pause = Duration::from_millis(1);
    assert!(timeout(pause, run.as_mut()).await.is_err());
    scene.stack.set("DELETE_FAILED", "DELETE_FAILED");
    let answer = run.await.map(Answer).expect("it lives");
    let reason = answer.reason();
    assert!(
        !answer.succeeded() && reason.contains("at rest"),
        "{reason}"
    );
    assert!(
        reason.contains("; what was removed before stays removed"),
        "{reason}"
    );
}
