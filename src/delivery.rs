//! Gets the answer to CloudFormation, or says that it could not.

mod https;

pub use https::Https;

use std::future::Future;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{error, info, warn};

use crate::reply::Reply;
use crate::response_url::ResponseUrl;

/// How long one attempt may take. S3 takes milliseconds; one that takes longer is better begun again.
const ATTEMPT: Duration = Duration::from_secs(5);

/// Where answers are put to.
pub trait Sink {
    /// Puts `body` to the URL as it is, once: no redirect is followed, nothing is repeated, no `Content-Type` is sent
    /// (it would be part of an old signature). Gives the HTTP status.
    fn put(&self, url: &ResponseUrl, body: &str) -> impl Future<Output = Result<u16, PutError>>;
}

/// Why an attempt got no status. Says nothing of the URL.
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

/// The answer did not arrive, and repeating the invocation may cure that. Lambda's log shows the `Debug` form, which is
/// as harmless as the other.
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
    /// Repetition gives the same: the URL has expired, or was never good.
    #[error("HTTP status {0}")]
    Refused(u16),
    #[error("{0}")]
    PutError(#[from] PutError),
    #[error("there was no time for an attempt")]
    NoTime,
}

impl Attempt {
    /// Redirects are not followed: S3 sends them while a bucket is young, and repeats the right answer later.
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

/// Puts the answer, again and again with growing, jittered pauses until `deadline`.
///
/// `Ok` if it was delivered, or was refused in a way that no repetition cures: then another invocation could do no
/// better, and its work would be for nothing.
///
/// # Errors
/// It was not delivered, and a later invocation may succeed.
pub async fn deliver<S: Sink>(
    sink: &S,
    url: &ResponseUrl,
    reply: &Reply,
    deadline: Instant,
) -> Result<(), DeliveryError> {
    let mut last = Attempt::NoTime;
    let attempt = || async {
        let status = timeout(ATTEMPT, sink.put(url, reply.body()))
            .await
            .unwrap_or(Err(PutError::Timeout))?;
        Attempt::of_status(status)
    };
    let pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(1))
        .without_max_times()
        .with_jitter();
    let attempts = attempt.retry(pauses).when(Attempt::may_pass).notify(|failed, pause| {
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
