//! S3, STS and CloudFormation.

use std::time::Duration;

use publisher_s3_access::cloud::{
    CloudError, ErrorKind, ObjectRead, Objects, StackResource, Stacks, Users,
};
use publisher_s3_access::request::buckets::{BucketName, BucketUri};

use super::*;
use kit::account::Lags;
use kit::account::cloudformation::ViewLag;
use kit::account::s3::{BucketPolicy, Object};
use kit::policy_check::{Decision, Request};

const KMS_KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555";

fn uri(text: &str) -> BucketUri {
    BucketUri::parse(text).expect("a bucket")
}

fn bucket(text: &str) -> BucketName {
    BucketName::parse(text).expect("a bucket")
}

/// An account with a bucket, and a key whose policy reads it.
async fn reader() -> (Account, StoredKey) {
    let account = Account::new();
    let objects = [
        ("archived", Object::Archived),
        ("customer", Object::CustomerKey),
        ("empty", Object::Empty),
        ("kms", Object::Kms(KMS_KEY.to_owned())),
        ("plain", Object::Plain),
    ];
    account.bucket("reads", "eu-west-1", &objects);
    make_user(&account).await;
    account
        .put_policy(&user(USER), &policy("p"), POLICY)
        .await
        .unwrap();
    let key = make_key(&account).await;
    (account, key)
}

#[tokio::test(start_paused = true)]
async fn a_key_reads_what_its_policy_allows_where_it_is() {
    let (account, key) = reader().await;
    assert_eq!(
        account.caller_of(&key).await.unwrap(),
        "arn:aws:iam::111122223333:user/publisher-reader"
    );
    assert_eq!(
        account
            .bucket_region(&bucket("reads"))
            .await
            .unwrap()
            .as_deref(),
        Some("eu-west-1")
    );
    assert_eq!(
        account.bucket_region(&bucket("absent")).await.unwrap(),
        None
    );
    let first = account
        .list_objects(&key, "eu-west-1", &uri("reads"), None)
        .await
        .unwrap();
    assert_eq!(first.objects[0].key, "archived");
    assert!(first.objects[0].archived);
    let first = account
        .list_objects(&key, "eu-west-1", &uri("s3://reads/nothing/"), None)
        .await
        .unwrap();
    assert_eq!(first.objects, []);
    let elsewhere = account
        .list_objects(&key, "us-east-1", &uri("reads"), None)
        .await;
    assert_eq!(code(elsewhere), "PermanentRedirect");
    assert_eq!(
        code(
            account
                .list_objects(&key, "us-east-1", &uri("absent"), None)
                .await
        ),
        "NoSuchBucket"
    );
}

#[tokio::test(start_paused = true)]
async fn objects_answer_as_their_kind_does() {
    let (account, key) = reader().await;
    let read = async |object: &str| {
        account
            .read_byte(&key, "eu-west-1", &bucket("reads"), object)
            .await
    };
    read("plain").await.unwrap();
    for (object, expected) in [
        ("empty", ObjectRead::Empty),
        ("archived", ObjectRead::Archived),
        ("customer", ObjectRead::CustomerKey),
        ("absent", ObjectRead::Gone),
    ] {
        assert_eq!(read(object).await, Ok(expected), "{object}");
    }
    let refused = read("kms").await.unwrap_err();
    assert!(
        refused.message.contains("kms:Decrypt") && refused.message.contains(KMS_KEY),
        "{refused}"
    );
    let decrypt = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"kms:Decrypt","Resource":"{KMS_KEY}",
           "Condition":{{"StringEquals":{{"kms:ViaService":"s3.eu-west-1.amazonaws.com"}}}}}}}}"#
    );
    account
        .put_policy(&user(USER), &policy("kms"), &decrypt)
        .await
        .unwrap();
    read("kms").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_key_fails_when_it_is_unknown_inactive_wrong_or_bare() {
    let (account, key) = reader().await;
    let list = async |key: &StoredKey| {
        account
            .list_objects(key, "eu-west-1", &uri("reads"), None)
            .await
    };
    let wrong = StoredKey {
        secret: "wrong".into(),
        ..key.clone()
    };
    assert_eq!(code(list(&wrong).await), "SignatureDoesNotMatch");
    account.by_hand().remove_policy(USER, "p");
    assert_eq!(kind(list(&key).await), ErrorKind::Denied);
    account.caller_of(&key).await.unwrap();
    account.by_hand().deactivate_key(USER, key.id.as_str());
    assert_eq!(code(account.caller_of(&key).await), "InvalidClientTokenId");
    account.by_hand().delete_key(USER, key.id.as_str());
    assert_eq!(kind(list(&key).await), ErrorKind::UnknownKey);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_policy_that_denies_wins() {
    let (account, key) = reader().await;
    account.bucket_policy("reads", BucketPolicy::DeniesList);
    let refused = account
        .list_objects(&key, "eu-west-1", &uri("reads"), None)
        .await
        .unwrap_err();
    assert!(refused.message.contains("explicit deny"), "{refused}");
    account.bucket_policy("reads", BucketPolicy::DeniesGet);
    account
        .list_objects(&key, "eu-west-1", &uri("reads"), None)
        .await
        .unwrap();
    let refused = account
        .read_byte(&key, "eu-west-1", &bucket("reads"), "plain")
        .await
        .unwrap_err();
    assert!(refused.message.contains("explicit deny"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn keys_and_policies_lag() {
    let second = Duration::from_secs(1);
    let (account, old) = reader().await;
    account.lag(Lags {
        key: second,
        policy: second,
        ..Lags::default()
    });
    let key = make_key(&account).await;
    assert_eq!(kind(account.caller_of(&key).await), ErrorKind::UnknownKey);
    account.caller_of(&old).await.unwrap_err();
    tokio::time::sleep(second).await;
    account.caller_of(&key).await.unwrap();
    let other = POLICY.replace("reads", "other");
    account
        .put_policy(&user(USER), &policy("p"), &other)
        .await
        .unwrap();
    account
        .list_objects(&key, "eu-west-1", &uri("reads"), None)
        .await
        .unwrap();
    tokio::time::sleep(second).await;
    assert_eq!(
        kind(
            account
                .list_objects(&key, "eu-west-1", &uri("reads"), None)
                .await
        ),
        ErrorKind::Denied
    );
}

#[test]
fn policies_are_judged_as_iam_judges_them() {
    let prefixed = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:listbucket"],
        "Resource":"arn:aws:s3:::b","Condition":{"StringLike":{"s3:prefix":["p/","p/*"]}}}]}"#;
    let deny =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"s3:*","Resource":"*"}}"#;
    let strange = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*",
        "Condition":{"DateGreaterThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}}}}"#;
    let list = |prefix| Request::new("s3:ListBucket", "arn:aws:s3:::b").with("s3:prefix", prefix);
    let classify = |request: Request<'_>, documents: &[&'static str]| {
        request.judged_by(documents.iter().copied())
    };
    assert_eq!(classify(list("p/q"), &[prefixed]), Decision::Allowed);
    assert_eq!(classify(list("p/"), &[prefixed]), Decision::Allowed);
    assert_eq!(classify(list("p"), &[prefixed]), Decision::NotAllowed);
    assert_eq!(classify(list(""), &[prefixed]), Decision::NotAllowed);
    assert_eq!(
        classify(Request::new("s3:ListBucket", "arn:aws:s3:::b"), &[prefixed]),
        Decision::NotAllowed
    );
    assert_eq!(
        classify(
            Request::new("s3:ListBucket", "arn:aws:s3:::bb").with("s3:prefix", "p/"),
            &[prefixed]
        ),
        Decision::NotAllowed
    );
    assert_eq!(classify(list("p/"), &[prefixed, deny]), Decision::Denied);
    assert_eq!(classify(list("p/"), &[strange]), Decision::NotAllowed);
    assert_eq!(classify(list("p/"), &[]), Decision::NotAllowed);
}

#[tokio::test(start_paused = true)]
async fn cloudformation_describes_what_it_was_told_as_late_as_it_was_told() {
    let account = Account::new();
    let Owner {
        stack_id,
        logical_id,
    } = owner();
    let status = async || match account.stack_resource(&stack_id, &logical_id).await {
        Ok(StackResource::Custom(resource)) => resource.status,
        Ok(StackResource::Missing(message)) => message,
        other => panic!("{other:?}"),
    };
    assert!(status().await.starts_with("Stack '"));
    assert_eq!(account.stack(&stack_id).await, Ok(None));
    account.set_stack(&stack_id, "CREATE_IN_PROGRESS");
    assert!(status().await.contains("does not exist for stack"));
    account.set_resource(&stack_id, &logical_id, "CREATE_IN_PROGRESS", "");
    assert_eq!(status().await, "CREATE_IN_PROGRESS");
    account.view_lags(ViewLag {
        time: Duration::ZERO,
        looks: 2,
    });
    account.set_resource(&stack_id, &logical_id, "CREATE_COMPLETE", "publisher/x");
    assert_eq!(status().await, "CREATE_IN_PROGRESS");
    assert_eq!(status().await, "CREATE_IN_PROGRESS");
    assert_eq!(status().await, "CREATE_COMPLETE");
    tokio::time::sleep(Duration::from_secs(5)).await;
    account.view_lags(ViewLag {
        time: Duration::from_secs(5),
        looks: 0,
    });
    account.forget_resource(&stack_id, &logical_id);
    assert_eq!(status().await, "CREATE_COMPLETE");
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(status().await.contains("does not exist for stack"));
}

#[tokio::test(start_paused = true)]
async fn another_stack_is_denied_and_a_busy_account_is_throttled() {
    let account = Account::new();
    let actor = account.acting_for(owner());
    let other = format!("{}0", owner().stack_id);
    account.set_stack(&other, "CREATE_IN_PROGRESS");
    let kind = |error: CloudError| error.kind;
    assert_eq!(
        actor.stack(&other).await.map_err(kind),
        Err(ErrorKind::Denied)
    );
    account.throttle_views(1);
    let own = owner().stack_id;
    assert_eq!(
        actor.stack(&own).await.map_err(kind),
        Err(ErrorKind::Throttled)
    );
    assert_eq!(actor.stack(&own).await, Ok(None));
}
