//! Nothing that is not ours is ever changed or deleted.

use serde_json::json;

use crate::scene::{SECRET, Scene, USER, properties, properties_with};
use kit::stack::Outcome;

fn first_reason(scene: &Scene) -> String {
    let answer = scene.stack.history().iter().rev().find_map(|exchange| {
        exchange
            .answer
            .as_ref()
            .filter(|answer| !answer.succeeded())
    });
    answer
        .map(|answer| answer.reason().to_owned())
        .unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_create_that_meets_another_user_touches_nothing_not_even_in_its_rollback() {
    for (name, says) in [
        ("publisher-stranger", "was not made by this stack"),
        ("publisher-STRANGER", "letter case"),
        ("publisher-neighbour", "stack/neighbour/"),
    ] {
        let mut scene = Scene::new().await;
        assert_eq!(
            scene
                .create(properties_with(json!({"UserName": name})))
                .await,
            Outcome::RolledBack
        );
        assert!(
            first_reason(&scene).contains(says),
            "{}",
            first_reason(&scene)
        );
        scene.assert_nothing_left();
    }
}

#[tokio::test(start_paused = true)]
async fn a_create_that_meets_another_secret_touches_nothing() {
    let mut scene = Scene::new().await;
    scene.account.by_hand().delete_user("publisher-stranger");
    scene.look_around();
    assert_eq!(
        scene
            .create(properties_with(json!({"UserName": "publisher-stranger"})))
            .await,
        Outcome::RolledBack
    );
    assert!(
        first_reason(&scene).contains("secret `publisher/publisher-stranger`"),
        "{}",
        first_reason(&scene)
    );
    scene.assert_nothing_left();
}

/// The console shows neither of them.
#[tokio::test(start_paused = true)]
async fn a_create_that_meets_a_secret_pending_deletion_or_a_replica_gets_the_command_that_frees_the_name()
 {
    for (replica, command) in [
        (false, "delete-secret --force-delete-without-recovery"),
        (true, "remove-regions-from-replication --region eu-west-1"),
    ] {
        let mut scene = Scene::new().await;
        let hand = scene.account.by_hand();
        hand.make_secret(SECRET);
        if replica {
            hand.make_replica_of(SECRET, "eu-west-1");
        } else {
            hand.delete_secret(SECRET, Some(30));
        }
        scene.look_around();
        assert_eq!(scene.create(properties()).await, Outcome::RolledBack);
        let reason = first_reason(&scene);
        assert!(reason.contains(command), "{reason}");
        scene.assert_nothing_left();
    }
}

#[tokio::test(start_paused = true)]
async fn a_replacement_that_meets_another_user_leaves_both_alone() {
    for name in ["publisher-stranger", "publisher-neighbour"] {
        let mut scene = Scene::created().await;
        assert_eq!(
            scene
                .update(properties_with(json!({"UserName": name})))
                .await,
            Outcome::RolledBack
        );
        scene.assert_works(USER, "reads");
        assert_eq!(
            scene.account.current_key("publisher/publisher-reader"),
            scene.first_key()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_delete_leaves_a_pair_that_now_belongs_to_another_stack() {
    let mut scene = Scene::created().await;
    scene
        .account
        .by_hand()
        .tag_user(USER, "publisher-s3-access:logical-id", "Other");
    scene.account.by_hand().tag_secret(
        "publisher/publisher-reader",
        "publisher-s3-access:logical-id",
        "Other",
    );
    scene.look_around();
    assert_eq!(
        scene.delete().await,
        Outcome::Complete,
        "{}",
        scene.reason()
    );
    scene.assert_nothing_left();
    assert!(scene.account.user_tags(USER).is_some());
}
