//! What is found under an entry, and what a person sees of it: a green stack, a warning, or a Reason.

use kit::account::s3::Object::{
    self, Archived, ArchivedAfterAll, CustomerKey, Empty, GoneMeanwhile, Kms, Plain, Refused,
};
use serde_json::{Value, json};

use super::{KMS_KEY, created, first_reason, updated};
use crate::scene::{SECRET, Scene, USER, properties_with};
use kit::account::s3::BucketPolicy;
use kit::function::invoke;
use kit::rotation::Rotated;
use kit::stack::{Others, Outcome};

/// S3's words for an object that another account wrote.
const DENIED: Object = Refused("AccessDenied", "Access Denied");
const NOT_DECRYPTED: &str = "decryption was not proved";
const NOTHING: &str = "nothing is under";

/// This many objects of one kind.
fn many(count: usize, object: &Object) -> Vec<(String, Object)> {
    (0..count)
        .map(|at| (format!("{at:05}"), object.clone()))
        .collect()
}

/// What an entry of `reads` says with these objects in it.
async fn says(objects: &[(&str, Object)]) -> Result<String, String> {
    created(objects, json!({})).await
}

#[tokio::test(start_paused = true)]
async fn objects_that_are_read_are_green_without_a_warning() {
    let objects = [("a", Plain), ("b", Plain), ("c", Plain)];
    assert_eq!(says(&objects).await, Ok("none".to_owned()));
}

/// In the bucket of one report, another account had written the first of 19 objects.
#[tokio::test(start_paused = true)]
async fn an_object_that_is_refused_beside_others_is_a_warning_that_names_it() {
    for refused in ["a", "c", "e"] {
        let objects = ["a", "b", "c", "d", "e"].map(|key| {
            let object = if key == refused { DENIED } else { Plain };
            (key, object)
        });
        let warning = says(&objects).await.expect("the others were read");
        assert!(warning.contains(&format!("not `{refused}`")), "{warning}");
        assert!(warning.contains("Object Ownership"), "{warning}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_no_object_can_be_read_the_stack_fails_and_one_is_named() {
    let reason = says(&[("a", DENIED), ("b", DENIED)]).await.unwrap_err();
    assert!(
        reason.contains("cannot read `a` in `s3://reads/`"),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn only_objects_that_prove_no_decryption_are_green_with_a_warning() {
    for object in [Empty, Archived, CustomerKey] {
        let warning = says(&[("first", object)]).await.expect("it may be read");
        assert!(warning.contains(NOT_DECRYPTED), "{warning}");
    }
}

/// Pages of archived objects, and then a live one under a KMS key that nobody named.
#[tokio::test(start_paused = true)]
async fn a_live_object_behind_pages_of_archived_ones_is_found() {
    for archived in [150, 1_000, 1_001, 4_999] {
        let mut objects = many(archived, &Archived);
        objects.push(("live".to_owned(), Kms(KMS_KEY.to_owned())));
        let reason = says(&borrowed(&objects)).await.unwrap_err();
        assert!(reason.contains(KMS_KEY), "{archived}: {reason}");
    }
}

fn borrowed(objects: &[(String, Object)]) -> Vec<(&str, Object)> {
    let objects = objects.iter();
    objects
        .map(|(key, object)| (key.as_str(), object.clone()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn objects_beyond_the_fifth_page_are_a_finding_and_fewer_are_none() {
    for (count, healthy) in [(5_000, true), (5_001, false)] {
        let mut scene = Scene::new().await;
        let objects = many(count, &Empty);
        scene
            .account
            .bucket("reads", "eu-west-1", &borrowed(&objects));
        assert_eq!(
            scene.create(properties_with(json!({}))).await,
            Outcome::Complete
        );
        let warnings = scene.stack.last_answer().expect("one").data()["Warnings"].clone();
        assert!(warnings.to_string().contains(NOT_DECRYPTED), "{warnings}");
        let secret = Rotated::without_schedule(&scene.account, SECRET);
        let asked = secret.ask(&scene.process(), &json!({"check": {}})).await;
        let answer = asked.expect("it lives").expect("the check is made");
        assert_eq!(answer["healthy"], healthy, "{answer}");
    }
}

/// A folder that is spelt a little differently is the commonest slip.
#[tokio::test(start_paused = true)]
async fn a_new_entry_with_nothing_under_it_fails_and_asks_for_the_spelling() {
    let objects = [
        ("cohort/a", Plain),
        ("my folder/a", Plain),
        ("path/file.vcf.gz", Plain),
        ("cafe\u{301}/a", Plain),
    ];
    for entry in ["Cohort/", "my%20folder/", "path/file.vcf.gz", "caf\u{e9}/"] {
        let entry = format!("s3://reads/{entry}");
        let reason = created(&objects, json!({ "Buckets": entry })).await;
        let reason = reason.unwrap_err();
        for part in [
            NOTHING,
            "is it spelt as in S3",
            "An entry is a folder, not an object",
            "`allow-empty`",
        ] {
            assert!(reason.contains(part), "{entry}: {reason}");
        }
        let read = updated(&objects, json!({"Buckets": ["reads", entry]})).await;
        assert!(read.unwrap_err().contains(NOTHING), "{entry}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_was_there_before_may_be_empty_and_says_so() {
    // The last one is another way to write the same entry.
    for changes in [
        json!({"Revision": "2"}),
        json!({"KeySerial": 2}),
        json!({"Revision": "2", "Buckets": "s3://reads/"}),
    ] {
        let warning = updated(&[], changes.clone()).await.expect("it was there");
        assert!(warning.contains(NOTHING), "{changes}: {warning}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_may_be_empty_is_green_with_a_warning() {
    let allowed = json!({"VerifyAccess": "allow-empty"});
    let warning = created(&[], allowed).await.expect("it may be empty");
    assert!(warning.contains(NOTHING), "{warning}");
}

/// Five entries, of which some have a policy that denies.
async fn five_of_which_fail(failing: usize) -> String {
    let names = ["one", "two", "three", "four", "five"];
    let mut scene = Scene::new().await;
    for (at, name) in names.into_iter().enumerate() {
        scene.account.bucket(name, "eu-west-1", &[("a", Plain)]);
        if at >= names.len() - failing {
            scene.account.bucket_policy(name, BucketPolicy::DeniesList);
        }
    }
    let outcome = scene
        .create(properties_with(json!({ "Buckets": names })))
        .await;
    assert_eq!(outcome, Outcome::RolledBack);
    first_reason(&scene)
}

#[tokio::test(start_paused = true)]
async fn all_entries_are_tried_and_the_reason_has_two_and_how_many_more() {
    let two = five_of_which_fail(2).await;
    assert!(
        two.contains("`s3://four/`") && two.contains("`s3://five/`"),
        "{two}"
    );
    assert!(!two.contains("more entr"), "{two}");
    let five = five_of_which_fail(5).await;
    assert!(
        five.contains("`s3://one/`") && five.contains("`s3://two/`"),
        "{five}"
    );
    assert!(five.contains("3 more entries"), "{five}");
}

/// The objects that were read, in order.
fn read(scene: &Scene) -> Vec<String> {
    let log = scene.account.log();
    let reads = log
        .iter()
        .filter_map(|line| line.strip_prefix("s3:GetObject reads/"));
    reads
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn the_first_the_middle_and_the_last_object_that_can_prove_something_are_read() {
    for (objects, expected) in [
        (
            &[("a/", Empty), ("b", Archived), ("c", Plain), ("d", Plain)][..],
            &["c", "d"][..],
        ),
        (
            &[
                ("a", Plain),
                ("b", Plain),
                ("c", Plain),
                ("d", Plain),
                ("e", Plain),
            ],
            &["a", "c", "e"],
        ),
        (
            &[
                ("a", ArchivedAfterAll),
                ("b", GoneMeanwhile),
                ("c", Plain),
                ("d", Plain),
            ],
            &["a", "b", "c", "d"],
        ),
        // Nothing here proves decryption, but it shows that reading is allowed.
        (&[("a/", Empty), ("b", Archived)], &["a/"]),
        (
            &[("a", ArchivedAfterAll), ("b", GoneMeanwhile)],
            &["a", "b"],
        ),
    ] {
        let mut scene = Scene::new().await;
        scene.account.bucket("reads", "eu-west-1", objects);
        let before = read(&scene).len();
        assert_eq!(
            scene.create(properties_with(json!({}))).await,
            Outcome::Complete
        );
        let mut read = read(&scene).split_off(before);
        read.sort();
        assert_eq!(read, *expected, "{objects:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_takes_twenty_reads_at_most() {
    let mut scene = Scene::new().await;
    let objects = many(100, &GoneMeanwhile);
    scene
        .account
        .bucket("reads", "eu-west-1", &borrowed(&objects));
    let before = read(&scene).len();
    assert_eq!(
        scene.create(properties_with(json!({}))).await,
        Outcome::Complete
    );
    assert_eq!(read(&scene).len() - before, 20);
}

/// Forward or rollback is never guessed.
#[tokio::test(start_paused = true)]
async fn a_rollback_that_cloudformation_does_not_answer_at_first_is_one_all_the_same() {
    let mut scene = Scene::created().await;
    let (account, cloud) = (scene.account.clone(), scene.process());
    let mut sent = 0;
    let mut run = async |event| {
        sent += 1;
        if sent == 2 {
            account.bucket_policy("reads", BucketPolicy::DeniesList);
            account.throttle_views(4);
        }
        invoke(&account, &cloud, &event).await
    };
    let changed = properties_with(json!({"Buckets": "others"}));
    let outcome = scene.stack.update(changed, Others::Fail, &mut run).await;
    assert_eq!(outcome, Outcome::RolledBack, "{}", scene.reason());
}

/// In a rollback every failure is a warning.
#[tokio::test(start_paused = true)]
async fn what_a_rollback_cannot_read_is_a_warning() {
    let mut scene = Scene::created().await;
    for policy in [BucketPolicy::DeniesList, BucketPolicy::DeniesGet] {
        scene.account.bucket_policy("reads", policy);
        let missing = properties_with(json!({"Buckets": "missing"}));
        assert_eq!(scene.update(missing).await, Outcome::RolledBack);
        let answer = scene.stack.last_answer().expect("of the rollback");
        let warnings: &Value = &answer.data()["Warnings"];
        assert!(warnings.to_string().contains("s3://reads/"), "{warnings}");
        scene.account.assert_in_order(USER, scene.owner());
    }
}
