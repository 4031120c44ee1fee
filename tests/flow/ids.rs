//! Which pair a request means, whatever its id and properties look like.

use serde_json::{Value, json};

use crate::scene::{OTHER_USER, SECRET, Scene, USER, properties, properties_with};
use kit::function::invoke;
use kit::stack::{Answer, Outcome};

/// Sends a Delete of this id with these properties.
async fn delete(scene: &mut Scene, id: &str, properties: &Value) -> Answer {
    scene.stack.set("DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS");
    let event = scene.stack.request("Delete", Some(id), properties, None);
    invoke(&scene.account, &scene.process(), &event)
        .await
        .map(Answer)
        .expect("it lives")
}

#[tokio::test(start_paused = true)]
async fn a_delete_succeeds_twice_and_whatever_its_properties_look_like() {
    for properties in [
        properties(),
        json!({}),
        json!({"Buckets": {"not": "a list"}, "UserName": ["a"], "Unknown": 1, "SecretRecoveryDays": "soon"}),
        properties_with(json!({"UserName": OTHER_USER})),
    ] {
        let mut scene = Scene::rotated().await;
        for _ in 0..2 {
            let answer = delete(&mut scene, SECRET, &properties).await;
            assert!(answer.succeeded(), "{properties}: {}", answer.reason());
            assert_eq!(answer.physical_id(), SECRET);
            scene.assert_nothing_left();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_recovery_window_is_the_longest() {
    let mut scene = Scene::created().await;
    let answer = delete(
        &mut scene,
        SECRET,
        &properties_with(json!({"SecretRecoveryDays": "soon"})),
    )
    .await;
    assert!(answer.succeeded(), "{}", answer.reason());
    assert!(scene.account.is_pending_deletion(SECRET));
    scene.assert_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn an_invented_id_means_the_user_of_the_properties_or_nothing() {
    for (properties, gone) in [
        (properties(), true),
        (json!({"UserName": USER, "Unknown": 1}), true),
        (json!({"UserName": 5}), false),
        (json!({"UserName": "no good*"}), false),
        (json!({"UserName": "administrator"}), false),
    ] {
        let mut scene = Scene::created().await;
        let answer = delete(&mut scene, "mine-S3Access-1ABCDEF", &properties).await;
        assert!(answer.succeeded(), "{properties}: {}", answer.reason());
        assert_eq!(
            scene.account.user_tags(USER).is_none(),
            gone,
            "{properties}"
        );
        scene.assert_neighbours_untouched();
    }
}

#[tokio::test(start_paused = true)]
async fn a_replacement_that_nobody_answered_is_removed_by_its_rollback() {
    let mut scene = Scene::created().await;
    let replaced = properties_with(json!({"UserName": OTHER_USER}));
    scene.stack.set("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS");
    let forward = scene
        .stack
        .request("Update", Some(SECRET), &replaced, Some(&properties()));
    invoke(&scene.account, &scene.process(), &forward)
        .await
        .expect("it lives");
    scene.assert_works(OTHER_USER, "reads");
    scene
        .stack
        .set("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_IN_PROGRESS");
    let back = scene
        .stack
        .request("Update", Some(SECRET), &properties(), Some(&replaced));
    let answer = invoke(&scene.account, &scene.process(), &back)
        .await
        .map(Answer)
        .expect("it lives");
    assert!(answer.succeeded(), "{}", answer.reason());
    assert_eq!(answer.physical_id(), SECRET);
    scene.account.assert_gone(OTHER_USER);
    scene.assert_works(USER, "reads");
}

#[tokio::test(start_paused = true)]
async fn another_letter_case_is_no_replacement_even_if_the_user_is_gone() {
    for gone in [false, true] {
        let mut scene = Scene::created().await;
        if gone {
            scene.account.by_hand().delete_user(USER);
        }
        let shouted = properties_with(json!({"UserName": "publisher-READER"}));
        assert_eq!(scene.update(shouted).await, Outcome::RolledBack);
        let refused = scene.stack.history().iter().rev().nth(1);
        let reason = refused.and_then(|exchange| exchange.answer.as_ref().map(Answer::reason));
        assert!(
            reason.is_some_and(|reason| reason.contains("in letter case alone")),
            "{reason:?}"
        );
        scene.assert_works(USER, "reads");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_create_is_deleted_without_a_call() {
    let mut scene = Scene::new().await;
    let calls = scene.account.log().len();
    assert_eq!(
        scene.create(json!({"Bucket": "reads"})).await,
        Outcome::RolledBack
    );
    let made: Vec<_> = scene.account.log()[calls..]
        .iter()
        .filter(|line| line.contains(" -> "))
        .cloned()
        .collect();
    assert!(
        !made
            .iter()
            .any(|call| call.contains("Create") || call.contains("Delete")),
        "{made:?}"
    );
    scene.assert_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn the_id_is_the_secrets_name_in_every_answer() {
    let mut scene = Scene::rotated().await;
    scene
        .update(properties_with(json!({"Buckets": "missing"})))
        .await;
    scene.delete().await;
    for exchange in scene.stack.history() {
        assert_eq!(
            exchange.answer.as_ref().map(Answer::physical_id),
            Some(SECRET)
        );
    }
}
