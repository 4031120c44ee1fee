//! What people do behind the stack's back: repaired if it is ours, refused if a repair could destroy something.

use std::time::Duration;

use publisher_s3_access::cloud::AttachmentKind;
use publisher_s3_access::cloud::Label;
use serde_json::json;
use tokio::time::sleep;

use crate::scene::{OTHER_USER, SECRET, Scene, USER, properties, properties_with};
use kit::account::{BOUNDARY, OTHER_BOUNDARY};
use kit::stack::{Answer, Outcome};

/// An Update that only asks for everything to be checked.
async fn check_all(scene: &mut Scene) -> Outcome {
    let revision = format!("{}", scene.stack.history().len());
    scene
        .update(properties_with(json!({"Revision": revision})))
        .await
}

fn key(scene: &Scene) -> String {
    scene.account.current_key(SECRET).expect("there is a key")
}

/// After this drift an Update succeeds, and everything is in order.
async fn heals(mut scene: Scene) -> Scene {
    assert_eq!(
        check_all(&mut scene).await,
        Outcome::Complete,
        "{}",
        scene.reason()
    );
    scene.assert_works(USER, "reads");
    scene
}

/// After this drift an Update changes nothing, and says why. A rollback is refused too, yet the stack is not stuck.
async fn refuses(scene: &mut Scene, why: &str) {
    let everything = scene.everything();
    check_all(scene).await;
    let first = scene
        .stack
        .history()
        .iter()
        .rev()
        .nth(1)
        .and_then(|exchange| exchange.answer.clone());
    let reason = first.as_ref().map(Answer::reason).unwrap_or_default();
    assert!(reason.contains(why), "`{reason}` says nothing of `{why}`");
    assert_eq!(scene.everything(), everything);
    scene.account.verify();
}

#[tokio::test(start_paused = true)]
async fn a_deleted_key_falls_back_to_the_previous_one_unless_the_serial_asks_for_more() {
    for (serial, active) in [(1, 1), (2, 1), (3, 2)] {
        let mut scene = Scene::rotated().await;
        let previous = scene.account.key_under(SECRET, Label::Previous).unwrap();
        scene.account.by_hand().delete_key(USER, &key(&scene));
        let raised = properties_with(json!({"KeySerial": serial, "Revision": "1"}));
        assert_eq!(
            scene.update(raised).await,
            Outcome::Complete,
            "{}",
            scene.reason()
        );
        scene.assert_works(USER, "reads");
        let keys = scene.active_keys(USER);
        assert_eq!(
            (keys.len(), &keys[0]),
            (active, &previous),
            "serial {serial}"
        );
        assert_eq!(keys.last(), Some(&key(&scene)), "serial {serial}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_added_by_hand_stays_until_a_new_key_needs_its_room() {
    let scene = Scene::created().await;
    let ours = key(&scene);
    let added = scene.account.by_hand().add_key(USER);
    sleep(Duration::from_secs(60)).await;
    let mut scene = heals(scene).await;
    assert_eq!(scene.active_keys(USER), [ours.clone(), added]);
    let raised = properties_with(json!({"KeySerial": 2}));
    assert_eq!(scene.update(raised).await, Outcome::Complete);
    assert_eq!(scene.active_keys(USER), [ours, key(&scene)]);
}

#[tokio::test(start_paused = true)]
async fn an_edited_or_removed_policy_is_written_again() {
    for policy in [
        Some(
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#,
        ),
        Some(
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#,
        ),
        None,
    ] {
        let scene = Scene::created().await;
        let before = scene.account.policies(USER);
        match policy {
            Some(document) => scene
                .account
                .by_hand()
                .put_policy(USER, "S3AccessPolicy", document),
            None => scene
                .account
                .by_hand()
                .remove_policy(USER, "S3AccessPolicy"),
        }
        let scene = heals(scene).await;
        assert_eq!(scene.account.policies(USER), before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_added_by_hand_stays_until_the_deletion() {
    let scene = Scene::created().await;
    let more = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::more/*"}]}"#;
    scene.account.by_hand().put_policy(USER, "ByHand", more);
    let mut scene = heals(scene).await;
    assert_eq!(scene.account.policies(USER).len(), 2);
    assert_eq!(scene.delete().await, Outcome::Complete);
    scene.assert_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn a_deleted_secret_is_made_again_with_a_new_key() {
    let scene = Scene::created().await;
    let old = key(&scene);
    scene.account.by_hand().delete_secret(SECRET, None);
    let scene = heals(scene).await;
    assert_ne!(key(&scene), old);
    assert_eq!(scene.active_keys(USER), [old, key(&scene)]);
}

#[tokio::test(start_paused = true)]
async fn a_secret_pending_deletion_is_restored_with_its_key_unless_that_died() {
    let scene = Scene::created().await;
    let ours = key(&scene);
    scene.account.by_hand().delete_secret(SECRET, Some(7));
    let scene = heals(scene).await;
    assert_eq!(key(&scene), ours);
    scene.account.by_hand().delete_secret(SECRET, Some(7));
    scene.account.by_hand().delete_key(USER, &ours);
    let scene = heals(scene).await;
    assert_ne!(key(&scene), ours);
    assert_eq!(scene.active_keys(USER), [key(&scene)]);
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_nobody_can_read_does_not_block_the_deletion() {
    let mut scene = Scene::new().await;
    let encrypted = properties_with(json!({"SecretKmsKeyId": "alias/secrets"}));
    assert_eq!(scene.create(encrypted).await, Outcome::Complete);
    scene.account.by_hand().break_kms_key("alias/secrets");
    scene.account.by_hand().delete_user(USER);
    assert_eq!(
        scene.delete().await,
        Outcome::Complete,
        "{}",
        scene.reason()
    );
    scene.assert_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn a_deleted_user_is_made_again() {
    let scene = Scene::created().await;
    let old = key(&scene);
    scene.account.by_hand().delete_user(USER);
    let scene = heals(scene).await;
    assert_ne!(key(&scene), old);
    assert_eq!(scene.account.boundary(USER).as_deref(), Some(BOUNDARY));
}

#[tokio::test(start_paused = true)]
async fn a_deleted_user_and_secret_are_both_made_again() {
    let scene = Scene::created().await;
    scene.account.by_hand().delete_user(USER);
    scene.account.by_hand().delete_secret(SECRET, None);
    heals(scene).await;
}

#[tokio::test(start_paused = true)]
async fn another_boundary_is_set_back() {
    for boundary in [Some(OTHER_BOUNDARY), None] {
        let scene = Scene::created().await;
        scene.account.by_hand().set_boundary(USER, boundary);
        let scene = heals(scene).await;
        assert_eq!(scene.account.boundary(USER).as_deref(), Some(BOUNDARY));
    }
}

#[tokio::test(start_paused = true)]
async fn tags_added_by_hand_stay_and_ours_come_back() {
    let mut scene = Scene::new().await;
    let tagged = properties_with(json!({"Tags": [{"Key": "Team", "Value": "a"}]}));
    assert_eq!(scene.create(tagged).await, Outcome::Complete);
    let hand = scene.account.by_hand();
    hand.tag_user(USER, "Team", "edited");
    hand.tag_user(USER, "Cost", "added");
    hand.tag_secret(SECRET, "Team", "edited");
    hand.tag_secret(SECRET, "Cost", "added");
    let again = properties_with(json!({"Tags": [{"Key": "Team", "Value": "a"}], "Revision": "1"}));
    assert_eq!(scene.update(again).await, Outcome::Complete);
    for tags in [
        scene.account.user_tags(USER).unwrap(),
        scene.account.secret_tags(SECRET).unwrap(),
    ] {
        assert_eq!(
            (tags["Team"].as_str(), tags["Cost"].as_str()),
            ("a", "added")
        );
    }
    assert_eq!(scene.update(properties()).await, Outcome::Complete);
    for tags in [
        scene.account.user_tags(USER).unwrap(),
        scene.account.secret_tags(SECRET).unwrap(),
    ] {
        assert!(
            !tags.contains_key("Team") && tags.contains_key("Cost"),
            "{tags:?}"
        );
    }
    scene.assert_works(USER, "reads");
}

#[tokio::test(start_paused = true)]
async fn a_quarantine_stays_until_the_deletion() {
    let scene = Scene::created().await;
    scene.account.by_hand().quarantine(USER);
    let mut scene = heals(scene).await;
    assert_eq!(scene.account.attachments(USER).len(), 1);
    assert_eq!(scene.delete().await, Outcome::Complete);
    scene.assert_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn whatever_is_attached_to_the_user_goes_with_it() {
    let mut scene = Scene::rotated().await;
    for kind in AttachmentKind::ALL
        .into_iter()
        .filter(|kind| *kind != AttachmentKind::Group)
    {
        scene.account.by_hand().attach(USER, kind, "one");
        scene.account.by_hand().attach(USER, kind, "two");
    }
    scene.account.by_hand().add_policies(USER, 5);
    scene.account.by_hand().replicate(SECRET, "eu-west-1");
    assert_eq!(
        scene.delete().await,
        Outcome::Complete,
        "{}",
        scene.reason()
    );
    scene.assert_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn a_group_membership_blocks_the_deletion_until_a_person_ends_it() {
    let mut scene = Scene::created().await;
    scene
        .account
        .by_hand()
        .attach(USER, AttachmentKind::Group, "readers");
    assert_eq!(scene.delete().await, Outcome::Blocked);
    let reason = scene.reason();
    assert!(
        reason.contains(
            "aws iam remove-user-from-group --group-name readers --user-name publisher-reader"
        ),
        "{reason}"
    );
    assert_eq!(
        scene.active_keys(USER),
        [""; 0],
        "no credential is left meanwhile"
    );
    scene
        .account
        .by_hand()
        .detach(USER, AttachmentKind::Group, "readers");
    assert_eq!(
        scene.delete().await,
        Outcome::Complete,
        "{}",
        scene.reason()
    );
    scene.assert_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn a_renamed_user_is_not_made_again_and_does_not_count_as_gone() {
    let mut scene = Scene::created().await;
    scene.account.by_hand().rename_user(USER, OTHER_USER);
    refuses(
        &mut scene,
        "aws iam update-user --user-name publisher-other --new-user-name publisher-reader",
    )
    .await;
    assert_eq!(scene.delete().await, Outcome::Blocked);
    assert!(
        scene.reason().contains("aws iam update-user"),
        "{}",
        scene.reason()
    );
    scene.account.by_hand().rename_user(OTHER_USER, USER);
    assert_eq!(
        scene.delete().await,
        Outcome::Complete,
        "{}",
        scene.reason()
    );
    scene.assert_nothing_left();
}

/// A role's permissions name the user's ARN, which holds its path.
#[tokio::test(start_paused = true)]
async fn a_user_moved_under_a_path_is_not_made_again_and_does_not_count_as_gone() {
    let mut scene = Scene::created().await;
    scene.account.by_hand().move_user(USER, "/team/");
    let command = "aws iam update-user --user-name publisher-reader --new-path /";
    refuses(&mut scene, command).await;
    assert_eq!(scene.delete().await, Outcome::Blocked);
    assert!(scene.reason().contains(command), "{}", scene.reason());
    scene.account.by_hand().move_user(USER, "/");
    assert_eq!(scene.delete().await, Outcome::Complete);
    scene.assert_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn a_user_renamed_in_letter_case_alone_does_not_count_as_gone() {
    let mut scene = Scene::created().await;
    scene
        .account
        .by_hand()
        .rename_user(USER, "publisher-READER");
    assert_eq!(scene.delete().await, Outcome::Blocked);
    assert!(
        scene.reason().contains(
            "aws iam update-user --user-name publisher-READER --new-user-name publisher-reader"
        ),
        "{}",
        scene.reason()
    );
    scene
        .account
        .by_hand()
        .rename_user("publisher-READER", USER);
    assert_eq!(scene.delete().await, Outcome::Complete);
    scene.assert_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn stripped_tags_are_restored_only_by_a_person() {
    let mut scene = Scene::created().await;
    let tags = scene.account.user_tags(USER).unwrap();
    scene.account.by_hand().strip_user_tags(USER);
    refuses(
        &mut scene,
        "aws iam tag-user --user-name publisher-reader --tags",
    )
    .await;
    assert_eq!(scene.delete().await, Outcome::Blocked);
    assert!(
        scene.reason().contains("aws iam tag-user"),
        "{}",
        scene.reason()
    );
    for (key, value) in &tags {
        scene.account.by_hand().tag_user(USER, key, value);
    }
    assert_eq!(
        scene.delete().await,
        Outcome::Complete,
        "{}",
        scene.reason()
    );
    scene.assert_nothing_left();
}
