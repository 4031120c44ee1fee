//! Whatever a person edits in the secret, the keys or the tags: no key in use is ended that the contract keeps, and in the
//! end there is a secret that reads, or a refusal with the way out.
//!
//! Every edit, and every two after each other, at every state of a story, each followed by an update that needs no key, one
//! that asks for one, a rotation, a check, and the stack's deletion.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, SystemTime};

use futures_util::FutureExt;

use kit::account::Account;
use kit::faults::{Fault, Faulty};
use kit::function::invoke;
use kit::rotation::{DAY, ROTATION_DAYS, Rotated};
use kit::stack::{Others, Outcome};
use publisher_s3_access::cloud::{AccessKeys, KeyStatus, LastUse};
use publisher_s3_access::plan::RotationStep;
use publisher_s3_access::request::names::UserName;
use serde_json::json;
use tokio::time::sleep;

use crate::by_hand::Edit;
use crate::faults::words;
use crate::scene::{SECRET, Scene, USER, properties_with};

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
    async fn world(self) -> (Scene, Rotated) {
        let scene = self.scene().await;
        let secret = Rotated::new(&scene.account, SECRET);
        (scene, secret)
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

/// What holds a key, in the order in which active keys go for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Holder {
    Lost,
    Old,
    Previous,
    Rotation,
    Current,
}

/// A key as the account knows it.
#[derive(Clone, Debug)]
struct Key {
    id: String,
    active: bool,
    holder: Holder,
    created: SystemTime,
    last_use: Option<LastUse>,
}

impl Key {
    /// Whether a scheduled rotation may not end it.
    fn is_protected(&self, now: SystemTime) -> bool {
        let since = |date: SystemTime| now.duration_since(date).unwrap_or_default();
        let window = DAY * u32::try_from(ROTATION_DAYS / 3).expect("few");
        let last = self.last_use.as_ref().map(|last| last.date);
        let only_tried = self.holder <= Holder::Old
            && since(self.created) > DAY * 2
            && last.is_none_or(|last| last <= self.created + DAY);
        self.active && !only_tried && since(last.unwrap_or(self.created)) <= window
    }
}

/// The keys of the user, judged by the account itself.
async fn keys(account: &Account) -> Vec<Key> {
    let user = UserName::parse(USER).expect("a user name");
    let mut keys = Vec::new();
    for key in account.list_keys(&user).await.expect("listed") {
        let under = |label: &str, within: Option<Duration>| {
            let now = account.time();
            let mut versions = account.versions_with(SECRET, key.id.as_str()).into_iter();
            versions.any(|(labels, made)| {
                let young = within
                    .is_none_or(|within| now.duration_since(made).unwrap_or_default() < within);
                labels.contains(label) && young
            })
        };
        let holder = if under("AWSCURRENT", None) {
            Holder::Current
        } else if under("AWSPENDING", Some(Duration::from_secs(15 * 60))) {
            Holder::Rotation
        } else if under("AWSPREVIOUS", None) {
            Holder::Previous
        } else if account.versions_with(SECRET, key.id.as_str()).is_empty() {
            Holder::Lost
        } else {
            Holder::Old
        };
        keys.push(Key {
            id: key.id.to_string(),
            active: key.status == KeyStatus::Active,
            holder,
            created: key.created,
            last_use: account.last_used(&key.id).await.expect("it is there"),
        });
    }
    keys
}

/// Fails the test if a key was ended that the contract keeps.
#[track_caller]
fn judge(before: &[Key], after: &[Key], sequel: Sequel, now: SystemTime) {
    let stays = |key: &&Key| after.iter().any(|left| left.id == key.id && left.active);
    let (kept, ended): (Vec<_>, Vec<_>) = before.iter().filter(|key| key.active).partition(stays);
    if ended.is_empty() {
        return;
    }
    let made = after
        .iter()
        .any(|key| before.iter().all(|old| old.id != key.id));
    assert!(made, "{ended:?} ended for no new key");
    assert_eq!(ended.len(), 1, "one new key needs room for one");
    let [ended] = ended[..] else { return };
    assert!(
        before.iter().all(|key| key.active),
        "an inactive key goes first"
    );
    assert_eq!(before.len(), 2, "there was room");
    assert!(ended.holder < Holder::Rotation, "{ended:?} ended");
    assert!(
        kept.iter().all(|kept| kept.holder >= ended.holder),
        "{ended:?} ended before {kept:?}"
    );
    if let Sequel::Rotation(_) = sequel {
        assert!(!ended.is_protected(now), "{ended:?} ended on schedule");
    }
}

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
    async fn tell(self, (scene, secret): &(Scene, Rotated)) {
        let mut scene = scene.fork();
        let secret = secret.in_copy(&scene.account);
        for edit in self.edits {
            edit.happen(&scene.account, USER);
            sleep(Duration::from_secs(60)).await;
        }
        if let Sequel::Rotation(days) = self.sequel {
            sleep(DAY * days).await;
        }
        let (before, since) = (keys(&scene.account).await, scene.stack.history().len());
        let now = scene.account.time();
        match self.sequel {
            Sequel::Update | Sequel::Raise => {
                let changes = match self.sequel {
                    Sequel::Raise => json!({"KeySerial": 10}),
                    _ => json!({"Revision": "next"}),
                };
                match scene.update(properties_with(changes)).await {
                    Outcome::Complete => scene.assert_works_but(USER, "reads", 1),
                    Outcome::RolledBack | Outcome::Blocked => {
                        assert_way_out(&first_reason(&scene, since));
                    }
                }
            }
            Sequel::Rotation(_) => self.rotate(&scene, &secret).await,
            Sequel::Check => self.check(&scene, &secret).await,
            Sequel::Delete => {
                if scene.delete().await == Outcome::Complete {
                    if !self.hides_all() {
                        self.assert_deleted(&scene, &before).await;
                    }
                    return;
                }
                assert_way_out(&first_reason(&scene, since));
            }
        }
        let after = keys(&scene.account).await;
        judge(&before, &after, self.sequel, now);
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
        let left = keys(&scene.account).await;
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
        for serial in [20, 21] {
            let raised = properties_with(json!({"KeySerial": serial}));
            let outcome = scene.update(raised).await;
            assert_eq!(outcome, Outcome::Complete, "{}", scene.reason());
            sleep(Duration::from_secs(60)).await;
        }
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

/// Tells a story of these edits for every sequel, and says which failed.
async fn tell_all(world: &(Scene, Rotated), edits: &[Edit], failures: &mut Vec<String>) {
    for sequel in SEQUELS {
        let story = Story { edits, sequel };
        let told = AssertUnwindSafe(story.tell(world)).catch_unwind().await;
        if let Err(panic) = told {
            failures.push(format!("{story:?}: {}", words(panic.as_ref())));
        }
    }
}

/// Every edit and every two edits, at one state.
async fn every_edit(state: State) {
    let world = state.world().await;
    let (mut stories, mut failures) = (0, Vec::new());
    for first in Edit::OF_KEYS {
        tell_all(&world, &[first], &mut failures).await;
        stories += SEQUELS.len();
        if std::env::var("SINGLE").is_ok() {
            continue;
        }
        for second in Edit::OF_KEYS {
            tell_all(&world, &[first, second], &mut failures).await;
            stories += SEQUELS.len();
        }
    }
    let of = failures.len();
    failures.truncate(3);
    assert!(
        failures.is_empty(),
        "{state:?}: {of} of {stories} stories failed, among them\n{}",
        failures.join("\n\n")
    );
    tell(state, stories);
}

#[expect(clippy::print_stdout, reason = "the figures that `make test` shows")]
fn tell(state: State, stories: usize) {
    println!("{state:?}: {stories} stories of edits by hand");
}

macro_rules! states {
    ($($name:ident = $state:expr;)*) => {
        $(
            #[tokio::test(start_paused = true)]
            async fn $name() {
                every_edit($state).await;
            }
        )*
    };
}

states! {
    edits_of_a_new_stack = State::Created;
    edits_of_a_stack_with_two_keys = State::Rotated;
    edits_after_a_rolled_back_rotation = State::RolledBack;
    edits_beside_a_lost_key = State::Lost;
    edits_beside_a_rotation_without_a_key = State::UnderWay { steps: 0, for_minutes: 1 };
    edits_beside_a_rotation_with_a_key = State::UnderWay { steps: 1, for_minutes: 1 };
    edits_beside_a_stale_rotation = State::UnderWay { steps: 1, for_minutes: 60 };
    edits_after_a_rotation = State::UnderWay { steps: 4, for_minutes: 1 };
}
