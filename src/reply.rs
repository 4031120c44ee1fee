//! The answer: a body of at most 4,096 bytes, whatever happened, and its delivery to CloudFormation.

mod https;
pub mod logging;

pub use https::Https;

use std::collections::BTreeMap;

use backon::Retryable;
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{error, info, warn};

use crate::request::labels::with_labels;
use crate::request::outcome::{Failure, Outcome, Success};
use crate::request::response_url::ResponseUrl;
use crate::request::{Envelope, visible};
use crate::waits::{PUT, between_puts};

/// CloudFormation's limit on an answer, in bytes. CloudFormation drops a longer one with `Response object is too long`.
pub const LIMIT: usize = 4096;

/// How many bytes of an answer warnings may take, as JSON.
const WARNINGS_ROOM: usize = 500;

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
    /// Writes the answer. A failure's reason becomes one line that ends with the log stream's name. If it is too long, its
    /// middle is cut out: its end has AWS's request id. Attributes that are too long turn a success into a failure.
    pub fn new(envelope: &Envelope, outcome: &Outcome, log_stream: &str) -> Self {
        match outcome {
            Ok(success) => Self::success(envelope, success)
                .unwrap_or_else(|too_long| Self::failed(envelope, &too_long, log_stream)),
            Err(failure) => Self::failed(envelope, failure, log_stream),
        }
    }

    fn failed(envelope: &Envelope, Failure { id, reason }: &Failure, log_stream: &str) -> Self {
        let mut reason = with_labels(&one_line(reason));
        if reason.is_empty() {
            "no reason was given".clone_into(&mut reason);
        }
        if !log_stream.is_empty() {
            reason = format!("{reason} (log stream {})", one_line(log_stream));
        }
        let none = BTreeMap::new();
        let body = |reason: &str| json(&Body::of(envelope, Status::Failed, id, reason, &none));
        let mut whole = body(&reason);
        let (mut head, mut tail) = (reason.len() / 2, reason.len() / 2);
        while whole.len() > LIMIT && head > 0 {
            let over = (whole.len() - LIMIT).div_ceil(2) + CUT.len();
            head = reason.floor_char_boundary(head.saturating_sub(over));
            tail = reason.ceil_char_boundary(tail + over);
            whole = body(&format!("{}{CUT}{}", &reason[..head], &reason[tail..]));
        }
        Self(whole)
    }

    fn success(envelope: &Envelope, success: &Success) -> Result<Self, Failure> {
        let Success {
            id,
            attributes,
            warnings,
        } = success;
        let body = |data: &_| json(&Body::of(envelope, Status::Success, id, "", data));
        let mut data = attributes.clone();
        if !data.is_empty() {
            data.insert("Warnings", String::new());
            let room = LIMIT.saturating_sub(body(&data).len());
            data.insert("Warnings", in_one_line(warnings, room.min(WARNINGS_ROOM)));
        }
        match body(&data) {
            whole if whole.len() <= LIMIT => Ok(Self(whole)),
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

/// All warnings that fit into `room` bytes of JSON; `none` if there is none. Others are left out by whole sentences, and counted:
/// the log has them. A first one that is too long alone is cut.
fn in_one_line(warnings: &[String], room: usize) -> String {
    if warnings.is_empty() {
        return "none".to_owned();
    }
    let first = |count: usize| {
        let sentences = warnings[..count].iter();
        let mut line: Vec<String> = sentences.map(|text| with_labels(text) + ".").collect();
        if count < warnings.len() {
            let left = warnings.len() - count;
            line.push(format!("And {left} more, in the function's log."));
        }
        line.join(" ")
    };
    let in_json = |line: &str| Value::from(line).to_string().len() - 2;
    let mut lines = (1..=warnings.len()).rev().map(first);
    lines.find(|line| in_json(line) <= room).unwrap_or_else(|| {
        let mut line = first(1);
        while in_json(&line) + '…'.len_utf8() > room && line.pop().is_some() {}
        line + "…"
    })
}

/// Runs of white space become one space, and what else has no shape becomes visible.
fn one_line(text: &str) -> String {
    visible(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

pub trait Sink {
    /// Puts `body` to the URL once. Follows no redirect, repeats nothing, and sends no `Content-Type`, which would be
    /// part of an old signature. Returns the HTTP status.
    async fn put(&self, url: &ResponseUrl, body: &str) -> Result<u16, PutError>;
}

/// Why an attempt did not deliver the answer. It never shows the URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PutError {
    /// No connection, or no answer on it, in time.
    #[error("no answer in time")]
    Timeout,
    /// The connection was refused, or it broke.
    #[error("the connection failed")]
    Connection,
    #[error("the request could not be made")]
    Request,
    #[error("HTTP status {0}")]
    Status(u16),
    #[error("there was no time for an attempt")]
    NoTime,
}

impl PutError {
    /// Redirects are not followed. S3 sends them while a bucket is new, and accepts the same request later.
    fn may_pass(&self) -> bool {
        match self {
            Self::Status(status) => !is_refused(*status),
            Self::Timeout | Self::Connection => true,
            Self::Request | Self::NoTime => false,
        }
    }
}

/// Whether repetition does not help, because the URL has expired or was never valid.
fn is_refused(status: u16) -> bool {
    (400..500).contains(&status) && ![408, 409, 429].contains(&status)
}

/// The answer did not arrive, and another invocation may cure that. Neither form shows the URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer could not be delivered to `{host}`: {last}")]
pub struct DeliveryError {
    host: String,
    last: PutError,
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
    let mut last = PutError::NoTime;
    let attempt = || async {
        let put = timeout(PUT, sink.put(url, reply.body()));
        match put.await.unwrap_or(Err(PutError::Timeout))? {
            200..=299 => Ok(()),
            status => Err(PutError::Status(status)),
        }
    };
    let attempts = attempt.retry(between_puts()).when(PutError::may_pass).notify(|failed, pause| {
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
    if let PutError::Status(status) = failed
        && is_refused(status)
    {
        error!(host = %url, status, "the answer was refused for good; CloudFormation will wait until its timeout");
        return Ok(());
    }
    error!(host = %url, %failed, "the answer was not delivered; Lambda may invoke again");
    Err(DeliveryError {
        host: url.to_string(),
        last: failed,
    })
}
