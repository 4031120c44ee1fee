//! How an `SdkError` becomes our error: at the call site, once, by [`map_sdk_error`].
//!
//! `{:?}` and `DisplayErrorContext` of an `SdkError` print the raw answer, and the raw answer can hold a secret key. So
//! only AWS's code, the request id and, if AWS itself refused, AWS's message are kept.

use aws_sdk_iam::operation::RequestId;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};

use crate::cloud::{CloudError, Denial, Denied, ErrorKind, PolicyKind, Result};

/// Turns the failure of `operation` (IAM's name of the action) into our error.
pub(super) fn map_sdk_error<E: ProvideErrorMetadata>(
    operation: &'static str,
) -> impl Fn(SdkError<E, HttpResponse>) -> CloudError {
    move |error| {
        let (kind, code, message) = match &error {
            SdkError::ConstructionFailure(_) => (
                ErrorKind::Rejected,
                None,
                "the request could not be built, so nothing was sent".to_owned(),
            ),
            SdkError::TimeoutError(_) => (
                ErrorKind::Indeterminate,
                None,
                "no answer in time".to_owned(),
            ),
            SdkError::DispatchFailure(failure) => (
                ErrorKind::Indeterminate,
                None,
                dispatch_message(failure.is_timeout()),
            ),
            SdkError::ServiceError(refusal) => {
                service_error(refusal.raw().status().as_u16(), refusal.err().meta())
            }
            SdkError::ResponseError(_) | _ => {
                (ErrorKind::Indeterminate, None, UNREADABLE.to_owned())
            }
        };
        CloudError {
            operation,
            kind,
            denial: denial(kind, code.as_deref(), &message),
            code,
            message,
            request_id: error.request_id().map(one_line),
        }
    }
}

/// Reads [how IAM words a denial](https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html): `…
/// because no identity-based policy allows the … action`, `… with an explicit deny in a service control policy`. KMS's
/// own refusals of a key (`KMS.DisabledException`) count as denials too.
fn denial(kind: ErrorKind, code: Option<&str>, message: &str) -> Option<Box<Denial>> {
    let kms_refused = code.is_some_and(|code| code.starts_with("KMS."));
    if kind != ErrorKind::Denied && !kms_refused {
        return None;
    }
    let says = |text: &str| message.contains(text);
    let by = if says("service control policy") || says("resource control policy") {
        PolicyKind::Organization
    } else if says("permissions boundary") {
        PolicyKind::Boundary
    } else if says("identity-based policy") {
        PolicyKind::Identity
    } else if says("resource-based policy") || says("explicit deny") || kms_refused {
        PolicyKind::Resource
    } else {
        PolicyKind::Unsaid
    };
    Some(Box::new(Denial {
        by,
        explicit: says("explicit deny"),
        of: if kms_refused || says("kms:") {
            Denied::KmsKey(kms_key(message))
        } else {
            Denied::Call
        },
    }))
}

/// The KMS key that a message names.
fn kms_key(message: &str) -> Option<String> {
    let mut words = message.split(|c: char| c.is_whitespace() || "\"'`,()".contains(c));
    words
        .find(|word| word.starts_with("arn:") && word.contains(":kms:"))
        .map(str::to_owned)
}

const UNREADABLE: &str = "AWS's answer was cut off or could not be read";

fn dispatch_message(timed_out: bool) -> String {
    let what = if timed_out {
        "no connection in time"
    } else {
        "no connection, or it broke"
    };
    format!("{what}; see whether the function reaches AWS and has credentials")
}

/// An answer that refuses. Without a code it did not come from AWS (a proxy's page, a `200` that does not parse), so it
/// proves nothing, and its text is not shown.
fn service_error(status: u16, answer: &ErrorMetadata) -> (ErrorKind, Option<String>, String) {
    match answer.code() {
        None if status >= 300 => (
            ErrorKind::Indeterminate,
            None,
            format!("HTTP status {status} without AWS's error code"),
        ),
        None => (ErrorKind::Indeterminate, None, UNREADABLE.to_owned()),
        Some(code) => {
            let message = answer
                .message()
                .map(one_line)
                .filter(|text| !text.is_empty());
            (
                kind_of(code, status),
                Some(one_line(code)),
                message.unwrap_or_else(|| format!("HTTP status {status}")),
            )
        }
    }
}

/// What AWS's code means, or the HTTP status if this list does not know the code.
fn kind_of(code: &str, status: u16) -> ErrorKind {
    match code {
        "NoSuchEntity"
        | "ResourceNotFoundException"
        | "NoSuchBucket"
        | "NoSuchKey"
        | "NotFound" => ErrorKind::NotFound,
        // The last is SNS's word.
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "AuthorizationError" => ErrorKind::Denied,
        // A wrong signature is not among them, because waiting does not cure it.
        "InvalidClientTokenId" | "InvalidAccessKeyId" | "UnrecognizedClientException" => {
            ErrorKind::UnknownKey
        }
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "PriorRequestNotComplete"
        | "SlowDown" => ErrorKind::Throttled,
        "DeleteConflict"
        | "ConcurrentModification"
        | "EntityTemporarilyUnmodifiable"
        | "EntityAlreadyExists"
        | "ResourceExistsException"
        | "PreconditionNotMetException" => ErrorKind::Conflict,
        // Secrets Manager's `LimitExceededException` is a quota, although the SDK takes it for throttling.
        "LimitExceeded" | "LimitExceededException" | "ServiceQuotaExceededException" => {
            ErrorKind::LimitExceeded
        }
        // S3's `RequestTimeout` comes with 400 and says only that the body came too slowly.
        "RequestTimeout" | "RequestTimeoutException" => ErrorKind::Indeterminate,
        _ if status >= 500 => ErrorKind::Indeterminate,
        _ => ErrorKind::Rejected,
    }
}

/// An answer that AWS meant as success and that lacks `what`.
pub(super) fn incomplete_response(operation: &'static str, what: &str) -> CloudError {
    CloudError::unanswered(
        operation,
        ErrorKind::Indeterminate,
        format!("AWS answered without {what}"),
    )
}

/// A call that we refuse ourselves, before sending anything.
pub(super) fn invalid_request(operation: &'static str, why: &str) -> CloudError {
    CloudError::unanswered(operation, ErrorKind::Rejected, why)
}

/// `None` for what is missing.
pub(super) fn none_if_not_found<T>(outcome: Result<T>) -> Result<Option<T>> {
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The outcome of a removal. A missing thing counts as removed. If permission depends on the thing (its path, its
/// tags), AWS denies access to what does not exist. So after a refusal `is_gone` looks, and if it cannot tell, the
/// refusal stands.
pub(super) async fn success_if_gone(
    outcome: Result<()>,
    is_gone: impl Future<Output = Result<bool>>,
) -> Result<()> {
    match outcome {
        Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind == ErrorKind::Denied && is_gone.await == Ok(true) => Ok(()),
        outcome => outcome,
    }
}

/// AWS's messages are shown up to this many characters from the front and…
const HEAD: usize = 300;
/// …this many from the end, where IAM names the policy that stood in the way. In between can be an object's key of 1,024.
const TAIL: usize = 200;

/// AWS's text in one line of bounded length. It can contain what users typed, so control characters become spaces.
fn one_line(text: &str) -> String {
    let text: Vec<char> = text
        .trim()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.len() <= HEAD + TAIL {
        return text.into_iter().collect();
    }
    let (head, tail) = (&text[..HEAD], &text[text.len() - TAIL..]);
    head.iter().chain(&[' ', '…', ' ']).chain(tail).collect()
}
