//! A rotation beside the stack's own requests, at every call. The current key always works.

use std::time::Duration;

use futures_util::future::join;
use publisher_s3_access::plan::RotationStep;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{fork, in_use, rotated, watched};
use crate::scene::{SECRET, Scene, USER, properties_with};
use kit::faults::Faulty;
use kit::rotation::Rotated;
use kit::stack::Outcome;

/// How a rotation went beside something else.
struct Beside {
    /// Whether the call to hold it at exists.
    held: bool,
    rotated: Result<(), String>,
}

/// Rotates, and does something else when the `k`-th call is about to happen.
async fn rotate_beside(
    secret: &Rotated,
    scene: &mut Scene,
    k: usize,
    mut other: impl AsyncFnMut(&mut Scene),
) -> Beside {
    let process = Faulty::holding(scene.stack.cloud(), k);
    let token = secret.begin();
    let mut held = false;
    for step in RotationStep::ALL {
        let mut run = Box::pin(secret.step(&process, step, &token));
        let ended = match process.until_held(run.as_mut()).await {
            Some(ended) => ended,
            None => {
                held = true;
                scene.account.note("-- held");
                other(scene).await;
                scene.account.note("-- released");
                process.release();
                run.await
            }
        };
        if let Some(Err(reason)) = ended {
            let rotated = Err(reason.to_string());
            return Beside { held, rotated };
        }
    }
    let rotated = Ok(());
    Beside { held, rotated }
}

async fn update(scene: &mut Scene, changes: Value) -> Outcome {
    scene.update(properties_with(changes)).await
}

#[expect(clippy::print_stdout, reason = "the figures that `make test` shows")]
fn tell(what: &str, runs: usize) {
    println!("{what}: {runs} interleavings");
}

/// An update at every call of a rotation. However both end, the next update and rotation find everything in order.
async fn update_at_every_call(what: &str, world: (Scene, Rotated), changes: Value) {
    for k in 0.. {
        let (mut scene, secret) = fork(&world);
        let first = in_use(&scene);
        let beside = rotate_beside(&secret, &mut scene, k, async |scene| {
            let outcome = update(scene, changes.clone()).await;
            assert_ne!(outcome, Outcome::Blocked, "{}", scene.reason());
        })
        .await;
        scene.account.verify();
        if !beside.held {
            assert_eq!(beside.rotated, Ok(()));
            assert!(k > 10, "only {k} calls");
            return tell(what, k);
        }
        assert!(
            scene.active_keys(USER).len() <= 2,
            "at call {k}: {:?}",
            beside.rotated
        );
        // Later, when any failed attempt is old, the stack is updated and then rotated.
        sleep(Duration::from_secs(16 * 60)).await;
        let outcome = update(&mut scene, json!({"KeySerial": 5, "Revision": "later"})).await;
        assert_eq!(
            outcome,
            Outcome::Complete,
            "at call {k}: {}",
            scene.reason()
        );
        scene.assert_works(USER, "reads");
        let token = secret.rotate(&scene.process()).await;
        assert!(token.is_ok(), "at call {k}: {token:?}");
        scene.assert_works(USER, "reads");
        assert_ne!(in_use(&scene).id, first.id);
    }
}

#[tokio::test(start_paused = true)]
async fn a_raised_serial_at_any_call_of_a_rotation_harms_nothing() {
    update_at_every_call("raised serial", rotated().await, json!({"KeySerial": 2})).await;
}

#[tokio::test(start_paused = true)]
async fn a_raised_serial_at_any_call_of_a_later_rotation_harms_nothing() {
    let world = watched(Scene::rotated().await);
    update_at_every_call("raised serial, two keys", world, json!({"KeySerial": 3})).await;
}

#[tokio::test(start_paused = true)]
async fn another_update_at_any_call_of_a_rotation_does_not_hinder_it() {
    let world = watched(Scene::rotated().await);
    for k in 0.. {
        let (mut scene, secret) = fork(&world);
        let before = in_use(&scene);
        let beside = rotate_beside(&secret, &mut scene, k, async |scene| {
            let changes = json!({"Buckets": ["reads", "others"], "KeySerial": 2});
            assert_eq!(update(scene, changes).await, Outcome::Complete);
        })
        .await;
        assert_eq!(beside.rotated, Ok(()), "at call {k}");
        scene.assert_works(USER, "reads");
        assert_ne!(in_use(&scene).id, before.id, "at call {k}");
        assert_eq!(scene.active_keys(USER).len(), 2, "at call {k}");
        if !beside.held {
            assert!(k > 10, "only {k} calls");
            return tell("another update", k);
        }
    }
}

/// An update is held before its `k`-th call while the rotation runs as a whole.
#[tokio::test(start_paused = true)]
async fn a_rotation_at_any_call_of_a_raised_serial_harms_nothing() {
    let world = watched(Scene::rotated().await);
    for k in 0.. {
        let (mut scene, secret) = fork(&world);
        let process = Faulty::holding(scene.stack.cloud(), k);
        let (account, well) = (scene.account.clone(), scene.process());
        let mut held = false;
        let mut run = async |event: Value| {
            use kit::function::invoke;
            let mut running = Box::pin(invoke(&account, &process, &event));
            if let Some(answer) = process.until_held(running.as_mut()).await {
                return answer;
            }
            held = true;
            let token = secret.begin();
            let rotated = secret.steps(&well, &token).await;
            account.note(format_args!("-- rotated: {rotated:?}"));
            process.release();
            running.await
        };
        let raised = properties_with(json!({"KeySerial": 3}));
        let others = kit::stack::Others::Succeed;
        let outcome = scene.stack.update(raised, others, &mut run).await;
        assert_ne!(outcome, Outcome::Blocked, "at call {k}: {}", scene.reason());
        scene.account.verify();
        sleep(Duration::from_secs(16 * 60)).await;
        let outcome = update(&mut scene, json!({"KeySerial": 5})).await;
        assert_eq!(
            outcome,
            Outcome::Complete,
            "at call {k}: {}",
            scene.reason()
        );
        scene.assert_works(USER, "reads");
        let token = secret.rotate(&scene.process()).await;
        assert!(token.is_ok(), "at call {k}: {token:?}");
        scene.assert_works(USER, "reads");
        if !held {
            assert!(k > 10, "only {k} calls");
            return tell("rotation in an update", k);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn deleting_the_stack_at_any_call_of_a_rotation_leaves_nothing() {
    let world = watched(Scene::rotated().await);
    for k in 0.. {
        let (mut scene, secret) = fork(&world);
        scene.account.watch_no_more();
        let beside = rotate_beside(&secret, &mut scene, k, async |scene| {
            assert_eq!(
                scene.delete().await,
                Outcome::Complete,
                "{}",
                scene.reason()
            );
        })
        .await;
        if !beside.held {
            assert!(k > 10, "only {k} calls");
            return tell("deletion", k);
        }
        assert!(beside.rotated.is_err(), "at call {k}");
        scene.assert_nothing_left();
    }
}

/// One step is asked for twice. The second begins when the first is about to make its `k`-th call.
#[tokio::test(start_paused = true)]
async fn a_step_asked_for_twice_at_once_makes_one_key() {
    let world = watched(Scene::rotated().await);
    for step in RotationStep::ALL {
        for k in 0.. {
            let (scene, secret) = fork(&world);
            let (token, before) = (secret.begin(), in_use(&scene));
            for earlier in RotationStep::ALL
                .iter()
                .take_while(|earlier| **earlier != step)
            {
                let ended = secret.step(&scene.process(), *earlier, &token).await;
                assert_eq!(ended, Some(Ok(())), "{earlier:?}");
            }
            let (process, well) = (Faulty::holding(scene.stack.cloud(), k), scene.process());
            let mut run = Box::pin(secret.step(&process, step, &token));
            let held = process.until_held(run.as_mut()).await.is_none();
            if !held {
                break;
            }
            // No call takes longer.
            let late = async {
                sleep(Duration::from_secs(30)).await;
                process.release();
                run.await
            };
            let (first, twin) = join(late, secret.step(&well, step, &token)).await;
            assert!(
                first == Some(Ok(())) || twin == Some(Ok(())),
                "{step:?} at {k}"
            );
            assert_eq!(secret.go_on(&well, &token).await, Ok(()), "{step:?} at {k}");
            super::assert_rotated(&scene, &token, &before);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_rotation_does_not_touch_a_second_secret() {
    let (scene, secret) = rotated().await;
    let neighbours = scene.account.foreign_to(scene.owner());
    secret.rotate(&scene.process()).await.expect("it works");
    assert_eq!(scene.account.foreign_to(scene.owner()), neighbours);
    assert_eq!(secret.name, SECRET);
}
