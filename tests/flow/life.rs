//! The life of a stack without faults.

use publisher_s3_access::cloud::Label;
use serde_json::{Value, json};

use crate::scene::{OTHER_SECRET, OTHER_USER, SECRET, Scene, USER, properties, properties_with};
use kit::stack::Outcome;

#[tokio::test(start_paused = true)]
async fn a_created_stack_has_one_key_that_reads_the_bucket_and_all_attributes() {
    let scene = Scene::created().await;
    scene.assert_works(USER, "reads");
    assert_eq!(scene.account.keys(USER).len(), 1);
    let answer = scene.stack.last_answer().unwrap();
    assert_eq!(answer.physical_id(), SECRET);
    let Value::Object(data) = answer.data() else {
        panic!("no attributes")
    };
    let names: Vec<_> = data.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "BucketUri",
            "PolicyName",
            "Region",
            "SecretArn",
            "SecretName",
            "UserArn",
            "UserName",
            "Warnings"
        ]
    );
    assert_eq!(data["Warnings"], "none");
    assert_eq!(data["Region"], "eu-west-1");
    assert!(scene.account.description(SECRET).contains("s3://reads/"));
}

#[tokio::test(start_paused = true)]
async fn a_deleted_stack_leaves_nothing() {
    let mut scene = Scene::rotated().await;
    assert_eq!(scene.delete().await, Outcome::Complete);
    scene.assert_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn a_rotation_keeps_the_old_key_active_until_the_next_one() {
    let mut scene = Scene::created().await;
    let mut keys = vec![scene.account.current_key(SECRET).unwrap()];
    for serial in 2..5 {
        assert_eq!(
            scene
                .update(properties_with(json!({"KeySerial": serial})))
                .await,
            Outcome::Complete
        );
        scene.assert_works(USER, "reads");
        let current = scene.account.current_key(SECRET).unwrap();
        let previous = keys.last().unwrap().clone();
        assert!(!keys.contains(&current), "{current} is new");
        assert_eq!(
            scene.account.key_under(SECRET, Label::Previous).as_ref(),
            Some(&previous)
        );
        assert_eq!(scene.active_keys(USER), [previous, current.clone()]);
        keys.push(current);
        assert_eq!(
            scene.account.versions(SECRET),
            keys.len(),
            "one version for every key"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn other_updates_make_no_key() {
    let mut scene = Scene::created().await;
    let key = scene.account.current_key(SECRET);
    for changes in [
        json!({"Buckets": ["reads", "others"]}),
        json!({"Buckets": ["reads", "others"], "PolicyName": "Renamed", "Revision": "2"}),
        json!({"Tags": [{"Key": "Team", "Value": "a"}]}),
        json!({"Tags": [{"Key": "team", "Value": "b"}]}),
        json!({"VerifyAccess": false, "KeySerial": 1}),
        json!({"SecretKmsKeyId": "alias/secrets"}),
        json!({"PermissionsBoundary": kit::account::OTHER_BOUNDARY}),
        json!({}),
    ] {
        assert_eq!(
            scene.update(properties_with(changes.clone())).await,
            Outcome::Complete,
            "{changes}"
        );
        scene.assert_works(USER, "reads");
        assert_eq!(scene.account.current_key(SECRET), key, "{changes}");
        assert_eq!(scene.account.keys(USER).len(), 1, "{changes}");
    }
    assert_eq!(scene.account.policies(USER).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_replacement_makes_a_new_pair_and_removes_the_old_one() {
    let mut scene = Scene::created().await;
    assert_eq!(
        scene
            .update(properties_with(json!({"UserName": OTHER_USER})))
            .await,
        Outcome::Complete
    );
    scene.assert_works(OTHER_USER, "reads");
    scene.account.assert_gone(USER);
    assert_eq!(scene.stack.resource().unwrap().physical_id, OTHER_SECRET);
}

#[tokio::test(start_paused = true)]
async fn a_lowered_serial_makes_no_key() {
    let mut scene = Scene::rotated().await;
    let keys = scene.account.keys(USER);
    assert_eq!(scene.update(properties()).await, Outcome::Complete);
    assert_eq!(scene.account.keys(USER), keys);
    scene.assert_works(USER, "reads");
}

#[tokio::test(start_paused = true)]
async fn a_stack_takes_over_what_a_previous_stack_kept() {
    let mut scene = Scene::created().await;
    let key = scene.account.current_key(SECRET);
    scene.account.forget_stack(&scene.owner().stack_id.clone());
    scene.stack = scene.stack.reborn();
    assert_eq!(
        scene.create(properties()).await,
        Outcome::Complete,
        "{}",
        scene.reason()
    );
    scene.assert_works(USER, "reads");
    assert_eq!(scene.account.current_key(SECRET), key);
}

#[tokio::test(start_paused = true)]
async fn a_restored_secret_gets_a_new_key_and_the_previous_stacks_works_on() {
    let mut scene = Scene::left_behind().await;
    let old = scene.active_keys(USER);
    assert_eq!(old.len(), 2);
    assert_eq!(
        scene.create(properties()).await,
        Outcome::Complete,
        "{}",
        scene.reason()
    );
    scene.assert_works(USER, "reads");
    let key = scene.account.current_key(SECRET).expect("there is a key");
    assert!(!old.contains(&key), "{key} is new");
    assert_eq!(
        scene.active_keys(USER),
        [old[1].clone(), key],
        "the one before it works on"
    );
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_a_previous_stack_left_restorable_gets_a_new_key() {
    for days in [7, 30] {
        let mut scene = Scene::new().await;
        let properties = properties_with(json!({"SecretRecoveryDays": days}));
        assert_eq!(scene.create(properties.clone()).await, Outcome::Complete);
        let key = scene.account.current_key(SECRET);
        assert_eq!(scene.delete().await, Outcome::Complete);
        assert!(scene.account.is_pending_deletion(SECRET));
        scene.assert_nothing_left();
        scene.stack = scene.stack.reborn();
        assert_eq!(
            scene.create(properties).await,
            Outcome::Complete,
            "{}",
            scene.reason()
        );
        scene.assert_works(USER, "reads");
        assert_ne!(scene.account.current_key(SECRET), key);
    }
}
