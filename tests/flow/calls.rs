//! How many AWS calls a request takes, and how many of them wait for one another. Time passes only in calls, and each
//! call takes equally long, so the time at the end is the longest chain.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::scene::{Scene, properties_with};
use kit::faults::Faulty;
use kit::function::invoke;
use kit::stack::{Others, Outcome};

const CALL: Duration = Duration::from_millis(50);

/// The page with these figures.
const PAGE: &str = include_str!("../../docs/performance.md");

/// What a request takes.
#[derive(Debug)]
struct Cost {
    calls: usize,
    /// The longest chain of calls that wait for one another, up to the answer.
    in_a_row: u128,
    /// The same, up to the end of the call that stores the key.
    to_stored_key: Option<u128>,
}

impl Cost {
    /// A row of the page's table.
    fn row(&self, what: &str) -> String {
        let Self {
            calls,
            in_a_row,
            to_stored_key,
        } = self;
        let key = to_stored_key.map_or_else(|| "–".to_owned(), |key| key.to_string());
        format!("| {what} | {calls} | {in_a_row} | {key} |")
    }
}

/// Whole calls. A remainder would be a wait outside a call.
#[track_caller]
fn in_calls(time: Duration) -> u128 {
    assert_eq!(time.as_millis() % CALL.as_millis(), 0, "{time:?}");
    time.as_millis() / CALL.as_millis()
}

/// A request to the scene's stack.
enum Kind {
    Create(Value),
    Update(Value),
    Delete,
}

async fn cost(mut scene: Scene, kind: Kind) -> Cost {
    let cloud = Faulty::slow(scene.stack.cloud(), CALL);
    let mut spent = Vec::new();
    let account = scene.account.clone();
    let mut run = async |event| {
        let started = Instant::now();
        let answer = invoke(&account, &cloud, &event).await;
        spent.push((started, started.elapsed()));
        answer
    };
    let outcome = match kind {
        Kind::Create(changes) => {
            let properties = properties_with(changes);
            scene
                .stack
                .create(properties, Others::Succeed, &mut run)
                .await
        }
        Kind::Update(changes) => {
            let properties = properties_with(changes);
            scene
                .stack
                .update(properties, Others::Succeed, &mut run)
                .await
        }
        Kind::Delete => scene.stack.delete(&mut run).await,
    };
    assert_eq!(outcome, Outcome::Complete, "{}", scene.reason());
    let [(started, spent)] = spent[..] else {
        panic!("one request, not {}", spent.len())
    };
    let stored = |begun: Instant| in_calls(begun - started + CALL);
    Cost {
        calls: cloud.calls().len(),
        in_a_row: in_calls(spent),
        to_stored_key: cloud.begun("store_version").map(stored),
    }
}

#[tokio::test(start_paused = true)]
async fn a_create_without_a_proof_waits_for_five_calls_in_all() {
    let create = Kind::Create(json!({"VerifyAccess": false}));
    let cost = cost(Scene::new().await, create).await;
    assert!(cost.in_a_row <= 5, "{cost:?}");
}

fn unproved() -> Value {
    json!({"VerifyAccess": false})
}

fn raised() -> Value {
    json!({"KeySerial": 2, "VerifyAccess": false})
}

/// With the stack created without a proof.
async fn created() -> Scene {
    let mut scene = Scene::new().await;
    let outcome = scene.create(properties_with(unproved())).await;
    assert_eq!(outcome, Outcome::Complete);
    scene
}

/// The same with its key rotated.
async fn rotated() -> Scene {
    let mut scene = created().await;
    let outcome = scene.update(properties_with(raised())).await;
    assert_eq!(outcome, Outcome::Complete);
    scene
}

#[tokio::test(start_paused = true)]
async fn every_request_takes_the_calls_that_the_page_says() {
    let unproved = unproved();
    let other_policy = json!({"Buckets": ["reads", "others"], "VerifyAccess": false});
    let raised_again = json!({"KeySerial": 3, "VerifyAccess": false});
    let rows = [
        (
            "Create without proof",
            Scene::new().await,
            Kind::Create(unproved.clone()),
        ),
        (
            "Create with proof",
            Scene::new().await,
            Kind::Create(json!({})),
        ),
        (
            "Update that changes nothing",
            created().await,
            Kind::Update(unproved.clone()),
        ),
        (
            "Update of the policy",
            created().await,
            Kind::Update(other_policy),
        ),
        (
            "Update that raises `KeySerial`",
            created().await,
            Kind::Update(raised()),
        ),
        (
            "The same again, with the oldest key to be removed",
            rotated().await,
            Kind::Update(raised_again),
        ),
        ("Delete", created().await, Kind::Delete),
        (
            "Delete of a user with two keys",
            rotated().await,
            Kind::Delete,
        ),
    ];
    let mut untold = Vec::new();
    for (what, scene, kind) in rows {
        let row = cost(scene, kind).await.row(what);
        if !PAGE.contains(&row) {
            untold.push(row);
        }
    }
    assert!(untold.is_empty(), "{untold:#?}");
}
