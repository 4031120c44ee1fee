//! The second function, which looks after the pair between deployments: it rotates the key when Secrets Manager asks for
//! it, checks once a day whether all is as the stack says, and tells people what they have to do.
//!
//! ```text
//! event ─► Event ─┬─ a step of a rotation ─► observe ─► plan (pure) ─► apply ─┐
//!                 ├─ a new key is in use ──────────────────────────► message ─┼─► Ok or Err
//!                 └─ a check ─► observe ─► plan ─► prove ─► findings ─► message ┘
//! ```
//! There is one way to make, store and prove a key, and one way to decide what is wrong: a step of a rotation is taken by
//! the executor that takes an update's, and a check is an update's plan that nobody applies. Nothing is answered but by
//! the invocation's own result.

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
use crate::guard::catch_panic;
use crate::run::{Run, Serves};
use crate::settle::RunError;

/// Why an event did not come to its end, and what to do: one line. Shows nothing that is secret in any form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MaintenanceError(String);

impl From<RunError> for MaintenanceError {
    fn from(error: RunError) -> Self {
        Self(error.to_string())
    }
}

/// Does what an event asks for, given as its JSON text, before the deadline. `aws` is awaited with the work. A check that
/// a person asked for answers what it found, everything else nothing.
///
/// # Errors
/// It was not done, or not to its end. Secrets Manager then begins the rotation again, with the same token; Lambda tries
/// again what EventBridge sent.
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
        // On the heap: nested in its callers, its type would be too deep for the compiler.
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

/// Tells whoever is to be told. A role that has just been made is denied for some seconds.
async fn tell<C: Cloud, N: Notifier>(
    run: &Run<'_, C>,
    settings: &Settings,
    notifier: &N,
    message: &Message,
) -> Result<(), MaintenanceError> {
    let Some(topic) = &settings.topic else {
        warn!(
            subject = message.subject(),
            "there is nobody to tell: the stack names neither an address nor a topic"
        );
        return Ok(());
    };
    let told = run.patiently(async || notifier.publish(topic, message).await);
    told.await.map_err(|error| {
        MaintenanceError(format!(
            "could not tell topic `{topic}` \"{}\": {error}",
            message.subject()
        ))
    })?;
    info!(%topic, subject = message.subject(), "told");
    Ok(())
}
