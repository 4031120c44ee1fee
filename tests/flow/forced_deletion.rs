//! An organization that forbids deleting a secret at once (`secretsmanager:ForceDeleteWithoutRecovery`).

use std::time::Duration;

use kit::stack::Outcome;
use serde_json::json;
use tokio::time::Instant;

use crate::scene::{SECRET, Scene, USER, properties, properties_with};

#[tokio::test(start_paused = true)]
async fn a_delete_leaves_the_secret_restorable_for_seven_days() {
    let mut scene = Scene::created().await;
    scene.account.by_hand().deny_forced_deletion();
    let started = Instant::now();
    let outcome = scene.delete().await;
    assert_eq!(outcome, Outcome::Complete, "{}", scene.reason());
    let waited = started.elapsed();
    assert!(
        waited < Duration::from_secs(5),
        "AWS says so outright: {waited:?}"
    );
    assert!(scene.account.is_pending_deletion(SECRET));
    assert_eq!(scene.active_keys(USER), Vec::<String>::new());
    tokio::time::sleep(Duration::from_secs(7 * 86_400)).await;
    scene.assert_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn a_failed_create_is_still_rolled_back() {
    let mut scene = Scene::new().await;
    scene.account.by_hand().deny_forced_deletion();
    let missing = properties_with(json!({"Buckets": ["reads", "missing"]}));
    assert_eq!(scene.create(missing).await, Outcome::RolledBack);
    scene.stack = scene.stack.reborn();
    let outcome = scene.create(properties()).await;
    assert_eq!(outcome, Outcome::Complete, "{}", scene.reason());
    scene.assert_works(USER, "reads");
}

#[tokio::test(start_paused = true)]
async fn a_role_that_is_merely_new_deletes_at_once() {
    let mut scene = Scene::created().await;
    for seconds in [5, 15, 30] {
        let mut scene = scene.fork();
        scene
            .account
            .role_is_fresh_for(Duration::from_secs(seconds));
        let outcome = scene.delete().await;
        assert_eq!(outcome, Outcome::Complete, "{}", scene.reason());
        assert!(!scene.account.is_pending_deletion(SECRET), "{seconds}");
        scene.assert_nothing_left();
    }
    assert_eq!(scene.delete().await, Outcome::Complete);
}
