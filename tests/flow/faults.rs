//! Whichever call fails, in whatever way, the stack ends as CloudFormation says, and nothing is orphaned.
//!
//! For every operation, a loop makes the `k`-th call, of the operation or of what CloudFormation sends after it, meet
//! every kind of fault, until a run has fewer than `k` calls. A new call is covered the day it is written.

/// A test for each operation.
macro_rules! operations {
    ($check:ident: $($name:ident = $operation:expr;)*) => {
        $(
            #[tokio::test(start_paused = true)]
            async fn $name() {
                $check($operation).await;
            }
        )*
    };
}

mod operation;
mod views;

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use publisher_s3_access::cloud::ErrorKind;
use serde_json::Value;

use self::operation::Operation;
use crate::scene::Scene;
use crate::tries_all;
use kit::account::cloudformation::ViewLag;
use kit::account::{Lags, Missing};
use kit::faults::{Fault, Faulty};
use kit::function::invoke;
use kit::stack::Others::{Fail, Succeed};
use kit::stack::Outcome;

/// Faults in an operation, in a world that lags or does not.
#[derive(Clone, Debug)]
struct Strike {
    faults: Faults,
    lags: Lags,
    views: ViewLag,
}

#[derive(Clone, Debug)]
enum Faults {
    /// These calls fail, once; what is repeated then works.
    Once(Vec<(usize, Fault)>),
    /// This call fails in every attempt at the first request. What CloudFormation sends after it works.
    EveryAttempt(usize, Fault),
    /// Nothing works from this call until CloudFormation is done. Then a person tries again.
    Outage(usize, ErrorKind),
}

impl Faults {
    /// How many must strike at least if none comes too late.
    fn expected(&self) -> usize {
        match self {
            Self::Once(faults) => faults.len(),
            Self::EveryAttempt(..) | Self::Outage(..) => 1,
        }
    }
}

/// In a world without lags.
fn promptly(faults: Faults) -> Strike {
    Strike {
        faults,
        lags: Lags::default(),
        views: ViewLag::default(),
    }
}

/// How a run with faults went.
struct Run {
    scene: Scene,
    outcome: Outcome,
    /// How many faults have struck.
    struck: usize,
}

impl Strike {
    /// Whether every answer must leave every key stored. (After a call that hangs or kills, or a lost answer, the next
    /// run may have to remove one key. The same holds if a second fault meets the removal of the key.)
    fn leaves_no_excuse(&self) -> bool {
        matches!(&self.faults, Faults::Once(faults) if matches!(faults[..], [(_, Fault::Refuse(_))]))
    }

    async fn run(&self, operation: Operation, before: &Scene) -> Run {
        let mut scene = before.fork();
        scene.account.lag(self.lags);
        scene.account.view_lags(self.views);
        let (account, cloud) = (scene.account.clone(), scene.stack.cloud());
        let lasting = match &self.faults {
            Faults::Once(faults) => Faulty::with_all(cloud.clone(), faults.iter().copied()),
            Faults::Outage(from, kind) => Faulty::with_outage(cloud.clone(), *from, *kind),
            Faults::EveryAttempt(..) => Faulty::new(cloud.clone()),
        };
        let mut first = None;
        let mut struck = 0;
        let run = async |event: Value| {
            let is_first = *first.get_or_insert_with(|| event.clone()) == event;
            let process = match &self.faults {
                Faults::EveryAttempt(k, fault) if is_first => {
                    Faulty::with(cloud.clone(), *k, *fault)
                }
                Faults::Once(_) | Faults::Outage(..) | Faults::EveryAttempt(..) => lasting.clone(),
            };
            let answer = invoke(&account, &process, &event).await;
            struck = struck.max(process.struck());
            if self.leaves_no_excuse() && answer.is_some() {
                account.check_all_stored();
            }
            answer
        };
        let outcome = operation.happen(&mut scene.stack, run).await;
        Run {
            scene,
            outcome,
            struck,
        }
    }

    /// Runs the operation, and checks what must hold after it. Returns how many faults have struck.
    async fn survive(&self, operation: Operation, before: &Scene) -> usize {
        let Run {
            mut scene,
            outcome,
            struck,
        } = self.run(operation, before).await;
        scene.account.note(format_args!("-- {outcome:?}"));
        assert!(
            struck > 0 || outcome == operation.without_faults(),
            "{}",
            scene.reason()
        );
        tokio::time::sleep(SETTLED).await;
        let outcome = operation.mend(&mut scene, outcome).await;
        let lost = match &self.faults {
            Faults::Once(faults) if faults.len() < 2 => 0,
            Faults::Once(_) | Faults::EveryAttempt(..) | Faults::Outage(..) => 1,
        };
        operation.check(&scene, outcome, lost);
        tokio::time::sleep(SETTLED).await;
        let ended = scene.delete().await;
        assert_eq!(ended, Outcome::Complete, "{}", scene.reason());
        operation.check_removed(&scene);
        struck
    }
}

/// Makes all these strikes happen, in each series until one comes too late, and returns how many faults struck. Reports
/// every failure, not only the first.
async fn survive_all<S: Iterator<Item = Strike>>(
    operation: Operation,
    series: impl IntoIterator<Item = S>,
) -> usize {
    let before = operation.scene().await;
    tokio::time::sleep(SETTLED).await;
    let (mut runs, mut faults) = (0, 0);
    let mut failures = Vec::new();
    for strikes in series {
        for strike in strikes {
            runs += 1;
            let run = AssertUnwindSafe(strike.survive(operation, &before)).catch_unwind();
            match run.await {
                Ok(struck) if struck < strike.faults.expected() => break,
                Ok(struck) => faults += struck,
                Err(panic) => failures.push(format!("{strike:?}: {}", words(panic.as_ref()))),
            }
            if failures.len() > MANY {
                break;
            }
        }
    }
    let of = failures.len();
    failures.truncate(3);
    assert!(
        failures.is_empty(),
        "{operation:?}: {of} of {runs} runs failed, among them\n{}",
        failures.join("\n\n")
    );
    tell(operation, runs, faults);
    faults
}

#[expect(clippy::print_stdout, reason = "the figures that `make test` shows")]
fn tell(operation: Operation, runs: usize, faults: usize) {
    println!("{operation:?}: {runs} runs, {faults} faults");
}

pub(crate) fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without words")
}

/// Longer than anything lags.
const SETTLED: Duration = Duration::from_secs(60);

/// After this many failures, the test stops.
const MANY: usize = 20;

/// More calls than any operation has.
const ENDLESS: usize = 1000;

/// Every call meets every fault, once.
async fn every_fault_at_every_call(operation: Operation) {
    let at_every_call = |fault| (0..ENDLESS).map(move |k| promptly(Faults::Once(vec![(k, fault)])));
    let faults = survive_all(operation, Fault::ALL.map(at_every_call)).await;
    assert!(
        faults >= 10 * Fault::ALL.len(),
        "{operation:?} met only {faults} faults"
    );
}

operations! { every_fault_at_every_call:
    a_create_survives_every_fault = Operation::Create(Succeed);
    a_create_beside_a_failing_resource_survives_every_fault = Operation::Create(Fail);
    a_take_over_survives_every_fault = Operation::TakeOver(Succeed);
    a_take_over_beside_a_failing_resource_survives_every_fault = Operation::TakeOver(Fail);
    a_change_survives_every_fault = Operation::Change(Succeed);
    a_change_that_is_rolled_back_survives_every_fault = Operation::Change(Fail);
    a_rotation_survives_every_fault = Operation::Rotate(Succeed);
    a_rotation_that_is_rolled_back_survives_every_fault = Operation::Rotate(Fail);
    a_second_rotation_survives_every_fault = Operation::RotateAgain(Succeed);
    a_second_rotation_that_is_rolled_back_survives_every_fault = Operation::RotateAgain(Fail);
    a_replacement_survives_every_fault = Operation::Replace(Succeed);
    a_replacement_that_is_rolled_back_survives_every_fault = Operation::Replace(Fail);
    a_deletion_survives_every_fault = Operation::Delete;
}

/// The process dies in every attempt at the same call, so nobody answers, and CloudFormation gives up.
async fn nobody_answers(operation: Operation) {
    let at_every_call = |fault| (0..ENDLESS).map(move |k| promptly(Faults::EveryAttempt(k, fault)));
    let faults = survive_all(
        operation,
        [Fault::Kill, Fault::KillAfter].map(at_every_call),
    )
    .await;
    assert!(faults >= 20, "{operation:?} met only {faults} faults");
}

operations! { nobody_answers:
    a_create_that_nobody_answers_leaves_nothing = Operation::Create(Succeed);
    a_take_over_that_nobody_answers_leaves_nothing_half = Operation::TakeOver(Succeed);
    a_change_that_nobody_answers_is_rolled_back = Operation::Change(Succeed);
    a_rotation_that_nobody_answers_is_rolled_back = Operation::Rotate(Succeed);
    a_second_rotation_that_nobody_answers_is_rolled_back = Operation::RotateAgain(Succeed);
    a_replacement_that_nobody_answers_is_rolled_back = Operation::Replace(Succeed);
    a_deletion_that_nobody_answers_can_be_repeated = Operation::Delete;
}

/// From some call on, the role may do nothing, or IAM is down, until CloudFormation has given up.
async fn outage(operation: Operation) {
    let from_every_call = |kind| (0..ENDLESS).map(move |k| promptly(Faults::Outage(k, kind)));
    let kinds = [
        ErrorKind::Denied,
        ErrorKind::Indeterminate,
        ErrorKind::Throttled,
    ];
    let faults = survive_all(operation, kinds.map(from_every_call)).await;
    assert!(faults >= 30, "{operation:?} met only {faults} faults");
}

operations! { outage:
    a_create_in_an_outage_can_be_removed = Operation::Create(Succeed);
    a_take_over_in_an_outage_can_be_removed = Operation::TakeOver(Succeed);
    a_change_in_an_outage_can_be_rolled_back = Operation::Change(Succeed);
    a_rotation_in_an_outage_can_be_rolled_back = Operation::Rotate(Succeed);
    a_second_rotation_in_an_outage_can_be_rolled_back = Operation::RotateAgain(Succeed);
    a_replacement_in_an_outage_can_be_rolled_back = Operation::Replace(Succeed);
    a_deletion_in_an_outage_can_be_repeated = Operation::Delete;
}

/// In a world that lags, the two faults that matter most: the answer is lost, or the process dies after the call.
async fn lagging(operation: Operation) {
    let second = Duration::from_secs(1);
    let lags = Lags {
        user: 3 * second,
        tags: 5 * second,
        key: 4 * second,
        key_list: 6 * second,
        key_deletion: 2 * second,
        policy: 7 * second,
        last_use: Duration::ZERO,
        missing: Missing::IsDenied,
    };
    let at_every_call = |fault| {
        (0..ENDLESS).map(move |k| Strike {
            faults: Faults::Once(vec![(k, fault)]),
            lags,
            views: ViewLag::default(),
        })
    };
    let faults = [Fault::LoseAnswer, Fault::KillAfter, Fault::HangAfter].map(at_every_call);
    let faults = survive_all(operation, faults).await;
    assert!(faults >= 30, "{operation:?} met only {faults} faults");
}

operations! { lagging:

    a_create_survives_lags_and_faults = Operation::Create(Succeed);
    a_change_survives_lags_and_faults = Operation::Change(Succeed);
    a_rotation_survives_lags_and_faults = Operation::Rotate(Succeed);
    a_second_rotation_survives_lags_and_faults = Operation::RotateAgain(Succeed);

    a_replacement_survives_lags_and_faults = Operation::Replace(Succeed);
    a_deletion_survives_lags_and_faults = Operation::Delete;
}

/// Two calls fail. The second may be in what the first one caused: a repetition, a clean-up or a rollback.
async fn two_faults(operation: Operation) {
    let pairs = [
        (
            Fault::Refuse(ErrorKind::Rejected),
            Fault::Refuse(ErrorKind::Rejected),
        ),
        (Fault::LoseAnswer, Fault::KillAfter),
        (Fault::KillAfter, Fault::LoseAnswer),
    ];
    let after_every_call = pairs.into_iter().flat_map(|(one, other)| {
        let step = if tries_all() { 1 } else { 2 };
        (0..calls(operation)).step_by(step).map(move |k| {
            (k + 1..ENDLESS).map(move |j| promptly(Faults::Once(vec![(k, one), (j, other)])))
        })
    });
    let faults = survive_all(operation, after_every_call).await;
    assert!(faults >= 250, "{operation:?} met only {faults} faults");
}

/// The most calls that the operation has before the first fault.
fn calls(operation: Operation) -> usize {
    match operation {
        Operation::Delete => 20,
        Operation::Create(_) | Operation::Change(_) | Operation::Rotate(_) => 30,
        Operation::TakeOver(_) | Operation::RotateAgain(_) | Operation::Replace(_) => 40,
    }
}

operations! { two_faults:
    a_create_survives_two_faults = Operation::Create(Succeed);
    a_change_survives_two_faults = Operation::Change(Succeed);
    a_rotation_survives_two_faults = Operation::Rotate(Succeed);
    a_second_rotation_survives_two_faults = Operation::RotateAgain(Succeed);
    a_replacement_survives_two_faults = Operation::Replace(Succeed);
    a_deletion_survives_two_faults = Operation::Delete;
}
