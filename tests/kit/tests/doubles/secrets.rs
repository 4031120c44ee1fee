//! Secrets Manager.

use std::time::Duration;

use publisher_s3_access::cloud::Label;
use publisher_s3_access::cloud::{
    Creation, Encryption, ErrorKind, PutVersion, SecretState, Secrets,
};
use publisher_s3_access::request::names::SecretKmsKey;
use secrecy::{ExposeSecret, SecretString};

use super::*;

async fn store(
    account: &Account,
    arn: &SecretArn,
    number: u32,
    value: &str,
    label: Label,
) -> PutVersion {
    account
        .store_version(arn, &version(number), &value.into(), label)
        .await
        .unwrap()
}

async fn labels(account: &Account, number: u32) -> Vec<String> {
    let secret = account.find_secret(&secret(SECRET)).await.unwrap().unwrap();
    secret
        .labels
        .get(&version(number))
        .into_iter()
        .flatten()
        .cloned()
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_made_empty_and_once() {
    let account = Account::new();
    let arn = make_secret(&account).await;
    assert!(arn.0.starts_with(
        "arn:aws:secretsmanager:us-east-1:111122223333:secret:publisher/publisher-reader-"
    ));
    assert_eq!(arn.0.rsplit('-').next().unwrap().len(), 6);
    assert_eq!(
        account.create_secret(&new_secret(SECRET)).await.unwrap(),
        Creation::AlreadyExists
    );
    assert_eq!(account.list_versions(&secret(SECRET)).await.unwrap(), []);
    assert!(
        account
            .read_version(&arn, &version(1))
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test(start_paused = true)]
async fn the_first_version_is_current_whatever_its_label() {
    let account = Account::new();
    let arn = make_secret(&account).await;
    store(&account, &arn, 1, "a", Label::Candidate).await;
    assert_eq!(
        labels(&account, 1).await,
        ["AWSCURRENT", "PublisherCandidate"]
    );
    store(&account, &arn, 2, "b", Label::Candidate).await;
    assert_eq!(labels(&account, 2).await, ["PublisherCandidate"]);
    assert_eq!(labels(&account, 1).await, ["AWSCURRENT"]);
}

#[tokio::test(start_paused = true)]
async fn moving_current_moves_previous_along() {
    let account = Account::new();
    let arn = make_secret(&account).await;
    for (number, value) in [(1, "a"), (2, "b"), (3, "c")] {
        store(&account, &arn, number, value, Label::Current).await;
    }
    assert_eq!(labels(&account, 3).await, ["AWSCURRENT"]);
    assert_eq!(labels(&account, 2).await, ["AWSPREVIOUS"]);
    assert_eq!(
        account.list_versions(&secret(SECRET)).await.unwrap().len(),
        3,
        "deprecated ones stay listed"
    );
    account
        .move_label(&arn, Label::Current, Some(&version(3)), Some(&version(1)))
        .await
        .unwrap();
    assert_eq!(labels(&account, 1).await, ["AWSCURRENT"]);
    assert_eq!(labels(&account, 3).await, ["AWSPREVIOUS"]);
    assert_eq!(labels(&account, 2).await, [""; 0]);
    let value = account
        .read_version(&arn, &version(2))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(value.expose_secret(), "b");
}

#[tokio::test(start_paused = true)]
async fn labels_move_only_from_where_they_are() {
    let account = Account::new();
    let arn = make_secret(&account).await;
    store(&account, &arn, 1, "a", Label::Current).await;
    store(&account, &arn, 2, "b", Label::Candidate).await;
    let (one, two, absent) = (version(1), version(2), version(9));
    for (label, from, to) in [
        (Label::Current, Some(&one), None),
        (Label::Current, Some(&two), Some(&one)),
        (Label::Current, None, Some(&two)),
        (Label::Candidate, Some(&one), None),
        (Label::Candidate, None, None),
    ] {
        let answer = account.move_label(&arn, label, from, to).await;
        assert_eq!(
            kind(answer),
            ErrorKind::Rejected,
            "{label:?} {from:?} {to:?}"
        );
    }
    assert_eq!(
        kind(
            account
                .move_label(&arn, Label::Current, Some(&one), Some(&absent))
                .await
        ),
        ErrorKind::NotFound
    );
    account
        .move_label(&arn, Label::Candidate, Some(&two), None)
        .await
        .unwrap();
    assert_eq!(labels(&account, 2).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_token_holds_one_value_for_ever() {
    let account = Account::new();
    let arn = make_secret(&account).await;
    assert_eq!(
        store(&account, &arn, 1, "a", Label::Current).await,
        PutVersion::Stored
    );
    assert_eq!(
        store(&account, &arn, 2, "b", Label::Current).await,
        PutVersion::Stored
    );
    assert_eq!(
        store(&account, &arn, 1, "other", Label::Current).await,
        PutVersion::TokenTaken
    );
    assert_eq!(
        store(&account, &arn, 1, "a", Label::Current).await,
        PutVersion::Stored
    );
    assert_eq!(
        labels(&account, 1).await,
        ["AWSPREVIOUS"],
        "an equal repeat is ignored, its label too"
    );
    let short = VersionId("short".to_owned());
    let answer = account
        .store_version(&arn, &short, &SecretString::from("a"), Label::Current)
        .await;
    assert_eq!(kind(answer), ErrorKind::Rejected);
}

#[tokio::test(start_paused = true)]
async fn a_secret_pending_deletion_keeps_its_name_and_refuses_nearly_everything() {
    let account = Account::new();
    let arn = make_secret(&account).await;
    store(&account, &arn, 1, "a", Label::Current).await;
    assert_eq!(
        kind(account.delete_secret(&arn, Some(6)).await),
        ErrorKind::Rejected
    );
    account.delete_secret(&arn, Some(7)).await.unwrap();
    account.delete_secret(&arn, Some(30)).await.unwrap();
    let found = account.find_secret(&secret(SECRET)).await.unwrap().unwrap();
    assert_eq!(found.state, SecretState::PendingDeletion);
    assert_eq!(
        account.list_versions(&secret(SECRET)).await.unwrap().len(),
        1
    );
    assert_eq!(
        account.create_secret(&new_secret(SECRET)).await.unwrap(),
        Creation::AlreadyExists
    );
    assert_eq!(
        code(account.read_version(&arn, &version(1)).await),
        "InvalidRequestException"
    );
    assert_eq!(
        code(account.tag_secret(&arn, &own_tags()).await),
        "InvalidRequestException"
    );
    assert_eq!(
        code(
            account
                .update_secret(&arn, "", &Encryption::AwsManaged)
                .await
        ),
        "InvalidRequestException"
    );
    let stored = account
        .store_version(&arn, &version(2), &"b".into(), Label::Current)
        .await;
    assert_eq!(code(stored), "InvalidRequestException");
    account.restore_secret(&arn).await.unwrap();
    assert_eq!(labels(&account, 1).await, ["AWSCURRENT"]);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_secret_is_gone_after_its_window_or_at_once() {
    let account = Account::new();
    let arn = make_secret(&account).await;
    account.delete_secret(&arn, Some(7)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(7 * 86_400)).await;
    assert_eq!(account.find_secret(&secret(SECRET)).await.unwrap(), None);
    let again = make_secret(&account).await;
    assert_ne!(arn, again, "the suffix is random");
    account.delete_secret(&again, None).await.unwrap();
    account.delete_secret(&again, None).await.unwrap();
    assert_eq!(account.find_secret(&secret(SECRET)).await.unwrap(), None);
    assert_eq!(
        kind(
            account
                .update_secret(&again, "", &Encryption::AwsManaged)
                .await
        ),
        ErrorKind::NotFound
    );
}

#[tokio::test(start_paused = true)]
async fn replicas_prevent_deletion() {
    let account = Account::new();
    let arn = make_secret(&account).await;
    account.by_hand().replicate(SECRET, "eu-west-1");
    assert_eq!(
        kind(account.delete_secret(&arn, None).await),
        ErrorKind::Conflict
    );
    account
        .remove_replicas(&arn, &["eu-west-1".to_owned()])
        .await
        .unwrap();
    account.delete_secret(&arn, None).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn tag_keys_of_secrets_differ_in_case() {
    let account = Account::new();
    let arn = make_secret(&account).await;
    account
        .tag_secret(&arn, &tags(&[("Team", "a"), ("team", "b")]))
        .await
        .unwrap();
    account
        .untag_secret(&arn, &["Team".to_owned()])
        .await
        .unwrap();
    assert!(account.secret_tags(SECRET).unwrap().contains_key("team"));
    assert!(!account.secret_tags(SECRET).unwrap().contains_key("Team"));
    let many = (0..49)
        .map(|n| (format!("tag{n}"), String::new()))
        .collect();
    assert_eq!(
        kind(account.tag_secret(&arn, &many).await),
        ErrorKind::Rejected
    );
}

#[tokio::test(start_paused = true)]
async fn a_broken_kms_key_is_refused_when_it_is_set() {
    let account = Account::new();
    let arn = make_secret(&account).await;
    let key = SecretKmsKey::parse("alias/secrets").unwrap();
    let broken = Encryption::Key(key.clone().unwrap());
    account.by_hand().break_kms_key("alias/secrets");
    assert_eq!(
        code(account.update_secret(&arn, "new", &broken).await),
        "EncryptionFailure"
    );
    assert_eq!(account.description(SECRET), "about");
    let other = NewSecret {
        kms_key: key,
        ..new_secret("publisher/other")
    };
    assert_eq!(
        code(account.create_secret(&other).await),
        "EncryptionFailure"
    );
}
