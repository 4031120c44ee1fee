//! Whatever a person edits in the secret, the keys or the tags: no key in use is ended that the contract keeps, and in the
//! end there is a secret that reads, or a refusal with the way out.
//!
//! Every edit, and every two after each other, at every state of a story, each followed by an update that needs no key, one
//! that asks for one, a rotation, a check, and the stack's deletion.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;

use kit::faults::{Fault, Faulty};
use kit::function::invoke;
use kit::rotation::{DAY, ROTATION_DAYS, Rotated};
use kit::stack::{Others, Outcome};
use publisher_s3_access::plan::RotationStep;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::by_hand::Edit;
use crate::faults::words;
use crate::keys::{Holder, Key, assert_kept, keys, protected};
use crate::scene::{SECRET, Scene, USER, properties_with};
use crate::tries_all;

/// A state of a story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Created,
    /// The key was replaced, and the one before it is at hand.
    Rotated,
    /// The same, and then the update was rolled back.
    RolledBack,
    /// An update died between making a key and storing it, and was rolled back.
    Lost,
    /// A rotation by Secrets Manager has taken this many of its steps, so long ago.
    UnderWay {
        steps: usize,
        for_minutes: u64,
    },
}

impl State {
    async fn world(self) -> World {
        let scene = self.scene().await;
        World {
            secret: Rotated::new(&scene.account, SECRET),
            scene,
            then: Instant::now(),
        }
    }

    async fn scene(self) -> Scene {
        let mut scene = Scene::created().await;
        match self {
            Self::Created => {}
            Self::Rotated => return Scene::rotated().await,
            Self::RolledBack | Self::Lost => {
                let account = scene.account.clone();
                let fault = (self == Self::Lost).then_some(("create_key", Fault::KillAfter));
                let cloud = match fault {
                    Some((call, fault)) => Faulty::with_named(scene.stack.cloud(), call, 3, fault),
                    None => scene.process(),
                };
                let mut run = async |event| invoke(&account, &cloud, &event).await;
                let raised = properties_with(json!({"KeySerial": 2}));
                let update = scene.stack.update(raised, Others::Fail, &mut run);
                assert_eq!(update.await, Outcome::RolledBack);
            }
            Self::UnderWay { steps, for_minutes } => {
                let secret = Rotated::new(&scene.account, SECRET);
                let token = secret.begin();
                for step in &RotationStep::ALL[..steps] {
                    let ended = secret.step(&scene.process(), *step, &token).await;
                    assert_eq!(ended, Some(Ok(())));
                }
                sleep(Duration::from_secs(60 * for_minutes)).await;
            }
        }
        scene
    }
}

/// A state to begin many stories with.
struct World {
    scene: Scene,
    secret: Rotated,
    then: Instant,
}

impl World {
    /// A copy in which no time has passed.
    fn fork(&self) -> (Scene, Rotated) {
        let scene = self.scene.fork();
        scene.account.rewind(self.then);
        let secret = self.secret.in_copy(&scene.account);
        (scene, secret)
    }
}

/// What comes after the edits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sequel {
    /// An update that needs no new key.
    Update,
    /// An update that asks for one.
    Raise,
    /// A scheduled rotation, so many days later.
    Rotation(u32),
    Check,
    Delete,
}

const SEQUELS: [Sequel; 6] = [
    Sequel::Update,
    Sequel::Raise,
    Sequel::Rotation(0),
    Sequel::Rotation(40),
    Sequel::Check,
    Sequel::Delete,
];

/// What every way out has.
const WAYS_OUT: [&str; 7] = [
    "`UserName`",
    "`aws iam ",
    "`aws secretsmanager ",
    "`KeySerial`",
    "`Revision`",
    "try again",
    "tries again",
];

#[track_caller]
fn assert_way_out(reason: &str) {
    let named = WAYS_OUT.iter().any(|way| reason.contains(way));
    assert!(named, "no way out: {reason}");
}

/// The reason of the first request of the last operation that failed.
fn first_reason(scene: &Scene, since: usize) -> String {
    let history = &scene.stack.history()[since..];
    let mut answers = history
        .iter()
        .filter_map(|exchange| exchange.answer.as_ref());
    let failed = answers.find(|answer| !answer.succeeded());
    failed
        .map(|answer| answer.reason().to_owned())
        .unwrap_or_default()
}

/// One story: a state, edits, a sequel, and then everything set right.
#[derive(Clone, Copy, Debug)]
struct Story<'a> {
    edits: &'a [Edit],
    sequel: Sequel,
}

impl Story<'_> {
    async fn tell(self, world: &World) {
        let (mut scene, secret) = world.fork();
        for edit in self.edits {
            edit.happen(&scene.account, USER);
            sleep(Duration::from_secs(60)).await;
        }
        if let Sequel::Rotation(days) = self.sequel {
            sleep(DAY * days).await;
        }
        let (before, since) = (
            keys(&scene.account, USER).await,
            scene.stack.history().len(),
        );
        let window = DAY * u32::try_from(ROTATION_DAYS / 3).expect("few");
        let protected = protected(&scene.account, USER, window).await;
        match self.sequel {
            Sequel::Update | Sequel::Raise => {
                let changes = if self.sequel == Sequel::Raise {
                    json!({"KeySerial": 10})
                } else {
                    json!({"Revision": "next"})
                };
                match scene.update(properties_with(changes)).await {
                    Outcome::Complete => scene.assert_works_but(USER, "reads", 1),
                    Outcome::RolledBack | Outcome::Blocked => {
                        assert_way_out(&first_reason(&scene, since));
                    }
                }
            }
            Sequel::Rotation(_) => self.rotate(&scene, &secret).await,
            // It changes nothing, so what comes after it is the other sequels' matter.
            Sequel::Check => return self.check(&scene, &secret).await,
            Sequel::Delete => {
                if scene.delete().await == Outcome::Complete {
                    return self.assert_deleted(&scene, &before).await;
                }
                assert_way_out(&first_reason(&scene, since));
            }
        }
        let after = keys(&scene.account, USER).await;
        assert_kept(&before, &after);
        if let (Sequel::Rotation(_), Some(key)) = (self.sequel, protected) {
            assert!(
                scene.active_keys(USER).contains(&key),
                "{key} ended on schedule"
            );
        }
        for edit in self.edits {
            edit.mend(&scene.account, USER, scene.owner());
        }
        if self.sequel == Sequel::Delete {
            assert_eq!(
                scene.delete().await,
                Outcome::Complete,
                "{}",
                scene.reason()
            );
            return;
        }
        self.set_right(&mut scene).await;
    }

    /// Whether nothing shows any more that the pair is ours.
    fn hides_all(self) -> bool {
        let any = |edits: &[Edit]| self.edits.iter().any(|edit| edits.contains(edit));
        any(&Edit::OF_USER_TAGS) && any(&Edit::OF_SECRET_TAGS)
    }

    /// No active key of ours outlives the deletion. What lost its tags is a stranger's then.
    async fn assert_deleted(self, scene: &Scene, before: &[Key]) {
        if self.hides_all() {
            return;
        }
        let left = keys(&scene.account, USER).await;
        let ours = |key: &&Key| key.active && key.holder != Holder::Lost;
        let left: Vec<_> = left.iter().filter(ours).collect();
        assert!(left.is_empty(), "{left:?} of {before:?} outlive the stack");
        scene.account.assert_nothing_of(scene.owner());
    }

    async fn rotate(self, scene: &Scene, secret: &Rotated) {
        let Ok(token) = scene.account.begin_rotation(SECRET) else {
            return;
        };
        match secret.steps(&scene.process(), &token).await {
            Ok(()) => scene.assert_works_but(USER, "reads", 1),
            Err(reason) => assert_way_out(&reason),
        }
    }

    /// A check changes nothing.
    async fn check(self, scene: &Scene, secret: &Rotated) {
        let before = scene.everything();
        let ended = secret.invoke(&scene.process(), &secret.daily()).await;
        assert_eq!(ended, Some(Ok(())));
        assert_eq!(scene.everything(), before);
    }

    /// A person who does as the refusals say gets a stack that works, and can delete it.
    async fn set_right(self, scene: &mut Scene) {
        if scene.stack.is_stuck() {
            let continued = scene.continue_rollback().await;
            assert_ne!(continued, Outcome::Blocked, "{}", scene.reason());
        }
        // Longer than a rotation counts as under way.
        sleep(Duration::from_secs(16 * 60)).await;
        let raised = properties_with(json!({"KeySerial": 20}));
        let outcome = scene.update(raised).await;
        assert_eq!(outcome, Outcome::Complete, "{}", scene.reason());
        scene.assert_works(USER, "reads");
        assert_eq!(
            scene.delete().await,
            Outcome::Complete,
            "{}",
            scene.reason()
        );
        scene.assert_nothing_left();
    }
}

/// Every edit at one state.
async fn every_edit(state: State) {
    tell_all(state, Edit::OF_KEYS.map(|edit| vec![edit]).to_vec()).await;
}

/// Every two edits after each other at one state: an eighth of them, another one at each state, unless all are tried.
async fn every_two_edits(state: State, eighth: usize) {
    let all = tries_all();
    let pairs = Edit::OF_KEYS
        .into_iter()
        .flat_map(|first| Edit::OF_KEYS.map(|second| vec![first, second]));
    let pairs = pairs.enumerate().filter(|(at, _)| all || at % 8 == eighth);
    tell_all(state, pairs.map(|(_, pair)| pair).collect()).await;
}

/// Tells a story of each of these edits for every sequel.
async fn tell_all(state: State, all: Vec<Vec<Edit>>) {
    let world = state.world().await;
    let (mut stories, mut failures) = (0, Vec::new());
    for edits in &all {
        for sequel in SEQUELS {
            stories += 1;
            let story = Story { edits, sequel };
            let told = AssertUnwindSafe(story.tell(&world)).catch_unwind().await;
            if let Err(panic) = told {
                failures.push(format!("{story:?}: {}", words(panic.as_ref())));
            }
        }
    }
    let of = failures.len();
    failures.truncate(3);
    assert!(
        failures.is_empty(),
        "{state:?}: {of} of {stories} stories failed, among them\n{}",
        failures.join("\n\n")
    );
    report(state, stories);
}

#[expect(clippy::print_stdout, reason = "the figures that `make test` shows")]
fn report(state: State, stories: usize) {
    println!("{state:?}: {stories} stories of edits by hand");
}

macro_rules! states {
    ($($name:ident, $pairs:ident = $state:expr, $eighth:literal;)*) => {
        $(
            #[tokio::test(start_paused = true)]
            async fn $name() {
                every_edit($state).await;
            }

            #[tokio::test(start_paused = true)]
            async fn $pairs() {
                every_two_edits($state, $eighth).await;
            }
        )*
    };
}

/// A rotation by Secrets Manager that began a minute ago.
const fn under_way(steps: usize) -> State {
    State::UnderWay {
        steps,
        for_minutes: 1,
    }
}

const STALE: State = State::UnderWay {
    steps: 1,
    for_minutes: 60,
};

states! {
    an_edit_of_a_new_stack, two_edits_of_a_new_stack = State::Created, 0;
    an_edit_of_a_stack_with_two_keys, two_edits_of_a_stack_with_two_keys = State::Rotated, 1;
    an_edit_after_a_rolled_back_rotation, two_edits_after_a_rolled_back_rotation = State::RolledBack, 2;
    an_edit_beside_a_lost_key, two_edits_beside_a_lost_key = State::Lost, 3;
    an_edit_beside_a_rotation_without_a_key, two_edits_beside_a_rotation_without_a_key = under_way(0), 4;
    an_edit_beside_a_rotation_with_a_key, two_edits_beside_a_rotation_with_a_key = under_way(1), 5;
    an_edit_beside_a_stale_rotation, two_edits_beside_a_stale_rotation = STALE, 6;
    an_edit_after_a_rotation, two_edits_after_a_rotation = under_way(4), 7;
}
