//! How AWS's codes, and answers that are not AWS's, become errors.

use publisher_s3_access::cloud::{
    CloudError, Denial, Denied, Encryption, ErrorKind, KmsState, Objects, PolicyKind, Secrets,
    Users,
};

use crate::wire::{Answer, Wire, json_error, query_error, reply, s3_error, with_header};
use crate::{TELLTALE, bucket, folder, policy, secret_arn, stored_key, user, version};

async fn put_policy(answer: Answer) -> CloudError {
    let wire = Wire::always(answer);
    wire.aws()
        .put_policy(&user(), &policy(), "{}")
        .await
        .expect_err("AWS refused")
}

async fn update_secret(answer: Answer) -> CloudError {
    let wire = Wire::always(answer);
    wire.aws()
        .update_secret(&secret_arn(), "text", &Encryption::AwsManaged)
        .await
        .expect_err("AWS refused")
}

async fn list_objects(answer: Answer) -> CloudError {
    let wire = Wire::always(answer);
    wire.aws()
        .list_objects(&stored_key(), "eu-west-1", &folder(), None)
        .await
        .expect_err("AWS refused")
}

#[tokio::test(start_paused = true)]
async fn every_code_of_iam_has_its_kind() {
    for (status, code, kind) in [
        (404, "NoSuchEntity", ErrorKind::NotFound),
        (403, "AccessDenied", ErrorKind::Denied),
        (403, "InvalidClientTokenId", ErrorKind::UnknownKey),
        (403, "SignatureDoesNotMatch", ErrorKind::Rejected),
        (403, "ExpiredToken", ErrorKind::Rejected),
        (403, "OptInRequired", ErrorKind::Rejected),
        (400, "Throttling", ErrorKind::Throttled),
        (503, "RequestLimitExceeded", ErrorKind::Throttled),
        (409, "DeleteConflict", ErrorKind::Conflict),
        (409, "ConcurrentModification", ErrorKind::Conflict),
        (409, "EntityTemporarilyUnmodifiable", ErrorKind::Conflict),
        (409, "LimitExceeded", ErrorKind::LimitExceeded),
        (400, "MalformedPolicyDocument", ErrorKind::Rejected),
        (400, "InvalidInput", ErrorKind::Rejected),
        (400, "PolicyNotAttachable", ErrorKind::Rejected),
        (400, "ValidationError", ErrorKind::Rejected),
        (500, "ServiceFailure", ErrorKind::Indeterminate),
        (500, "InternalFailure", ErrorKind::Indeterminate),
        (503, "ServiceUnavailable", ErrorKind::Indeterminate),
    ] {
        let error = put_policy(query_error(status, code, "Because.")).await;
        let told = (
            error.operation,
            error.kind,
            error.code.as_deref(),
            &*error.message,
            error.request_id.as_deref(),
        );
        assert_eq!(
            told,
            (
                "iam:PutUserPolicy",
                kind,
                Some(code),
                "Because.",
                Some("request-1")
            )
        );
    }
}

#[tokio::test(start_paused = true)]
async fn every_code_of_secrets_manager_has_its_kind() {
    for (status, code, kind) in [
        (400, "ResourceNotFoundException", ErrorKind::NotFound),
        (400, "AccessDeniedException", ErrorKind::Denied),
        (400, "UnrecognizedClientException", ErrorKind::UnknownKey),
        (400, "ThrottlingException", ErrorKind::Throttled),
        (400, "ResourceExistsException", ErrorKind::Conflict),
        (400, "PreconditionNotMetException", ErrorKind::Conflict),
        (400, "LimitExceededException", ErrorKind::LimitExceeded),
        (400, "EncryptionFailure", ErrorKind::Rejected),
        (400, "DecryptionFailure", ErrorKind::Rejected),
        (400, "InvalidParameterException", ErrorKind::Rejected),
        (400, "InvalidRequestException", ErrorKind::Rejected),
        (400, "MalformedPolicyDocumentException", ErrorKind::Rejected),
        (500, "InternalServiceError", ErrorKind::Indeterminate),
    ] {
        let error = update_secret(json_error(status, code, "Because.")).await;
        let told = (
            error.operation,
            error.kind,
            error.code.as_deref(),
            &*error.message,
            error.request_id.as_deref(),
        );
        assert_eq!(
            told,
            (
                "secretsmanager:UpdateSecret",
                kind,
                Some(code),
                "Because.",
                Some("request-1")
            )
        );
    }
}

#[tokio::test(start_paused = true)]
async fn every_code_of_s3_has_its_kind_and_keeps_its_name() {
    for (status, code, kind) in [
        (403, "AccessDenied", ErrorKind::Denied),
        (403, "InvalidAccessKeyId", ErrorKind::UnknownKey),
        (403, "SignatureDoesNotMatch", ErrorKind::Rejected),
        (403, "InvalidObjectState", ErrorKind::Rejected),
        (404, "NoSuchBucket", ErrorKind::NotFound),
        (404, "NoSuchKey", ErrorKind::NotFound),
        (416, "InvalidRange", ErrorKind::Rejected),
        (400, "KMS.DisabledException", ErrorKind::Rejected),
        (400, "KMS.NotFoundException", ErrorKind::Rejected),
        (400, "RequestTimeout", ErrorKind::Indeterminate),
        (503, "SlowDown", ErrorKind::Throttled),
        (500, "InternalError", ErrorKind::Indeterminate),
    ] {
        let error = list_objects(s3_error(status, code, "Because.")).await;
        let told = (
            error.operation,
            error.kind,
            error.code.as_deref(),
            &*error.message,
        );
        assert_eq!(told, ("s3:ListBucket", kind, Some(code), "Because."));

        let wire = Wire::always(s3_error(status, code, "Because."));
        let read = wire
            .aws()
            .read_byte(&stored_key(), "eu-west-1", &bucket(), "run 1/a")
            .await;
        let only_after_access = ["InvalidObjectState", "NoSuchKey", "InvalidRange"];
        if only_after_access.contains(&code) {
            assert!(read.is_ok(), "{code}");
            continue;
        }
        let error = read.expect_err("AWS refused");
        let told = (
            error.operation,
            error.kind,
            error.code.as_deref(),
            &*error.message,
        );
        assert_eq!(told, ("s3:GetObject", kind, Some(code), "Because."));
    }
}

#[tokio::test(start_paused = true)]
async fn no_answer_says_nothing_about_what_happened() {
    for answer in [Answer::Silence, Answer::BrokenConnection] {
        let error = put_policy(answer).await;
        assert_eq!(
            (error.kind, error.code, error.request_id),
            (ErrorKind::Indeterminate, None, None)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_awss_code_proves_nothing_and_its_text_is_not_shown() {
    let page = format!("<html><body>{TELLTALE}</body></html>");
    for status in [200, 403, 404, 409, 502] {
        for body in ["", "{}", "<", page.as_str()] {
            let error = put_policy(reply(status, body)).await;
            assert_eq!(
                (error.kind, &error.code),
                (ErrorKind::Indeterminate, &None),
                "{status} {body}: {error}"
            );
            assert!(
                !format!("{error} {error:?}").contains(TELLTALE),
                "{error:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_breaks_off_is_unclear_even_if_it_said_success() {
    let body = "<PutUserPolicyResponse><ResponseMetadata>".to_owned();
    for answer in [
        reply(200, body.clone()),
        Answer::BrokenOff { status: 200, body },
    ] {
        assert_eq!(put_policy(answer).await.kind, ErrorKind::Indeterminate);
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_that_cannot_be_read_stays_out_of_the_error() {
    let value = format!(
        "{{\"ARN\": \"arn\", \"SecretString\": \"{{\\\"SecretAccessKey\\\": \\\"{}",
        crate::CANARY
    );
    for answer in [
        reply(200, value.clone()),
        Answer::BrokenOff {
            status: 200,
            body: value,
        },
    ] {
        let wire = Wire::always(answer);
        let error = wire
            .aws()
            .read_version(&secret_arn(), &version())
            .await
            .expect_err("the value is cut");
        assert_eq!(error.kind, ErrorKind::Indeterminate);
        assert!(
            !format!("{error} {error:?}").contains(TELLTALE),
            "{error:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_is_one_line_and_what_has_no_shape_is_visible() {
    let error = put_policy(query_error(
        400,
        "InvalidInput",
        " first\nsecond&#x9;&#x7f;third ",
    ))
    .await;
    assert_eq!(error.message, r"first\u{a}second\u{9}\u{7f}third");
}

#[tokio::test(start_paused = true)]
async fn a_long_message_keeps_its_beginning_and_its_end() {
    let message = format!(
        "User: arn is not authorized on {} with an explicit deny",
        "ß🧬".repeat(600)
    );
    let error = list_objects(s3_error(403, "AccessDenied", &message)).await;
    assert!(
        error
            .message
            .starts_with("User: arn is not authorized on ß🧬"),
        "{}",
        error.message
    );
    assert!(
        error.message.ends_with("ß🧬 with an explicit deny"),
        "{}",
        error.message
    );
    assert_eq!(error.message.chars().count(), 503);
}

#[tokio::test(start_paused = true)]
async fn the_request_id_of_s3_is_kept_too() {
    let body = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    let error = list_objects(with_header(
        403,
        "x-amz-request-id",
        "4442587FB7D0A2F9",
        body,
    ))
    .await;
    assert_eq!(
        error.to_string(),
        "`s3:ListBucket` failed with `AccessDenied`: Access Denied (AWS request id 4442587FB7D0A2F9)"
    );
}

#[tokio::test(start_paused = true)]
async fn a_denial_names_the_policy_that_stood_in_the_way() {
    use PolicyKind::{Boundary, Endpoint, Identity, Organization, Resource, Unsaid};
    for (message, by, explicit) in [
        ("Access Denied", Unsaid, false),
        (
            "because no identity-based policy allows it",
            Identity,
            false,
        ),
        (
            "with an explicit deny in an identity-based policy",
            Identity,
            true,
        ),
        ("because no permissions boundary allows it", Boundary, false),
        (
            "with an explicit deny in a permissions boundary",
            Boundary,
            true,
        ),
        (
            "with an explicit deny in a resource-based policy",
            Resource,
            true,
        ),
        (
            "with an explicit deny in a VPC endpoint policy",
            Endpoint,
            true,
        ),
        ("because no VPC endpoint policy allows it", Endpoint, false),
        (
            "with an explicit deny in a service control policy",
            Organization,
            true,
        ),
        (
            "with an explicit deny in a resource control policy",
            Organization,
            true,
        ),
    ] {
        let error = list_objects(s3_error(403, "AccessDenied", message)).await;
        let of = Denied::Call;
        let denial = Denial { by, explicit, of };
        assert_eq!(error.denial, Some(Box::new(denial)), "{message}");
    }
    let error = list_objects(s3_error(404, "NoSuchBucket", "No policy here.")).await;
    assert_eq!(error.denial, None);
}

#[tokio::test(start_paused = true)]
async fn a_denial_of_kms_names_the_key() {
    let key = "arn:aws:kms:eu-west-1:111122223333:key/k-1";
    let denied = format!(
        "not authorized to perform: kms:Decrypt on resource: {key} because no resource-based policy allows it"
    );
    for (code, message, state) in [
        ("AccessDenied", denied.as_str(), KmsState::NotAllowed),
        ("KMS.DisabledException", key, KmsState::Disabled),
        ("KMS.KMSInvalidStateException", key, KmsState::BeingDeleted),
        ("KMS.NotFoundException", key, KmsState::BeingDeleted),
    ] {
        let error = list_objects(s3_error(403, code, message)).await;
        let denial = Denial {
            by: PolicyKind::Resource,
            explicit: false,
            of: Denied::KmsKey {
                key: Some(key.to_owned()),
                state,
            },
        };
        assert_eq!(error.denial, Some(Box::new(denial)), "{code}");
    }
    // KMS is busy: no denial.
    let busy = list_objects(s3_error(400, "KMS.ThrottlingException", "Rate exceeded")).await;
    assert_eq!((busy.kind, busy.denial), (ErrorKind::Throttled, None));
}
