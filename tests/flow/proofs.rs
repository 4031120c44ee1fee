//! The key is proved before the stack turns green, and what its failure takes back. [`found`] has what is found under an entry,
//! [`causes`] the advice.

mod causes;
mod found;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::scene::{OTHER_USER, SECRET, Scene, USER, properties, properties_with};
use kit::account::s3::{BucketPolicy, Object};
use kit::faults::Faulty;
use kit::function::{invoke, invoke_well};
use kit::stack::{Answer, Outcome};

const KMS_KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555";

/// The reason of the first FAILED answer.
fn first_reason(scene: &Scene) -> String {
    let answers = scene
        .stack
        .history()
        .iter()
        .filter_map(|exchange| exchange.answer.as_ref());
    let failed = answers.into_iter().find(|answer| !answer.succeeded());
    failed
        .map(|answer| answer.reason().to_owned())
        .unwrap_or_default()
}

/// What a first deployment says with these objects in `reads`: its `Warnings`, or the Reason of its failure.
async fn created(objects: &[(&str, Object)], changes: Value) -> Result<String, String> {
    let mut scene = Scene::new().await;
    scene.account.bucket("reads", "eu-west-1", objects);
    said(scene.create(properties_with(changes)).await, &scene)
}

/// What an update says after the objects in `reads` became these.
async fn updated(objects: &[(&str, Object)], changes: Value) -> Result<String, String> {
    let mut scene = Scene::created().await;
    scene.account.bucket("reads", "eu-west-1", objects);
    said(scene.update(properties_with(changes)).await, &scene)
}

fn said(outcome: Outcome, scene: &Scene) -> Result<String, String> {
    if outcome != Outcome::Complete {
        return Err(first_reason(scene));
    }
    let answer = scene.stack.last_answer().expect("one");
    let warnings = answer.data()["Warnings"].as_str();
    Ok(warnings.expect("every answer has it").to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_cannot_be_read_fails_the_create_and_leaves_nothing() {
    for (policy, says) in [
        (BucketPolicy::DeniesList, "cannot list `s3://reads/`"),
        (
            BucketPolicy::DeniesGet,
            "cannot read `a/b` in `s3://reads/`",
        ),
    ] {
        let mut scene = Scene::new().await;
        scene.account.bucket_policy("reads", policy);
        let started = Instant::now();
        assert_eq!(scene.create(properties()).await, Outcome::RolledBack);
        assert!(
            started.elapsed() < Duration::from_secs(15),
            "the policies of others are waited for only a little"
        );
        let reason = first_reason(&scene);
        assert!(
            reason.contains(says) && reason.contains("explicit deny"),
            "{reason}"
        );
        scene.assert_nothing_left();
    }
}

/// A call beside the proof ends after it, and must not hide how the proof ended.
#[tokio::test(start_paused = true)]
async fn a_proof_that_fails_before_cloudformation_answers_fails_the_create() {
    let mut well = Scene::new().await;
    let create = well.stack.begin_create(&properties());
    let process = Faulty::new(well.stack.cloud());
    assert!(invoke(&well.account, &process, &create).await.is_some());
    let calls = process.calls();
    let last_look = calls.iter().rposition(|name| *name == "stack_resource");
    let last_look = last_look.expect("a look");

    let mut scene = Scene::new().await;
    scene
        .account
        .bucket_policy("reads", BucketPolicy::DeniesList);
    let create = scene.stack.begin_create(&properties());
    let process = Faulty::holding(scene.stack.cloud(), last_look);
    let mut run = Box::pin(invoke(&scene.account, &process, &create));
    assert!(process.until_held(run.as_mut()).await.is_none());
    let proof_ends = Duration::from_secs(15);
    assert!(timeout(proof_ends, run.as_mut()).await.is_err());
    process.release();
    let answer = run.await.map(Answer).expect("it lives");
    assert!(
        answer.reason().contains("cannot list `s3://reads/`"),
        "{}",
        answer.reason()
    );
    assert!(scene.account.keys(USER).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_failed_proof_of_a_rotation_removes_the_new_key_before_the_answer() {
    let mut scene = Scene::created().await;
    scene
        .account
        .bucket_policy("reads", BucketPolicy::DeniesGet);
    scene.stack.set("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS");
    let rotated = properties_with(json!({"KeySerial": 2}));
    let event = scene
        .stack
        .request("Update", Some(SECRET), &rotated, Some(&properties()));
    let answer = invoke_well(&scene.stack.cloud(), &event)
        .await
        .map(Answer)
        .expect("it lives");
    assert!(!answer.succeeded());
    assert_eq!(scene.account.current_key(SECRET), scene.first_key());
    assert_eq!(scene.account.keys(USER).len(), 1);
    scene.assert_works(USER, "reads");
}

#[tokio::test(start_paused = true)]
async fn an_update_to_a_bucket_that_cannot_be_read_is_rolled_back_without_a_new_key() {
    for bucket in ["others", "missing"] {
        let mut scene = Scene::created().await;
        scene
            .account
            .bucket_policy("others", BucketPolicy::DeniesList);
        assert_eq!(
            scene
                .update(properties_with(json!({"Buckets": bucket})))
                .await,
            Outcome::RolledBack
        );
        assert!(
            first_reason(&scene).contains(bucket),
            "{}",
            first_reason(&scene)
        );
        assert_eq!(scene.account.current_key(SECRET), scene.first_key());
        scene.assert_works(USER, "reads");
    }
}

#[tokio::test(start_paused = true)]
async fn a_replacement_that_cannot_be_proved_leaves_the_old_pair_alone() {
    let mut scene = Scene::created().await;
    let changes = json!({"UserName": OTHER_USER, "Buckets": "missing"});
    assert_eq!(
        scene.update(properties_with(changes)).await,
        Outcome::RolledBack
    );
    scene.account.assert_gone(OTHER_USER);
    scene.assert_works(USER, "reads");
}

#[tokio::test(start_paused = true)]
async fn a_replacement_that_fails_removes_what_it_made_before_the_answer() {
    let mut scene = Scene::created().await;
    scene
        .account
        .bucket_policy("others", BucketPolicy::DeniesList);
    scene.stack.set("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS");
    let replaced = properties_with(json!({"UserName": OTHER_USER, "Buckets": "others"}));
    let event = scene
        .stack
        .request("Update", Some(SECRET), &replaced, Some(&properties()));
    let answer = invoke_well(&scene.stack.cloud(), &event)
        .await
        .map(Answer)
        .expect("it lives");
    assert!(!answer.succeeded());
    assert_eq!(answer.physical_id(), SECRET);
    scene.account.assert_gone(OTHER_USER);
    scene.assert_works(USER, "reads");
}

#[tokio::test(start_paused = true)]
async fn a_missing_bucket_is_no_obstacle_without_a_proof() {
    let mut scene = Scene::new().await;
    let unproved = properties_with(json!({"Buckets": "missing", "VerifyAccess": false}));
    assert_eq!(scene.create(unproved).await, Outcome::Complete);
    scene.account.assert_in_order(USER, scene.owner());
    assert_eq!(
        scene.stack.last_answer().unwrap().data()["Region"],
        "us-east-1"
    );
}
