//! The versions of the secret and their labels.

use publisher_s3_access::cloud::Label;
use publisher_s3_access::cloud::{ErrorKind, PutVersion, Secrets, VersionId};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::secrets::{DELETED, invalid_request, ok, sent_json};
use crate::wire::{Answer, Wire, json_error};
use crate::{CANARY, TELLTALE, secret_arn, secret_name, stored_key, version};

#[tokio::test(start_paused = true)]
async fn versions_are_listed_with_the_deprecated_ones_over_all_pages() {
    let page = |id: &str| json!({"ARN": "arn", "Versions": [{"VersionId": id, "CreatedDate": 1_790_812_800.25}]});
    let mut first = page("v1");
    first["NextToken"] = json!("more");
    let wire = Wire::playing([ok(&first), ok(&page("v2"))]);
    let versions = wire.aws().list_versions(&secret_name()).await.unwrap();
    assert_eq!(
        versions
            .iter()
            .map(|version| &*version.id.0)
            .collect::<Vec<_>>(),
        ["v1", "v2"]
    );
    assert_eq!(sent_json(&wire, 0)["IncludeDeprecated"], true);
    assert_eq!(sent_json(&wire, 1)["NextToken"], "more");
}

#[tokio::test(start_paused = true)]
async fn one_version_is_read_and_cannot_be_printed() {
    let wire = Wire::playing([ok(
        &json!({"ARN": "arn", "VersionId": "v1", "SecretString": CANARY}),
    )]);
    let value = wire
        .aws()
        .read_version(&secret_arn(), &version())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(value.expose_secret(), CANARY);
    assert!(!format!("{value:?}").contains(TELLTALE));
    assert_eq!(
        sent_json(&wire, 0),
        json!({"SecretId": secret_arn().0, "VersionId": version().0})
    );
}

#[tokio::test(start_paused = true)]
async fn a_version_is_stored_under_its_token_and_one_label() {
    let wire = Wire::playing([ok(&json!({"ARN": "arn", "VersionId": version().0}))]);
    let value = stored_key().to_value();
    let storing = wire
        .aws()
        .store_version(&secret_arn(), &version(), &value, Label::Candidate)
        .await;
    assert_eq!(storing, Ok(PutVersion::Stored));
    let expected = json!({
        "SecretId": secret_arn().0, "ClientRequestToken": version().0, "VersionStages": ["PublisherCandidate"],
        "SecretString": value.expose_secret()
    });
    assert_eq!(sent_json(&wire, 0), expected);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_taken_is_an_answer() {
    let text = "You can't use ClientRequestToken t because that value is already in use for a version of secret arn.";
    let wire = Wire::playing([json_error(400, "ResourceExistsException", text)]);
    let value = stored_key().to_value();
    let storing = wire
        .aws()
        .store_version(&secret_arn(), &version(), &value, Label::Current)
        .await;
    assert_eq!(storing, Ok(PutVersion::TokenTaken));
}

#[tokio::test(start_paused = true)]
async fn a_refused_store_does_not_show_the_value() {
    for answer in [
        invalid_request(DELETED),
        json_error(400, "EncryptionFailure", "No."),
        Answer::Silence,
    ] {
        let wire = Wire::always(answer);
        let value = stored_key().to_value();
        let storing = wire
            .aws()
            .store_version(&secret_arn(), &version(), &value, Label::Current)
            .await;
        let error = storing.expect_err("AWS refused");
        assert!(
            !format!("{error} {error:?}").contains(TELLTALE),
            "{error:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_label_is_moved_from_one_version_to_another_or_removed() {
    let wire = Wire::playing([ok(&json!({"ARN": "arn"})), ok(&json!({"ARN": "arn"}))]);
    let aws = wire.aws();
    let (old, new) = (VersionId("old".to_owned()), VersionId("new".to_owned()));
    aws.move_label(&secret_arn(), Label::Current, Some(&old), Some(&new))
        .await
        .unwrap();
    aws.move_label(&secret_arn(), Label::Candidate, Some(&new), None)
        .await
        .unwrap();
    let id = secret_arn().0;
    let moved = json!({"SecretId": id, "VersionStage": "AWSCURRENT", "RemoveFromVersionId": "old", "MoveToVersionId": "new"});
    assert_eq!(sent_json(&wire, 0), moved);
    let taken_off =
        json!({"SecretId": id, "VersionStage": "PublisherCandidate", "RemoveFromVersionId": "new"});
    assert_eq!(sent_json(&wire, 1), taken_off);
}

#[tokio::test(start_paused = true)]
async fn a_label_that_is_elsewhere_is_rejected() {
    let text = "The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently attached to version v.";
    let wire = Wire::playing([json_error(400, "InvalidParameterException", text)]);
    let outcome = wire
        .aws()
        .move_label(&secret_arn(), Label::Current, None, Some(&version()))
        .await;
    assert_eq!(
        outcome.map_err(|error| error.kind),
        Err(ErrorKind::Rejected)
    );
}
