//! Years of scheduled rotations, with people who paste and people who forget.

use std::time::Duration;

use proptest::prelude::*;
use publisher_s3_access::cloud::StoredKey;
use publisher_s3_access::request::buckets::BucketUri;
use serde_json::Value;
use tokio::time::sleep;

use crate::keys::protected;
use crate::scene::{SECRET, Scene, USER};
use kit::account::Lags;
use kit::rotation::{DAY, Rotated};

/// What a story is about.
#[derive(Clone, Copy, Debug)]
struct Plot {
    rotation_days: u64,
    /// After how many days a new key is pasted; `None` is never.
    pastes_after: Option<u64>,
    /// How many days lie between two reads of Publisher.
    reads_every: u64,
    /// For how many days links signed earlier are followed.
    links_live: u64,
    /// How many hours late IAM shows a use.
    shown_after: u64,
    /// How many days after a held-up rotation the next one begins.
    again_after: u64,
}

fn plots() -> impl Strategy<Value = Plot> {
    (
        prop_oneof![
            Just(15_u64),
            Just(30),
            Just(45),
            Just(90),
            Just(180),
            Just(365)
        ],
        prop_oneof![
            2 => (0_u64..=10).prop_map(Some),
            2 => (11_u64..=400).prop_map(Some),
            1 => Just(None),
        ],
        prop_oneof![Just(1_u64), Just(7), Just(30)],
        prop_oneof![Just(0_u64), Just(7)],
        0_u64..=48,
        prop_oneof![Just(1_u64), Just(7), Just(30)],
    )
        .prop_map(
            |(rotation_days, pastes_after, reads_every, links_live, shown_after, again_after)| {
                Plot {
                    rotation_days,
                    pastes_after,
                    reads_every,
                    links_live,
                    shown_after,
                    again_after,
                }
            },
        )
}

impl Plot {
    fn window(&self) -> Duration {
        (DAY * 7).max(DAY * u32::try_from(self.rotation_days).expect("few") / 3)
    }

    /// Whether every key that Publisher reads with is seen in use within the window.
    fn is_seen(&self) -> bool {
        DAY * u32::try_from(self.reads_every + 1).expect("few")
            + Duration::from_secs(self.shown_after * 3600)
            < self.window()
    }

    /// Whether the previous key goes out of use so early that nobody is reminded.
    fn is_prompt(&self) -> bool {
        let in_use = self.pastes_after.map(|days| days + self.links_live);
        in_use.is_some_and(|days| {
            let seen = DAY * u32::try_from(days + 1).expect("few")
                + Duration::from_secs(self.shown_after * 3600);
            let until = DAY * u32::try_from(self.rotation_days).expect("few");
            days < 10 && seen + self.window() < until
        })
    }
}

/// What has happened so far.
#[derive(Debug, Default)]
struct Tally {
    rotated: usize,
    held_up: usize,
    new_key: usize,
    told_held_up: usize,
    findings: usize,
    all_well: usize,
    cut_off: usize,
}

struct Story {
    plot: Plot,
    scene: Scene,
    secret: Rotated,
    pasted: StoredKey,
    /// The key pasted previously, and the last day on which its links are followed.
    links: Option<(StoredKey, u64)>,
    tally: Tally,
}

impl Story {
    async fn begin(plot: Plot) -> Self {
        let scene = Scene::created().await;
        scene.account.lag(Lags {
            last_use: Duration::from_secs(plot.shown_after * 3600),
            ..Lags::default()
        });
        let secret = Rotated::new(&scene.account, SECRET)
            .with("ROTATION_DAYS", plot.rotation_days.to_string());
        let pasted = scene.account.stored_key(SECRET).expect("a key");
        Self {
            plot,
            scene,
            secret,
            pasted,
            links: None,
            tally: Tally::default(),
        }
    }

    /// Publisher and the followers of links read.
    fn read(&mut self, day: u64) {
        let bucket = BucketUri::parse("reads").expect("a bucket");
        let by_hand = self.scene.account.by_hand();
        if day.is_multiple_of(self.plot.reads_every) && !by_hand.reads(&self.pasted, &bucket) {
            self.tally.cut_off += 1;
        }
        if let Some((key, until)) = &self.links
            && day <= *until
        {
            by_hand.reads(key, &bucket);
        }
    }

    fn paste(&mut self, day: u64) {
        let now = self.scene.account.stored_key(SECRET).expect("a key");
        if now.id != self.pasted.id {
            let before = std::mem::replace(&mut self.pasted, now);
            self.links = Some((before, day + self.plot.links_live));
        }
    }

    /// Rotates with all attempts, and returns whether the rotation completed.
    async fn rotate(&mut self) -> bool {
        let protected = protected(&self.scene.account, USER, self.plot.window()).await;
        let token = self.secret.begin();
        let done = self.secret.go_on(&self.scene.process(), &token).await;
        match (&done, &protected) {
            (Ok(()), None) => self.tally.rotated += 1,
            (Err(_), Some(key)) => {
                assert!(
                    self.scene.active_keys(USER).contains(key),
                    "{:?}",
                    self.plot
                );
                self.tally.held_up += 1;
            }
            (done, protected) => panic!("{:?}: {done:?} with {protected:?}", self.plot),
        }
        if done.is_ok() {
            let moved = self.secret.label_moved();
            let told = self.secret.invoke(&self.scene.process(), &moved).await;
            assert_eq!(told, Some(Ok(())));
        }
        done.is_ok()
    }

    async fn check(&mut self, event: &Value) {
        let checked = self.secret.invoke(&self.scene.process(), event).await;
        assert_eq!(checked, Some(Ok(())), "{:?}", self.plot);
        for message in self.scene.account.take_messages() {
            match message.subject() {
                subject if subject.contains("paste the new key") => self.tally.new_key += 1,
                subject if subject.contains("held up") => self.tally.told_held_up += 1,
                subject if subject.contains("needs attention") => self.tally.findings += 1,
                subject if subject.contains("all is well") => self.tally.all_well += 1,
                other => panic!("{other}"),
            }
        }
    }

    async fn live(mut self, days: u64) -> Tally {
        let started = self.scene.account.time();
        let mut next = self.plot.rotation_days;
        let mut paste = None;
        for day in 0..days {
            // Always the same time of day, whatever happened before.
            let daily = self.secret.daily();
            self.read(day);
            if paste == Some(day) {
                self.paste(day);
            }
            if day == next {
                let rotated = self.rotate().await;
                next = day
                    + if rotated {
                        self.plot.rotation_days
                    } else {
                        self.plot.again_after
                    };
                if rotated {
                    paste = self.plot.pastes_after.map(|after| day + after);
                    if paste == Some(day) {
                        self.paste(day);
                    }
                }
            }
            self.check(&daily).await;
            let into = self
                .scene
                .account
                .time()
                .duration_since(started)
                .unwrap_or_default();
            sleep(DAY * u32::try_from(day + 1).expect("few") - into).await;
        }
        self.scene.account.verify();
        self.tally
    }
}

fn play(plot: Plot) -> Tally {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime
        .expect("a runtime")
        .block_on(async { Story::begin(plot).await.live(2 * 365 + 40).await })
}

fn judge(plot: Plot, tally: &Tally) {
    assert_eq!(tally.new_key, tally.rotated, "{plot:?}: {tally:?}");
    assert_eq!(tally.told_held_up, tally.held_up, "{plot:?}: {tally:?}");
    // Once a month at most.
    assert!(tally.all_well <= 26, "{plot:?}: {tally:?}");
    // At most one message in seven days about the previous key, and none about anything else.
    assert!(
        tally.findings <= (2 * 365 + 40) / 7 + tally.rotated,
        "{plot:?}: {tally:?}"
    );
    if plot.is_seen() {
        assert_eq!(tally.cut_off, 0, "{plot:?}: {tally:?}");
    }
    if plot.is_prompt() {
        assert_eq!(
            (tally.held_up, tally.findings),
            (0, 0),
            "{plot:?}: {tally:?}"
        );
    }
    if plot.pastes_after.is_none() && plot.is_seen() {
        assert!(
            tally.findings > 0 && tally.rotated == 1,
            "{plot:?}: {tally:?}"
        );
    }
}

#[expect(clippy::print_stdout, reason = "the figures that `make test` shows")]
fn report(what: &str, tally: &Tally) {
    println!("{what}: {tally:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn no_protected_key_is_ended_and_whoever_has_to_act_hears_of_it(plot in plots()) {
        let tally = play(plot);
        judge(plot, &tally);
    }
}

const PROMPT: Plot = Plot {
    rotation_days: 45,
    pastes_after: Some(2),
    reads_every: 1,
    links_live: 7,
    shown_after: 4,
    again_after: 1,
};

#[test]
fn a_person_who_pastes_hears_of_new_keys_and_of_nothing_else() {
    let tally = play(PROMPT);
    judge(PROMPT, &tally);
    assert!(tally.new_key > 15 && PROMPT.is_prompt(), "{tally:?}");
    report("pastes within two days", &tally);
}

#[test]
fn a_person_who_forgets_is_reminded_and_publisher_goes_on_reading() {
    let plot = Plot {
        pastes_after: None,
        again_after: 7,
        ..PROMPT
    };
    let tally = play(plot);
    judge(plot, &tally);
    assert_eq!((tally.rotated, tally.cut_off), (1, 0), "{tally:?}");
    assert!(tally.held_up > 50 && tally.findings > 50, "{tally:?}");
    report("never pastes", &tally);
}

/// What the guard cannot protect, as the documents say.
#[test]
fn a_reader_that_comes_less_often_than_the_window_can_be_cut_off() {
    let plot = Plot {
        rotation_days: 15,
        pastes_after: None,
        reads_every: 30,
        again_after: 1,
        ..PROMPT
    };
    let tally = play(plot);
    judge(plot, &tally);
    assert!(tally.cut_off > 0 && !plot.is_seen(), "{tally:?}");
}
