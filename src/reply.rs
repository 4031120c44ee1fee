//! The answer: a body of at most 4,096 bytes, whatever happened, and its delivery to CloudFormation.

mod https;
pub mod logging;

pub use https::Https;

use std::collections::BTreeMap;
use std::future::Future;

use backon::Retryable;
use serde::Serialize;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{error, info, warn};

use crate::request::labels::with_labels;
use crate::request::outcome::{Failure, Outcome, Success};
use crate::request::response_url::ResponseUrl;
use crate::request::{Envelope, visible};
use crate::waits::{PUT, between_puts};

/// CloudFormation's limit on an answer, in bytes. CloudFormation drops a longer one with `Response object is too long`.
pub const LIMIT: usize = 4096;

/// Ends warnings that did not fit.
const WARNINGS_CUT: &str = "More is in the function's log.";

/// Marks where a long reason was cut.
const CUT: &str = " […] ";

/// An answer, ready to put to the response URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply(String);

/// [The answer's fields](https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html). None
/// is ever null, because the documentation does not say what CloudFormation makes of a null.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Body<'a> {
    status: Status,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    physical_resource_id: &'a str,
    stack_id: &'a str,
    request_id: &'a str,
    logical_resource_id: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    data: &'a BTreeMap<&'static str, String>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum Status {
    Success,
    Failed,
}

impl Reply {
    /// Writes the answer. A failure's reason becomes one line that ends with the log stream's name. A long reason is cut in its
    /// middle. Attributes that are too long turn a success into a failure.
    #[must_use]
    pub fn new(envelope: &Envelope, outcome: &Outcome, log_stream: &str) -> Self {
        let Failure { id, reason } = match outcome {
            Ok(success) => match Self::success(envelope, success) {
                Ok(reply) => return reply,
                Err(too_long) => too_long,
            },
            Err(Failure { id, reason }) => Failure {
                id: id.clone(),
                reason: reason.clone(),
            },
        };
        let reason = with_labels(&one_line(&reason));
        let reason = with_log_stream(&reason, &one_line(log_stream));
        let none = BTreeMap::new();
        let body = |reason: &str| json(&Body::of(envelope, Status::Failed, &id, reason, &none));
        // At least one character, because an empty reason is left out altogether.
        let room = LIMIT.saturating_sub(body("-").len() - 1);
        Self(body(&fitted(&reason, room)))
    }

    fn success(envelope: &Envelope, success: &Success) -> Result<Self, Failure> {
        let Success { id, attributes } = success;
        let body = |attributes| json(&Body::of(envelope, Status::Success, id, "", attributes));
        let whole = body(attributes);
        if whole.len() <= LIMIT {
            return Ok(Self(whole));
        }
        // Warnings give way: the log has them too.
        let mut attributes = attributes.clone();
        if let Some(warnings) = attributes.get_mut("Warnings") {
            let room = warnings
                .len()
                .saturating_sub(whole.len() - LIMIT + WARNINGS_CUT.len());
            let cut = warnings.floor_char_boundary(room);
            let sentences = warnings[..cut].rfind(". ").map_or(0, |end| end + 2);
            *warnings = format!("{}{WARNINGS_CUT}", &warnings[..sentences]);
        }
        match body(&attributes) {
            cut if cut.len() <= LIMIT => Ok(Self(cut)),
            whole => Err(Failure {
                id: id.clone(),
                reason: format!(
                    "the answer with all attributes has {} bytes, but CloudFormation takes {LIMIT}: \
                     give a shorter prefix in the first entry of `Buckets`",
                    whole.len()
                ),
            }),
        }
    }

    /// The JSON text.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.0
    }
}

impl<'a> Body<'a> {
    fn of(
        envelope: &'a Envelope,
        status: Status,
        id: &'a str,
        reason: &'a str,
        data: &'a BTreeMap<&'static str, String>,
    ) -> Self {
        Self {
            status,
            reason,
            physical_resource_id: id,
            stack_id: &envelope.stack_id,
            request_id: &envelope.request_id,
            logical_resource_id: &envelope.logical_id,
            data,
        }
    }
}

/// The body as JSON. Writing it into memory cannot fail.
fn json(body: &Body<'_>) -> String {
    serde_json::to_string(body).unwrap_or_default()
}

/// Runs of white space become one space, and what else has no shape becomes visible.
fn one_line(text: &str) -> String {
    visible(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn with_log_stream(reason: &str, log_stream: &str) -> String {
    let reason = if reason.is_empty() {
        "no reason was given"
    } else {
        reason
    };
    match log_stream {
        "" => reason.to_owned(),
        stream => format!("{reason} (log stream {stream})"),
    }
}

/// Cuts the middle out of a text that takes more than `room` bytes in JSON. Keeps the tail, which holds the innermost
/// cause, AWS's request id and the log stream.
fn fitted(text: &str, room: usize) -> String {
    if escaped_length(text.chars()) <= room {
        return text.to_owned();
    }
    let half = room.saturating_sub(CUT.len()) / 2;
    let head = text.len() - text.trim_start_matches(within(half)).len();
    let tail = text.trim_end_matches(within(half)).len();
    match (text.get(..head), text.get(tail..)) {
        (Some(head), Some(tail)) => format!("{head}{CUT}{tail}"),
        (_, _) => String::new(),
    }
}

/// Accepts characters until they take more than `room` bytes in JSON.
fn within(room: usize) -> impl FnMut(char) -> bool {
    let mut taken = 0;
    move |c| {
        taken += escaped_length(std::iter::once(c));
        taken <= room
    }
}

/// How many bytes the characters of one line take in a JSON string.
fn escaped_length(characters: impl Iterator<Item = char>) -> usize {
    characters
        .map(|c| {
            if matches!(c, '"' | '\\') {
                2
            } else {
                c.len_utf8()
            }
        })
        .sum()
}

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
    /// The connection was refused, or it broke.
    #[error("the connection failed")]
    Connection,
    /// The request could not be made.
    #[error("the request could not be made")]
    Request,
}

/// The answer did not arrive, and another invocation may cure that. Neither form shows the URL.
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
