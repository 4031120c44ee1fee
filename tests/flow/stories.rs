//! Generated stories: a stack is created, changed, rotated, replaced, edited by hand, deleted and created again, with a
//! fault here and there, while somebody forges events and `CloudFormation` shows things late; between deployments it is
//! checked and rotated on schedule. After every chapter the stack is in order; at the end nothing is left.
//! `make simulate HISTORIES=100000` tells more of them.

mod beside;
mod between;
mod made;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{RngSeed, TestRunner};
use publisher_s3_access::cloud::TagMap;

use self::beside::{Event, Surroundings, assert_tagged, event, surroundings};
use self::between::{Between, between};
use self::made::{Archive, Template, archive, edit, template};
use crate::by_hand::Edit;
use crate::scene::{OTHER_USER, Scene, USER};
use kit::account::Account;
use kit::faults::{Fault, Faulty};
use kit::function::invoke_with;
use kit::stack::{Others, Outcome};

/// One chapter, as it is printed when a story fails.
#[derive(Clone, Debug)]
enum Chapter {
    Update {
        template: Template,
        others: Others,
        archive: Archive,
        fault: Option<(usize, Fault)>,
    },
    /// A person edits something, and then asks for everything to be checked.
    Edit {
        edit: Edit,
        fault: Option<(usize, Fault)>,
    },
    /// Deleted, and created again under the same name.
    Rebirth {
        template: Template,
        archive: Archive,
        fault: Option<(usize, Fault)>,
    },
    /// The stack's tags and how late it is shown, from now on.
    Surroundings(Surroundings),
    /// An event that no stack sends now.
    Event(Event),
    /// The daily check, or a rotation on schedule.
    Between(Between),
}

fn fault() -> impl Strategy<Value = Option<(usize, Fault)>> {
    prop_oneof![1 => Just(None), 2 => (0..60_usize, select(&Fault::ALL[..])).prop_map(Some)]
}

fn chapter() -> impl Strategy<Value = Chapter> {
    let others = select(vec![Others::Succeed, Others::Fail]);
    prop_oneof![
        3 => (template(), others, archive(), fault()).prop_map(
            |(template, others, archive, fault)| Chapter::Update { template, others, archive, fault }
        ),
        2 => (edit(), fault()).prop_map(|(edit, fault)| Chapter::Edit { edit, fault }),
        1 => (template(), archive(), fault())
            .prop_map(|(template, archive, fault)| Chapter::Rebirth { template, archive, fault }),
        1 => surroundings().prop_map(Chapter::Surroundings),
        2 => event().prop_map(Chapter::Event),
        2 => between().prop_map(Chapter::Between),
    ]
}

/// What has happened, and how often.
type Counts = BTreeMap<&'static str, usize>;

/// The stack with what it was made of last.
struct Told<'c> {
    scene: Scene,
    template: Template,
    revision: usize,
    /// The stack's own tags.
    tags: TagMap,
    /// Every key that these ever had.
    ever: BTreeSet<String>,
    /// What was edited by hand since all was in order.
    edited: Vec<Edit>,
    /// Whether no fault has struck since all was checked last. A rollback that could not look has left what it could.
    is_clean: bool,
    counts: &'c RefCell<Counts>,
}

impl Told<'_> {
    fn count(&self, what: &'static str) {
        self.count_all(what, 1);
    }

    fn count_all(&self, what: &'static str, times: usize) {
        *self.counts.borrow_mut().entry(what).or_default() += times;
    }

    fn struck(&self, process: &Faulty<Account>) {
        self.count_all("faults", process.struck());
    }

    /// Updates with one fault; a blocked stack is tried again without.
    async fn update(&mut self, template: Template, others: Others, fault: Option<(usize, Fault)>) {
        self.deploy(template, others, Archive::Own, fault).await;
    }

    /// The same with the function of another release, which makes no change and holds up no rollback.
    async fn deploy(
        &mut self,
        template: Template,
        others: Others,
        archive: Archive,
        fault: Option<(usize, Fault)>,
    ) {
        self.revision += 1;
        let properties = template.properties(self.revision);
        let (account, cloud) = (
            self.scene.account.clone(),
            Faulty::with_all(self.scene.stack.cloud(), fault),
        );
        let keys = self.scene.active_keys(self.template.user);
        let mut run =
            async |event| invoke_with(&account, &cloud, &event, &archive.variables()).await;
        let outcome = self.scene.stack.update(properties, others, &mut run).await;
        let outcome = match outcome {
            Outcome::Blocked => {
                self.mend();
                self.count("rollbacks continued");
                self.scene.continue_rollback().await
            }
            Outcome::Complete | Outcome::RolledBack => outcome,
        };
        self.struck(&cloud);
        match outcome {
            Outcome::Complete => {
                assert_eq!(archive, Archive::Own, "another release has updated");
                self.count("updates");
                self.template = template;
            }
            Outcome::RolledBack => self.count("updates rolled back"),
            Outcome::Blocked => panic!("trying again helps: {}", self.scene.reason()),
        }
        if archive == Archive::Other {
            self.count("updates by another release");
            assert_eq!(self.scene.active_keys(self.template.user), keys);
        }
        // Where the fault struck the question for them, the next update sets them.
        if cloud.struck() > 0 {
            self.is_clean = false;
        } else {
            assert_tagged(&self.scene, self.template.user, &self.tags, &self.ever);
        }
    }

    /// A person does what the refusals say.
    fn mend(&mut self) {
        for edit in self.edited.drain(..) {
            edit.mend(&self.scene.account, self.template.user, self.scene.owner());
        }
    }

    /// Has everything checked without a fault. Then the stack must be in order.
    async fn check(&mut self) {
        self.mend();
        self.revision += 1;
        let outcome = self
            .scene
            .update(self.template.properties(self.revision))
            .await;
        assert_eq!(outcome, Outcome::Complete, "{}", self.scene.reason());
        self.is_clean = true;
        self.count("updates");
        self.scene
            .assert_works_but(self.template.user, self.template.bucket, 2);
        assert_tagged(&self.scene, self.template.user, &self.tags, &self.ever);
    }

    async fn delete(&mut self, archive: Archive, fault: Option<(usize, Fault)>) {
        let (account, cloud) = (
            self.scene.account.clone(),
            Faulty::with_all(self.scene.stack.cloud(), fault),
        );
        let mut run =
            async |event| invoke_with(&account, &cloud, &event, &archive.variables()).await;
        if self.scene.stack.delete(&mut run).await != Outcome::Complete {
            self.count("deletions tried again");
            assert_eq!(
                self.scene.delete().await,
                Outcome::Complete,
                "{}",
                self.scene.reason()
            );
        }
        self.struck(&cloud);
        self.count("deletions");
        self.scene.assert_nothing_left();
    }

    async fn create(&mut self, template: Template) {
        let outcome = self.scene.create(template.properties(0)).await;
        assert_eq!(outcome, Outcome::Complete, "{}", self.scene.reason());
        self.template = template;
        self.count("creations");
    }

    /// Whether a failed clean-up has left a pair that CloudFormation has forgotten and a person has to remove.
    fn has_leftover(&self) -> bool {
        let goes = if self.template.user == USER {
            OTHER_USER
        } else {
            USER
        };
        self.scene.account.user_tags(goes).is_some()
            || self
                .scene
                .account
                .secret_tags(&format!("publisher/{goes}"))
                .is_some()
                && !self
                    .scene
                    .account
                    .is_pending_deletion(&format!("publisher/{goes}"))
    }

    async fn go_through(&mut self, chapter: Chapter) {
        match chapter {
            Chapter::Update {
                template,
                others,
                archive,
                fault,
            } => {
                self.deploy(template, others, archive, fault).await;
                self.scene
                    .assert_works_but(self.template.user, self.template.bucket, 2);
            }
            Chapter::Edit { edit, fault } => {
                edit.happen(&self.scene.account, self.template.user);
                self.edited.push(edit);
                self.count("edits by hand");
                self.update(self.template, Others::Succeed, fault).await;
                self.check().await;
            }
            Chapter::Rebirth {
                template,
                archive,
                fault,
            } => {
                self.delete(archive, fault).await;
                self.scene.stack = self.scene.stack.reborn();
                self.tags = TagMap::new();
                self.create(template).await;
                self.check().await;
            }
            Chapter::Surroundings(surroundings) => {
                self.tags = surroundings.set(&self.scene);
                self.ever.extend(self.tags.keys().cloned());
                self.count(surroundings.kind());
            }
            Chapter::Event(event) => {
                event.happen(&mut self.scene).await;
                self.count(event.kind());
            }
            Chapter::Between(between) => between.happen(self).await,
        }
    }
}

async fn tell(first: Template, chapters: Vec<Chapter>, counts: &RefCell<Counts>) {
    let mut told = Told {
        scene: Scene::new().await,
        template: first,
        revision: 0,
        tags: TagMap::new(),
        ever: BTreeSet::new(),
        edited: Vec::new(),
        is_clean: true,
        counts,
    };
    told.create(first).await;
    for chapter in chapters {
        told.scene.account.note(format_args!("-- {chapter:?}"));
        told.go_through(chapter).await;
        // Longer than anything is shown late.
        tokio::time::sleep(SETTLED).await;
        if told.has_leftover() {
            told.count("histories ended by a leftover pair");
            return;
        }
    }
    told.delete(Archive::Own, None).await;
}

/// Longer than anything is shown late.
const SETTLED: Duration = Duration::from_secs(60);

/// A whole number from the environment.
fn setting(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} must be a whole number, not `{value}`")),
    )
}

/// `HISTORIES` says how many, `SEED` which ones. A failing history is shrunk to the shortest one that fails.
#[test]
#[expect(
    clippy::print_stdout,
    reason = "the seed and the summary are for whoever runs it"
)]
fn every_story_ends_well() {
    let histories = setting("HISTORIES").unwrap_or(256);
    let seed = setting("SEED").unwrap_or_else(rand_seed);
    let again = format!("SEED={seed} HISTORIES={histories}");
    println!("make simulate {again}");
    let (counts, begun) = (RefCell::default(), std::cell::Cell::new(0_u64));
    let config = ProptestConfig {
        cases: u32::try_from(histories).expect("so many histories"),
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let story = (template(), prop::collection::vec(chapter(), 1..8));
    let result = TestRunner::new(config).run(&story, |(first, chapters)| {
        begun.set(begun.get() + 1);
        if begun.get().is_multiple_of(10_000) {
            println!("{} of {histories}", begun.get());
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        let told = tell(first, chapters, &counts);
        runtime.expect("a runtime").block_on(told);
        Ok(())
    });
    if let Err(failure) = result {
        panic!("make simulate {again}\n{failure}");
    }
    let counts = counts.into_inner();
    println!("{histories} histories ended well. In them:");
    for (what, times) in &counts {
        println!("{times:8} {what}");
    }
    // A kind of chapter that never happens shows nothing.
    for what in EVERY {
        let happens = counts.contains_key(what) || histories < 256;
        assert!(happens, "no {what} in {histories} histories");
    }
}

/// What happens in every 256 histories.
const EVERY: [&str; 17] = [
    "changed stack tags",
    "checks",
    "creations",
    "deletions",
    "deletions tried again",
    "edits by hand",
    "faults",
    "findings told",
    "forged events",
    "late views from then on",
    "requests again",
    "rollbacks continued",
    "rotations",
    "rotations given up",
    "rotations held up",
    "updates by another release",
    "updates rolled back",
];

/// Another one for every run.
fn rand_seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u64::from(since.subsec_nanos()) ^ since.as_secs())
}
