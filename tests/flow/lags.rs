//! IAM's changes are seen late. Nothing fails that only needs waiting, and nothing waits in vain.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use crate::scene::{OTHER_USER, SECRET, Scene, USER, properties, properties_with};
use kit::account::cloudformation::ViewLag;
use kit::account::{BOUNDARY, Lags, Missing};
use kit::faults::Faulty;
use kit::function::{TIMEOUT, invoke};
use kit::stack::{Answer, Outcome};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Whatever lags, a whole life succeeds.
async fn lives(lags: Lags) {
    let mut scene = Scene::new().await;
    scene.account.lag(lags);
    assert_eq!(
        scene.create(properties()).await,
        Outcome::Complete,
        "{}",
        scene.reason()
    );
    sleep(seconds(60)).await;
    for changes in [
        json!({"KeySerial": 2}),
        json!({"KeySerial": 3, "Buckets": "others"}),
        json!({"UserName": OTHER_USER}),
    ] {
        assert_eq!(
            scene.update(properties_with(changes.clone())).await,
            Outcome::Complete,
            "{changes}: {}",
            scene.reason()
        );
        sleep(seconds(60)).await;
    }
    scene.assert_works(OTHER_USER, "reads");
    assert_eq!(
        scene.delete().await,
        Outcome::Complete,
        "{}",
        scene.reason()
    );
    scene.assert_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn whatever_is_seen_late_alone_or_with_all_else_a_whole_life_succeeds() {
    let alone = Lags::default();
    let all = Lags {
        user: seconds(5),
        tags: seconds(8),
        key: seconds(15),
        key_list: seconds(8),
        key_deletion: seconds(3),
        policy: seconds(20),
        last_use: Duration::ZERO,
        missing: Missing::IsDenied,
    };
    for lags in [
        Lags {
            user: seconds(10),
            ..alone
        },
        Lags {
            tags: seconds(10),
            ..alone
        },
        Lags {
            key: seconds(30),
            ..alone
        },
        Lags {
            key_list: seconds(10),
            ..alone
        },
        Lags {
            policy: seconds(20),
            ..alone
        },
        Lags {
            missing: Missing::IsDenied,
            ..alone
        },
        all,
    ] {
        lives(lags).await;
    }
}

/// The role has long been known by the time that the user is made.
#[tokio::test(start_paused = true)]
async fn a_fresh_user_may_be_seen_late_after_a_late_go_on() {
    let mut scene = Scene::new().await;
    scene.account.view_lags(ViewLag {
        time: seconds(18),
        looks: 0,
    });
    scene.account.lag(Lags {
        user: seconds(16),
        ..Lags::default()
    });
    let outcome = scene.create(properties()).await;
    assert_eq!(outcome, Outcome::Complete, "{}", scene.reason());
    scene.assert_works(USER, "reads");
}

#[tokio::test(start_paused = true)]
async fn a_fresh_role_is_waited_for_at_the_start_of_every_request() {
    let mut scene = Scene::new().await;
    scene.account.role_is_fresh_for(seconds(10));
    assert_eq!(
        scene.create(properties()).await,
        Outcome::Complete,
        "{}",
        scene.reason()
    );
    scene.account.role_is_fresh_for(seconds(10));
    assert_eq!(
        scene.update(properties_with(json!({"KeySerial": 2}))).await,
        Outcome::Complete,
        "{}",
        scene.reason()
    );
    scene.account.role_is_fresh_for(seconds(10));
    assert_eq!(
        scene.delete().await,
        Outcome::Complete,
        "{}",
        scene.reason()
    );
    scene.assert_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn a_role_that_stays_denied_is_named_in_the_reason() {
    let mut scene = Scene::created().await;
    scene.account.role_is_fresh_for(seconds(100_000));
    assert_eq!(scene.delete().await, Outcome::Blocked);
    let reason = scene.reason();
    assert!(reason.contains("AccessDenied"), "{reason}");
    assert!(reason.contains("cloudformation:Describe"), "{reason}");
}

/// Tags do not lag here, because the role asks for the stack's name in them, and the previous stack's have it too.
#[tokio::test(start_paused = true)]
async fn a_dead_key_of_a_previous_stack_that_is_still_listed_does_not_count_as_alive() {
    let mut scene = Scene::left_behind().await;
    sleep(seconds(60)).await;
    scene.account.lag(Lags {
        key: seconds(15),
        key_list: seconds(10),
        ..Lags::default()
    });
    let old = scene.active_keys(USER);
    assert_eq!(
        scene.create(properties()).await,
        Outcome::Complete,
        "{}",
        scene.reason()
    );
    scene.assert_works(USER, "reads");
    assert!(!old.contains(&scene.account.current_key(SECRET).expect("there is a key")));
}

#[tokio::test(start_paused = true)]
async fn a_delete_right_after_a_create_waits_for_the_tags() {
    let mut scene = Scene::new().await;
    scene.account.lag(Lags {
        tags: seconds(10),
        ..Lags::default()
    });
    let create = scene.stack.begin_create(&properties());
    let process = Faulty::holding_first(scene.stack.cloud(), "create_key");
    let mut run = Box::pin(invoke(&scene.account, &process, &create));
    assert!(process.until_held(run.as_mut()).await.is_none());
    drop(run);
    assert_eq!(
        scene.delete_created(SECRET).await,
        Outcome::Complete,
        "{}",
        scene.reason()
    );
    scene.assert_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn no_key_is_begun_when_there_is_too_little_time_to_store_it() {
    let mut scene = Scene::created().await;
    let keys = scene.account.keys(USER);
    let process = Faulty::holding_first(scene.stack.cloud(), "stack_resource");
    let event = scene.begin_update(json!({"KeySerial": 2}));
    let mut run = Box::pin(invoke(&scene.account, &process, &event));
    assert!(process.until_held(run.as_mut()).await.is_none());
    sleep(TIMEOUT - seconds(70)).await;
    process.release();
    let answer = run.await.map(Answer).expect("it lives");
    assert!(
        answer.reason().contains("too little time"),
        "{}",
        answer.reason()
    );
    assert!(!process.calls().contains(&"create_key"));
    assert_eq!(scene.account.keys(USER), keys);
    scene.assert_works(USER, "reads");
}

#[tokio::test(start_paused = true)]
async fn a_proof_leaves_ten_seconds_to_remove_its_key() {
    let mut scene = Scene::created().await;
    let keys = scene.account.keys(USER);
    scene.account.lag(Lags {
        key: seconds(1000),
        ..Lags::default()
    });
    let event = scene.begin_update(json!({"KeySerial": 2}));
    let process = Faulty::holding_first(scene.stack.cloud(), "stack_resource");
    let started = Instant::now();
    let mut run = Box::pin(invoke(&scene.account, &process, &event));
    assert!(process.until_held(run.as_mut()).await.is_none());
    sleep(TIMEOUT - seconds(85)).await;
    process.release();
    let answer = run.await.map(Answer).expect("it lives");
    assert!(
        answer.reason().contains("is not accepted"),
        "{}",
        answer.reason()
    );
    // Twenty seconds are kept for the answer.
    assert!(
        started.elapsed() <= TIMEOUT - seconds(30),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(scene.account.keys(USER), keys);
}

/// A call that is cut off has an unknown effect.
#[tokio::test(start_paused = true)]
async fn no_failure_is_answered_while_another_call_is_under_way() {
    let mut scene = Scene::new().await;
    scene.account.by_hand().delete_managed_policy(BOUNDARY);
    let create = scene.stack.begin_create(&properties());
    let process = Faulty::holding_first(scene.stack.cloud(), "create_secret");
    let mut run = Box::pin(invoke(&scene.account, &process, &create));
    assert!(process.until_held(run.as_mut()).await.is_none());
    assert!(timeout(seconds(60), run.as_mut()).await.is_err());
    process.release();
    let answer = run.await.map(Answer).expect("it lives");
    assert!(
        answer.reason().contains("could not create user"),
        "{}",
        answer.reason()
    );
    assert!(scene.account.secret_tags(SECRET).is_some());
}
