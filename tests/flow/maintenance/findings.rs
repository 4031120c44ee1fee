//! Each finding, and when it is sent.

use publisher_s3_access::request::buckets::BucketUri;
use serde_json::json;
use tokio::time::sleep;

use super::{ask, check, looked_after, watched};
use crate::scene::{SECRET, Scene, USER, properties_with};
use kit::account::OTHER_BOUNDARY;
use kit::account::s3::{BucketPolicy, Object};
use kit::rotation::{DAY, Rotated};
use kit::stack::Outcome;

/// The text of a check's one message.
async fn told(scene: &Scene, secret: &Rotated) -> String {
    let messages = check(scene, secret).await;
    let [message] = &messages[..] else {
        panic!("{messages:?}");
    };
    for part in [
        "What to do: ",
        SECRET,
        "https://us-east-1.console.aws.amazon.com/",
    ] {
        assert!(message.text.contains(part), "{part}: {}", message.text);
    }
    assert!(message.subject().starts_with(USER), "{message:?}");
    message.text.clone()
}

#[tokio::test(start_paused = true)]
async fn a_healthy_stack_is_reported_only_when_asked() {
    let (scene, secret) = watched().await;
    for _ in 0..3 {
        assert_eq!(check(&scene, &secret).await, []);
        sleep(DAY).await;
    }
    let answer = ask(&scene, &secret).await;
    assert_eq!(answer["healthy"], true, "{answer}");
    assert_eq!(answer["findings"], json!([]));
    assert_eq!(answer["keys"][0]["label"], "AWSCURRENT");
    assert_eq!(answer["keys"][0]["ageDays"], 3);
    assert_eq!(
        answer["keys"][0]["lastUse"]["note"],
        "often the daily check's own use"
    );
    assert_eq!(
        answer["subscriptions"],
        json!({"confirmed": 1, "pending": 0})
    );
    assert!(!answer.to_string().contains("s3cr3t"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_starts_to_deny_is_reported_every_day_until_it_is_repaired() {
    let (scene, secret) = watched().await;
    scene
        .account
        .bucket_policy("reads", BucketPolicy::DeniesGet);
    for _ in 0..3 {
        let body = told(&scene, &secret).await;
        assert!(body.contains("the bucket's policy denies it"), "{body}");
        sleep(DAY).await;
    }
    assert_eq!(ask(&scene, &secret).await["healthy"], false);
    scene
        .account
        .bucket("reads", "eu-west-1", &[("a", Object::Plain)]);
    assert_eq!(check(&scene, &secret).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_change_by_hand_is_reported_in_the_words_of_the_next_updates_plan() {
    type Change = fn(&Scene);
    let changes: [(&str, Change); 5] = [
        ("put policy `S3AccessPolicy`", |scene| {
            let other = r#"{"Version":"2012-10-17","Statement":[]}"#;
            scene
                .account
                .by_hand()
                .put_policy(USER, "S3AccessPolicy", other);
        }),
        ("bound the user by", |scene| {
            scene
                .account
                .by_hand()
                .set_boundary(USER, Some(OTHER_BOUNDARY));
        }),
        ("make a key", |scene| {
            let key = scene.active_keys(USER).remove(0);
            scene.account.by_hand().deactivate_key(USER, &key);
        }),
        ("move AWSCURRENT", |scene| {
            scene.account.by_hand().edit_secret(SECRET, "{}");
        }),
        ("has lost its ownership tags", |scene| {
            scene.account.by_hand().strip_user_tags(USER);
        }),
    ];
    for (expected, change) in changes {
        let (scene, secret) = watched().await;
        sleep(DAY).await;
        change(&scene);
        let body = told(&scene, &secret).await;
        assert!(body.contains(expected), "{expected}: {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_reports_nothing_while_the_stack_is_at_work() {
    let (scene, secret) = watched().await;
    scene
        .account
        .bucket_policy("reads", BucketPolicy::DeniesGet);
    for (stack, resource) in [
        ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"),
        ("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_FAILED"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"),
        ("DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS"),
    ] {
        scene.stack.set(stack, resource);
        assert_eq!(check(&scene, &secret).await, [], "{stack}");
        let answer = ask(&scene, &secret).await;
        assert_eq!(answer["state"], "stack at work");
        assert_eq!(answer["healthy"], false);
    }
    scene
        .stack
        .set("UPDATE_ROLLBACK_COMPLETE", "UPDATE_COMPLETE");
    assert_eq!(check(&scene, &secret).await.len(), 1);
}

/// The days, from 0, on which a check sends something, over this many days.
async fn days_told(scene: &Scene, secret: &Rotated, days: u64) -> Vec<u64> {
    let mut told = Vec::new();
    // Not exactly when a day of the key's age ends.
    sleep(DAY / 24).await;
    for day in 0..days {
        let messages = check(scene, secret).await;
        if messages
            .iter()
            .any(|message| message.machine["event"] == "findings")
        {
            told.push(day);
        }
        sleep(DAY).await;
    }
    told
}

#[tokio::test(start_paused = true)]
async fn an_old_key_is_reported_on_its_first_day_and_every_seventh_after() {
    let (scene, secret) = watched().await;
    let secret = secret.with("MAX_KEY_AGE_DAYS", "20");
    assert_eq!(days_told(&scene, &secret, 36).await, [20, 27, 34]);
    assert_eq!(
        ask(&scene, &secret).await["healthy"],
        true,
        "access is as it should be"
    );
    let never = secret.with("MAX_KEY_AGE_DAYS", "0");
    assert_eq!(days_told(&scene, &never, 14).await, [0; 0]);
    // A schedule renews it.
    let (scene, _) = watched().await;
    let renewed = Rotated::new(&scene.account, SECRET).with("MAX_KEY_AGE_DAYS", "20");
    assert_eq!(days_told(&scene, &renewed, 36).await, [0; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_overdue_rotation_is_reported_from_its_third_day_on() {
    let (scene, _) = watched().await;
    let secret = Rotated::new(&scene.account, SECRET);
    let next = Some(scene.account.time() + DAY * 3);
    scene.account.by_hand().schedule_rotation(SECRET, next);
    assert_eq!(days_told(&scene, &secret, 16).await, [5, 12]);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_used_long_after_it_was_replaced_is_reported() {
    let (mut scene, _) = watched().await;
    let before = scene.account.stored_key(SECRET).expect("a key");
    let raised = properties_with(json!({"KeySerial": 2}));
    assert_eq!(scene.update(raised).await, Outcome::Complete);
    let (scene, secret) = looked_after(scene);
    let secret = secret.with("KEY_SERIAL", "2");
    let bucket = BucketUri::parse("reads").expect("a bucket");
    sleep(DAY / 24).await;
    let mut told = Vec::new();
    for day in 0..28 {
        if day < 13 {
            assert!(scene.account.by_hand().reads(&before, &bucket));
        }
        let messages = check(&scene, &secret).await;
        if messages
            .iter()
            .any(|message| message.machine["event"] == "findings")
        {
            told.push(day);
        }
        sleep(DAY).await;
    }
    assert_eq!(told, [10, 17, 24]);
    let finding = &ask(&scene, &secret).await["findings"][0];
    assert_eq!(finding["about"], "previous-key-in-use");
    let finding = finding.to_string();
    for part in [before.id.as_str(), "for service `s3`", "paste the key"] {
        assert!(finding.contains(part), "{part}: {finding}");
    }
}

#[tokio::test(start_paused = true)]
async fn all_findings_are_one_message_and_a_new_keys_message_says_what_to_do() {
    let (scene, secret) = watched().await;
    scene
        .account
        .bucket_policy("reads", BucketPolicy::DeniesGet);
    scene
        .account
        .by_hand()
        .set_boundary(USER, Some(OTHER_BOUNDARY));
    let body = told(&scene, &secret).await;
    assert!(
        body.contains("denies it") && body.contains("bound the user"),
        "{body}"
    );

    let ended = secret.invoke(&scene.process(), &secret.label_moved()).await;
    assert_eq!(ended, Some(Ok(())));
    let messages = scene.account.take_messages();
    let [message] = &messages[..] else {
        panic!("{messages:?}")
    };
    assert!(
        message.subject().contains("paste the new key"),
        "{message:?}"
    );
    assert!(
        message.text.contains("Paste the key from the secret"),
        "{message:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_not_served_is_refused_and_nothing_is_read() {
    let (scene, secret) = watched().await;
    let mut of_another = secret.label_moved();
    let neighbour = scene.account.secret_arn("publisher/publisher-neighbour");
    of_another["resources"] = json!([neighbour]);
    for event in [
        of_another,
        json!({"check": true}),
        json!({"check": {"all": true}}),
        json!({"source": "aws.events", "detail-type": "Scheduled Event", "resources": ["rule"]}),
    ] {
        let process = scene.process();
        let ended = secret.invoke(&process, &event).await;
        assert!(matches!(ended, Some(Err(_))), "{event}");
        assert_eq!(process.calls(), [""; 0], "{event}");
        assert_eq!(scene.account.take_messages(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_succeeds_even_if_nobody_is_notified() {
    let (scene, secret) = watched().await;
    let secret = secret.with("TOPIC_ARN", "");
    scene
        .account
        .bucket_policy("reads", BucketPolicy::DeniesGet);
    assert_eq!(check(&scene, &secret).await, []);
}
