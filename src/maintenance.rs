//! The second function, which looks after the pair between deployments. It rotates the key when Secrets Manager asks,
//! checks once a day that the pair is as the stack says, and notifies people of what they have to do.
//!
//! ```text
//! event ─► Event ─┬─ a step of a rotation ─► observe ─► plan (pure) ─► apply ─┐
//!                 ├─ AWSCURRENT has moved ─► observe ──────────────► message ─┼─► Ok or Err
//!                 └─ a check ─► observe ─► plan ─► prove ─► findings ─► message ┘
//! ```
//! It shares its code with the custom resource: the same executor makes, stores and proves a key, and a check is an
//! update's plan that nobody applies. The only answer is the invocation's result.

mod check;
mod environment;
mod event;
mod findings;
mod message;
mod new_key;
mod report;
mod rotation;

pub use environment::Environment;
pub use event::{Asked, Event, Form, RotationRequest};

use std::future::Future;

use serde_json::Value;
use tracing::{Instrument, error, error_span, info, warn};

use crate::cloud::{Cloud, Message, Notifier};
use crate::observe::{Invocation, Progress, Refusal, within};
use crate::waits::Deadline;

/// Handles one event, given as JSON text, before the deadline. Awaits `aws` as part of the work. A check by hand
/// answers with its report, everything else with null.
///
/// # Errors
/// The work failed or was stopped. Secrets Manager then repeats the rotation with the same token, and Lambda repeats
/// what `EventBridge` sent.
pub async fn maintain<'c, C: Cloud + 'c, N: Notifier + 'c>(
    event: &str,
    deadline: Deadline,
    environment: &Environment,
    aws: impl Future<Output = (&'c C, &'c N)>,
) -> Result<Value, Refusal> {
    let span = error_span!(
        "maintenance",
        invocation_id = environment.settings.invocation_id,
        stack_id = %environment.owner.stack,
        logical_id = environment.owner.logical_id,
    );
    let work = async {
        let event = Event::parse(event, &environment.secret)?;
        let (cloud, notifier) = aws.await;
        let work = Work {
            invocation: Invocation {
                cloud,
                owner: &environment.owner,
                sent: None,
                deadline,
            },
            environment,
            notifier,
            progress: Progress::new(deadline),
        };
        // On the heap, because its type, nested in its callers, would be too deep for the compiler.
        Box::pin(work.dispatch(&event)).await
    };
    async {
        let outcome = within(deadline, deadline.of_answer(), work).await.flatten();
        match &outcome {
            Ok(_) => info!("done"),
            Err(reason) => error!(%reason, "not done"),
        }
        outcome
    }
    .instrument(span)
    .await
}

struct Work<'a, C, N> {
    invocation: Invocation<'a, C>,
    environment: &'a Environment,
    notifier: &'a N,
    progress: Progress,
}

impl<C: Cloud, N: Notifier> Work<'_, C, N> {
    async fn dispatch(mut self, event: &Event) -> Result<Value, Refusal> {
        match event {
            Event::Rotation(request) => self.rotate(request).await.map(|()| Value::Null),
            Event::NewKey { time } => self.new_key(time).await,
            Event::Check(asked) => self.check(*asked).await,
        }
    }

    /// Publishes a message to the topic, if there is one. IAM denies a new role for some seconds, so it tries patiently.
    async fn tell(&self, message: &Message) -> Result<(), Refusal> {
        let Some(topic) = &self.environment.topic else {
            warn!(
                subject = message.subject(),
                "nobody is notified, because the stack names neither an address nor a topic"
            );
            return Ok(());
        };
        let publish = async || self.notifier.publish(topic, message).await;
        let told = self.invocation.while_denied(&self.progress, publish);
        told.await.map_err(|error| Refusal::Untold {
            subject: message.subject().to_owned(),
            topic: topic.to_string(),
            error: Box::new(error),
        })?;
        info!(%topic, subject = message.subject(), "told");
        Ok(())
    }
}
