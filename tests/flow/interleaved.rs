//! Two runs at once, at every call: late, repeated and overtaken requests.
//!
//! The first run is held before its `k`-th call while the second goes as far as its `j`-th. Then the first goes on to
//! its end, and then the second. If `j` comes after its last call, the second runs whole in between.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::scene::{OTHER_USER, SECRET, Scene, USER, properties, properties_with};
use kit::account::Owner;
use kit::faults::{Fault, Faulty};
use kit::function::invoke;
use kit::stack::{Answer, Outcome};

/// How CloudFormation sees stack and resource.
type Status = (&'static str, &'static str);

/// Two requests, and how CloudFormation sees the resource once the second is sent, and once it has ended.
struct Beside {
    first: Value,
    second: Value,
    sent: Status,
    ended: Status,
}

/// How two runs went.
struct Both {
    first: Answer,
    second: Answer,
    first_held: Held,
    second_held: Held,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Yes,
    /// It has fewer calls than that.
    No,
}

impl Held {
    fn of<T>(ended: &Option<T>) -> Self {
        if ended.is_none() { Self::Yes } else { Self::No }
    }
}

impl Beside {
    async fn run(&self, scene: &Scene, k: usize, j: usize) -> Both {
        let Owner {
            stack_id,
            logical_id,
        } = scene.owner();
        let see = |(stack, resource): Status, physical_id: &str| {
            scene.account.set_stack(stack_id, stack);
            scene
                .account
                .set_resource(stack_id, logical_id, resource, physical_id);
        };
        let see_ended = |second: &Option<Value>| {
            let id = second
                .as_ref()
                .and_then(|answer| answer["PhysicalResourceId"].as_str());
            see(self.ended, id.unwrap_or_default());
        };
        let process = |at| Faulty::holding(scene.stack.cloud(), at);
        let (one, other) = (process(k), process(j));
        let mut running = Box::pin(invoke(&scene.account, &one, &self.first));
        let early = one.until_held(running.as_mut()).await;
        scene
            .account
            .note(format_args!("-- first is held: {}", early.is_none()));
        see(
            self.sent,
            scene
                .stack
                .resource()
                .map_or("", |resource| &resource.physical_id),
        );
        let mut beside = Box::pin(invoke(&scene.account, &other, &self.second));
        let whole = other.until_held(beside.as_mut()).await;
        scene
            .account
            .note(format_args!("-- second is held: {}", whole.is_none()));
        if let Some(second) = &whole {
            see_ended(second);
        }
        let (first_held, second_held) = (Held::of(&early), Held::of(&whole));
        one.release();
        let first = match early {
            Some(answer) => answer,
            None => running.await,
        };
        scene.account.note("-- first has ended");
        other.release();
        let second = match whole {
            Some(answer) => answer,
            None => beside.await,
        };
        see_ended(&second);
        Both {
            first: Answer(first.expect("nothing kills these runs")),
            second: Answer(second.expect("nothing kills these runs")),
            first_held,
            second_held,
        }
    }
}

/// Runs a story in this scene for every pair of calls, until its first run has no `k`-th call.
async fn at_every_pair_of_calls(scene: Scene, story: impl AsyncFn(Scene, usize, usize) -> Both) {
    let mut interleavings = 0;
    for k in 0.. {
        for j in 0.. {
            interleavings += 1;
            let both = story(scene.fork(), k, j).await;
            if both.first_held == Held::No {
                assert!(interleavings > 100, "only {interleavings} interleavings");
                return tell(interleavings);
            }
            if both.second_held == Held::No {
                break;
            }
        }
    }
}

#[expect(clippy::print_stdout, reason = "the figures that `make test` shows")]
fn tell(interleavings: usize) {
    println!("{interleavings} interleavings");
}

#[track_caller]
fn assert_succeeded(answer: &Answer, k: usize, j: usize) {
    assert!(
        answer.succeeded(),
        "held at {k} and {j}: {}",
        answer.reason()
    );
}

/// Fails the test unless the request succeeded, or was told that another one has answered before it.
#[track_caller]
fn assert_counts(answer: &Answer, k: usize, j: usize) {
    assert!(
        answer.succeeded() || answer.reason().contains("answered before"),
        "held at {k} and {j}: {}",
        answer.reason()
    );
}

/// Fails the test unless one of the two has succeeded, and the other was at most told so.
#[track_caller]
fn assert_one_succeeded(both: &Both, k: usize, j: usize) {
    assert_counts(&both.first, k, j);
    assert_counts(&both.second, k, j);
    assert!(
        both.first.succeeded() || both.second.succeeded(),
        "held at {k} and {j}"
    );
}

const CREATING: Status = ("CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS");
const CREATED: Status = ("CREATE_COMPLETE", "CREATE_COMPLETE");
const UPDATING: Status = ("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS");
const UPDATED: Status = ("UPDATE_COMPLETE", "UPDATE_COMPLETE");
const ROLLING_BACK: Status = ("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_IN_PROGRESS");
const ROLLED_BACK: Status = ("UPDATE_ROLLBACK_COMPLETE", "UPDATE_COMPLETE");
const DELETING: Status = ("DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS");
const DELETED: Status = ("DELETE_COMPLETE", "DELETE_COMPLETE");

#[tokio::test(start_paused = true)]
async fn a_delete_that_overtakes_a_create_leaves_nothing() {
    at_every_pair_of_calls(Scene::new().await, async |mut scene, k, j| {
        let second = scene.stack.cancel_create(&properties());
        let first = scene.stack.begin_create(&properties());
        let both = Beside {
            first,
            second,
            sent: DELETING,
            ended: DELETED,
        }
        .run(&scene, k, j)
        .await;
        assert_succeeded(&both.second, k, j);
        scene.assert_nothing_left();
        both
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_create_that_dies_and_is_repeated_after_its_delete_leaves_nothing() {
    for fault in [Fault::Kill, Fault::KillAfter] {
        for k in 0.. {
            let mut scene = Scene::new().await;
            let create = scene.stack.begin_create(&properties());
            let process = Faulty::with(scene.stack.cloud(), k, fault);
            if invoke(&scene.account, &process, &create).await.is_some() {
                assert!(k > 10, "a create has more calls");
                break;
            }
            let delete = scene.stack.cancel_create(&properties());
            let deleted = invoke(&scene.account, &scene.process(), &delete)
                .await
                .map(Answer);
            assert_succeeded(&deleted.expect("it lives"), k, 0);
            scene.assert_nothing_left();
            for status in [Some(DELETED), None] {
                match status {
                    Some((stack, resource)) => scene.stack.set(stack, resource),
                    None => scene.account.forget_stack(&scene.owner().stack_id),
                }
                let again = invoke(&scene.account, &scene.process(), &create)
                    .await
                    .map(Answer)
                    .expect("it lives");
                assert!(!again.succeeded(), "{again:?}");
                scene.assert_nothing_left();
            }
        }
    }
}

/// Two deliveries of one event end in one finished pair, whatever each sees of the other.
async fn two_creates(ended: Status) {
    at_every_pair_of_calls(Scene::new().await, async |mut scene, k, j| {
        let create = scene.stack.begin_create(&properties());
        let both = Beside {
            first: create.clone(),
            second: create,
            sent: CREATING,
            ended,
        }
        .run(&scene, k, j)
        .await;
        assert_one_succeeded(&both, k, j);
        scene.assert_works(USER, "reads");
        assert_eq!(scene.account.keys(USER).len(), 1, "held at {k} and {j}");
        both
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_create_delivered_twice_makes_one_key() {
    two_creates(CREATED).await;
}

#[tokio::test(start_paused = true)]
async fn a_create_delivered_twice_makes_one_key_even_before_cloudformation_has_read_the_answer() {
    two_creates(CREATING).await;
}

/// The Update event from what the scene has to these properties.
fn update(scene: &mut Scene, changes: Value) -> Value {
    scene.stack.set(UPDATING.0, UPDATING.1);
    let old = scene.stack.resource().expect("the stack is there").clone();
    let new = properties_with(changes);
    scene.stack.request(
        "Update",
        Some(&old.physical_id),
        &new,
        Some(&old.properties),
    )
}

/// Nothing but these tests holds a run for so long.
const FROZEN: Duration = Duration::from_secs(60);

async fn two_rotations(ended: Status) {
    at_every_pair_of_calls(Scene::created().await, async |mut scene, k, j| {
        let rotate = update(&mut scene, json!({"KeySerial": 2}));
        let started = Instant::now();
        let both = Beside {
            first: rotate.clone(),
            second: rotate,
            sent: UPDATING,
            ended,
        }
        .run(&scene, k, j)
        .await;
        let first = scene.first_key().expect("there was a key");
        // One that was held for longer than a key may be unstored begins again, and may run out of time.
        if started.elapsed() > FROZEN {
            assert!(scene.active_keys(USER).contains(&first));
            return both;
        }
        assert_one_succeeded(&both, k, j);
        scene.assert_works(USER, "reads");
        let current = scene.account.current_key(SECRET).expect("there is a key");
        assert_ne!(first, current, "held at {k} and {j}");
        assert_eq!(
            scene.active_keys(USER),
            [first, current],
            "held at {k} and {j}"
        );
        both
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_rotation_delivered_twice_makes_one_key() {
    two_rotations(UPDATED).await;
}

#[tokio::test(start_paused = true)]
async fn a_rotation_delivered_twice_makes_one_key_even_before_cloudformation_has_read_the_answer() {
    two_rotations(UPDATING).await;
}

#[tokio::test(start_paused = true)]
async fn a_replacement_delivered_twice_makes_one_pair() {
    at_every_pair_of_calls(Scene::created().await, async |mut scene, k, j| {
        let replace = update(&mut scene, json!({"UserName": OTHER_USER}));
        let both = Beside {
            first: replace.clone(),
            second: replace,
            sent: UPDATING,
            ended: UPDATED,
        }
        .run(&scene, k, j)
        .await;
        assert_one_succeeded(&both, k, j);
        scene.assert_works(OTHER_USER, "reads");
        assert_eq!(
            scene.account.keys(OTHER_USER).len(),
            1,
            "held at {k} and {j}"
        );
        scene.assert_works(USER, "reads");
        both
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn two_deletes_at_once_both_succeed() {
    at_every_pair_of_calls(Scene::rotated().await, async |mut scene, k, j| {
        scene.account.by_hand().replicate(SECRET, "eu-west-1");
        scene.stack.set(DELETING.0, DELETING.1);
        let delete = scene
            .stack
            .request("Delete", Some(SECRET), &properties(), None);
        let both = Beside {
            first: delete.clone(),
            second: delete,
            sent: DELETING,
            ended: DELETED,
        }
        .run(&scene, k, j)
        .await;
        // The one that ends last may find the stack at rest, where nobody waits for its answer.
        if both.second_held == Held::Yes {
            assert_succeeded(&both.first, k, j);
        }
        assert_succeeded(&both.second, k, j);
        scene.assert_nothing_left();
        both
    })
    .await;
}

/// A late duplicate of an Update goes on while the stack is deleted.
async fn late_update_beside_deletion(changes: Value) {
    at_every_pair_of_calls(Scene::created().await, async |mut scene, k, j| {
        let first = update(&mut scene, changes.clone());
        assert_eq!(
            scene.update(properties_with(changes.clone())).await,
            Outcome::Complete
        );
        scene.stack.set(UPDATING.0, UPDATING.1);
        let resource = scene.stack.resource().expect("the stack is there").clone();
        let second = scene.stack.request(
            "Delete",
            Some(&resource.physical_id),
            &resource.properties,
            None,
        );
        let both = Beside {
            first,
            second,
            sent: DELETING,
            ended: DELETED,
        }
        .run(&scene, k, j)
        .await;
        assert_succeeded(&both.second, k, j);
        scene.assert_nothing_left();
        both
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_late_rotation_beside_the_stacks_deletion_leaves_nothing() {
    late_update_beside_deletion(json!({"KeySerial": 2})).await;
}

#[tokio::test(start_paused = true)]
async fn a_late_replacement_beside_the_stacks_deletion_leaves_nothing() {
    late_update_beside_deletion(json!({"UserName": OTHER_USER})).await;
}

/// An Update still runs when CloudFormation has given it up and sends the old properties. A run that is overtaken may
/// leave a candidate's label on a dead key, and the next request removes it.
async fn update_beside_its_rollback(changes: Value) {
    at_every_pair_of_calls(Scene::created().await, async |mut scene, k, j| {
        let first = update(&mut scene, changes.clone());
        let changed = properties_with(changes.clone());
        let second = scene
            .stack
            .request("Update", Some(SECRET), &properties(), Some(&changed));
        let both = Beside {
            first,
            second,
            sent: ROLLING_BACK,
            ended: ROLLED_BACK,
        }
        .run(&scene, k, j)
        .await;
        let current = scene
            .account
            .current_key(SECRET)
            .expect("AWSCURRENT names a key");
        assert!(
            scene.active_keys(USER).contains(&current),
            "held at {k} and {j}"
        );
        assert!(
            scene
                .active_keys(USER)
                .contains(&scene.first_key().expect("there was a key"))
        );
        scene.account.assert_gone(OTHER_USER);
        assert_eq!(
            scene
                .update(properties_with(json!({"Revision": "next"})))
                .await,
            Outcome::Complete
        );
        scene.assert_works(USER, "reads");
        both
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_rotation_beside_its_rollback_loses_no_key() {
    update_beside_its_rollback(json!({"KeySerial": 2})).await;
}

#[tokio::test(start_paused = true)]
async fn a_replacement_beside_its_rollback_leaves_one_pair() {
    update_beside_its_rollback(json!({"UserName": OTHER_USER})).await;
}

#[tokio::test(start_paused = true)]
async fn a_late_duplicate_changes_nothing() {
    let mut scene = Scene::new().await;
    let create = scene.stack.begin_create(&properties());
    assert_eq!(scene.create(properties()).await, Outcome::Complete);
    let rotate = update(&mut scene, json!({"KeySerial": 2}));
    let changes = json!({"KeySerial": 2, "Buckets": "others"});
    let widen = update(&mut scene, changes.clone());
    assert_eq!(
        scene.update(properties_with(changes)).await,
        Outcome::Complete
    );
    let before = scene.everything();
    for late in [create, rotate, widen] {
        let answer = invoke(&scene.account, &scene.process(), &late)
            .await
            .map(Answer)
            .expect("it lives");
        assert!(
            answer.reason().contains("answered before"),
            "{}",
            answer.reason()
        );
        assert_eq!(answer.physical_id(), SECRET);
        assert_eq!(scene.everything(), before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_replacement_for_a_stack_that_is_gone_removes_the_old_pair_too() {
    let mut scene = Scene::created().await;
    let replace = update(&mut scene, json!({"UserName": OTHER_USER}));
    scene.account.forget_stack(&scene.owner().stack_id);
    let answer = invoke(&scene.account, &scene.process(), &replace)
        .await
        .map(Answer)
        .expect("it lives");
    assert!(!answer.succeeded());
    scene.assert_nothing_left();
}
