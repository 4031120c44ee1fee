//! The best known faults, by their names in AWS, and how each ends. The loops in [`crate::faults`] make every call meet
//! every fault.

use std::time::Duration;

use publisher_s3_access::cloud::ErrorKind;
use serde_json::{Value, json};

use crate::scene::{SECRET, Scene, USER, properties, properties_with};
use kit::account::Account;
use kit::faults::{Fault, Faulty};
use kit::function::{TIMEOUT, invoke};
use kit::stack::{Others, Outcome};

/// A stack, and the process whose calls met a fault.
struct Struck {
    scene: Scene,
    process: Faulty<Account>,
    outcome: Outcome,
}

impl Struck {
    /// A Create whose first `times` calls of this name meet the fault. No answer may leave a key that no secret holds.
    async fn create(name: &'static str, times: usize, fault: Fault) -> Self {
        let mut scene = Scene::new().await;
        let process = Faulty::with_named(scene.stack.cloud(), name, times, fault);
        let mut run = async |event| {
            let answer = invoke(&scene.account, &process, &event).await;
            if answer.is_some() {
                scene.account.check_all_stored();
            }
            answer
        };
        let create = scene.stack.create(properties(), Others::Succeed, &mut run);
        let outcome = create.await;
        assert_eq!(process.struck(), times, "{process}");
        Self {
            scene,
            process,
            outcome,
        }
    }

    /// An Update to a new key whose first call of this name meets the fault.
    async fn rotate(name: &'static str, fault: Fault) -> Self {
        let mut scene = Scene::created().await;
        let process = Faulty::with_named(scene.stack.cloud(), name, 1, fault);
        let mut run = async |event| invoke(&scene.account, &process, &event).await;
        let properties = properties_with(json!({"KeySerial": 2}));
        let update = scene.stack.update(properties, Others::Succeed, &mut run);
        let outcome = update.await;
        assert_eq!(process.struck(), 1, "{process}");
        Self {
            scene,
            process,
            outcome,
        }
    }

    /// A Delete whose first call of this name meets the fault.
    async fn delete(name: &'static str, fault: Fault) -> Self {
        let mut scene = Scene::created().await;
        let process = Faulty::with_named(scene.stack.cloud(), name, 1, fault);
        let mut run = async |event| invoke(&scene.account, &process, &event).await;
        let outcome = scene.stack.delete(&mut run).await;
        assert_eq!(process.struck(), 1, "{process}");
        Self {
            scene,
            process,
            outcome,
        }
    }

    /// How often a call of this name was made.
    fn count(&self, name: &str) -> usize {
        let calls = self.process.calls();
        calls.iter().filter(|call| **call == name).count()
    }

    /// Fails the test unless the stack is complete, and its one key is the one in the secret.
    #[track_caller]
    fn assert_complete_with_one_key(&self) {
        let reason = self.scene.reason();
        assert_eq!(self.outcome, Outcome::Complete, "{reason}");
        self.scene.assert_works(USER, "reads");
        assert_eq!(self.scene.account.keys(USER).len(), 1, "one key");
    }

    /// Fails the test unless the key from before the update is current, and the only one.
    #[track_caller]
    fn assert_key_of_before(&self) {
        let first = self.scene.first_key();
        assert_eq!(self.scene.account.current_key(SECRET), first);
        assert_eq!(
            Some(self.scene.active_keys(USER)),
            first.map(|key| vec![key])
        );
        self.scene.assert_works(USER, "reads");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_create_access_key_answer_leaves_no_orphan() {
    let struck = Struck::create("create_key", 1, Fault::LoseAnswer).await;
    struck.assert_complete_with_one_key();
    assert_eq!(struck.count("create_key"), 2, "nobody has the first secret");
    assert_eq!(struck.count("delete_key"), 1, "the first key is removed");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_between_create_access_key_and_put_secret_value_leaves_no_orphan() {
    let struck = Struck::create("create_key", 1, Fault::KillAfter).await;
    struck.assert_complete_with_one_key();
    assert_eq!(struck.count("create_key"), 2, "nobody has the first secret");
    assert_eq!(struck.count("delete_key"), 1, "the first key is removed");
}

#[tokio::test(start_paused = true)]
async fn a_throttled_create_access_key_is_asked_for_again() {
    let throttled = Fault::Refuse(ErrorKind::Throttled);
    let struck = Struck::create("create_key", 3, throttled).await;
    struck.assert_complete_with_one_key();
    assert_eq!(struck.count("create_key"), 4);
}

#[tokio::test(start_paused = true)]
async fn a_create_access_key_that_a_new_role_is_denied_is_asked_for_again() {
    let denied = Fault::Refuse(ErrorKind::Denied);
    let struck = Struck::create("create_key", 2, denied).await;
    struck.assert_complete_with_one_key();
    assert_eq!(struck.count("create_key"), 3);
}

#[tokio::test(start_paused = true)]
async fn a_refused_create_access_key_fails_at_once_and_leaves_nothing() {
    let refused = Fault::Refuse(ErrorKind::Rejected);
    let struck = Struck::create("create_key", 1, refused).await;
    assert_eq!(struck.outcome, Outcome::RolledBack);
    assert_eq!(struck.count("create_key"), 1);
    struck.scene.assert_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn a_delete_secret_that_a_new_role_is_denied_is_repeated_and_leaves_no_recovery_period() {
    let denied = Fault::Refuse(ErrorKind::Denied);
    let struck = Struck::delete("delete_secret", denied).await;
    let reason = struck.scene.reason();
    assert_eq!(struck.outcome, Outcome::Complete, "{reason}");
    assert!(!struck.scene.account.is_pending_deletion(SECRET));
    assert_eq!(struck.count("delete_secret"), 2);
    struck.scene.assert_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn a_lost_put_secret_value_answer_keeps_the_key_that_was_stored() {
    let struck = Struck::create("store_version", 1, Fault::LoseAnswer).await;
    struck.assert_complete_with_one_key();
    assert_eq!(struck.count("create_key"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_put_secret_value_request_leaves_no_orphan() {
    let struck = Struck::create("store_version", 1, Fault::LoseRequest).await;
    struck.assert_complete_with_one_key();
    assert_eq!(struck.count("create_key"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_put_secret_value_removes_its_key_before_the_answer() {
    let refused = Fault::Refuse(ErrorKind::Rejected);
    let struck = Struck::create("store_version", 1, refused).await;
    assert_eq!(struck.outcome, Outcome::RolledBack);
    assert_eq!(struck.count("delete_key"), 1);
    struck.scene.assert_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn a_lost_create_user_answer_goes_on_with_the_user_that_was_made() {
    let struck = Struck::create("create_user", 1, Fault::LoseAnswer).await;
    struck.assert_complete_with_one_key();
    assert_eq!(struck.count("create_user"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_create_secret_answer_goes_on_with_the_secret_that_was_made() {
    let struck = Struck::create("create_secret", 1, Fault::LoseAnswer).await;
    struck.assert_complete_with_one_key();
    assert_eq!(struck.count("create_secret"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_proof_that_never_ends_is_begun_again_with_another_key() {
    let started = tokio::time::Instant::now();
    let struck = Struck::create("list_objects", 1, Fault::Hang).await;
    assert!(started.elapsed() < TIMEOUT, "{:?}", started.elapsed());
    struck.assert_complete_with_one_key();
    assert_eq!(struck.count("create_key"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refused_proof_leaves_the_old_key_current() {
    let struck = Struck::rotate("list_objects", Fault::Refuse(ErrorKind::Rejected)).await;
    assert_eq!(struck.outcome, Outcome::RolledBack);
    struck.assert_key_of_before();
}

/// A Create whose first answers never reach CloudFormation.
async fn create_with_lost_answers(lost: usize) -> Struck {
    let mut scene = Scene::new().await;
    let process = scene.process();
    let mut answers = 0;
    let mut run = async |event: Value| {
        let answer = invoke(&scene.account, &process, &event).await;
        answers += usize::from(event["RequestType"] == "Create");
        answer.filter(|_| event["RequestType"] != "Create" || answers > lost)
    };
    let create = scene.stack.create(properties(), Others::Succeed, &mut run);
    let outcome = create.await;
    Struck {
        scene,
        process,
        outcome,
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_cloudformation_is_given_again_with_the_same_id_and_key() {
    let struck = create_with_lost_answers(1).await;
    struck.assert_complete_with_one_key();
    assert_eq!(struck.count("create_key"), 1);
    let answer = struck.scene.stack.last_answer().expect("the second one");
    assert_eq!(answer.physical_id(), SECRET);
}

#[tokio::test(start_paused = true)]
async fn when_no_answer_ever_reaches_cloudformation_its_delete_removes_everything() {
    let struck = create_with_lost_answers(usize::MAX).await;
    assert_eq!(struck.outcome, Outcome::RolledBack);
    tokio::time::sleep(Duration::from_secs(60)).await;
    struck.scene.assert_nothing_left();
}
