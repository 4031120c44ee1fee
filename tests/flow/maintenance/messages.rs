//! The messages as each kind of subscriber gets them.

use std::collections::BTreeSet;

use publisher_s3_access::cloud::{AttachmentKind, Message, Subscriptions};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{ask, check, watched};
use crate::scene::{SECRET, Scene, USER, properties_with};
use kit::account::s3::{BucketPolicy, Object};
use kit::faults::{Fault, Faulty};
use kit::rotation::{DAY, Rotated};
use kit::stack::Outcome;
use publisher_s3_access::cloud::{ErrorKind, Label};
use publisher_s3_access::waits::IAM_LAG;

/// What programs are told.
fn machine(message: &Message) -> Value {
    let forms = message.by_protocol();
    let form = forms["sqs"].as_str().expect("a form for queues");
    serde_json::from_str(form).expect("JSON")
}

/// The message about `AWSCURRENT` having moved.
async fn moved(scene: &Scene, secret: &Rotated) -> Message {
    scene.account.take_messages();
    let ended = secret.invoke(&scene.process(), &secret.label_moved()).await;
    assert_eq!(ended, Some(Ok(())));
    let mut messages = scene.account.take_messages();
    assert_eq!(messages.len(), 1, "{messages:?}");
    messages.remove(0)
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_told_with_the_version_that_holds_it() {
    let (scene, secret) = watched().await;
    let message = moved(&scene, &secret).await;
    assert!(message.subject().contains("paste the new key"));
    let told = machine(&message);
    let version = scene.account.version_under(SECRET, Label::Current);
    assert_eq!(told["event"], "new-key");
    assert_eq!(told["version"], version.expect("a version").0.as_str());
    assert_eq!(told["secret"], scene.account.secret_arn(SECRET));
    assert_eq!(told["user"], USER);
    assert_eq!(told["stack"], scene.owner().stack_id.as_str());
    // A webhook gets the form for chat, with the same as strings.
    let context = &message.chat["metadata"]["additionalContext"];
    for member in ["event", "version", "secret", "user", "stack"] {
        assert_eq!(context[member], told[member], "{member}");
    }
    // A short message is the first sentence.
    let forms = message.by_protocol();
    let sentence = forms["sms"].as_str().expect("a sentence");
    assert!(sentence.starts_with(&format!("IAM user {USER} has had a new access key")));
    assert!(!sentence.contains('\n'));
}

#[tokio::test(start_paused = true)]
async fn whatever_else_is_put_into_the_secret_nobody_is_asked_to_paste_it() {
    for value in [
        "{}".to_owned(),
        json!({"AccessKeyId": "AKIASTRANGER00000000", "SecretAccessKey": "x", "UserName": USER}).to_string(),
        json!({"AccessKeyId": "AKIASTRANGER00000000", "SecretAccessKey": "x", "UserName": "publisher-neighbour"}).to_string(),
    ] {
        let (scene, secret) = watched().await;
        scene.account.by_hand().edit_secret(SECRET, &value);
        let begun = Instant::now();
        let message = moved(&scene, &secret).await;
        assert!(begun.elapsed() >= IAM_LAG, "it may be a key that IAM lists late");
        assert_eq!(machine(&message)["event"], "changed-by-hand");
        assert!(message.text.contains("Do not paste it."), "{}", message.text);
        assert!(message.text.contains("move AWSCURRENT from version"), "{}", message.text);
    }
    // A deactivated key is none to paste either.
    let (scene, secret) = watched().await;
    let key = scene.active_keys(USER).remove(0);
    scene.account.by_hand().deactivate_key(USER, &key);
    assert_eq!(
        machine(&moved(&scene, &secret).await)["event"],
        "changed-by-hand"
    );
}

#[tokio::test(start_paused = true)]
async fn a_healthy_check_says_so_on_the_first_day_of_a_month_and_on_no_other() {
    let (scene, secret) = watched().await;
    let mut told = Vec::new();
    for day in 0..70 {
        for message in check(&scene, &secret).await {
            assert_eq!(machine(&message)["event"], "all-well", "{message:?}");
            told.push(day);
        }
        sleep(DAY).await;
    }
    assert_eq!(told, [29, 60], "the account's clock begins on November 2");
    // Not if something is wrong.
    let (scene, secret) = watched().await;
    scene
        .account
        .bucket_policy("reads", BucketPolicy::DeniesGet);
    for _ in 0..40 {
        for message in check(&scene, &secret).await {
            assert_eq!(machine(&message)["event"], "findings");
        }
        sleep(DAY).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_nobody_hears_is_not_healthy_and_one_that_may_not_be_looked_at_is_no_finding()
{
    let of = |confirmed, pending| Some(Subscriptions { confirmed, pending });
    for (subscriptions, healthy) in [
        (of(1, 0), true),
        (of(2, 3), true),
        (of(0, 0), false),
        (of(0, 1), false),
        (None, true),
    ] {
        let (scene, secret) = watched().await;
        scene.account.subscribe(subscriptions);
        let answer = ask(&scene, &secret).await;
        assert_eq!(answer["healthy"], healthy, "{subscriptions:?}: {answer}");
        let found = answer["findings"].as_array().expect("findings");
        let about = found.first().map(|finding| finding["about"].clone());
        assert_eq!(about, (!healthy).then(|| json!("nobody-hears")), "{answer}");
        assert_eq!(answer["subscriptions"].is_null(), subscriptions.is_none());
    }
    // Nobody wants to be told.
    let (scene, secret) = watched().await;
    let answer = ask(&scene, &secret.with("TOPIC_ARN", "")).await;
    assert_eq!(answer["healthy"], true, "{answer}");
}

#[tokio::test(start_paused = true)]
async fn power_that_was_added_to_the_user_is_told_each_by_its_name() {
    type Added = fn(&Scene);
    let all: [(&str, &str, Added); 5] = [
        (
            "added-power",
            "delete-user-policy --user-name publisher-reader --policy-name Wide",
            |scene| {
                scene.account.by_hand().put_policy(
                    USER,
                    "Wide",
                    r#"{"Version":"2012-10-17","Statement":[]}"#,
                );
            },
        ),
        (
            "added-power",
            "detach-user-policy --user-name publisher-reader --policy-arn arn:aws:iam::aws:policy/AdministratorAccess",
            |scene| {
                let arn = "arn:aws:iam::aws:policy/AdministratorAccess";
                let hand = scene.account.by_hand();
                hand.attach(USER, AttachmentKind::ManagedPolicy, arn);
            },
        ),
        (
            "added-power",
            "remove-user-from-group --user-name publisher-reader --group-name admins",
            |scene| {
                let hand = scene.account.by_hand();
                hand.attach(USER, AttachmentKind::Group, "admins");
            },
        ),
        (
            "added-power",
            "delete-login-profile --user-name publisher-reader",
            |scene| {
                let hand = scene.account.by_hand();
                hand.attach(USER, AttachmentKind::LoginProfile, USER);
            },
        ),
        ("quarantine", "AWS has found a key of user", |scene| {
            scene.account.by_hand().quarantine(USER);
        }),
    ];
    for (about, text, add) in all {
        let (scene, secret) = watched().await;
        add(&scene);
        let answer = ask(&scene, &secret).await;
        let [finding] = &answer["findings"].as_array().expect("findings")[..] else {
            panic!("{answer}")
        };
        assert_eq!(finding["about"], about);
        assert!(
            finding["text"].as_str().expect("text").contains(text),
            "{finding}"
        );
        assert_eq!(answer["healthy"], false);
        let messages = check(&scene, &secret).await;
        assert_eq!(machine(&messages[0])["findings"][0], *finding);
    }
}

#[tokio::test(start_paused = true)]
async fn a_deactivated_key_in_use_is_named_whatever_else_is_wrong() {
    let (scene, secret) = watched().await;
    let key = scene.active_keys(USER).remove(0);
    scene.account.by_hand().deactivate_key(USER, &key);
    scene.account.by_hand().add_key(USER);
    let answer = ask(&scene, &secret).await;
    let abouts: Vec<&Value> = answer["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .map(|finding| &finding["about"])
        .collect();
    assert_eq!(abouts, ["inactive-key", "repair", "left-key"], "{answer}");
    assert!(answer["findings"][0].to_string().contains(&key));
}

#[tokio::test(start_paused = true)]
async fn an_entry_without_an_answer_hides_no_other_finding() {
    let silent = |scene: &Scene| {
        let refused = Fault::Refuse(ErrorKind::Indeterminate);
        Faulty::with_named(scene.stack.cloud(), "list_objects", 1000, refused)
    };
    // Alone it is no finding: the check could not be made, and Lambda tries again.
    let (scene, secret) = watched().await;
    let ended = secret.invoke(&silent(&scene), &secret.daily()).await;
    assert!(matches!(ended, Some(Err(_))), "{ended:?}");
    assert_eq!(scene.account.take_messages(), []);
    let (scene, secret) = watched().await;
    scene.account.by_hand().quarantine(USER);
    let ended = secret.invoke(&silent(&scene), &secret.daily()).await;
    assert_eq!(ended, Some(Ok(())));
    let messages = scene.account.take_messages();
    let told = machine(&messages[0]);
    assert_eq!(told["findings"][0]["about"], "unanswered", "{told}");
    assert_eq!(told["findings"][1]["about"], "quarantine", "{told}");
}

#[tokio::test(start_paused = true)]
async fn an_emptied_folder_is_told_unless_it_may_be_empty() {
    let (scene, secret) = watched().await;
    scene.account.bucket("reads", "eu-west-1", &[]);
    let answer = ask(&scene, &secret).await;
    assert_eq!(answer["findings"][0]["about"], "access", "{answer}");
    let secret = secret.with("VERIFY_ACCESS", "allow-empty");
    let answer = ask(&scene, &secret).await;
    assert_eq!(answer["healthy"], true, "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_hundred_findings_and_foreign_text_fit_into_one_message() {
    let mut scene = Scene::new().await;
    let entries: Vec<String> = (0..9).map(|n| format!("s3://reads/folder-{n}/")).collect();
    let objects: Vec<(String, Object)> = (0..9)
        .map(|n| (format!("folder-{n}/x"), Object::Plain))
        .collect();
    let objects: Vec<(&str, Object)> = objects
        .iter()
        .map(|(key, object)| (key.as_str(), object.clone()))
        .collect();
    scene.account.bucket("reads", "eu-west-1", &objects);
    let created = scene
        .create(properties_with(json!({"Buckets": entries})))
        .await;
    assert_eq!(created, Outcome::Complete, "{}", scene.reason());
    for number in 0..100 {
        // Group names are others' words.
        let name = format!("group-{number:03}-\u{202e}\n{}", "x".repeat(200));
        scene
            .account
            .by_hand()
            .attach(USER, AttachmentKind::Group, &name);
    }
    scene
        .account
        .bucket_policy("reads", BucketPolicy::DeniesGet);
    let secret =
        Rotated::without_schedule(&scene.account, SECRET).with("BUCKETS", entries.join(","));
    // The double refuses what SNS, chat or a program could not take.
    let messages = check(&scene, &secret).await;
    let [message] = &messages[..] else {
        panic!("{}", messages.len())
    };
    let told = machine(message);
    let listed = told["findings"].as_array().expect("findings").len();
    assert_eq!(told["findingsLeftOut"], 109 - listed, "{listed} of 109");
    assert!(message.text.contains(" more, in the function's log."));
    for form in [
        message.text.as_str(),
        &told.to_string(),
        &message.chat.to_string(),
    ] {
        assert!(!form.contains('\u{202e}'));
        assert!(
            form.contains(r"\u{202e}\u{a}")
                || form.contains(r"\\u{202e}\\u{a}")
                || !form.contains("group-")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_report_for_people_begins_with_the_state_and_has_each_finding_and_key() {
    let (scene, secret) = watched().await;
    scene.account.by_hand().quarantine(USER);
    let asked = json!({"check": {"as": "text"}});
    let answer = secret.ask(&scene.process(), &asked).await;
    let answer = answer.expect("it lives").expect("made");
    let lines: Vec<&str> = answer.as_str().expect("text").lines().collect();
    assert_eq!(lines[0], "unhealthy");
    assert!(lines[2].starts_with("- AWS has found a key"), "{lines:?}");
    assert!(
        lines[3].contains(", label AWSCURRENT, 0 days old"),
        "{lines:?}"
    );
    assert!(lines[4].contains("1 subscriptions"), "{lines:?}");
}

/// The names of all members, and of theirs.
fn shape(value: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if let Value::Object(members) = value {
        for (name, member) in members {
            names.insert(name.clone());
            names.extend(shape(member).iter().map(|below| format!("{name}.{below}")));
        }
    }
    names
}

/// docs/what-you-will-see.md shows what a queue, a chat and the test page get.
#[tokio::test(start_paused = true)]
async fn the_page_shows_every_form_with_the_members_that_it_has() {
    let page = std::fs::read_to_string("../../docs/what-you-will-see.md").expect("the page");
    let shown = |heading: &str| {
        let (_, after) = page.split_once(heading).expect(heading);
        let (_, block) = after.split_once("```json\n").expect("a block");
        let block = block.split("```").next().unwrap_or_default();
        serde_json::from_str::<Value>(block).expect("JSON")
    };
    let (scene, secret) = watched().await;
    let message = moved(&scene, &secret).await;
    let report = ask(&scene, &secret).await;
    for (heading, form) in [
        ("## The form for programs", &machine(&message)),
        ("## The form for chat", &message.chat),
        ("## The test page", &report),
    ] {
        assert_eq!(shape(&shown(heading)), shape(form), "{heading}");
    }
    let keys = &shown("## The test page")["keys"][0];
    assert_eq!(shape(keys), shape(&report["keys"][0]));
}
