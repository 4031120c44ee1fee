//! What happens between deployments, days apart: the daily check, and rotations on schedule.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use publisher_s3_access::cloud::Label;
use publisher_s3_access::plan::RotationStep;
use publisher_s3_access::request::buckets::BucketUri;
use tokio::time::sleep;

use super::beside::everything;
use super::made::edit;
use super::{Fault, Told, fault};
use crate::by_hand::Edit;
use crate::keys::{assert_kept, keys, protected};
use crate::scene::{OTHER_SECRET, SECRET, USER};
use kit::account::Account;
use kit::faults::Faulty;
use kit::rotation::{DAY, ROTATION_DAYS, Rotated};
use kit::stack::Others;

/// What happens, with a fault in it or in the update that mends it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Between {
    what: What,
    fault: Option<(usize, Fault)>,
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// The daily check, after a person has edited something.
    Check(Option<Edit>),
    /// Two rotations with all their attempts, the second so many days after Publisher has read with one of the keys.
    Rotations { reads: Label, days: u32 },
    /// A rotation that is given up after so many of its steps.
    GivenUp(usize),
}

pub(super) fn between() -> impl Strategy<Value = Between> {
    let reads = select(vec![Label::Current, Label::Previous]);
    let what = prop_oneof![
        prop::option::of(edit()).prop_map(What::Check),
        (reads, select(vec![0, 6, 9, 11, 40]))
            .prop_map(|(reads, days)| What::Rotations { reads, days }),
        (0..RotationStep::ALL.len()).prop_map(What::GivenUp),
    ];
    (what, fault()).prop_map(|(what, fault)| Between { what, fault })
}

impl Between {
    pub(super) async fn happen(self, told: &mut Told<'_>) {
        let Self { what, fault } = self;
        told.scene.account.take_messages();
        match what {
            What::Check(edit) => check(told, edit, fault).await,
            What::Rotations { reads, days } => {
                rotate(told, None).await;
                read(told, reads);
                sleep(DAY * days).await;
                rotate(told, fault).await;
            }
            What::GivenUp(steps) => {
                give_up(told, steps).await;
                told.update(told.template, Others::Succeed, fault).await;
                told.check().await;
            }
        }
    }
}

/// The secret as the maintenance function of this template looks after it.
fn looked_after(told: &Told<'_>) -> Rotated {
    let template = &told.template;
    let secret = if template.user == USER {
        SECRET
    } else {
        OTHER_SECRET
    };
    Rotated::without_schedule(&told.scene.account, secret)
        .with("BUCKETS", template.bucket)
        .with("POLICY_NAME", template.policy)
        .with("KEY_SERIAL", template.serial.to_string())
        .with("SECRET_RECOVERY_DAYS", template.recovery_days.to_string())
        .with("ROTATION_DAYS", ROTATION_DAYS.to_string())
}

/// A check changes nothing. It tells what a person has broken, and nothing but ages otherwise.
async fn check(told: &mut Told<'_>, edit: Option<Edit>, fault: Option<(usize, Fault)>) {
    let (secret, in_order) = (looked_after(told), everything(&told.scene));
    if let Some(edit) = edit {
        edit.happen(&told.scene.account, told.template.user);
    }
    let before = everything(&told.scene);
    let broken = before != in_order && edit.is_some_and(Edit::breaks);
    let mut process = Faulty::with_all(told.scene.stack.cloud(), fault);
    let mut findings = checked(told, &secret, &process).await;
    for _ in 0..LATE_LOOKS {
        // A check that is shown the stack at work says nothing.
        if broken && findings.is_empty() {
            sleep(DAY).await;
            told.struck(&process);
            process = told.scene.process();
            findings = checked(told, &secret, &process).await;
        }
    }
    told.struck(&process);
    told.count("checks");
    told.count_all("findings told", findings.len());
    if let Some(edit) = edit {
        assert!(
            !broken || !findings.is_empty(),
            "nobody hears of {edit:?}: {process}"
        );
        told.edited.push(edit);
        told.check().await;
    } else if told.is_clean {
        // Findings of age, and AWS's quarantine, which no update lifts.
        let stays = ["though key `", "and stays until", "AWS has found a key"];
        let stays = |line: &String| stays.iter().any(|part| line.contains(part));
        assert!(findings.iter().all(stays), "{findings:?}: {process}");
    }
}

/// The check of a day, and what it tells.
async fn checked(told: &Told<'_>, secret: &Rotated, process: &Faulty<Account>) -> Vec<String> {
    let before = everything(&told.scene);
    let event = secret.daily();
    if !matches!(secret.invoke(process, &event).await, Some(Ok(()))) {
        // Lambda repeats what failed.
        let again = secret.invoke(&told.scene.process(), &event).await;
        assert_eq!(again, Some(Ok(())), "{process}");
    }
    let after = everything(&told.scene);
    assert_eq!(after, before, "a check changes nothing: {process}");
    let messages = told.scene.account.take_messages();
    let lines = messages.iter().flat_map(|message| message.text.lines());
    let findings = lines.filter(|line| line.starts_with("- "));
    findings.map(str::to_owned).collect()
}

/// How many looks at most are shown late.
const LATE_LOOKS: usize = 2;

/// Publisher reads with the key under this label, if there is one.
fn read(told: &Told<'_>, label: Label) {
    let account = &told.scene.account;
    let secret = format!("publisher/{}", told.template.user);
    let key = account.key_under(&secret, label);
    if let Some(key) = key.and_then(|id| account.whole_key(&id)) {
        let bucket = BucketUri::parse(told.template.bucket).expect("a bucket");
        account.by_hand().reads(&key, &bucket);
    }
}

/// A rotation never ends a key in use, and the key in use works after every single call.
async fn rotate(told: &mut Told<'_>, fault: Option<(usize, Fault)>) {
    let (secret, user) = (looked_after(told), told.template.user);
    let (scene, name) = (&told.scene, secret.name);
    let account = &scene.account;
    account.by_hand().enable_rotation(name);
    let window = DAY * u32::try_from(ROTATION_DAYS / 3).expect("few");
    let protected = protected(account, user, window.max(DAY * 7)).await;
    let (current, before) = (account.current_key(name), keys(account, user).await);
    account.watch(user);
    let process = Faulty::with_all(scene.stack.cloud(), fault);
    // A label that a person has added looks like a rotation under way.
    let Ok(token) = account.begin_rotation(name) else {
        account.watch_no_more();
        return;
    };
    let done = secret.go_on(&process, &token).await;
    account.watch_no_more();
    let what = match (&done, &protected) {
        (Ok(()), None) => {
            assert_ne!(account.current_key(name), current, "{process}");
            let moved = secret.label_moved();
            let told = secret.invoke(&scene.process(), &moved).await;
            assert_eq!(told, Some(Ok(())));
            "rotations"
        }
        // A fault may hide when the key was last used.
        (Err(_), protected) if protected.is_some() || process.struck() > 0 => {
            assert_eq!(account.version_under(name, Label::Pending), None);
            "rotations held up"
        }
        (done, protected) => panic!("{done:?} with {protected:?} protected: {process}"),
    };
    let messages = account.take_messages();
    assert!(!messages.is_empty(), "{what}, and nobody is told");
    scene.assert_works_but(user, told.template.bucket, 2);
    assert_kept(&before, &keys(account, user).await);
    told.struck(&process);
    told.count(what);
}

/// Secrets Manager begins a rotation, and somebody or something ends its attempts.
async fn give_up(told: &mut Told<'_>, steps: usize) {
    let secret = looked_after(told);
    told.scene.account.by_hand().enable_rotation(secret.name);
    let Ok(token) = told.scene.account.begin_rotation(secret.name) else {
        return;
    };
    for step in &RotationStep::ALL[..steps] {
        let ended = secret.step(&told.scene.process(), *step, &token).await;
        if !matches!(ended, Some(Ok(()))) {
            break;
        }
    }
    told.count("rotations given up");
    // Longer than an update waits for a rotation under way.
    sleep(Duration::from_secs(3600)).await;
}
