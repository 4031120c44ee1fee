//! One CloudFormation custom resource, `Custom::PublisherS3Access`, gives DNAstack Publisher read access to S3 buckets:
//! an IAM user with a least-privilege policy, and its access key in Secrets Manager.
//!
//! # The flow
//! ```text
//! event ─ Envelope ─► Request ─► observe ─► plan (pure) ─► apply ─► Outcome ─► Reply ─► one PUT
//!                                   ▲                        │
//!                                   └──── settle, again ◄────┘
//! ```
//! [`handle`] is that line. CloudFormation is the coordinator: every step can be repeated, and the next invocation finds by
//! looking what this one leaves undone.
//!
//! # Modules, in reading order
//! 1. What comes in, parsed once: [`event`] with [`response_url`], [`properties`] with [`names`], [`buckets`] and
//!    [`property_error`], [`settings`].
//! 2. What Create, Update and Delete do: [`reconcile`]. Each goes through [`settle`], the one loop, with a [`run`] as its
//!    context; [`confirm`] asks whether CloudFormation still waits.
//! 3. One round: [`observe`], [`plan`], and apply, which is in [`settle`] and tries the key with [`proof`]. [`ownership`]
//!    says what may be touched; [`policy`] and [`secret`] say what is made.
//! 4. What is needed of AWS, in our own words: [`cloud`]; [`aws`] implements it with the SDK.
//! 5. What goes out, and when: [`outcome`], [`reply`]; [`deadline`], [`waits`]; `panics`, [`logging`].
//! 6. [`maintenance`]: the other function, which rotates the key, checks it once a day and notifies; it observes, plans and
//!    applies likewise.

// Callers first: each module uses only modules below it, which `tests/architecture.rs` holds.
pub mod reply;
pub mod maintenance;
pub mod reconcile;
pub mod event;
pub mod settings;
pub mod outcome;
pub mod settle;
pub mod proof;
pub mod plan;
pub mod properties;
pub mod policy;
pub mod property_error;
pub mod observe;
pub mod confirm;
pub mod run;
pub mod deadline;
pub mod ownership;
pub mod aws;
pub mod cloud;
pub mod secret;
pub mod buckets;
pub mod names;
pub mod response_url;
pub mod waits;
mod panics;
pub mod logging;

use std::future::Future;
use std::time::SystemTime;

use tokio::time::timeout_at;
use tracing::{Instrument, error, error_span, info, warn};

use cloud::Cloud;
use deadline::Deadline;
use event::{Envelope, Request};
use outcome::{Failure, Outcome, Success};
use panics::catch_panic;
use reconcile::reconcile;
use reply::{DeliveryError, Reply, Sink, deliver};
use settings::Settings;

/// Handles one event, given as JSON text, and answers it exactly once before the deadline: on success, on every error,
/// on a panic, on an event of any form, and when AWS hangs. Awaits `cloud` as part of the work, so that a failure to
/// start is answered too.
///
/// `Ok` once the answer is delivered, or if no repetition could deliver it.
///
/// # Errors
/// The answer did not arrive; Lambda then invokes again.
pub async fn handle<'c, C: Cloud + 'c, S: Sink>(
    event: &str,
    deadline: Deadline,
    settings: &Settings,
    cloud: impl Future<Output = &'c C>,
    sink: &S,
) -> Result<(), DeliveryError> {
    let envelope = match Envelope::read(event, settings) {
        Ok(envelope) => envelope,
        Err(unanswerable) => {
            error!(invocation_id = settings.invocation_id, %unanswerable, "the event is ignored");
            return Ok(());
        }
    };
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
    answer.instrument(span).await
}

/// Decides the answer. Work that is too slow is dropped, and so stopped, before its failure is answered.
async fn decide<'c, C: Cloud + 'c>(
    event: &str,
    envelope: &Envelope,
    deadline: Deadline,
    settings: &Settings,
    cloud: impl Future<Output = &'c C>,
) -> Outcome {
    let request = match catch_panic(async { Request::parse(event, envelope, settings) }).await {
        Ok(Ok(request)) => request,
        Ok(Err(outcome)) => return outcome,
        Err(panicked) => return Err(envelope.failure(panicked.to_string())),
    };
    let kind = request.kind();
    info!(kind, physical_id = envelope.physical_id, "request");
    if let Some(overdue) = envelope.url.overdue(SystemTime::now(), envelope.waits) {
        warn!(
            overdue_seconds = overdue.as_secs(),
            "CloudFormation no longer waits for this answer"
        );
    }
    // On the heap, because its type, nested in its callers, would be too deep for the compiler.
    let work = Box::pin(async { reconcile(cloud.await, &request, settings, deadline).await });
    let id = request.failure_id();
    match catch_panic(async { timeout_at(deadline.of_work(), work).await }).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => {
            let seconds = deadline.work_time().as_secs_f64();
            let reason = format!(
                "the {kind} of `{id}` did not end within {seconds:.0} seconds and was stopped; it is safe to repeat it"
            );
            Err(Failure { id, reason })
        }
        Err(panicked) => Err(Failure {
            id,
            reason: panicked.to_string(),
        }),
    }
}

/// Writes the answer, and logs it.
async fn reply(envelope: &Envelope, outcome: &Outcome, settings: &Settings) -> Reply {
    match outcome {
        Ok(Success { id, attributes: _ }) => info!(physical_id = id, "answering SUCCESS"),
        Err(Failure { id, reason }) => error!(physical_id = id, reason, "answering FAILED"),
    }
    let write = |outcome: &Outcome| Reply::new(envelope, outcome, &settings.log_stream);
    match catch_panic(async { write(outcome) }).await {
        Ok(reply) => reply,
        Err(panicked) => write(&Err(envelope.failure(panicked.to_string()))),
    }
}
