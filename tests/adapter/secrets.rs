//! Secrets Manager.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use publisher_s3_access::cloud::{
    Creation, Encryption, ErrorKind, NewSecret, Rotation, Secret, SecretArn, SecretState, Secrets,
    VersionId,
};
use publisher_s3_access::request::names::SecretKmsKey;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::wire::{Answer, Wire, json_error, reply};
use crate::{secret_arn, secret_name, tags, version};

const PENDING: &str = "You can't create this secret because a secret with this name is already scheduled for deletion.";
pub(crate) const DELETED: &str =
    "You can’t perform this operation on the secret because it was deleted.";

pub(crate) fn ok(body: &Value) -> Answer {
    reply(200, body.to_string())
}

fn missing() -> Answer {
    json_error(
        400,
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret.",
    )
}

pub(crate) fn invalid_request(text: &str) -> Answer {
    json_error(400, "InvalidRequestException", text)
}

pub(crate) fn sent_json(wire: &Wire, index: usize) -> Value {
    serde_json::from_str(&wire.sent()[index].body).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_described_with_its_labels() {
    let wire = Wire::playing([ok(&json!({
        "ARN": secret_arn().0,
        "Name": "publisher/publisher-connectors",
        "Description": "what",
        "KmsKeyId": "alias/mine",
        "RotationEnabled": true,
        "LastChangedDate": 1_790_812_700.0,
        "DeletedDate": 1_790_812_800.5,
        "Tags": [{"Key": "team", "Value": "a"}, {"Key": "empty"}],
        "VersionIdsToStages": {"v1": ["AWSPREVIOUS"], "v2": ["AWSCURRENT", "AWSPENDING"]},
        "ReplicationStatus": [{"Region": "us-east-1", "Status": "InSync"}]
    }))]);
    let labels = |labels: &[&str]| {
        labels
            .iter()
            .map(|&label| label.to_owned())
            .collect::<BTreeSet<_>>()
    };
    let expected = Secret {
        arn: secret_arn(),
        tags: BTreeMap::from([
            ("team".to_owned(), "a".to_owned()),
            ("empty".to_owned(), String::new()),
        ]),
        description: "what".to_owned(),
        kms_key: Some("alias/mine".to_owned()),
        changed: SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_812_700),
        state: SecretState::PendingDeletion,
        labels: BTreeMap::from([
            (VersionId("v1".to_owned()), labels(&["AWSPREVIOUS"])),
            (
                VersionId("v2".to_owned()),
                labels(&["AWSCURRENT", "AWSPENDING"]),
            ),
        ]),
        replicas: vec!["us-east-1".to_owned()],
        primary_region: None,
        rotation: Rotation::Enabled,
        next_rotation: None,
    };
    assert_eq!(
        wire.aws().find_secret(&secret_name()).await,
        Ok(Some(expected))
    );
}

#[tokio::test(start_paused = true)]
async fn fields_missing_from_a_description_are_unknown_or_empty() {
    for (body, rotation) in [
        (json!({"ARN": "arn"}), Rotation::Unsaid),
        (
            json!({"ARN": "arn", "RotationEnabled": false, "KmsKeyId": "", "VersionIdsToStages": null}),
            Rotation::Off,
        ),
        (
            json!({"ARN": "arn", "KmsKeyId": "alias/aws/secretsmanager"}),
            Rotation::Unsaid,
        ),
    ] {
        let wire = Wire::playing([ok(&body)]);
        let secret = wire
            .aws()
            .find_secret(&secret_name())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (secret.state, secret.rotation, secret.kms_key),
            (SecretState::Live, rotation, None)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_read_as_nothing() {
    let wire = Wire::always(missing());
    let aws = wire.aws();
    assert_eq!(aws.find_secret(&secret_name()).await, Ok(None));
    assert_eq!(aws.list_versions(&secret_name()).await, Ok(vec![]));
    assert!(
        aws.read_version(&secret_arn(), &version())
            .await
            .unwrap()
            .is_none()
    );
}

fn new_secret() -> NewSecret {
    let kms_key = SecretKmsKey::parse("alias/mine").unwrap();
    NewSecret {
        name: secret_name(),
        description: "what".to_owned(),
        kms_key,
        tags: tags(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_made_tagged_and_without_a_value() {
    let wire = Wire::playing([ok(
        &json!({"ARN": secret_arn().0, "Name": "publisher/publisher-connectors"}),
    )]);
    assert_eq!(
        wire.aws().create_secret(&new_secret()).await,
        Ok(Creation::Created(secret_arn()))
    );
    let mut sent = sent_json(&wire, 0);
    assert!(
        sent.as_object_mut()
            .unwrap()
            .remove("ClientRequestToken")
            .is_some()
    );
    let tag = json!({"Key": "publisher-s3-access:logical-id", "Value": "Access"});
    let name = "publisher/publisher-connectors";
    assert_eq!(
        sent,
        json!({"Name": name, "Description": "what", "KmsKeyId": "alias/mine", "Tags": [tag]})
    );
}

#[tokio::test(start_paused = true)]
async fn a_secret_of_that_name_is_an_answer() {
    let there =
        "The operation failed because the secret publisher/publisher-connectors already exists.";
    let wire = Wire::playing([json_error(400, "ResourceExistsException", there)]);
    assert_eq!(
        wire.aws().create_secret(&new_secret()).await,
        Ok(Creation::AlreadyExists)
    );
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_is_pending_deletion_is_an_answer_and_is_not_waited_for() {
    let described = ok(&json!({"ARN": "arn", "DeletedDate": 1_790_812_800}));
    let wire = Wire::playing([invalid_request(PENDING), described]);
    let begin = Instant::now();
    assert_eq!(
        wire.aws().create_secret(&new_secret()).await,
        Ok(Creation::AlreadyExists)
    );
    assert!(begin.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_not_yet_free_is_waited_for() {
    for text in [PENDING, DELETED] {
        let made = ok(&json!({"ARN": secret_arn().0}));
        let wire = Wire::playing([
            invalid_request(text),
            missing(),
            invalid_request(text),
            missing(),
            made,
        ]);
        assert_eq!(
            wire.aws().create_secret(&new_secret()).await,
            Ok(Creation::Created(secret_arn()))
        );
        wire.assert_played();
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_does_not_come_free_is_given_up_within_half_a_minute() {
    let answers = std::iter::repeat_with(|| [invalid_request(DELETED), missing()])
        .take(100)
        .flatten();
    let wire = Wire::playing(answers);
    let begin = Instant::now();
    let error = wire
        .aws()
        .create_secret(&new_secret())
        .await
        .expect_err("the name stays taken");
    assert_eq!(
        (error.kind, &*error.message),
        (ErrorKind::Conflict, DELETED)
    );
    let waited = begin.elapsed().as_secs();
    assert!((15..=35).contains(&waited), "waited {waited} s");
    assert!(wire.sent().len() >= 8, "asked {} times", wire.sent().len());
}

#[tokio::test(start_paused = true)]
async fn an_update_sets_the_key_back_to_the_managed_one_and_never_sends_a_value() {
    let wire = Wire::playing([ok(&json!({"ARN": "arn"})), ok(&json!({"ARN": "arn"}))]);
    let aws = wire.aws();
    aws.update_secret(&secret_arn(), "text", &Encryption::AwsManaged)
        .await
        .unwrap();
    let key = new_secret().kms_key.expect("it has one");
    aws.update_secret(&secret_arn(), "text", &Encryption::Key(key))
        .await
        .unwrap();
    assert_eq!(sent_json(&wire, 0)["KmsKeyId"], "");
    assert_eq!(sent_json(&wire, 1)["KmsKeyId"], "alias/mine");
    assert!(sent_json(&wire, 1).get("SecretString").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_is_being_deleted_is_a_conflict() {
    for text in [
        DELETED,
        "You can't perform this operation on the secret because it was marked for deletion.",
    ] {
        let wire = Wire::always(invalid_request(text));
        let aws = wire.aws();
        let kind =
            |outcome: publisher_s3_access::cloud::Result<()>| outcome.map_err(|error| error.kind);
        assert_eq!(
            kind(aws.restore_secret(&secret_arn()).await),
            Err(ErrorKind::Conflict)
        );
        assert_eq!(
            kind(aws.tag_secret(&secret_arn(), &tags()).await),
            Err(ErrorKind::Conflict)
        );
        assert_eq!(
            kind(aws.untag_secret(&secret_arn(), &["old".to_owned()]).await),
            Err(ErrorKind::Conflict)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_deleted_at_once_or_restorably() {
    let wire = Wire::playing([ok(&json!({"ARN": "arn"})), ok(&json!({"ARN": "arn"}))]);
    let aws = wire.aws();
    aws.delete_secret(&secret_arn(), None).await.unwrap();
    aws.delete_secret(&secret_arn(), Some(30)).await.unwrap();
    assert_eq!(
        sent_json(&wire, 0),
        json!({"SecretId": secret_arn().0, "ForceDeleteWithoutRecovery": true})
    );
    assert_eq!(
        sent_json(&wire, 1),
        json!({"SecretId": secret_arn().0, "RecoveryWindowInDays": 30})
    );
}

#[tokio::test(start_paused = true)]
async fn deleting_what_is_deleted_or_pending_already_is_success() {
    for text in [
        DELETED,
        "You tried to perform the operation on a secret that's currently marked for deletion.",
    ] {
        let wire = Wire::playing([invalid_request(text)]);
        assert_eq!(
            wire.aws().delete_secret(&secret_arn(), Some(7)).await,
            Ok(())
        );
    }
    let pending = ok(&json!({"ARN": "arn", "DeletedDate": 1_790_812_800}));
    let wire = Wire::playing([
        json_error(400, "AccessDeniedException", "not authorized"),
        pending,
    ]);
    assert_eq!(
        wire.aws().delete_secret(&secret_arn(), Some(7)).await,
        Ok(())
    );
}

#[tokio::test(start_paused = true)]
async fn replicas_prevent_a_deletion() {
    let text = "You can't delete secret arn that still has replica regions [us-east-1]";
    for code in ["InvalidParameterException", "InvalidRequestException"] {
        let wire = Wire::playing([json_error(400, code, text)]);
        let outcome = wire.aws().delete_secret(&secret_arn(), None).await;
        assert_eq!(
            outcome.map_err(|error| error.kind),
            Err(ErrorKind::Conflict)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn replicas_are_removed_by_region() {
    let wire = Wire::playing([ok(&json!({"ARN": "arn", "ReplicationStatus": []}))]);
    let regions = ["us-east-1".to_owned(), "ap-south-2".to_owned()];
    wire.aws()
        .remove_replicas(&secret_arn(), &regions)
        .await
        .unwrap();
    assert_eq!(
        sent_json(&wire, 0),
        json!({"SecretId": secret_arn().0, "RemoveReplicaRegions": regions})
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_the_arn_is_unclear() {
    let wire = Wire::playing([ok(&json!({})), ok(&json!({}))]);
    let aws = wire.aws();
    let made: Result<Creation<SecretArn>, _> = aws.create_secret(&new_secret()).await;
    assert_eq!(
        made.map_err(|error| error.kind),
        Err(ErrorKind::Indeterminate)
    );
    assert_eq!(
        aws.find_secret(&secret_name())
            .await
            .map_err(|error| error.kind),
        Err(ErrorKind::Indeterminate)
    );
}
