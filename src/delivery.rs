//! Delivers the answer to CloudFormation, or says that it could not.

mod https;

pub use https::Https;

use std::future::Future;

use backon::Retryable;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{error, info, warn};

use crate::reply::Reply;
use crate::response_url::ResponseUrl;
use crate::waits::{PUT, between_puts};

/// Where answers are put.
pub trait Sink {
    /// Puts `body` to the URL once. Follows no redirect, repeats nothing, and sends no `Content-Type`, which would be
    /// part of an old signature. Returns the HTTP status.
    fn put(&self, url: &ResponseUrl, body: &str) -> impl Future<Output = Result<u16, PutError>>;
}

/// Why an attempt got no status. It never shows the URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PutError {
    /// No connection, or no answer on it, in time.
    #[error("no answer in time")]
    Timeout,
    /// No connection, or it broke.
    #[error("the connection failed")]
    Connection,
    /// The request could not be made.
    #[error("the request could not be made")]
    Request,
}

/// The answer did not arrive, and another invocation may cure that. Lambda's log shows the `Debug` form, which is as
/// harmless as `Display`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer could not be delivered to `{host}`: {last}")]
pub struct DeliveryError {
    host: String,
    last: Attempt,
}

/// How an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Attempt {
    /// Repetition may cure it.
    #[error("HTTP status {0}")]
    Status(u16),
    /// Repetition does not help: the URL has expired, or was never valid.
    #[error("HTTP status {0}")]
    Refused(u16),
    #[error("{0}")]
    PutError(#[from] PutError),
    #[error("there was no time for an attempt")]
    NoTime,
}

impl Attempt {
    /// Redirects are not followed. S3 sends them while a bucket is new, and accepts the same request later.
    fn of_status(status: u16) -> Result<(), Self> {
        match status {
            200..=299 => Ok(()),
            408 | 409 | 429 => Err(Self::Status(status)),
            400..=499 => Err(Self::Refused(status)),
            _ => Err(Self::Status(status)),
        }
    }

    fn may_pass(&self) -> bool {
        match self {
            Self::Status(_) | Self::PutError(PutError::Timeout | PutError::Connection) => true,
            Self::Refused(_) | Self::PutError(PutError::Request) | Self::NoTime => false,
        }
    }
}

/// Puts the answer, and repeats that with growing, jittered pauses until `deadline`.
///
/// `Ok` if it was delivered, or refused in a way that no repetition cures. Another invocation could do no better then,
/// and its work would be wasted.
///
/// # Errors
/// The answer was not delivered, and a later invocation may succeed.
pub async fn deliver<S: Sink>(
    sink: &S,
    url: &ResponseUrl,
    reply: &Reply,
    deadline: Instant,
) -> Result<(), DeliveryError> {
    let mut last = Attempt::NoTime;
    let attempt = || async {
        let status = timeout(PUT, sink.put(url, reply.body()))
            .await
            .unwrap_or(Err(PutError::Timeout))?;
        Attempt::of_status(status)
    };
    let attempts = attempt.retry(between_puts()).when(Attempt::may_pass).notify(|failed, pause| {
        warn!(host = %url, %failed, pause_seconds = pause.as_secs_f64(), "the answer did not arrive; trying again");
        last = *failed;
    });
    let failed = match timeout_at(deadline, attempts).await {
        Ok(Ok(())) => {
            info!(host = %url, "the answer was delivered");
            return Ok(());
        }
        Ok(Err(failed)) => failed,
        Err(_) => last,
    };
    if let Attempt::Refused(status) = failed {
        error!(host = %url, status, "the answer was refused for good; CloudFormation will wait until its timeout");
        return Ok(());
    }
    let undelivered = DeliveryError {
        host: url.to_string(),
        last: failed,
    };
    error!(host = undelivered.host, failed = %undelivered.last, "the answer was not delivered; Lambda may invoke again");
    Err(undelivered)
}
