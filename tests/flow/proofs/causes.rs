//! Each cause has the advice that cures it, by the words in which AWS names it.

use std::ops::Range;
use std::time::Duration;

use kit::account::s3::BucketPolicy;
use kit::account::s3::Object::{self, Kms, Plain, Refused};
use kit::stack::Outcome;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{KMS_KEY, created, first_reason};
use crate::scene::{Scene, properties_with};

/// What the reason says, and how long the proof has waited for the cause to pass.
async fn refused(objects: &[(&str, Object)], policy: BucketPolicy) -> (String, Duration) {
    let mut scene = Scene::new().await;
    scene.account.bucket("reads", "eu-west-1", objects);
    scene.account.bucket_policy("reads", policy);
    let started = Instant::now();
    assert_eq!(
        scene.create(properties_with(json!({}))).await,
        Outcome::RolledBack
    );
    let waited = started.elapsed();
    scene.assert_nothing_left();
    (first_reason(&scene), waited)
}

/// How long a refusal is waited for (not, others' policies a little, IAM's own long), AWS's code, AWS's words, and parts of
/// the advice.
type Row = (Range<u64>, &'static str, &'static str, Vec<&'static str>);

const NOT: Range<u64> = 0..4;
const LITTLE: Range<u64> = 4..15;
const LONG: Range<u64> = 25..60;

fn rows(table: &'static str) -> impl Iterator<Item = Row> {
    table.trim().lines().map(|line| {
        let cells: Vec<&str> = line.split(" | ").map(str::trim).collect();
        let [waits, code, words, advice] = cells[..] else {
            panic!("{line}");
        };
        let waits = match waits {
            "not" => NOT,
            "little" => LITTLE,
            _ => LONG,
        };
        (waits, code, words, advice.split("; ").collect())
    })
}

#[track_caller]
fn assert_said((reason, waited): &(String, Duration), (waits, _, words, advice): &Row) {
    for part in advice.iter().chain([words]) {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    assert!(waits.contains(&waited.as_secs()), "{waited:?}: {reason}");
}

const LISTINGS: &str = "
not    | AccessDenied | with an explicit deny in an identity-based policy | of the user or of one of its groups denies it; except this user from that Deny
long   | AccessDenied | because no identity-based policy allows the s3:ListBucket action | another `Revision`; another account
long   | AccessDenied | because no permissions boundary allows the s3:ListBucket action | `ReadableBuckets`
little | AccessDenied | with an explicit deny in a resource-based policy | the bucket's policy denies it; an Allow cannot lift it
little | AccessDenied | because no resource-based policy allows the s3:ListBucket action | allow this user `s3:ListBucket` and `s3:GetObject`
little | AccessDenied | with an explicit deny in a service control policy | your AWS organization denies it; except this user
little | AccessDenied | because no resource control policy allows the s3:ListBucket action | no policy of your AWS organization allows it
little | AccessDenied | with an explicit deny in a VPC endpoint policy | the policy of a VPC endpoint denies it
little | AccessDenied | because no VPC endpoint policy allows the s3:ListBucket action | allow it there
long   | AccessDenied | Access Denied | was the name mistyped?; Names are global; Requester Pays
not    | AllAccessDisabled | All access to this object has been disabled | AWS has disabled; trying again does not help
not    | NoSuchBucket | The specified bucket does not exist | there is no bucket `reads`
";

#[tokio::test(start_paused = true)]
async fn a_listing_that_is_refused_says_which_policy_denies_and_what_lifts_it() {
    for row in rows(LISTINGS) {
        let policy = BucketPolicy::Refuses(row.1, row.2);
        assert_said(&refused(&[("a", Plain)], policy).await, &row);
    }
}

const OBJECTS: &str = "
long   | AccessDenied | Access Denied | another account may have written it; Object Ownership; Requester Pays; the object's tags
little | AccessDenied | with an explicit deny in a resource-based policy | except this user from that Deny
little | AccessDenied | kms:Decrypt on resource: arn:aws:kms:eu-west-1:111122223333:key/1 because no resource-based policy allows the kms:Decrypt action | its key policy; `BucketKmsKeyArns`
little | AccessDenied | kms:Decrypt on resource: arn:aws:kms:eu-west-1:111122223333:key/1 with an explicit deny in a resource-based policy | denies it in its key policy; except this user
not    | KMS.DisabledException | arn:aws:kms:eu-west-1:111122223333:key/1 is disabled. | is disabled: enable it
not    | KMS.KMSInvalidStateException | arn:aws:kms:eu-west-1:111122223333:key/1 is pending deletion. | cancel its deletion
not    | KMS.ThrottlingException | Rate exceeded | it is safe to try again
";

#[tokio::test(start_paused = true)]
async fn an_object_that_is_refused_says_why_and_what_lifts_it() {
    for row in rows(OBJECTS) {
        let object = Refused(row.1, row.2);
        let said = refused(&[("a", object)], BucketPolicy::Silent).await;
        assert_said(&said, &row);
    }
}

#[tokio::test(start_paused = true)]
async fn encrypted_objects_need_their_key_named() {
    let objects = [("empty/", Object::Empty), ("kms", Kms(KMS_KEY.to_owned()))];
    let reason = created(&objects, json!({})).await.unwrap_err();
    assert!(
        reason.contains(KMS_KEY) && reason.contains("BucketKmsKeyArns"),
        "{reason}"
    );
    let named = json!({"BucketKmsKeyArns": [KMS_KEY]});
    assert_eq!(created(&objects, named).await, Ok("none".to_owned()));
}

async fn created_far_away(region: &str) -> (Outcome, String) {
    let mut scene = Scene::new().await;
    scene.account.bucket("far", region, &[("a", Plain)]);
    scene.account.region_is_not_enabled(region);
    let far: Value = properties_with(json!({"Buckets": "far"}));
    let outcome = scene.create(far).await;
    (outcome, first_reason(&scene))
}

#[tokio::test(start_paused = true)]
async fn only_a_region_that_has_to_be_enabled_is_called_so() {
    let (outcome, reason) = created_far_away("af-south-1").await;
    assert_eq!(outcome, Outcome::RolledBack);
    assert!(
        reason.contains("opt-in region") && reason.contains("`af-south-1`"),
        "{reason}"
    );
    let (_, reason) = created_far_away("eu-north-1").await;
    assert!(!reason.contains("opt-in"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_first_failure_says_what_to_do_next_and_sends_to_no_log_that_its_rollback_deletes() {
    let reason = created(&[], json!({})).await.unwrap_err();
    assert!(
        reason.contains("then delete the stack and deploy it again"),
        "{reason}"
    );
}
