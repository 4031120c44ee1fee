//! Whichever call of a rotation fails, in whatever way, the rotation completes and the current key always works.

use publisher_s3_access::cloud::ErrorKind;

use super::{assert_rotated, fork, in_use, rotated, watched};
use crate::scene::{Scene, USER};
use kit::faults::{Fault, Faulty};
use kit::rotation::Rotated;
use kit::stack::Outcome;

/// More calls than a rotation has.
const ENDLESS: usize = 1000;

/// What strikes the calls of a rotation.
#[derive(Clone, Copy, Debug)]
enum Strike {
    /// One call, once. The following attempts work.
    Once(usize, Fault),
    /// The same call in every attempt, until Secrets Manager gives up. Then it begins again.
    EveryAttempt(usize, Fault),
    /// Every call from this one on, until Secrets Manager gives up. Then it begins again.
    Outage(usize, ErrorKind),
}

impl Strike {
    /// Rotates, and returns how many faults have struck.
    async fn survive(self, world: &(Scene, Rotated)) -> usize {
        let (mut scene, secret) = fork(world);
        let before = in_use(&scene);
        let token = secret.begin();
        let cloud = scene.stack.cloud();
        let struck = match self {
            Self::Once(k, fault) => {
                let process = Faulty::with(cloud, k, fault);
                let done = secret.go_on(&process, &token).await;
                assert_eq!(done, Ok(()), "{self:?}");
                process.struck()
            }
            Self::EveryAttempt(k, fault) => {
                let mut struck = 0;
                for _ in 0..3 {
                    let process = Faulty::with(cloud.clone(), k, fault);
                    let _ = secret.steps(&process, &token).await;
                    struck += process.struck();
                    tokio::time::sleep(std::time::Duration::from_secs(300)).await;
                }
                struck
            }
            Self::Outage(k, kind) => {
                let process = Faulty::with_outage(cloud, k, kind);
                let _ = secret.go_on(&process, &token).await;
                process.struck()
            }
        };
        let done = secret.go_on(&scene.process(), &token).await;
        assert_eq!(done, Ok(()), "{self:?}");
        assert_rotated(&scene, &token, &before);
        scene.account.check_all_stored();
        scene.account.watch_no_more();
        assert_eq!(scene.delete().await, Outcome::Complete, "{self:?}");
        scene.assert_nothing_left();
        struck
    }
}

/// Makes the strikes of each series happen until one comes too late.
async fn survive_all<S: Iterator<Item = Strike>>(
    what: &str,
    world: (Scene, Rotated),
    series: impl IntoIterator<Item = S>,
) {
    let (mut runs, mut faults) = (0, 0);
    for strikes in series {
        for strike in strikes {
            runs += 1;
            match strike.survive(&world).await {
                0 => break,
                struck => faults += struck,
            }
        }
    }
    assert!(runs > 20, "only {runs} runs");
    tell(what, runs, faults);
}

#[expect(clippy::print_stdout, reason = "the figures that `make test` shows")]
fn tell(what: &str, runs: usize, faults: usize) {
    println!("{what}: {runs} runs, {faults} faults");
}

fn at_every_call(
    strike: impl Fn(usize, Fault) -> Strike + Copy,
) -> impl Iterator<Item = impl Iterator<Item = Strike>> {
    Fault::ALL
        .into_iter()
        .map(move |fault| (0..ENDLESS).map(move |k| strike(k, fault)))
}

fn outages() -> impl Iterator<Item = impl Iterator<Item = Strike>> {
    [
        ErrorKind::Denied,
        ErrorKind::Indeterminate,
        ErrorKind::Throttled,
    ]
    .into_iter()
    .map(|kind| (0..ENDLESS).map(move |k| Strike::Outage(k, kind)))
}

/// The stack already has a second key, which has to go first.
async fn rotated_before() -> (Scene, Rotated) {
    let world = watched(Scene::rotated().await);
    assert_eq!(world.0.active_keys(USER).len(), 2);
    world
}

#[tokio::test(start_paused = true)]
async fn a_first_rotation_survives_every_fault() {
    survive_all(
        "first rotation",
        rotated().await,
        at_every_call(Strike::Once),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_later_rotation_survives_every_fault() {
    survive_all(
        "later rotation",
        rotated_before().await,
        at_every_call(Strike::Once),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_rotation_that_fails_again_and_again_can_be_completed() {
    let world = rotated_before().await;
    survive_all(
        "rotation that fails on",
        world,
        at_every_call(Strike::EveryAttempt),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_rotation_in_an_outage_can_be_completed() {
    survive_all("rotation in an outage", rotated_before().await, outages()).await;
}
