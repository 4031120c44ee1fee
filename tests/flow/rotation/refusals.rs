//! What a rotation refuses to do, and why.

use publisher_s3_access::cloud::{Label, StoredKey};
use publisher_s3_access::cloud::{PutVersion, SecretArn, Secrets, VersionId};
use publisher_s3_access::plan::RotationStep;
use publisher_s3_access::waits::KEY_IN_FLIGHT;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{assert_rotated, in_use, rotated};
use crate::scene::{SECRET, Scene, USER};
use kit::account::s3::{BucketPolicy, Object};
use kit::rotation::Rotated;

/// Fails the test unless the step is refused for this reason, and nothing changes.
async fn refuses(
    scene: &Scene,
    secret: &Rotated,
    step: RotationStep,
    token: &VersionId,
    why: &str,
) {
    let look = || (scene.active_keys(USER), scene.account.foreign_to(&nobody()));
    let before = look();
    let ended = secret.step(&scene.process(), step, token).await;
    let reason = ended
        .expect("it lives")
        .expect_err("it is refused")
        .to_string();
    assert!(reason.contains(why), "{step:?}: {reason}");
    assert!(!reason.contains('\n') && !reason.ends_with('.'), "{reason}");
    assert_eq!(look(), before, "{step:?}");
}

/// Stores a value, whoever does it.
async fn store(scene: &Scene, version: &VersionId, value: &SecretString, label: Label) {
    let arn = SecretArn(scene.account.secret_arn(SECRET));
    let stored = scene.account.store_version(&arn, version, value, label);
    assert_eq!(stored.await, Ok(PutVersion::Stored));
}

/// An owner of nothing, to whom everything is foreign.
fn nobody() -> kit::account::Owner {
    kit::account::Owner {
        stack_id: "none".to_owned(),
        logical_id: "None".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn without_rotation_or_without_its_label_no_step_is_taken() {
    let (scene, secret) = rotated().await;
    let token = secret.begin();
    let unknown = VersionId(token.0.replace('4', "5"));
    scene
        .account
        .by_hand()
        .move_label(SECRET, "AWSPENDING", None);
    for step in RotationStep::ALL {
        refuses(&scene, &secret, step, &unknown, "held up or ended before").await;
        refuses(&scene, &secret, step, &token, "held up or ended before").await;
    }
    let labelled = {
        let key = secret.begin();
        scene
            .account
            .by_hand()
            .move_label(SECRET, "AWSPREVIOUS", Some(&key));
        scene
            .account
            .by_hand()
            .move_label(SECRET, "AWSPENDING", None);
        key
    };
    for step in RotationStep::ALL {
        refuses(&scene, &secret, step, &labelled, "is not AWSPENDING").await;
    }
    scene
        .account
        .by_hand()
        .move_label(SECRET, "AWSPREVIOUS", None);
    let token = secret.begin();
    scene.account.by_hand().disable_rotation(SECRET);
    for step in RotationStep::ALL {
        refuses(&scene, &secret, step, &token, "not enabled").await;
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_functions_own_secret_is_rotated() {
    let (scene, secret) = rotated().await;
    let token = secret.begin();
    let neighbour = scene.account.secret_arn("publisher/publisher-neighbour");
    for other in [
        neighbour.as_str(),
        SECRET,
        "",
        "arn:aws:secretsmanager:us-east-1:111122223333:secret:publisher/",
    ] {
        let mut event = secret.event(RotationStep::Create, &token);
        event["SecretId"] = json!(other);
        let process = scene.process();
        let ended = secret.invoke(&process, &event).await;
        let reason = ended
            .expect("it lives")
            .expect_err("it is refused")
            .to_string();
        assert!(reason.contains("another secret"), "{reason}");
        assert_eq!(process.calls(), [""; 0], "nothing is even read");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pair_not_made_by_one_stack_is_not_rotated() {
    let tag = "publisher-s3-access:logical-id";
    let (scene, secret) = rotated().await;
    let token = secret.begin();
    let by_hand = scene.account.by_hand();
    by_hand.tag_user(USER, tag, "Other");
    refuses(&scene, &secret, RotationStep::Create, &token, "user").await;
    by_hand.strip_user_tags(USER);
    refuses(&scene, &secret, RotationStep::Create, &token, "user").await;
    let (scene, secret) = rotated().await;
    let token = secret.begin();
    let by_hand = scene.account.by_hand();
    by_hand.tag_secret(SECRET, tag, "Other");
    refuses(&scene, &secret, RotationStep::Create, &token, "secret").await;
    let elsewhere = "arn:aws:cloudformation:eu-west-1:111122223333:stack/mine/1-2-3";
    by_hand.tag_secret(SECRET, "publisher-s3-access:stack-id", elsewhere);
    by_hand.tag_user(USER, "publisher-s3-access:stack-id", elsewhere);
    by_hand.tag_user(USER, tag, "Other");
    refuses(&scene, &secret, RotationStep::Create, &token, "user").await;
    by_hand.strip_secret_tags(SECRET);
    refuses(&scene, &secret, RotationStep::Create, &token, "user").await;
}

#[tokio::test(start_paused = true)]
async fn a_value_that_names_another_user_is_not_followed() {
    let scene = Scene::created().await;
    let secret = Rotated::new(&scene.account, SECRET);
    let theirs = scene
        .account
        .stored_key("publisher/publisher-neighbour")
        .expect("a key");
    let token = secret.begin();
    store(&scene, &token, &theirs.to_value(), Label::Pending).await;
    for step in RotationStep::ALL {
        refuses(&scene, &secret, step, &token, "holds no key of user").await;
    }
    scene
        .account
        .by_hand()
        .edit_secret(SECRET, theirs.to_value().expose_secret());
    for step in RotationStep::ALL {
        refuses(&scene, &secret, step, &token, "holds no key of user").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_without_our_value_is_not_overwritten() {
    let (scene, secret) = rotated().await;
    let token = secret.begin();
    store(&scene, &token, &"{}".into(), Label::Pending).await;
    for step in RotationStep::ALL {
        refuses(&scene, &secret, step, &token, "holds no key of user").await;
    }
}

#[tokio::test(start_paused = true)]
async fn steps_out_of_order_are_refused() {
    let (scene, secret) = rotated().await;
    let token = secret.begin();
    for step in [RotationStep::Set, RotationStep::Finish] {
        refuses(&scene, &secret, step, &token, "createSecret").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_pending_key_that_somebody_deleted_or_deactivated_never_becomes_current() {
    for deactivated in [Some(()), None] {
        let (scene, secret) = rotated().await;
        let (token, before) = (secret.begin(), in_use(&scene));
        let ended = secret
            .step(&scene.process(), RotationStep::Create, &token)
            .await;
        assert_eq!(ended, Some(Ok(())));
        let key = scene
            .account
            .key_under(SECRET, Label::Pending)
            .expect("a key");
        match deactivated {
            Some(()) => scene.account.by_hand().deactivate_key(USER, &key),
            None => scene.account.by_hand().delete_key(USER, &key),
        }
        for step in [RotationStep::Create, RotationStep::Finish] {
            refuses(&scene, &secret, step, &token, "update-secret-version-stage").await;
        }
        refuses(
            &scene,
            &secret,
            RotationStep::Test,
            &token,
            "is not accepted",
        )
        .await;
        // The advice in the reason helps.
        scene
            .account
            .by_hand()
            .move_label(SECRET, "AWSPENDING", None);
        let token = secret.rotate(&scene.process()).await.expect("it works");
        assert_rotated(&scene, &token, &before);
    }
}

#[tokio::test(start_paused = true)]
async fn no_repeated_step_changes_a_finished_rotation() {
    let (scene, secret) = rotated().await;
    let token = secret.rotate(&scene.process()).await.expect("it works");
    let before = scene.everything();
    for step in RotationStep::ALL {
        let ended = secret.step(&scene.process(), step, &token).await;
        assert_eq!(ended, Some(Ok(())));
        assert_eq!(scene.everything(), before, "{step:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_lost_during_the_rotation_is_waited_for_and_then_ended() {
    let (scene, secret) = rotated().await;
    let (token, before) = (secret.begin(), in_use(&scene));
    let stray = scene.account.by_hand().add_key(USER);
    let started = tokio::time::Instant::now();
    assert_eq!(secret.steps(&scene.process(), &token).await, Ok(()));
    assert!(
        started.elapsed() >= KEY_IN_FLIGHT,
        "{:?}",
        started.elapsed()
    );
    assert_rotated(&scene, &token, &before);
    assert!(!scene.active_keys(USER).contains(&stray));
}

/// Whoever can write to the secret could put any key there.
#[tokio::test(start_paused = true)]
async fn another_users_key_does_not_count_as_ours_whatever_the_secret_says() {
    let (scene, secret) = rotated().await;
    let token = secret.begin();
    let theirs = scene.account.stored_key("publisher/publisher-neighbour");
    let named_ours = StoredKey {
        user: USER.to_owned(),
        ..theirs.expect("the neighbour has a key")
    };
    store(&scene, &token, &named_ours.to_value(), Label::Pending).await;
    for (step, why) in [
        (RotationStep::Create, "is not on the user"),
        (
            RotationStep::Test,
            "is not of user `publisher-reader` but of",
        ),
        (RotationStep::Finish, "is not on the user"),
    ] {
        refuses(&scene, &secret, step, &token, why).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_cannot_read_does_not_become_current_and_is_tried_again() {
    let (scene, secret) = rotated().await;
    let (token, before) = (secret.begin(), in_use(&scene));
    scene
        .account
        .bucket_policy("reads", BucketPolicy::DeniesGet);
    let failed = secret
        .steps(&scene.process(), &token)
        .await
        .expect_err("it is denied");
    assert!(
        failed.starts_with("testSecret") && failed.contains("the bucket's policy"),
        "{failed}"
    );
    assert_eq!(in_use(&scene).id, before.id);
    let pending = scene.account.key_under(SECRET, Label::Pending);
    scene
        .account
        .bucket("reads", "eu-west-1", &[("a", Object::Plain)]);
    assert_eq!(secret.go_on(&scene.process(), &token).await, Ok(()));
    assert_rotated(&scene, &token, &before);
    assert_eq!(
        pending,
        Some(in_use(&scene).id.to_string()),
        "with the same key"
    );
}
