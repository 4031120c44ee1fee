//! What becomes of the keys: one test for each rule.

use super::super::{End, OnFailure, Plan, Step, Whose};
use super::world::{STACK, World, id, now, stored, version};
use crate::cloud::{CloudError, ErrorKind, KeyStatus, Label, SecretState, StackOperation};
use crate::observe::Ownership;
use crate::request::owner::{Owner, StackId};
use serde_json::json;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// What a plan does to keys and labels, each in two words.
fn of(plan: &Plan) -> Vec<String> {
    let short = |key: &crate::cloud::AccessKeyId| {
        key.as_str()
            .trim_start_matches("AKIA")
            .trim_start_matches('0')
            .to_owned()
    };
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the steps that concern keys, of all"
    )]
    let mut all: Vec<String> = plan
        .steps()
        .filter_map(|step| match step {
            Step::DeleteKey(key) => Some(format!("end {}", short(key))),
            Step::MakeKey(new) => Some(format!("make {}", new.serial)),
            Step::MoveLabel { to: Some(to), .. } => Some(format!("back {}", to.0)),
            Step::MoveLabel {
                label, to: None, ..
            } => Some(format!("drop {}", label.as_str())),
            Step::AskCloudFormation => Some("ask".to_owned()),
            Step::Prove(proof) => Some(match (proof.whose, proof.trial.on_failure) {
                (Whose::Current, OnFailure::FailIfAccepted) => {
                    format!("try {}", short(&proof.key.id))
                }
                (_, _) => format!("prove {}", short(&proof.key.id)),
            }),
            _ => None,
        })
        .collect();
    if let End::ObserveAgain(_) = plan.end {
        all.push("again".to_owned());
    }
    all
}

#[track_caller]
fn assert_keys(world: &World, expected: &[&str]) {
    match world.update() {
        Ok(plan) => assert_eq!(of(&plan), expected, "{plan}"),
        Err(refusal) => panic!("{refusal}"),
    }
}

/// A settled world whose template asks for this number.
fn raised(mut world: World, serial: u64) -> World {
    world.new["KeySerial"] = json!(serial);
    world
}

#[test]
fn a_number_above_all_others_makes_a_key_and_keeps_the_current_one() {
    assert_keys(&raised(World::settled(), 2), &["make 2"]);
}

#[test]
fn a_number_that_was_reached_before_makes_none() {
    for serial in [1, 2] {
        let mut world = raised(World::rotated(), serial);
        world.old["KeySerial"] = json!(1);
        assert_keys(&world, &[]);
    }
    // The previous properties count, and so does the number of any version that was read.
    let mut world = raised(World::settled(), 5);
    world.old["KeySerial"] = json!(5);
    assert_keys(&world, &[]);
    let mut world = raised(World::settled(), 5);
    world.keep_in("old", stored("K9", 7));
    assert_keys(&world, &[]);
}

/// Somebody has saved the value with a lower number since.
#[test]
fn a_rollback_asks_for_no_key_whatever_the_secret_says() {
    let mut world = raised(World::settled(), 3);
    assert_keys(&world, &["make 3"]);
    world.observed.operation = StackOperation::Rollback;
    assert_keys(&world, &[]);
}

#[test]
fn a_new_key_stores_the_larger_number() {
    let mut world = raised(World::rotated(), 1);
    world.user().keys[1].status = KeyStatus::Inactive;
    assert_keys(&world, &["end K2", "make 2"]);
}

#[test]
fn a_stored_number_out_of_range_counts_as_none() {
    let mut world = raised(World::settled(), 2);
    world.store("v2", Label::Current, stored("K1", 1_000_000_000));
    world.user().keys.dedup();
    assert_keys(&world, &["make 2"]);
}

#[test]
fn a_deactivated_current_key_is_replaced_and_never_activated() {
    let mut world = World::settled();
    world.user().keys[0].status = KeyStatus::Inactive;
    assert_keys(&world, &["make 1"]);
}

#[test]
fn without_any_key_of_the_user_a_new_one_is_made() {
    let mut world = World::settled();
    world.user().keys.clear();
    assert_keys(&world, &["make 1"]);
    let mut world = World::settled();
    world.secret().stored.insert(version("v1"), None);
    assert_keys(&world, &["make 1"]);
}

#[test]
fn a_key_that_is_not_listed_yet_is_waited_for_while_its_version_is_young() {
    let mut world = World::settled();
    world.user().keys.clear();
    world.stored_ago("v1", Duration::from_secs(19));
    assert_keys(&world, &["again"]);
    world.stored_ago("v1", Duration::from_secs(20));
    assert_keys(&world, &["make 1"]);
}

#[test]
fn the_current_label_goes_back_to_the_previous_version_or_else_to_the_newest_that_works() {
    let mut world = World::rotated();
    world.user().keys.retain(|key| key.id == id("K1"));
    assert_keys(&world, &["back v1", "again"]);
    // An edited secret: both labels are on values without a key.
    let mut world = World::rotated();
    let labels = std::mem::take(&mut world.secret().secret.labels);
    for (edited, original) in [("edit2", "v2"), ("edit1", "v1")] {
        let labels = labels[&version(original)].clone();
        world.secret().secret.labels.insert(version(edited), labels);
        world.secret().stored.insert(version(edited), None);
    }
    world.stored_ago("v2", MINUTE);
    assert_keys(&world, &["back v2", "again"]);
    // Not to a deactivated key.
    world.user().keys[1].status = KeyStatus::Inactive;
    assert_keys(&world, &["back v1", "again"]);
}

#[test]
fn another_users_key_does_not_count() {
    let mut world = World::settled();
    let mut theirs = stored("K1", 1);
    theirs.user = "publisher-other".into();
    world.secret().stored.insert(version("v1"), Some(theirs));
    assert_keys(&world, &["make 1"]);
}

#[test]
fn room_is_made_in_the_order_of_inactive_lost_old_previous() {
    let full = || raised(World::rotated(), 3);
    let mut world = full();
    assert_keys(&world, &["ask", "try K2", "end K1", "make 3"]);
    // An inactive key goes without asking, whoever holds it.
    world.user().keys[0].status = KeyStatus::Inactive;
    assert_keys(&world, &["end K1", "make 3"]);
    // An old key, and not the previous one. IAM has been seen to let a third key through.
    let mut world = full();
    world.keep_in("old", stored("K3", 1));
    world.list(&id("K3"), KeyStatus::Active);
    assert_keys(&world, &["ask", "try K2", "end K3", "end K1", "make 3"]);
    // A lost one before that.
    let mut world = full();
    world.list(&id("K4"), KeyStatus::Active);
    world.keep_in("old", stored("K3", 1));
    world.list(&id("K3"), KeyStatus::Active);
    assert_keys(
        &world,
        &["ask", "try K2", "end K4", "end K3", "end K1", "make 3"],
    );
}

#[test]
fn the_oldest_key_of_a_kind_goes_first() {
    let mut world = raised(World::settled(), 2);
    for (key, hours) in [("K5", 1), ("K6", 2)] {
        world.list(&id(key), KeyStatus::Inactive);
        world.made(key, MINUTE * 60 * hours);
    }
    assert_keys(&world, &["end K6", "end K5", "make 2"]);
}

#[test]
fn a_key_of_a_version_that_was_not_read_may_be_old_and_not_lost() {
    let mut world = raised(World::rotated(), 3);
    world.secret().secret.labels.remove(&version("v1"));
    world.secret().stored.remove(&version("v1"));
    world.made("K1", Duration::from_secs(30));
    assert_keys(&world, &["again"]);
    world.secret().unread = true;
    assert_keys(&world, &["ask", "try K2", "end K1", "make 3"]);
}

#[test]
fn a_lost_key_in_flight_is_waited_for_only_where_room_needs_it() {
    let with_lost = |serial, seconds| {
        let mut world = raised(World::settled(), serial);
        world.list(&id("K9"), KeyStatus::Active);
        world.made("K9", Duration::from_secs(seconds));
        world
    };
    assert_keys(&with_lost(1, 99), &[]);
    assert_keys(&with_lost(2, 99), &["again"]);
    assert_keys(&with_lost(2, 100), &["ask", "try K1", "end K9", "make 2"]);
}

#[test]
fn the_key_of_a_rotation_under_way_is_not_ended_for_room() {
    let rotating = |serial, minutes| {
        let mut world = raised(World::settled(), serial);
        world.store("v2", Label::Pending, stored("K2", 1));
        world.stored_ago("v2", MINUTE * minutes);
        world
    };
    assert_eq!(rotating(2, 14).plan(), "refused: RotationUnderWay");
    assert_keys(&rotating(1, 14), &[]);
    // It is stale after 15 minutes. The label goes, and its key only if room is needed.
    assert_keys(&rotating(1, 15), &["drop AWSPENDING"]);
    assert_keys(
        &rotating(2, 15),
        &["drop AWSPENDING", "ask", "try K1", "end K2", "make 2"],
    );
}

#[test]
fn a_rotation_without_a_key_holds_nothing_up() {
    let mut world = raised(World::settled(), 2);
    world.await_rotation("v2");
    assert_keys(&world, &["make 2"]);
}

#[test]
fn the_label_on_the_current_version_goes_only_with_that_version() {
    let mut world = World::rotated();
    let labels = world.secret().secret.labels.get_mut(&version("v2"));
    labels.unwrap().insert(Label::Pending.as_str().to_owned());
    assert_keys(&world, &[]);
    let world = raised(world, 3);
    assert_keys(
        &world,
        &["drop AWSPENDING", "ask", "try K2", "end K1", "make 3"],
    );
}

#[test]
fn the_label_of_release_0_2_0_goes_alone() {
    let mut world = World::settled();
    world.store("v2", Label::Candidate, stored("K2", 2));
    assert_keys(&world, &["drop PublisherCandidate"]);
}

#[test]
fn no_key_is_tried_with_the_proof_off_or_where_nothing_active_goes() {
    let mut world = raised(World::rotated(), 3);
    world.old["VerifyAccess"] = json!(false);
    world.new["VerifyAccess"] = json!(false);
    assert_keys(&world, &["ask", "end K1", "make 3"]);
}

#[test]
fn lost_keys_younger_than_the_request_go_once_its_own_is_current() {
    let crashed = |current: Duration, lost: Duration| {
        let mut world = World::settled();
        world.made("K1", current);
        world.list(&id("K9"), KeyStatus::Active);
        world.made("K9", lost);
        world.sent = now() - MINUTE;
        world
    };
    let (before, since) = (MINUTE * 2, MINUTE / 2);
    assert_keys(&crashed(since, since), &["end K9"]);
    assert_keys(&crashed(since, before), &[]);
    assert_keys(&crashed(before, since), &[]);
    // In the same second: nobody can tell.
    assert_keys(&crashed(since, MINUTE), &[]);
    // About to make its own.
    let mut world = World::settled();
    world.user().keys.clear();
    world.list(&id("K9"), KeyStatus::Active);
    world.made("K9", since);
    world.sent = now() - MINUTE;
    assert_keys(&world, &["make 1", "end K9"]);
}

#[test]
fn a_number_that_was_reached_before_is_told_with_the_number_to_exceed() {
    let asked = |mut world: World, before: u64, serial: u64| {
        world.old["KeySerial"] = json!(before);
        world.new["KeySerial"] = json!(serial);
        world.warnings()
    };
    let [warning] = &asked(World::rotated(), 1, 2)[..] else {
        panic!()
    };
    assert!(warning.contains("set `KeySerial` to 3"), "{warning}");
    assert!(asked(World::rotated(), 2, 2).is_empty());
    assert!(asked(World::rotated(), 2, 1).is_empty());
    // The key of this very request.
    let mut own = World::rotated();
    own.sent = now() - MINUTE * 90;
    assert!(asked(own, 1, 2).is_empty());
    let mut highest = World::settled();
    highest
        .secret()
        .stored
        .insert(version("v1"), Some(stored("K1", 999_999_999)));
    let [warning] = &asked(highest, 1, 2)[..] else {
        panic!()
    };
    assert!(warning.contains("`UserName`"), "{warning}");
}

#[test]
fn old_and_lost_keys_that_stay_are_told_with_the_command_that_ends_them() {
    let mut world = World::settled();
    world.list(&id("K9"), KeyStatus::Active);
    world.used("K9", None);
    let [warning] = &world.warnings()[..] else {
        panic!()
    };
    let command = format!(
        "`aws iam delete-access-key --user-name publisher-connectors --access-key-id {}`",
        id("K9").as_str()
    );
    assert!(warning.contains(&command), "{warning}");
    assert!(
        World::rotated().warnings().is_empty(),
        "the previous one is no finding"
    );
}

#[test]
fn a_restored_secret_of_a_previous_stack_gets_a_new_key() {
    let mut world = World::rotated();
    let earlier = Owner {
        stack: StackId::parse(&STACK.replace("1111", "0000")).unwrap(),
        logical_id: "Access".into(),
    };
    world.secret().secret.state = SecretState::PendingDeletion;
    world.secret().secret.tags = earlier.tags();
    world.secret().ownership = Ownership::PreviousStack;
    let plan = world.fresh().unwrap();
    assert!(
        plan.steps()
            .any(|step| matches!(step, Step::RestoreSecret(_)))
    );
    assert_eq!(of(&plan), ["again"]);
    world.secret().secret.state = SecretState::Live;
    let plan = world.fresh().unwrap();
    assert_eq!(of(&plan), ["ask", "try K2", "end K1", "make 2"]);
    // Its tags come last: until then they show that it still needs a new key.
    assert!(matches!(plan.steps().last(), Some(Step::TagSecret(_))));
}

#[test]
fn an_unreadable_secret_is_evidence_of_nothing_and_stops_no_rollback() {
    let mut world = raised(World::rotated(), 3);
    let error = CloudError::unanswered("secretsmanager:GetSecretValue", ErrorKind::Denied, "no");
    world.secret().unreadable = Some(error);
    assert_eq!(world.plan(), "refused: SecretUnreadable");
    world.observed.operation = StackOperation::Rollback;
    assert_keys(&world, &[]);
    assert_eq!(world.warnings().len(), 1);
}
