//! What is repeated, what is not, and how long anything may take.

use std::time::Duration;

use publisher_s3_access::cloud::Label;
use publisher_s3_access::cloud::{AccessKeys, ErrorKind, PutVersion, Secrets, Users};
use tokio::time::Instant;

use crate::wire::{Answer, Wire, json_error, query_error, query_result, reply};
use crate::{policy, secret_arn, stored_key, tags, user, version};

#[tokio::test(start_paused = true)]
async fn what_aws_advises_to_repeat_is_repeated() {
    for answer in [
        query_error(400, "Throttling", "Rate exceeded"),
        query_error(500, "ServiceFailure", "Please try again."),
        query_error(503, "ServiceUnavailable", "Please try again."),
        query_error(409, "ConcurrentModification", "Please try again."),
        query_error(409, "EntityTemporarilyUnmodifiable", "Please try again."),
        Answer::BrokenConnection,
        Answer::Silence,
        Answer::BrokenOff {
            status: 200,
            body: "<TagUserResponse>".to_owned(),
        },
    ] {
        let wire = Wire::playing([answer.clone(), query_result("TagUser", "")]);
        assert_eq!(
            wire.aws().tag_user(&user(), &tags()).await,
            Ok(()),
            "{answer:?}"
        );
        wire.assert_played();
    }
}

#[tokio::test(start_paused = true)]
async fn what_aws_refuses_for_good_is_sent_once() {
    for (status, code) in [
        (404, "NoSuchEntity"),
        (403, "AccessDenied"),
        (409, "LimitExceeded"),
        (409, "DeleteConflict"),
        (400, "InvalidInput"),
        (400, "MalformedPolicyDocument"),
    ] {
        let wire = Wire::playing([query_error(status, code, "ConcurrentModification")]);
        assert!(
            wire.aws()
                .put_policy(&user(), &policy(), "{}")
                .await
                .is_err(),
            "{code}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_quota_of_secrets_manager_fails_at_once_and_throttling_is_waited_out() {
    for code in [
        "LimitExceededException",
        "com.amazonaws.secretsmanager#LimitExceededException",
    ] {
        let wire = Wire::playing([json_error(
            400,
            code,
            "You have exceeded the quota for versions.",
        )]);
        let error = wire
            .aws()
            .tag_secret(&secret_arn(), &tags())
            .await
            .expect_err("the quota is used up");
        assert_eq!(
            (error.kind, error.code.as_deref()),
            (ErrorKind::LimitExceeded, Some("LimitExceededException"))
        );
    }
    let wire = Wire::playing([
        json_error(400, "ThrottlingException", "Rate exceeded"),
        reply(200, ""),
    ]);
    assert_eq!(wire.aws().tag_secret(&secret_arn(), &tags()).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_repeated_keeps_its_token() {
    let stored = reply(
        200,
        r#"{"ARN": "arn", "VersionId": "6fa459ea-ee8a-3ca4-894e-db77e160355e"}"#,
    );
    let wire = Wire::playing([
        json_error(500, "InternalServiceError", "Please try again."),
        stored,
    ]);
    let value = stored_key().to_value();
    let storing = wire
        .aws()
        .store_version(&secret_arn(), &version(), &value, Label::Candidate)
        .await;
    assert_eq!(storing, Ok(PutVersion::Stored));
    let sent = wire.sent();
    assert_eq!(sent[0].body, sent[1].body);
}

#[tokio::test(start_paused = true)]
async fn an_aws_that_keeps_failing_or_keeps_silent_is_given_up_within_half_a_minute() {
    for answer in [
        Answer::Silence,
        query_error(500, "ServiceFailure", "No."),
        query_error(400, "Throttling", "No."),
    ] {
        let wire = Wire::always(answer.clone());
        let begin = Instant::now();
        assert!(wire.aws().find_user(&user()).await.is_err());
        assert!(
            begin.elapsed() <= Duration::from_secs(31),
            "{answer:?} took {:?}",
            begin.elapsed()
        );
        assert!(
            (3..=4).contains(&wire.sent().len()),
            "{answer:?} was sent {} times",
            wire.sent().len()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_cannot_be_made_in_time_is_given_up_after_one_attempt() {
    let wire = Wire::always(Answer::Silence);
    let begin = Instant::now();
    assert!(wire.aws().create_key(&user()).await.is_err());
    assert!(
        begin.elapsed() <= Duration::from_secs(11),
        "took {:?}",
        begin.elapsed()
    );
    assert_eq!(wire.sent().len(), 1);
}
