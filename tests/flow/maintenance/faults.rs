//! Whichever call of a check fails, in whatever way, nothing is changed and nothing false is reported.

use publisher_s3_access::cloud::ErrorKind;
use tokio::time::Instant;

use super::watched;
use crate::scene::{Scene, USER};
use kit::account::OTHER_BOUNDARY;
use kit::account::s3::BucketPolicy;
use kit::faults::{Fault, Faulty};
use kit::rotation::Rotated;

/// More calls than a check has.
const ENDLESS: usize = 1000;

/// Checks with a fault at the `k`-th call, and returns whether the fault has struck.
async fn checked(scene: &Scene, secret: &Rotated, process: &Faulty<kit::account::Account>) -> bool {
    let before = scene.everything();
    scene.account.take_messages();
    let ended = secret.invoke(process, &secret.daily()).await;
    assert_eq!(
        scene.everything(),
        before,
        "{process}: a check changes nothing"
    );
    let silent = scene.account.messages().is_empty();
    // Lambda repeats a failed invocation.
    if !matches!(ended, Some(Ok(()))) {
        let again = secret.invoke(&scene.process(), &secret.daily()).await;
        assert_eq!(again, Some(Ok(())), "{process}");
    }
    assert!(silent || process.struck() > 0 || !scene.account.messages().is_empty());
    process.struck() > 0
}

#[expect(clippy::print_stdout, reason = "the figures that `make test` shows")]
fn report(what: &str, runs: usize) {
    println!("{what}: {runs} faults");
}

#[tokio::test(start_paused = true)]
async fn a_check_of_a_healthy_stack_reports_nothing_under_any_fault() {
    let mut runs = 0;
    let (living, secret) = watched().await;
    let then = Instant::now();
    for fault in Fault::ALL {
        for k in 0..ENDLESS {
            let (scene, secret) = copied(&living, &secret, then);
            let process = Faulty::with(scene.stack.cloud(), k, fault);
            if !checked(&scene, &secret, &process).await {
                break;
            }
            runs += 1;
            assert_eq!(scene.account.messages(), [], "{process}");
        }
    }
    assert!(runs > 100, "only {runs} faults");
    report("check of a healthy stack", runs);
}

#[tokio::test(start_paused = true)]
async fn a_check_in_an_outage_reports_nothing_false() {
    for kind in [
        ErrorKind::Denied,
        ErrorKind::Indeterminate,
        ErrorKind::Throttled,
    ] {
        for k in 0..ENDLESS {
            let (scene, secret) = watched().await;
            let process = Faulty::with_outage(scene.stack.cloud(), k, kind);
            let before = scene.everything();
            drop(secret.invoke(&process, &secret.daily()).await);
            assert_eq!(scene.everything(), before, "{process}");
            assert_eq!(scene.account.messages(), [], "{process}");
            if process.struck() == 0 {
                assert!(k > 10, "only {k} calls");
                break;
            }
        }
    }
}

/// Whatever fails, this check or its repetition reports what is wrong.
#[tokio::test(start_paused = true)]
async fn a_check_of_a_broken_stack_reports_it_under_any_fault() {
    let mut runs = 0;
    let (living, secret) = watched().await;
    let then = Instant::now();
    for fault in Fault::ALL {
        for k in 0..ENDLESS {
            let (scene, secret) = copied(&living, &secret, then);
            let by_hand = scene.account.by_hand();
            by_hand.set_boundary(USER, Some(OTHER_BOUNDARY));
            scene
                .account
                .bucket_policy("reads", BucketPolicy::DeniesGet);
            let process = Faulty::with(scene.stack.cloud(), k, fault);
            let struck = checked(&scene, &secret, &process).await;
            let messages = scene.account.messages();
            let last = messages
                .last()
                .unwrap_or_else(|| panic!("{process}: nobody is told"));
            assert!(last.text.contains("bound the user"), "{process}: {last:?}");
            let about = &last.machine["findings"][0]["about"];
            assert!(
                about == "access" || about == "unanswered",
                "{process}: {last:?}"
            );
            // Twice only if SNS took the first one and the answer was lost.
            assert!(messages.len() <= 2, "{process}: {messages:?}");
            if !struck {
                break;
            }
            runs += 1;
        }
    }
    assert!(runs > 150, "only {runs} faults");
    report("check of a broken stack", runs);
}

/// An independent copy in which no time has passed.
fn copied(living: &Scene, secret: &Rotated, then: Instant) -> (Scene, Rotated) {
    let scene = living.fork();
    scene.account.rewind(then);
    let secret = secret.in_copy(&scene.account);
    (scene, secret)
}
