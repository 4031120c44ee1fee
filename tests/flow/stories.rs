//! Generated stories: a stack is created, changed, rotated, replaced, edited by hand, deleted and created again, with a
//! fault here and there. After every chapter the stack is in order; at the end nothing is left.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::scene::{OTHER_USER, Scene, USER, properties};
use kit::account::{Account, OTHER_BOUNDARY};
use kit::faults::{Fault, Faulty};
use kit::function::invoke;
use kit::stack::{Others, Outcome};

/// One chapter. What prints when a story fails.
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

/// The stack with what it was made of last.
struct Told {
    scene: Scene,
    template: Template,
    revision: usize,
}

impl Told {
    /// Updates with one fault; a blocked stack is tried again without.
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

    /// Has everything checked without a fault; the stack must be in order then.
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

    /// Whether a failed clean-up has left a pair that CloudFormation has forgotten: a person's to remove.
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
        }
        if told.has_leftover() {
            return;
        }
    }
    told.delete(None).await;
    told.scene.assert_nothing_left();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_story_ends_well(first in template(), chapters in prop::collection::vec(chapter(), 1..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(tell(first, chapters));
    }
}
