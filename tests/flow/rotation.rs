//! Rotation by Secrets Manager: the current key works at every instant, and the previous one until the next rotation.

mod beside;
mod faults;
mod guard;
mod refusals;

use std::time::Duration;

use publisher_s3_access::cloud::VersionId;
use publisher_s3_access::cloud::{Label, StoredKey};
use publisher_s3_access::plan::RotationStep;
use publisher_s3_access::request::buckets::BucketUri;
use publisher_s3_access::request::names::KeySerial;
use serde_json::json;

use crate::scene::{SECRET, Scene, USER, properties_with};
use kit::account::Lags;
use kit::rotation::{DAY, Rotated};
use kit::stack::Outcome;

/// A created stack whose secret is rotated, and whose current key has to work from now on.
async fn rotated() -> (Scene, Rotated) {
    watched(Scene::created().await)
}

fn watched(scene: Scene) -> (Scene, Rotated) {
    let secret = Rotated::new(&scene.account, SECRET);
    scene.account.watch(USER);
    (scene, secret)
}

/// A copy of both.
fn fork((scene, secret): &(Scene, Rotated)) -> (Scene, Rotated) {
    let scene = scene.fork();
    let secret = secret.in_copy(&scene.account);
    (scene, secret)
}

/// The current key with its secret half, as Publisher gets it.
fn in_use(scene: &Scene) -> StoredKey {
    scene.account.stored_key(SECRET).expect("there is a key")
}

fn reads(scene: &Scene, key: &StoredKey) -> bool {
    let bucket = BucketUri::parse("reads").expect("a bucket");
    scene.account.can_list(key, &bucket)
}

/// Fails the test unless this rotation has completed. `before` was current before it.
#[track_caller]
fn assert_rotated(scene: &Scene, token: &VersionId, before: &StoredKey) {
    let account = &scene.account;
    scene.assert_works(USER, "reads");
    assert_eq!(
        account.version_under(SECRET, Label::Current).as_ref(),
        Some(token)
    );
    let now = in_use(scene);
    assert_ne!(now.id, before.id);
    assert_eq!(now.serial, before.serial, "the serial is the stack's");
    assert_eq!(
        account.key_under(SECRET, Label::Previous),
        Some(before.id.to_string())
    );
    assert!(reads(scene, before), "the key before stays active");
    assert_eq!(
        scene.active_keys(USER),
        [before.id.to_string(), now.id.to_string()]
    );
}

#[tokio::test(start_paused = true)]
async fn each_rotation_gives_a_new_key_and_ends_the_one_before_the_last() {
    let (scene, secret) = rotated().await;
    let mut keys = vec![in_use(&scene)];
    for _ in 0..4 {
        let token = secret.rotate(&scene.process()).await.expect("it works");
        let before = keys.last().expect("one at least");
        assert_rotated(&scene, &token, before);
        for gone in &keys[..keys.len() - 1] {
            assert!(!reads(&scene, gone), "{} is refused", gone.id);
        }
        keys.push(in_use(&scene));
    }
}

#[tokio::test(start_paused = true)]
async fn every_step_can_be_repeated() {
    let (scene, secret) = rotated().await;
    let (token, before) = (secret.begin(), in_use(&scene));
    let mut done = Vec::new();
    for step in RotationStep::ALL {
        done.push(step);
        // As Secrets Manager does after a failure: from the start, with the same token.
        for step in done.iter().chain(&done) {
            let ended = secret.step(&scene.process(), *step, &token).await;
            assert_eq!(ended, Some(Ok(())), "{step:?}");
        }
    }
    assert_rotated(&scene, &token, &before);
    assert_eq!(scene.account.versions(SECRET), 2);
}

#[tokio::test(start_paused = true)]
async fn the_current_key_changes_only_with_the_last_step() {
    let (scene, secret) = rotated().await;
    let (token, before) = (secret.begin(), in_use(&scene));
    for step in [RotationStep::Create, RotationStep::Set, RotationStep::Test] {
        let ended = secret.step(&scene.process(), step, &token).await;
        assert_eq!(ended, Some(Ok(())), "{step:?}");
        assert_eq!(in_use(&scene).id, before.id, "{step:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_test_of_a_new_schedule_has_no_pending_key_and_tries_the_current_one() {
    let (scene, secret) = rotated().await;
    let key = in_use(&scene);
    for _ in 0..2 {
        let token = secret.begin();
        // AWS does not document whether the secret says by then that it is rotated.
        scene.account.by_hand().leave_rotation_unsaid(SECRET);
        let process = scene.process();
        let ended = secret.step(&process, RotationStep::Test, &token).await;
        assert_eq!(ended, Some(Ok(())));
        assert!(
            process.calls().contains(&"read_byte"),
            "{:?}",
            process.calls()
        );
        scene.account.forget_rotation(SECRET, &token);
        scene.account.by_hand().enable_rotation(SECRET);
    }
    assert_eq!(in_use(&scene).id, key.id);
    assert_eq!(scene.active_keys(USER), [key.id.to_string()]);
}

#[tokio::test(start_paused = true)]
async fn a_lag_of_iam_costs_time_and_no_second_attempt() {
    for seconds in [1, 5, 15] {
        let (scene, secret) = rotated().await;
        let lag = Duration::from_secs(seconds);
        scene.account.lag(Lags {
            key: lag,
            key_list: lag,
            ..Lags::default()
        });
        for _ in 0..2 {
            let (token, before) = (secret.begin(), in_use(&scene));
            let done = secret.steps(&scene.process(), &token).await;
            assert_eq!(done, Ok(()), "{seconds} seconds");
            assert_eq!(
                scene.account.key_under(SECRET, Label::Previous),
                Some(before.id.to_string())
            );
            tokio::time::sleep(DAY * 30).await;
            assert_rotated(&scene, &token, &before);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_role_made_a_moment_ago_is_waited_for() {
    let (scene, secret) = rotated().await;
    scene.account.role_is_fresh_for(Duration::from_secs(10));
    let token = secret.begin();
    let ended = secret
        .step(&scene.process(), RotationStep::Test, &token)
        .await;
    assert_eq!(ended, Some(Ok(())));
}

#[tokio::test(start_paused = true)]
async fn updates_after_rotations_make_no_key_and_write_none_back() {
    let (mut scene, secret) = rotated().await;
    for _ in 0..2 {
        secret.rotate(&scene.process()).await.expect("it works");
    }
    let (key, active, versions) = (
        in_use(&scene).id,
        scene.active_keys(USER),
        scene.account.versions(SECRET),
    );
    for changes in [
        json!({"Revision": "2"}),
        json!({"Buckets": ["reads", "others"], "PolicyName": "Renamed"}),
        json!({"Tags": [{"Key": "Team", "Value": "a"}], "KeySerial": 1}),
        json!({}),
    ] {
        let outcome = scene.update(properties_with(changes.clone())).await;
        assert_eq!(outcome, Outcome::Complete, "{changes}");
        scene.assert_works(USER, "reads");
        assert_eq!(in_use(&scene).id, key, "{changes}");
        assert_eq!(scene.active_keys(USER), active, "{changes}");
        assert_eq!(scene.account.versions(SECRET), versions, "{changes}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_raises_its_serial_after_a_rotation_keeps_the_overlap_and_the_schedule() {
    let (mut scene, secret) = rotated().await;
    secret.rotate(&scene.process()).await.expect("it works");
    // A leaked key: raised twice, at once.
    for serial in [2, 3] {
        let before = in_use(&scene);
        let raised = properties_with(json!({"KeySerial": serial}));
        assert_eq!(
            scene.update(raised).await,
            Outcome::Complete,
            "{}",
            scene.reason()
        );
        scene.assert_works(USER, "reads");
        assert_ne!(in_use(&scene).id, before.id);
        assert!(reads(&scene, &before), "the key before stays active");
    }
    for _ in 0..2 {
        let before = in_use(&scene);
        let token = secret.rotate(&scene.process()).await.expect("it works");
        assert_rotated(&scene, &token, &before);
        assert_eq!(in_use(&scene).serial, KeySerial::stored(3));
    }
}

#[tokio::test(start_paused = true)]
async fn a_later_update_leaves_the_previous_key_alone_though_a_rotation_made_it() {
    let (mut scene, secret) = rotated().await;
    secret.rotate(&scene.process()).await.expect("it works");
    let by_rotation = in_use(&scene);
    let raised = properties_with(json!({"KeySerial": 2}));
    assert_eq!(scene.update(raised.clone()).await, Outcome::Complete);
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    let again = properties_with(json!({"KeySerial": 2, "Revision": "2"}));
    assert_eq!(scene.update(again).await, Outcome::Complete);
    scene.assert_works(USER, "reads");
    assert!(reads(&scene, &by_rotation), "it is the key before");
}

#[tokio::test(start_paused = true)]
async fn a_rotation_that_was_given_up_is_cleared_by_the_next_update() {
    let (mut scene, secret) = rotated().await;
    let (token, before) = (secret.begin(), in_use(&scene));
    let ended = secret
        .step(&scene.process(), RotationStep::Create, &token)
        .await;
    assert_eq!(ended, Some(Ok(())));
    let raised = properties_with(json!({"KeySerial": 2}));
    assert_eq!(scene.update(raised.clone()).await, Outcome::RolledBack);
    assert!(scene.reason().is_empty(), "the rollback succeeds");
    assert_eq!(
        scene.active_keys(USER).len(),
        2,
        "the pending key is left alone"
    );

    tokio::time::sleep(Duration::from_secs(16 * 60)).await;
    assert_eq!(
        scene.update(raised).await,
        Outcome::Complete,
        "{}",
        scene.reason()
    );
    scene.assert_works(USER, "reads");
    assert!(reads(&scene, &before));
    assert_eq!(scene.account.version_under(SECRET, Label::Pending), None);
    let late = secret
        .steps(&scene.process(), &token)
        .await
        .expect_err("it is over");
    assert!(late.contains("held up or ended before"), "{late}");

    let before = in_use(&scene);
    let token = secret.rotate(&scene.process()).await.expect("it works");
    assert_rotated(&scene, &token, &before);
}

#[tokio::test(start_paused = true)]
async fn a_key_somebody_deactivated_is_replaced_and_goes() {
    let scene = Scene::rotated().await;
    let secret = Rotated::new(&scene.account, SECRET);
    let (before, leaked) = (scene.active_keys(USER)[0].clone(), in_use(&scene));
    scene
        .account
        .by_hand()
        .deactivate_key(USER, leaked.id.as_str());
    secret.rotate(&scene.process()).await.expect("it works");
    let now = in_use(&scene);
    assert_eq!(scene.active_keys(USER), [before, now.id.to_string()]);
    let token = secret.rotate(&scene.process()).await.expect("it works");
    assert_rotated(&scene, &token, &now);
}

#[tokio::test(start_paused = true)]
async fn deleting_the_stack_ends_a_rotation_wherever_it_is() {
    for done in 0..=RotationStep::ALL.len() {
        let (mut scene, secret) = rotated().await;
        let token = secret.begin();
        for step in &RotationStep::ALL[..done] {
            let ended = secret.step(&scene.process(), *step, &token).await;
            assert_eq!(ended, Some(Ok(())), "{step:?}");
        }
        scene.account.watch_no_more();
        assert_eq!(scene.delete().await, Outcome::Complete);
        scene.assert_nothing_left();
        for step in RotationStep::ALL {
            let ended = secret.step(&scene.process(), step, &token).await;
            assert!(matches!(ended, Some(Err(_))), "{step:?}");
        }
        scene.assert_nothing_left();
    }
}
