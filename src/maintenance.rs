//! The second function, which looks after the pair between deployments. It rotates the key when Secrets Manager asks,
//! checks once a day that the pair is as the stack says, and notifies people of what they have to do.
//!
//! ```text
//! event ─► Event ─┬─ a step of a rotation ─► observe ─► plan (pure) ─► apply ─┐
//!                 ├─ a new key is in use ──────────────────────────► message ─┼─► Ok or Err
//!                 └─ a check ─► observe ─► plan ─► prove ─► findings ─► message ┘
//! ```
//! It shares its code with the custom resource: the same executor makes, stores and proves a key, and a check is an
//! update's plan that nobody applies. The only answer is the invocation's result.

mod check;
mod event;
mod findings;
mod message;
mod report;
mod rotation;
mod settings;

pub use event::{Asked, Event, RotationRequest};
pub use settings::Settings;

use std::future::Future;

use serde_json::Value;
use tokio::time::timeout_at;
use tracing::{Instrument, error, error_span, info, warn};

use crate::cloud::{Cloud, Message, Notifier};
use crate::deadline::Deadline;
use crate::panics::catch_panic;
use crate::run::{Run, Serves};
use crate::settle::RunError;

/// Why an event failed, and what to do: one line. It shows no secret, in `Debug` either.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MaintenanceError(String);

impl From<RunError> for MaintenanceError {
    fn from(error: RunError) -> Self {
        Self(error.to_string())
    }
}

/// Handles one event, given as JSON text, before the deadline. Awaits `aws` as part of the work. A check by hand
/// answers with its report, everything else with null.
///
/// # Errors
/// The work failed or was stopped. Secrets Manager then repeats the rotation with the same token, and Lambda repeats
/// what `EventBridge` sent.
pub async fn maintain<'c, C: Cloud + 'c, N: Notifier + 'c>(
    event: &str,
    deadline: Deadline,
    settings: &Settings,
    aws: impl Future<Output = (&'c C, &'c N)>,
) -> Result<Value, MaintenanceError> {
    let span = error_span!(
        "maintenance",
        invocation_id = settings.invocation_id,
        stack_id = %settings.owner.stack,
        logical_id = settings.owner.logical_id,
    );
    let end = deadline.of_answer();
    let work = async {
        let event = Event::parse(event, &settings.secret)?;
        let (cloud, notifier) = aws.await;
        // On the heap, because its type, nested in its callers, would be too deep for the compiler.
        Box::pin(dispatch(&event, deadline, settings, cloud, notifier)).await
    };
    async {
        let outcome = match catch_panic(timeout_at(end, work)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(MaintenanceError(
                "it did not end in time and was stopped; it is safe to repeat it".to_owned(),
            )),
            Err(panicked) => Err(MaintenanceError(panicked.to_string())),
        };
        match &outcome {
            Ok(_) => info!("done"),
            Err(reason) => error!(%reason, "not done"),
        }
        outcome
    }
    .instrument(span)
    .await
}

async fn dispatch<C: Cloud, N: Notifier>(
    event: &Event,
    deadline: Deadline,
    settings: &Settings,
    cloud: &C,
    notifier: &N,
) -> Result<Value, MaintenanceError> {
    let serves = Serves::OneStack;
    let timeouts = settings.proof_timeouts;
    let run = Run::new(cloud, &settings.owner, serves, timeouts, deadline);
    match event {
        Event::Rotation(request) => rotation::rotate(&run, settings, notifier, request)
            .await
            .map(|()| Value::Null),
        Event::NewKey { time } => {
            info!(time, "a new key is in use");
            tell(&run, settings, notifier, &message::new_key(settings, time))
                .await
                .map(|()| Value::Null)
        }
        Event::Check(asked) => check::check(&run, settings, notifier, *asked).await,
    }
}

/// Publishes a message to the topic, if there is one. IAM denies a new role for some seconds, so it tries patiently.
async fn tell<C: Cloud, N: Notifier>(
    run: &Run<'_, C>,
    settings: &Settings,
    notifier: &N,
    message: &Message,
) -> Result<(), MaintenanceError> {
    let Some(topic) = &settings.topic else {
        warn!(
            subject = message.subject(),
            "nobody is notified, because the stack names neither an address nor a topic"
        );
        return Ok(());
    };
    let told = run.patiently(async || notifier.publish(topic, message).await);
    told.await.map_err(|error| {
        MaintenanceError(format!(
            "could not publish \"{}\" to topic `{topic}`: {error}",
            message.subject()
        ))
    })?;
    info!(%topic, subject = message.subject(), "told");
    Ok(())
}
