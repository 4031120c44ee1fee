//! One CloudFormation custom resource, `Custom::PublisherS3Access`, gives DNAstack Publisher read access to S3 buckets:
//! an IAM user with a least-privilege policy, and its access key in Secrets Manager.
//!
//! # The flow
//! ```text
//! event ─ Envelope ─► Request ─► observe ─► plan (pure) ─► apply ─► Outcome ─► Reply ─► PUT, repeated until it arrives
//!                                   ▲                        │
//!                                   └── reconcile, again ◄───┘
//! ```
//! [`handle`] is that line. CloudFormation is the coordinator: every step can be repeated, and the next invocation finds by
//! looking what this one leaves undone.
//!
//! # Modules, in the order in which an event meets them
//! 1. [`request`]: what comes in, parsed once: names, buckets, properties, settings.
//! 2. [`reconcile`]: what Create, Update and Delete do.
//! 3. [`observe`]: what exists, and whether CloudFormation waits for the request.
//! 4. [`plan`]: what to change, or why not: pure.
//! 5. [`apply`]: takes the steps, and goes round until nothing is left. Makes a key, and proves it.
//! 6. [`reply`]: what goes out.
//! 7. [`maintenance`]: the other handler, which rotates the key, checks it once a day and notifies. It observes, plans and
//!    applies likewise.
//! 8. [`cloud`]: what is needed of AWS, in our own words, and its implementation with the SDK.
//! 9. [`waits`]: every wait and time limit.

pub mod request;
pub mod reconcile;
pub mod observe;
pub mod plan;
pub mod apply;
pub mod reply;
pub mod maintenance;
pub mod cloud;
pub mod waits;

use std::future::Future;

use tracing::{Instrument, error, error_span, info};

use cloud::Cloud;
use observe::{catch_panic, within};
use reconcile::reconcile;
use reply::{DeliveryError, Reply, Sink, deliver};
use request::outcome::{Failure, Outcome, Success};
use request::settings::Settings;
use request::{Envelope, EnvelopeError, Request};
use waits::Deadline;

/// Why an event was not answered. Neither form shows the URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    #[error("the event cannot be answered: {0}")]
    Envelope(#[from] EnvelopeError),
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
}

/// Handles one event, given as JSON text, and answers it exactly once before the deadline: on success, on every error,
/// on a panic, on an event of any form, and when AWS hangs. Awaits `cloud` as part of the work, so that a failure to
/// start is answered too.
///
/// `Ok` once the answer is delivered, or if no repetition could deliver it.
///
/// # Errors
/// The event names nobody to answer, or the answer did not arrive; Lambda then invokes again.
pub async fn handle<'c, C: Cloud + 'c, S: Sink>(
    event: &str,
    deadline: Deadline,
    settings: &Settings,
    cloud: impl Future<Output = &'c C>,
    sink: &S,
) -> Result<(), Unanswered> {
    let envelope = Envelope::read(event, settings).inspect_err(|unanswerable| {
        error!(invocation_id = settings.invocation_id, %unanswerable, "the event cannot be answered");
    })?;
    // At the highest level, so that no setting removes the ids from a line.
    let span = error_span!(
        "request",
        invocation_id = settings.invocation_id,
        request_id = envelope.request_id,
        stack_id = envelope.stack_id,
        logical_id = envelope.logical_id,
    );
    let answer = async {
        let outcome = decide(event, &envelope, deadline, settings, cloud).await;
        let reply = reply(&envelope, &outcome, settings).await;
        deliver(sink, &envelope.url, &reply, deadline.of_answer()).await
    };
    Ok(answer.instrument(span).await?)
}

/// Decides the answer. Work that is too slow is dropped, and so stopped, before its failure is answered.
async fn decide<'c, C: Cloud + 'c>(
    event: &str,
    envelope: &Envelope,
    deadline: Deadline,
    settings: &Settings,
    cloud: impl Future<Output = &'c C>,
) -> Outcome {
    let parsed = catch_panic(async { Request::parse(event, envelope, settings) }).await;
    let request = parsed.map_err(|panicked| envelope.failure(panicked.to_string()))??;
    let kind = request.kind();
    info!(kind, physical_id = envelope.physical_id, "request");
    // On the heap, because its type, nested in its callers, would be too deep for the compiler.
    let work = Box::pin(async { reconcile(cloud.await, &request, settings, deadline).await });
    let id = request.failure_id();
    match within(deadline, deadline.of_work(), work).await {
        Ok(outcome) => outcome,
        Err(refusal) => Err(Failure {
            reason: format!("the {kind} of `{id}` was stopped: {refusal}"),
            id,
        }),
    }
}

/// Writes the answer, and logs it.
async fn reply(envelope: &Envelope, outcome: &Outcome, settings: &Settings) -> Reply {
    match outcome {
        Ok(Success { id, .. }) => info!(physical_id = id, "answering SUCCESS"),
        Err(Failure { id, reason }) => error!(physical_id = id, reason, "answering FAILED"),
    }
    let write = |outcome: &Outcome| Reply::new(envelope, outcome, &settings.log_stream);
    match catch_panic(async { write(outcome) }).await {
        Ok(reply) => reply,
        Err(panicked) => write(&Err(envelope.failure(panicked.to_string()))),
    }
}
