//! Which plan each state of the world leads to.

mod keys;
mod world;

use std::time::Duration;

use insta::assert_snapshot;
use serde_json::json;

use super::{Made, RotationStep, end_rotation, withdrawal};
use crate::cloud::{
    Attachment, AttachmentKind, CloudError, ErrorKind, KeyStatus, Label, SecretState,
    StackOperation, TagMap, Version,
};
use crate::observe::Ownership;
use crate::request::names::RecoveryWindow;
use crate::request::owner::{Owner, StackId};
use crate::request::properties::Desired;

use world::{STACK, WINDOW, World, id, now, stored, version};

#[test]
fn nothing_is_done_if_everything_is_as_wanted() {
    assert_snapshot!(World::settled().plan(), @"nothing to do");
}

#[test]
fn a_create_makes_user_and_secret_side_by_side_and_one_key() {
    let mut world = World::settled();
    world.observed.pair.user = None;
    world.observed.pair.secret = None;
    assert_snapshot!(world.plan_fresh(), @"create user `publisher-connectors` without a boundary and create secret `publisher/publisher-connectors`; then put policy `S3AccessPolicy` of 193 characters; then make a key for serial 1, prove it on every bucket and store it as AWSCURRENT in version 6663a3eb");
}

#[test]
fn a_create_repeated_after_the_key_was_stored_makes_no_second_one() {
    assert_snapshot!(World::settled().plan_fresh(), @"prove the current key on every bucket");
}

#[test]
fn a_rotation_makes_its_key_in_the_version_it_was_given() {
    let mut world = World::rotated();
    world.await_rotation("v3");
    world.used("K1", Some(WINDOW + SECOND));
    assert_snapshot!(world.rotation(RotationStep::Create), @"delete key `AKIA00000000000000K1`; then make a key for serial 2 and store it as AWSPENDING in version v3");
    world.secret().secret.labels.remove(&version("v3"));
    world.store("v3", Label::Pending, stored("K3", 2));
    for (step, plan) in [
        (RotationStep::Create, "nothing to do"),
        (RotationStep::Set, "nothing to do"),
        (RotationStep::Test, "prove the pending key on every bucket"),
        (
            RotationStep::Finish,
            "move AWSCURRENT from version v2 to v3",
        ),
    ] {
        assert_eq!(world.rotation(step), plan);
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// A rotation that would end K1.
fn about_to_rotate() -> World {
    let mut world = World::rotated();
    world.await_rotation("v3");
    world.made("K1", WINDOW * 9);
    world
}

fn is_held_up(world: &World) -> bool {
    let plan = world.rotation(RotationStep::Create);
    let held_up = plan.starts_with("refused: HeldUp") || plan.starts_with("refused: UseUnknown");
    assert!(held_up || plan.contains("make a key"), "{plan}");
    held_up
}

#[test]
fn a_rotation_does_not_end_the_previous_key_while_it_was_used_within_the_window() {
    let mut world = about_to_rotate();
    for (ago, held_up) in [
        (Duration::ZERO, true),
        (WINDOW - SECOND, true),
        (WINDOW, true),
        (WINDOW + SECOND, false),
        (WINDOW * 8, false),
    ] {
        world.used("K1", Some(ago));
        assert_eq!(is_held_up(&world), held_up, "{ago:?}");
    }
    // A clock that is ahead of ours.
    let tomorrow = now() + Duration::from_secs(86_400);
    let last = world.user().last_used.get_mut(&id("K1")).unwrap();
    last.as_mut().unwrap().as_mut().unwrap().date = tomorrow;
    assert!(is_held_up(&world));
}

#[test]
fn a_previous_key_that_aws_knows_no_use_of_is_protected_while_it_is_young() {
    let mut world = about_to_rotate();
    world.used("K1", None);
    for (age, held_up) in [
        (Duration::ZERO, true),
        (WINDOW - SECOND, true),
        (WINDOW, false),
        (WINDOW * 8, false),
    ] {
        world.made("K1", age);
        assert_eq!(is_held_up(&world), held_up, "{age:?}");
    }
}

#[test]
fn a_key_whose_last_use_cannot_be_read_holds_a_rotation_up_whoever_stores_it() {
    let mut world = about_to_rotate();
    let denied = CloudError::unanswered("iam:GetAccessKeyLastUsed", ErrorKind::Denied, "no");
    world.user().last_used.insert(id("K1"), Err(denied));
    assert!(is_held_up(&world));
    world.secret().secret.labels.remove(&version("v1"));
    world.secret().stored.remove(&version("v1"));
    assert!(is_held_up(&world), "an orphan");
    world.user().last_used.clear();
    assert!(is_held_up(&world), "it was not even asked");
}

#[test]
fn a_held_up_rotation_loses_its_own_label_and_no_other() {
    let mut world = World::settled();
    world.await_rotation("v3");
    let end = |world: &mut World, token| end_rotation(&version(token), world.secret()).to_string();
    assert_snapshot!(end(&mut world, "v3"), @"remove AWSPENDING from version v3");
    assert_snapshot!(end(&mut world, "v2"), @"nothing to do");
    let labels = &mut world.secret().secret.labels;
    let pending = labels.remove(&version("v3")).unwrap();
    labels.get_mut(&version("v1")).unwrap().extend(pending);
    assert_snapshot!(end(&mut world, "v1"), @"nothing to do");
}

#[test]
fn an_inactive_key_is_not_protected() {
    let mut world = about_to_rotate();
    world.used("K1", Some(Duration::ZERO));
    world.user().keys[0].status = KeyStatus::Inactive;
    assert!(!is_held_up(&world));
    // The current key was deactivated, so it goes and the previous one stays.
    world.user().keys[0].status = KeyStatus::Active;
    world.user().keys[1].status = KeyStatus::Inactive;
    assert!(!is_held_up(&world));
}

#[test]
fn a_rotation_is_held_up_only_if_there_is_no_room_and_only_in_the_step_that_makes_the_key() {
    let mut world = about_to_rotate();
    world.used("K1", Some(Duration::ZERO));
    for step in [RotationStep::Set, RotationStep::Test, RotationStep::Finish] {
        let plan = world.rotation(step);
        assert!(!plan.starts_with("refused: HeldUp"), "{plan}");
    }
    world.user().keys.remove(0);
    assert!(!is_held_up(&world));
}

#[test]
fn what_a_person_asks_for_is_not_held_up() {
    let mut world = World::rotated();
    world.used("K1", Some(Duration::ZERO));
    world.new["KeySerial"] = json!("3");
    let plan = world.plan();
    assert!(plan.contains("delete key `AKIA00000000000000K1`"), "{plan}");
    world.new["KeySerial"] = json!("2");
    world.user().keys[1].status = KeyStatus::Inactive;
    let plan = world.plan();
    assert!(plan.contains("make a key"), "{plan}");
    assert!(
        world
            .removal()
            .contains("delete key `AKIA00000000000000K1`")
    );
}

#[test]
fn the_key_is_proved_if_a_property_that_affects_access_has_changed() {
    const BOUNDARY: &str = "arn:aws:iam::123456789012:policy/Bounded";
    for (old, proved) in [
        (json!({ "Buckets": "cohort" }), false),
        (json!({ "Buckets": "other" }), true),
        (json!({ "Buckets": "cohort", "Revision": "1" }), true),
        (json!({ "Buckets": "cohort", "VerifyAccess": false }), true),
        (
            json!({ "Buckets": "cohort", "BucketKmsKeyArns": ["arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"] }),
            true,
        ),
        // Left out on Update, the boundary stays as it is.
        (
            json!({ "Buckets": "cohort", "PermissionsBoundary": BOUNDARY }),
            false,
        ),
    ] {
        let mut world = World::settled();
        world.old = old;
        let plan = world.plan();
        assert_eq!(
            plan.contains("prove the current key"),
            proved,
            "{} {plan}",
            world.old
        );
    }
    for (old, proved) in [(Some(BOUNDARY), false), (None, true)] {
        let mut world = World::settled();
        world.new["PermissionsBoundary"] = json!(BOUNDARY);
        world.user().user.boundary = Some(BOUNDARY.into());
        world.old["PermissionsBoundary"] = json!(old);
        let plan = world.plan();
        assert_eq!(
            plan.contains("prove the current key"),
            proved,
            "{old:?} {plan}"
        );
    }
}

#[test]
fn the_new_policy_is_put_before_the_old_one_goes() {
    let mut world = World::settled();
    world.new["PolicyName"] = json!("Readers");
    assert_snapshot!(world.plan(), @"put policy `Readers` of 193 characters; then delete policy `S3AccessPolicy`; then prove the current key on every bucket");
}

#[test]
fn the_old_policy_goes_first_if_the_quota_has_no_room_for_both() {
    let mut world = World::settled();
    let buckets: Vec<String> = (0..20)
        .map(|n| format!("a-rather-long-bucket-name-{n:02}"))
        .collect();
    world.old["Buckets"] = json!(buckets);
    world.new["Buckets"] = json!(buckets);
    let desired = Desired::parse(&world.new, world.owner.stack.partition()).unwrap();
    world.put_policy(&desired);
    world.new["PolicyName"] = json!("Readers");
    assert_snapshot!(world.plan(), @"delete policy `S3AccessPolicy` and update the secret's description; then put policy `Readers` of 1951 characters; then prove the current key on every bucket");
}

#[test]
fn a_policy_of_somebody_else_counts_and_is_named_when_there_is_no_room() {
    let mut world = World::settled();
    let name = crate::request::names::PolicyName::parse("ByHand").unwrap();
    world.user().policies.insert(name, "x".repeat(1900));
    assert_snapshot!(world.plan(), @"refused: Property");
}

#[test]
fn tags_are_removed_before_others_are_written_and_only_those_the_old_properties_name() {
    let mut world = World::settled();
    world.old["Tags"] = json!([{ "Key": "team", "Value": "a" }]);
    world.new["Tags"] = json!([{ "Key": "Team", "Value": "a" }]);
    let theirs = TagMap::from([("team".into(), "a".into()), ("by-hand".into(), "x".into())]);
    world.user().user.tags.extend(theirs.clone());
    world.secret().secret.tags.extend(theirs);
    assert_snapshot!(world.plan(), @"remove tags `team` from the user and remove tags `team` from the secret; then tag the user with `Team` and tag the secret with `Team`");
}

#[test]
fn an_encryption_key_is_compared_in_whatever_form_it_is_described() {
    let mut world = World::settled();
    world.new["SecretKmsKeyId"] = json!("alias/secrets");
    world.secret().secret.kms_key = Some("arn:aws:kms:eu-west-1:123456789012:alias/secrets".into());
    assert_snapshot!(world.plan(), @"nothing to do");
    world.secret().secret.kms_key = None;
    assert_snapshot!(world.plan(), @"update the secret's description and its key `alias/secrets`");
}

#[test]
fn a_previous_stacks_pair_is_taken_over_with_the_secret_tagged_before_the_user() {
    let mut world = World::settled();
    let earlier = Owner {
        stack: StackId::parse(&STACK.replace("1111", "0000")).unwrap(),
        logical_id: "Access".into(),
    };
    world.user().user.tags = earlier.tags();
    world.user().ownership = Ownership::PreviousStack;
    world.secret().secret.tags = earlier.tags();
    world.secret().ownership = Ownership::PreviousStack;
    assert_snapshot!(world.plan_fresh(), @"tag the secret with `publisher-s3-access:stack-id`; then tag the user with `publisher-s3-access:stack-id`; then prove the current key on every bucket");
}

#[test]
fn a_secret_that_somebody_deleted_is_restored_with_its_key() {
    let mut world = World::settled();
    world.secret().secret.state = SecretState::PendingDeletion;
    assert_snapshot!(world.plan(), @"restore secret `arn:of:secret`; then observe again");
    world.secret().secret.state = SecretState::Live;
    assert_snapshot!(world.plan(), @"nothing to do");
}

#[test]
fn a_pair_that_is_not_ours_is_refused() {
    let mut world = World::settled();
    world.observed.pair.secret = None;
    world.user().ownership = Ownership::Foreign("resource `Access` of stack `other`".into());
    assert_snapshot!(world.plan_fresh(), @"refused: UserForeign");
    world.user().ownership = Ownership::Untagged;
    assert_snapshot!(world.plan_fresh(), @"refused: UserUntagged");
    let mut world = World::settled();
    world.observed.pair.user = None;
    world.secret().ownership = Ownership::Untagged;
    assert_snapshot!(world.plan_fresh(), @"refused: SecretUntagged");
}

#[test]
fn stripped_tags_are_restored_by_a_person_and_nothing_is_changed_before() {
    let mut world = World::settled();
    world.user().ownership = Ownership::Untagged;
    assert_snapshot!(world.plan(), @"refused: TagsChanged");
    assert_eq!(world.plan(), world.removal());
}

#[test]
fn a_renamed_user_is_renamed_back_by_a_person() {
    let mut world = World::settled();
    world.observed.pair.user = None;
    world.observed.pair.renamed_to = Some("somebody".into());
    assert_snapshot!(world.plan(), @"refused: UserRenamed");
    assert_eq!(world.plan(), world.removal());
}

#[test]
fn code_of_another_release_changes_nothing_but_holds_up_no_rollback() {
    let mut world = World::settled();
    world.release = Some(env!("CARGO_PKG_VERSION"));
    assert_snapshot!(world.plan(), @"nothing to do");
    world.release = Some("0.0.1");
    let refused = world.plan();
    assert_eq!(refused, "refused: WrongRelease");
    world.observed.operation = StackOperation::Rollback;
    assert_snapshot!(world.plan(), @"nothing to do");
}

#[test]
fn a_user_in_another_letter_case_is_another_pair_unless_somebody_renamed_it() {
    let mut world = World::settled();
    world.user().user.name = "Publisher-Connectors".to_owned();
    assert_snapshot!(world.removal(), @"refused: UserRenamed");
    world.secret().ownership = Ownership::Untagged;
    assert_snapshot!(world.removal(), @"nothing to do");
    world.secret().ownership = Ownership::Ours;
    world.user().ownership = Ownership::Untagged;
    assert_snapshot!(world.removal(), @"delete secret `arn:of:secret` at once");
}

#[test]
fn a_removal_takes_keys_first_then_attachments_and_the_secret_then_the_user() {
    let mut world = World::rotated();
    world.user().attachments = vec![
        Attachment {
            kind: AttachmentKind::ManagedPolicy,
            id: "arn:of:quarantine".into(),
        },
        Attachment {
            kind: AttachmentKind::LoginProfile,
            id: "publisher-connectors".into(),
        },
    ];
    world.secret().secret.replicas = vec!["eu-west-2".into()];
    assert_snapshot!(world.removal(), @"delete key `AKIA00000000000000K1` and delete key `AKIA00000000000000K2` and remove the replicas in eu-west-2; then delete policy `S3AccessPolicy` and detach ManagedPolicy `arn:of:quarantine` and detach LoginProfile `publisher-connectors` and delete secret `arn:of:secret` at once; then delete the user");
}

#[test]
fn a_removal_ends_access_and_asks_a_person_to_take_the_user_out_of_its_group() {
    let mut world = World::settled();
    world.user().attachments = vec![Attachment {
        kind: AttachmentKind::Group,
        id: "staff".into(),
    }];
    assert_snapshot!(world.removal(), @"delete key `AKIA00000000000000K1`; then delete policy `S3AccessPolicy` and delete secret `arn:of:secret` at once; then refuse: user `publisher-connectors` is in a group, which this function has no permission to change: run `aws iam remove-user-from-group --group-name staff --user-name publisher-connectors`, then delete again");
}

#[test]
fn a_removal_leaves_what_is_not_ours() {
    let mut world = World::settled();
    world.user().ownership = Ownership::Foreign("somebody".into());
    world.secret().ownership = Ownership::Untagged;
    assert_snapshot!(world.removal(), @"nothing to do");
    assert_eq!(world.removed().unwrap().warnings.len(), 2);
    assert!(World::settled().removed().unwrap().warnings.is_empty());
}

#[test]
fn a_half_taken_over_pair_is_removed_as_a_whole_and_a_previous_stacks_pair_stays() {
    for (user, secret, removed) in [
        (Ownership::Ours, Ownership::PreviousStack, 2),
        (Ownership::PreviousStack, Ownership::Ours, 2),
        (Ownership::PreviousStack, Ownership::PreviousStack, 0),
    ] {
        let mut world = World::settled();
        world.user().ownership = user.clone();
        world.secret().ownership = secret.clone();
        let plan = world.removal();
        let found = plan.matches("delete the user").count() + plan.matches("delete secret").count();
        assert_eq!(found, removed, "{user:?} {secret:?}: {plan}");
    }
}

#[test]
fn two_runs_that_see_the_same_state_store_in_the_same_version_and_a_later_attempt_in_another() {
    let mut world = World::settled();
    world.new["KeySerial"] = json!("2");
    let first = world.plan();
    assert_eq!(first, world.plan());
    world.secret().versions.push(Version {
        id: version("failed-attempt"),
        created: now(),
    });
    assert_ne!(first, world.plan());
}

#[test]
fn a_removal_waits_for_a_user_that_may_have_been_made_a_moment_ago() {
    let mut world = World::settled();
    world.observed.pair.user = None;
    world.secret().secret.changed = now() - Duration::from_secs(19);
    assert_snapshot!(world.removal(), @"nothing to do; then observe again");
    world.secret().secret.changed = now() - Duration::from_secs(20);
    assert_snapshot!(world.removal(), @"delete secret `arn:of:secret` at once");
}

#[test]
fn what_one_request_has_made_goes_unless_another_has_taken_it_into_use() {
    let withdrawn = |world: &World, made| {
        let pair = &world.observed.pair;
        withdrawal(pair, made, RecoveryWindow::None, now()).to_string()
    };
    let world = World::settled();
    assert_snapshot!(withdrawn(&world, Made::Both), @"nothing to do");
    let mut world = World::settled();
    world.secret().stored.clear();
    assert_snapshot!(withdrawn(&world, Made::User), @"delete key `AKIA00000000000000K1`; then delete policy `S3AccessPolicy`; then delete the user");
    assert_snapshot!(withdrawn(&world, Made::Secret), @"delete secret `arn:of:secret` at once");
    assert_snapshot!(withdrawn(&world, Made::Both), @"delete key `AKIA00000000000000K1`; then delete policy `S3AccessPolicy` and delete secret `arn:of:secret` at once; then delete the user");
}
