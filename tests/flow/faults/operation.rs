//! The operations on a stack, and what must hold after each.

use publisher_s3_access::cloud::Label;
use serde_json::{Value, json};

use crate::scene::{OTHER_USER, SECRET, Scene, USER, properties, properties_with};
use kit::stack::{Others, Outcome, Stack};

/// An operation on the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Create(Others),
    /// A Create over the user and the deleted secret of a previous stack.
    TakeOver(Others),
    /// Another bucket and another policy name.
    Change(Others),
    Rotate(Others),
    /// A second time, so the first key has to go.
    RotateAgain(Others),
    /// Another user name.
    Replace(Others),
    Delete,
}

impl Operation {
    /// The scene before it.
    pub(crate) async fn scene(self) -> Scene {
        match self {
            Self::Create(_) => Scene::new().await,
            Self::TakeOver(_) => Scene::left_behind().await,
            Self::Change(_) | Self::Rotate(_) | Self::Replace(_) | Self::Delete => {
                Scene::created().await
            }
            Self::RotateAgain(_) => Scene::rotated().await,
        }
    }

    /// The properties that it asks for.
    fn properties(self) -> Value {
        match self {
            Self::Create(_) | Self::TakeOver(_) | Self::Delete => properties(),
            Self::Change(_) => properties_with(
                json!({"Buckets": ["others", "s3://reads/a/"], "PolicyName": "Other"}),
            ),
            Self::Rotate(_) => properties_with(json!({"KeySerial": 2})),
            Self::RotateAgain(_) => properties_with(json!({"KeySerial": 3})),
            Self::Replace(_) => properties_with(json!({"UserName": OTHER_USER})),
        }
    }

    /// Does it, with `run` as the function.
    pub(crate) async fn happen(
        self,
        stack: &mut Stack,
        mut run: impl AsyncFnMut(Value) -> Option<Value>,
    ) -> Outcome {
        match self {
            Self::Create(others) | Self::TakeOver(others) => {
                stack.create(self.properties(), others, &mut run).await
            }
            Self::Change(others)
            | Self::Rotate(others)
            | Self::RotateAgain(others)
            | Self::Replace(others) => stack.update(self.properties(), others, &mut run).await,
            Self::Delete => stack.delete(&mut run).await,
        }
    }

    /// Tries again, as a person does with a stack that is blocked.
    pub(crate) async fn mend(self, scene: &mut Scene, outcome: Outcome) -> Outcome {
        match (self, outcome) {
            (_, Outcome::Complete | Outcome::RolledBack) => outcome,
            (Self::Create(_) | Self::TakeOver(_) | Self::Delete, Outcome::Blocked) => {
                scene.delete().await
            }
            (
                Self::Change(_) | Self::Rotate(_) | Self::RotateAgain(_) | Self::Replace(_),
                Outcome::Blocked,
            ) => scene.continue_rollback().await,
        }
    }

    /// Checks what must hold after this outcome. Two crashes may leave a lost key: one before a key was stored, one right
    /// after.
    pub(crate) fn check(self, scene: &Scene, outcome: Outcome, lost: usize) {
        assert_ne!(
            outcome,
            Outcome::Blocked,
            "trying again helps: {}",
            scene.reason()
        );
        let complete = outcome == Outcome::Complete;
        let account = &scene.account;
        match self {
            Self::Create(_) if complete && scene.stack.resource().is_some() => {
                scene.assert_works_but(USER, "reads", lost);
                assert!(account.keys(USER).len() <= 1 + lost, "one key");
            }
            Self::TakeOver(_) if complete && scene.stack.resource().is_some() => {
                scene.assert_works_but(USER, "reads", lost);
                assert_ne!(account.current_key(SECRET), scene.first_key(), "a new key");
            }
            // What was not taken over yet is still the previous stack's.
            Self::TakeOver(_) => scene.assert_neighbours_untouched(),
            Self::Create(_) | Self::Delete => scene.assert_nothing_left(),
            Self::Change(_) => {
                scene.assert_works(USER, if complete { "others" } else { "reads" });
                let policies: Vec<_> = account.policies(USER).into_keys().collect();
                assert_eq!(
                    policies,
                    [if complete { "Other" } else { "S3AccessPolicy" }]
                );
                assert_eq!(account.current_key(SECRET), scene.first_key(), "no new key");
            }
            Self::Rotate(_) | Self::RotateAgain(_) => {
                // A rollback needs no new key, so it ends none.
                scene.assert_works_but(USER, "reads", lost.max(usize::from(!complete)));
                let key = scene.first_key().expect("there was a key");
                assert!(
                    scene.active_keys(USER).contains(&key),
                    "no key dies because an update failed"
                );
                let (current, previous) = (
                    account.current_key(SECRET),
                    account.key_under(SECRET, Label::Previous),
                );
                assert!(
                    current.as_ref() == Some(&key) && !complete || previous == Some(key),
                    "the old key is at hand"
                );
            }
            Self::Replace(_) if complete => check_one_pair(scene, OTHER_USER, USER, lost),
            Self::Replace(_) => {
                check_one_pair(scene, USER, OTHER_USER, lost);
                assert_eq!(account.current_key(SECRET), scene.first_key(), "no new key");
            }
        }
    }

    /// The outcome without faults.
    pub(crate) fn without_faults(self) -> Outcome {
        match self {
            Self::Create(others)
            | Self::TakeOver(others)
            | Self::Change(others)
            | Self::Rotate(others)
            | Self::RotateAgain(others)
            | Self::Replace(others) => match others {
                Others::Succeed => Outcome::Complete,
                Others::Fail => Outcome::RolledBack,
            },
            Self::Delete => Outcome::Complete,
        }
    }

    /// Checks what must hold after the stack was deleted.
    pub(crate) fn check_removed(self, scene: &Scene) {
        match self {
            Self::Replace(_) if cleanup_failed(scene) => {}
            Self::TakeOver(_) if scene.still_earlier() => scene.assert_neighbours_untouched(),
            Self::Create(_)
            | Self::TakeOver(_)
            | Self::Change(_)
            | Self::Rotate(_)
            | Self::RotateAgain(_)
            | Self::Replace(_)
            | Self::Delete => scene.assert_nothing_left(),
        }
    }
}

/// Checks the two users of a replacement.
#[track_caller]
fn check_one_pair(scene: &Scene, stays: &str, goes: &str, lost: usize) {
    scene.assert_works_but(stays, "reads", lost);
    if !cleanup_failed(scene) {
        scene.account.assert_gone(goes);
    }
}

/// Whether a Delete in the clean-up of an update was answered FAILED. CloudFormation reports that and forgets the
/// resource, so a person has to remove what is left. (A stack's own deletion is repeated until it succeeds.)
fn cleanup_failed(scene: &Scene) -> bool {
    scene.stack.history().iter().any(|exchange| {
        let failed = exchange
            .answer
            .as_ref()
            .is_none_or(|answer| !answer.succeeded());
        exchange.event["RequestType"] == "Delete" && failed
    })
}
