//! A scheduled rotation does not end a key that is in use. It notifies, stops and fails, in this order.

use std::time::Duration;

use publisher_s3_access::cloud::ErrorKind;
use publisher_s3_access::cloud::{Label, StoredKey};
use publisher_s3_access::plan::RotationStep;
use publisher_s3_access::request::buckets::BucketUri;
use serde_json::json;
use tokio::time::sleep;

use super::{assert_rotated, fork, in_use, watched};
use crate::scene::{SECRET, Scene, USER, properties_with};
use kit::faults::{Fault, Faulty};
use kit::rotation::{DAY, Rotated};
use kit::stack::Outcome;

/// Publisher reads with a key.
fn publisher_reads(scene: &Scene, key: &StoredKey) {
    let bucket = BucketUri::parse("reads").expect("a bucket");
    assert!(scene.account.by_hand().reads(key, &bucket), "it works");
}

/// A secret rotated 30 days ago, and its previous key, with which Publisher has read today.
async fn not_pasted() -> (Scene, Rotated, StoredKey) {
    let (scene, secret) = watched(Scene::created().await);
    let before = in_use(&scene);
    secret.rotate(&scene.process()).await.expect("it works");
    sleep(DAY * 30).await;
    publisher_reads(&scene, &before);
    scene.account.take_messages();
    (scene, secret, before)
}

#[tokio::test(start_paused = true)]
async fn a_rotation_that_would_end_a_key_in_use_notifies_stops_and_fails() {
    let (scene, secret, before) = not_pasted().await;
    let (token, keys) = (secret.begin(), scene.active_keys(USER));
    let process = scene.process();
    let ended = secret.step(&process, RotationStep::Create, &token).await;
    let reason = ended.expect("it lives").expect_err("it fails").to_string();
    assert!(
        reason.contains("held up") && reason.contains(before.id.as_str()),
        "{reason}"
    );

    let messages = scene.account.take_messages();
    let [message] = &messages[..] else {
        panic!("{messages:?}")
    };
    for part in [
        before.id.as_str(),
        "for service `s3`",
        "Paste the key",
        "KeySerial",
        SECRET,
        "https://",
    ] {
        assert!(message.text.contains(part), "{part}: {}", message.text);
    }
    assert_eq!(scene.account.version_under(SECRET, Label::Pending), None);
    assert_eq!(scene.active_keys(USER), keys);
    let calls = process.calls();
    let at = |name: &str| calls.iter().position(|call| *call == name);
    assert!(
        at("publish") < at("move_label") && at("publish").is_some(),
        "{calls:?}"
    );

    // Secrets Manager asks again, with the same token.
    for _ in 0..3 {
        let ended = secret
            .step(&scene.process(), RotationStep::Create, &token)
            .await;
        let reason = ended.expect("it lives").expect_err("it fails").to_string();
        assert!(reason.contains("was held up or ended before"), "{reason}");
    }
    assert_eq!(scene.account.take_messages(), [], "nobody is told twice");
}

#[tokio::test(start_paused = true)]
async fn the_next_rotation_ends_a_key_that_is_no_longer_used() {
    let (scene, secret, _) = not_pasted().await;
    let token = secret.begin();
    secret
        .steps(&scene.process(), &token)
        .await
        .expect_err("held up");
    // A third of 30 days.
    sleep(DAY * 10 + Duration::from_secs(1)).await;
    let (token, before) = (secret.begin(), in_use(&scene));
    assert_eq!(secret.steps(&scene.process(), &token).await, Ok(()));
    assert_rotated(&scene, &token, &before);
}

#[tokio::test(start_paused = true)]
async fn nothing_ends_the_rotation_before_somebody_was_notified() {
    let (scene, secret, _) = not_pasted().await;
    let world = (scene, secret);
    for fault in Fault::ALL {
        let (scene, secret) = fork(&world);
        let token = secret.begin();
        let process = Faulty::with_named(scene.stack.cloud(), "publish", 1, fault);
        drop(secret.step(&process, RotationStep::Create, &token).await);
        assert_eq!(process.struck(), 1, "{fault:?}");
        let told = !scene.account.take_messages().is_empty();
        let ended = scene
            .account
            .version_under(SECRET, Label::Pending)
            .is_none();
        assert!(told || !ended, "{fault:?}: ended, and nobody knows");
        // Whatever it was, Secrets Manager's next attempt notifies, unless this one did.
        drop(
            secret
                .step(&scene.process(), RotationStep::Create, &token)
                .await,
        );
        assert!(
            ended || !scene.account.take_messages().is_empty(),
            "{fault:?}"
        );
        assert_eq!(
            scene.account.version_under(SECRET, Label::Pending),
            None,
            "{fault:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_rotation_is_held_up_if_the_last_use_cannot_be_read() {
    let (scene, secret) = watched(Scene::rotated().await);
    let token = secret.begin();
    let process = Faulty::with_named(
        scene.stack.cloud(),
        "last_used",
        usize::MAX,
        Fault::Refuse(ErrorKind::Denied),
    );
    let ended = secret.step(&process, RotationStep::Create, &token).await;
    let reason = ended.expect("it lives").expect_err("it fails").to_string();
    assert!(reason.contains("cannot be read"), "{reason}");
    assert_eq!(scene.account.take_messages().len(), 1);
    assert_eq!(scene.active_keys(USER).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_of_a_person_ends_a_key_in_use() {
    let (mut scene, _, before) = not_pasted().await;
    let raised = properties_with(json!({"KeySerial": 2}));
    assert_eq!(
        scene.update(raised).await,
        Outcome::Complete,
        "{}",
        scene.reason()
    );
    assert!(!scene.active_keys(USER).contains(&before.id.to_string()));
    let (mut scene, _, _) = not_pasted().await;
    scene.account.watch_no_more();
    assert_eq!(scene.delete().await, Outcome::Complete);
    scene.assert_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn a_key_that_no_version_holds_is_ended_once_it_is_clear_that_it_was_only_tried() {
    let bucket = BucketUri::parse("reads").expect("a bucket");
    for (days, used, ended) in [
        (1, false, false),
        (1, true, false),
        (3, false, true),
        (3, true, false),
    ] {
        let (scene, secret) = watched(Scene::created().await);
        let stray = scene.account.by_hand().add_key(USER);
        sleep(DAY * days).await;
        if used {
            let key = scene.account.whole_key(&stray).expect("it is there");
            assert!(scene.account.by_hand().reads(&key, &bucket));
        }
        let token = secret.begin();
        let done = secret.steps(&scene.process(), &token).await;
        assert_eq!(done.is_ok(), ended, "{days} {used}: {done:?}");
        assert_eq!(scene.active_keys(USER).contains(&stray), !ended);
        assert_eq!(scene.account.take_messages().len(), usize::from(!ended));
    }
}
