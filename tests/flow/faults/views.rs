//! `CloudFormation` shows its stacks late. Every operation still ends as it would without the lag, even if a call fails
//! too.

use std::time::Duration;

use super::operation::Operation;
use super::{ENDLESS, Faults, SETTLED, Strike, survive_all};
use kit::account::Lags;
use kit::account::cloudformation::ViewLag;
use kit::faults::Fault;
use kit::stack::Others::{Fail, Succeed};

const fn late(seconds: u64, looks: u32) -> ViewLag {
    ViewLag {
        time: Duration::from_secs(seconds),
        looks,
    }
}

/// How late. The function believes an answer that stays for 20 seconds.
const LATE: [ViewLag; 7] = [
    late(0, 1),
    late(0, 2),
    late(0, 3),
    late(5, 0),
    late(15, 0),
    late(5, 3),
    late(15, 1),
];

const OPERATIONS: [Operation; 13] = [
    Operation::Create(Succeed),
    Operation::Create(Fail),
    Operation::TakeOver(Succeed),
    Operation::TakeOver(Fail),
    Operation::Change(Succeed),
    Operation::Change(Fail),
    Operation::Rotate(Succeed),
    Operation::Rotate(Fail),
    Operation::RotateAgain(Succeed),
    Operation::RotateAgain(Fail),
    Operation::Replace(Succeed),
    Operation::Replace(Fail),
    Operation::Delete,
];

#[tokio::test(start_paused = true)]
#[expect(clippy::print_stdout, reason = "the figures that `make test` shows")]
async fn every_operation_ends_as_it_does_when_nothing_is_shown_late() {
    let (mut runs, mut failures) = (0, Vec::new());
    for operation in OPERATIONS {
        let before = operation.scene().await;
        tokio::time::sleep(SETTLED).await;
        for views in LATE {
            let strike = Strike {
                faults: Faults::Once(Vec::new()),
                lags: Lags::default(),
                views,
            };
            let run = strike.run(operation, &before).await;
            runs += 1;
            if run.outcome != operation.without_faults() {
                let log = run.scene.account.log().join("\n  ");
                failures.push(format!(
                    "{operation:?} {views:?}: {}\n  {log}",
                    run.scene.reason()
                ));
                continue;
            }
            strike.survive(operation, &before).await;
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {runs}: {}",
        failures.len(),
        failures.join("\n\n")
    );
    println!("{runs} operations shown late");
}

/// The answer of a call is lost, or the process dies after it.
async fn faults_of(operation: Operation) {
    let at_every_call = |(fault, views)| {
        (0..ENDLESS).map(move |k| Strike {
            faults: Faults::Once(vec![(k, fault)]),
            lags: Lags::default(),
            views,
        })
    };
    let series = [
        (Fault::LoseAnswer, late(0, 2)),
        (Fault::KillAfter, late(5, 0)),
        (Fault::KillAfter, late(15, 1)),
    ];
    let faults = survive_all(operation, series.map(at_every_call)).await;
    assert!(faults >= 20, "{operation:?} met only {faults} faults");
}

operations! { faults_of:
    a_create_that_is_shown_late_survives_faults = Operation::Create(Succeed);
    a_change_that_is_shown_late_survives_faults = Operation::Change(Succeed);
    a_rotation_that_is_shown_late_survives_faults = Operation::Rotate(Succeed);
    a_replacement_that_is_shown_late_survives_faults = Operation::Replace(Succeed);
    a_replacement_that_is_rolled_back_and_shown_late_survives_faults = Operation::Replace(Fail);
    a_deletion_that_is_shown_late_survives_faults = Operation::Delete;
}
