//! How an `SdkError` becomes our error: at the call site, once, by [`map_sdk_error`].
//!
//! `{:?}` and `DisplayErrorContext` of an `SdkError` print the raw answer, and the raw answer can hold a secret key. So
//! only AWS's code, the request id and, if AWS itself refused, AWS's message are kept.

use aws_sdk_iam::operation::RequestId;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};

use crate::cloud::error::shortened;
use crate::cloud::{CloudError, Denial, ErrorKind, Result};

/// Awaits a call of `operation` (IAM's name of the action), and turns its failure into our error.
pub(super) async fn sent<T, E: ProvideErrorMetadata>(
    operation: &'static str,
    call: impl Future<Output = std::result::Result<T, SdkError<E, HttpResponse>>>,
) -> Result<T> {
    call.await.map_err(|error| map_sdk_error(operation, &error))
}

/// The same for a call whose answer says nothing more.
pub(super) async fn acknowledged<T, E: ProvideErrorMetadata>(
    operation: &'static str,
    call: impl Future<Output = std::result::Result<T, SdkError<E, HttpResponse>>>,
) -> Result<()> {
    sent(operation, call).await.map(drop)
}

pub(super) fn map_sdk_error<E: ProvideErrorMetadata>(
    operation: &'static str,
    error: &SdkError<E, HttpResponse>,
) -> CloudError {
    let (kind, code, message) = match error {
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
        SdkError::ResponseError(_) | _ => (ErrorKind::Indeterminate, None, UNREADABLE.to_owned()),
    };
    CloudError {
        operation,
        kind,
        denial: Denial::read(kind, code.as_deref(), &message),
        code,
        message,
        request_id: error.request_id().map(shortened),
    }
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
                .map(shortened)
                .filter(|text| !text.is_empty());
            let message = message.unwrap_or_else(|| format!("HTTP status {status}"));
            let kind = if is_being_deleted(code, &message) {
                ErrorKind::Conflict
            } else {
                ErrorKind::of_code(code, status)
            };
            (kind, Some(shortened(code)), message)
        }
    }
}

/// Whether Secrets Manager refuses because a secret of this name is deleted, or will be. It refuses nearly everything then, with
/// a code that also means other things, so the message decides. The texts' apostrophes vary.
fn is_being_deleted(code: &str, message: &str) -> bool {
    let texts = [
        "scheduled for deletion",
        "marked for deletion",
        "was deleted",
    ];
    code == "InvalidRequestException" && texts.iter().any(|text| message.contains(text))
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
