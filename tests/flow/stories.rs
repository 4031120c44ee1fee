//! Generated stories: a stack is created, changed, rotated, replaced, edited by hand, deleted and created again, with a
//! fault here and there, while somebody forges events and `CloudFormation` shows things late. After every chapter the
//! stack is in order, and at the end nothing is left. `make simulate HISTORIES=100000` runs more of them.

mod beside;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{RngSeed, TestRunner};
use serde_json::{Value, json};

use self::beside::{Event, Surroundings, event, surroundings};
use crate::scene::{OTHER_USER, Scene, USER, properties};
use kit::account::{Account, OTHER_BOUNDARY};
use kit::faults::{Fault, Faulty};
use kit::function::invoke;
use kit::stack::{Others, Outcome};

/// One chapter, as it is printed when a story fails.
#[derive(Clone, Debug)]
enum Chapter {
    Update {
        template: Template,
        others: Others,
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
        fault: Option<(usize, Fault)>,
    },
    /// The stack's tags and how late it is shown, from now on.
    Surroundings(Surroundings),
    /// An event that no stack sends now.
    Event(Event),
}

#[derive(Clone, Copy, Debug)]
struct Template {
    user: &'static str,
    bucket: &'static str,
    policy: &'static str,
    serial: u64,
    recovery_days: u8,
}

#[derive(Clone, Copy, Debug)]
enum Edit {
    DeleteKey,
    DeactivateKey,
    AddKey,
    SpoilPolicy,
    RemovePolicies,
    SpoilSecret,
    DeleteSecret,
    DeleteSecretSlowly,
    DeleteUser,
    ChangeBoundary,
    Quarantine,
    Replicate,
}

fn fault() -> impl Strategy<Value = Option<(usize, Fault)>> {
    prop_oneof![1 => Just(None), 2 => (0..60_usize, select(&Fault::ALL[..])).prop_map(Some)]
}

fn template() -> impl Strategy<Value = Template> {
    let names = (
        select(vec![USER, OTHER_USER]),
        select(vec!["reads", "others"]),
        select(vec!["S3AccessPolicy", "Other"]),
    );
    (names, 1..6_u64, select(vec![0, 7])).prop_map(
        |((user, bucket, policy), serial, recovery_days)| Template {
            user,
            bucket,
            policy,
            serial,
            recovery_days,
        },
    )
}

fn chapter() -> impl Strategy<Value = Chapter> {
    let edits = vec![
        Edit::DeleteKey,
        Edit::DeactivateKey,
        Edit::AddKey,
        Edit::SpoilPolicy,
        Edit::RemovePolicies,
        Edit::SpoilSecret,
        Edit::DeleteSecret,
        Edit::DeleteSecretSlowly,
        Edit::DeleteUser,
        Edit::ChangeBoundary,
        Edit::Quarantine,
        Edit::Replicate,
    ];
    prop_oneof![
        3 => (template(), select(vec![Others::Succeed, Others::Fail]), fault())
            .prop_map(|(template, others, fault)| Chapter::Update { template, others, fault }),
        3 => (select(edits), fault()).prop_map(|(edit, fault)| Chapter::Edit { edit, fault }),
        1 => (template(), fault()).prop_map(|(template, fault)| Chapter::Rebirth { template, fault }),
        1 => surroundings().prop_map(Chapter::Surroundings),
        2 => event().prop_map(Chapter::Event),
    ]
}

impl Template {
    /// Every update changes something: CloudFormation sends no other.
    fn properties(self, revision: usize) -> Value {
        let Self {
            user,
            bucket,
            policy,
            serial,
            recovery_days,
        } = self;
        let mut all = properties();
        for (name, value) in [
            ("UserName", json!(user)),
            ("Buckets", json!([bucket])),
            ("PolicyName", json!(policy)),
            ("KeySerial", json!(serial)),
            ("SecretRecoveryDays", json!(recovery_days)),
            ("Revision", json!(revision)),
        ] {
            all[name] = value;
        }
        all
    }
}

impl Edit {
    fn happen(self, account: &Account, user: &str) {
        let hand = account.by_hand();
        let secret = format!("publisher/{user}");
        let key = account.current_key(&secret).expect("the stack is in order");
        match self {
            Self::DeleteKey => hand.delete_key(user, &key),
            Self::DeactivateKey => hand.deactivate_key(user, &key),
            Self::AddKey if account.keys(user).len() < 2 => drop(hand.add_key(user)),
            Self::AddKey => {}
            Self::SpoilPolicy => {
                let name = account
                    .policies(user)
                    .into_keys()
                    .next()
                    .expect("the stack is in order");
                let document = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;
                hand.put_policy(user, &name, document);
            }
            Self::RemovePolicies => {
                for name in account.policies(user).into_keys() {
                    hand.remove_policy(user, &name);
                }
            }
            Self::SpoilSecret => hand.edit_secret(&secret, "oops"),
            Self::DeleteSecret | Self::DeleteSecretSlowly if account.is_replicated(&secret) => {}
            Self::DeleteSecret => hand.delete_secret(&secret, None),
            Self::DeleteSecretSlowly => hand.delete_secret(&secret, Some(7)),
            Self::DeleteUser => hand.delete_user(user),
            Self::ChangeBoundary => hand.set_boundary(user, Some(OTHER_BOUNDARY)),
            Self::Quarantine => hand.quarantine(user),
            Self::Replicate => hand.replicate(&secret, "eu-west-1"),
        }
    }
}

/// The stack with its last properties.
struct Told {
    scene: Scene,
    template: Template,
    revision: usize,
}

impl Told {
    /// Updates with one fault. A blocked stack is tried again without one.
    async fn update(&mut self, template: Template, others: Others, fault: Option<(usize, Fault)>) {
        self.revision += 1;
        let properties = template.properties(self.revision);
        let (account, cloud) = (
            self.scene.account.clone(),
            Faulty::with_all(self.scene.stack.cloud(), fault),
        );
        let mut run = async |event| invoke(&account, &cloud, &event).await;
        let outcome = self.scene.stack.update(properties, others, &mut run).await;
        let outcome = match outcome {
            Outcome::Blocked => self.scene.continue_rollback().await,
            Outcome::Complete | Outcome::RolledBack => outcome,
        };
        match outcome {
            Outcome::Complete => self.template = template,
            Outcome::RolledBack => {}
            Outcome::Blocked => panic!("trying again helps: {}", self.scene.reason()),
        }
    }

    /// Has everything checked without a fault. Then the stack must be in order.
    async fn check(&mut self) {
        self.revision += 1;
        let outcome = self
            .scene
            .update(self.template.properties(self.revision))
            .await;
        assert_eq!(outcome, Outcome::Complete, "{}", self.scene.reason());
        self.scene
            .assert_works(self.template.user, self.template.bucket);
    }

    async fn delete(&mut self, fault: Option<(usize, Fault)>) {
        let (account, cloud) = (
            self.scene.account.clone(),
            Faulty::with_all(self.scene.stack.cloud(), fault),
        );
        let mut run = async |event| invoke(&account, &cloud, &event).await;
        if self.scene.stack.delete(&mut run).await != Outcome::Complete {
            assert_eq!(
                self.scene.delete().await,
                Outcome::Complete,
                "{}",
                self.scene.reason()
            );
        }
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
}

async fn tell(first: Template, chapters: Vec<Chapter>) {
    let mut scene = Scene::new().await;
    assert_eq!(scene.create(first.properties(0)).await, Outcome::Complete);
    let mut told = Told {
        scene,
        template: first,
        revision: 0,
    };
    for chapter in chapters {
        told.scene.account.note(format_args!("-- {chapter:?}"));
        match chapter {
            Chapter::Update {
                template,
                others,
                fault,
            } => {
                told.update(template, others, fault).await;
                told.scene
                    .assert_works(told.template.user, told.template.bucket);
            }
            Chapter::Edit { edit, fault } => {
                edit.happen(&told.scene.account, told.template.user);
                told.update(told.template, Others::Succeed, fault).await;
                told.check().await;
            }
            Chapter::Rebirth { template, fault } => {
                told.delete(fault).await;
                told.scene.assert_nothing_left();
                told.scene.stack = told.scene.stack.reborn();
                assert_eq!(
                    told.scene.create(template.properties(0)).await,
                    Outcome::Complete,
                    "{}",
                    told.scene.reason()
                );
                told.template = template;
                told.check().await;
            }
            Chapter::Surroundings(surroundings) => surroundings.set(&told.scene),
            Chapter::Event(event) => event.happen(&mut told.scene).await,
        }
        // Longer than anything is shown late.
        tokio::time::sleep(SETTLED).await;
        if told.has_leftover() {
            return;
        }
    }
    told.delete(None).await;
    told.scene.assert_nothing_left();
}

/// Longer than anything is shown late.
const SETTLED: Duration = Duration::from_secs(60);

impl Chapter {
    /// What the summary counts.
    fn kinds(&self) -> Vec<&'static str> {
        let (kind, fault) = match self {
            Self::Update {
                template: _,
                others,
                fault,
            } => match others {
                Others::Succeed => ("updates", fault),
                Others::Fail => ("cancelled updates", fault),
            },
            Self::Edit { edit: _, fault } => ("edits by hand", fault),
            Self::Rebirth { template: _, fault } => ("deletions and creations", fault),
            Self::Surroundings(it) if it.is_late() => ("late views from then on", &None),
            Self::Surroundings(_) => ("changed stack tags", &None),
            Self::Event(Event::Again(_)) => ("requests again", &None),
            Self::Event(Event::Forged { .. }) => ("forged events", &None),
        };
        let faults = fault.map(|_| "faults planned");
        [kind].into_iter().chain(faults).collect()
    }
}

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
    let counts: RefCell<BTreeMap<&str, u64>> = RefCell::default();
    let config = ProptestConfig {
        cases: u32::try_from(histories).expect("so many histories"),
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let story = (template(), prop::collection::vec(chapter(), 1..8));
    let result = TestRunner::new(config).run(&story, |(first, chapters)| {
        for kind in chapters.iter().flat_map(Chapter::kinds) {
            *counts.borrow_mut().entry(kind).or_default() += 1;
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        runtime.expect("a runtime").block_on(tell(first, chapters));
        Ok(())
    });
    if let Err(failure) = result {
        panic!("make simulate {again}\n{failure}");
    }
    println!(
        "{histories} histories ended well: {:?}",
        counts.into_inner()
    );
}

/// A new one for every run.
fn rand_seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u64::from(since.subsec_nanos()) ^ since.as_secs())
}
