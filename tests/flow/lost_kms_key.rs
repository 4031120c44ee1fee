//! A secret that cannot be read: its KMS key is disabled, denied or gone, or its policy denies. It proves nothing, so no key counts as an orphan.

use kit::function::invoke_well;
use kit::stack::{Others, Outcome};
use serde_json::{Value, json};

use crate::scene::{SECRET, Scene, USER, properties_with};

const KMS_KEY: &str = "alias/secrets";

fn encrypted(changes: Value) -> Value {
    let mut properties = properties_with(changes);
    properties["SecretKmsKeyId"] = json!(KMS_KEY);
    properties
}

/// A stack whose secret can no longer be read.
async fn locked() -> Scene {
    let mut scene = Scene::new().await;
    let outcome = scene.create(encrypted(json!({}))).await;
    assert_eq!(outcome, Outcome::Complete);
    scene.account.by_hand().break_kms_key(KMS_KEY);
    scene
}

#[tokio::test(start_paused = true)]
async fn an_update_is_refused_with_the_way_out_and_its_rollback_goes_through() {
    let mut scene = locked().await;
    let keys = scene.active_keys(USER);
    for changes in [
        json!({"KeySerial": 2}),
        json!({"Revision": "2"}),
        json!({"Buckets": "others"}),
    ] {
        let outcome = scene.update(encrypted(changes.clone())).await;
        assert_eq!(outcome, Outcome::RolledBack, "{changes}");
        let answers = scene.stack.history().iter();
        let refused = answers
            .filter_map(|exchange| exchange.answer.as_ref())
            .rfind(|answer| !answer.succeeded())
            .expect("the update");
        for said in [
            "cannot be read",
            "nothing was changed",
            "restore the KMS key",
        ] {
            assert!(refused.reason().contains(said), "{}", refused.reason());
        }
        assert_eq!(scene.active_keys(USER), keys, "{changes}");
    }
    scene.account.by_hand().mend_kms_key(KMS_KEY);
    let outcome = scene.update(encrypted(json!({"Buckets": "others"}))).await;
    assert_eq!(outcome, Outcome::Complete, "{}", scene.reason());
    scene.assert_works(USER, "others");
}

#[tokio::test(start_paused = true)]
async fn a_rollback_restores_the_policy_even_if_the_secret_is_locked() {
    let mut scene = Scene::new().await;
    let outcome = scene.create(encrypted(json!({}))).await;
    assert_eq!(outcome, Outcome::Complete);
    let keys = scene.active_keys(USER);
    let cloud = scene.stack.cloud();
    let account = scene.account.clone();
    // The key is lost between the update and its rollback.
    let mut requests = 0;
    let mut run = async |event| {
        requests += 1;
        if requests == 2 {
            account.by_hand().break_kms_key(KMS_KEY);
        }
        invoke_well(&cloud, &event).await
    };
    let wider = encrypted(json!({"Buckets": ["reads", "others"]}));
    let outcome = scene.stack.update(wider, Others::Fail, &mut run).await;
    assert_eq!(outcome, Outcome::RolledBack, "{}", scene.reason());
    let policies = scene.account.policies(USER);
    assert!(policies.values().all(|policy| !policy.contains("others")));
    assert_eq!(scene.active_keys(USER), keys);
}

/// The working key stays, because the one to go back to cannot encrypt any more.
#[tokio::test(start_paused = true)]
async fn a_rollback_to_a_kms_key_that_was_disabled_keeps_the_one_that_works() {
    let mut scene = Scene::new().await;
    assert_eq!(scene.create(encrypted(json!({}))).await, Outcome::Complete);
    let (account, cloud) = (scene.account.clone(), scene.stack.cloud());
    let mut sent = 0;
    let mut run = async |event| {
        sent += 1;
        if sent == 2 {
            account.by_hand().break_kms_key(KMS_KEY);
        }
        invoke_well(&cloud, &event).await
    };
    let other = properties_with(json!({"SecretKmsKeyId": "alias/other"}));
    let outcome = scene.stack.update(other, Others::Fail, &mut run).await;
    assert_eq!(outcome, Outcome::RolledBack, "{}", scene.reason());
    let warnings = scene.stack.last_answer().expect("one").data()["Warnings"].to_string();
    assert!(
        warnings.contains("could not go back to KMS key"),
        "{warnings}"
    );
    scene.assert_works(USER, "reads");
}

#[tokio::test(start_paused = true)]
async fn a_resource_policy_of_the_secret_that_denies_is_named_with_the_command_that_shows_it() {
    let mut scene = Scene::created().await;
    scene.account.by_hand().deny_reading_secrets(true);
    let again = properties_with(json!({"Revision": "2"}));
    assert_eq!(scene.update(again.clone()).await, Outcome::RolledBack);
    let mut answers = scene
        .stack
        .history()
        .iter()
        .filter_map(|exchange| exchange.answer.as_ref());
    let refused = answers
        .rfind(|answer| !answer.succeeded())
        .expect("the update");
    let reason = refused.reason();
    assert!(
        reason.contains("get-resource-policy --secret-id publisher/publisher-reader"),
        "{reason}"
    );
    assert!(!reason.contains("KMS"), "{reason}");
    scene.account.by_hand().deny_reading_secrets(false);
    assert_eq!(scene.update(again).await, Outcome::Complete);
}

#[tokio::test(start_paused = true)]
async fn a_delete_works_and_a_lost_secret_can_be_replaced() {
    let mut scene = locked().await;
    // What the refusal says for a key that is gone for good.
    scene.account.by_hand().delete_secret(SECRET, None);
    scene.account.by_hand().mend_kms_key(KMS_KEY);
    let outcome = scene.update(encrypted(json!({"Revision": "2"}))).await;
    assert_eq!(outcome, Outcome::Complete, "{}", scene.reason());
    scene.assert_works(USER, "reads");
    scene.account.by_hand().break_kms_key(KMS_KEY);
    assert_eq!(scene.delete().await, Outcome::Complete);
    scene.assert_nothing_left();
}
