//! Rotation by Secrets Manager: on a schedule it asks for four steps, in order, and for all of them again after a
//! failure; so each can be repeated with the same token.
//!
//! ```text
//! event ─► Event ─► observe ─► plan (pure) ─► apply ─► Ok or Err
//! ```
//! A step is planned from what is observed and taken by the same executor as an update's `KeySerial`: there is one way to
//! make, store and prove a key, and one way to decide which keys go. Nothing is answered but by the invocation's own
//! result. The key in use stays so until the next one is stored and proved, and stays active until the next rotation, so
//! that what Publisher has signed with it keeps working.

mod event;
mod settings;

pub use event::Event;
pub use settings::Settings;

use std::future::Future;

use backon::Retryable;
use futures_util::future::join_all;
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument, error, error_span, info};

use crate::apply::{Execution, apply};
use crate::buckets::BucketUri;
use crate::cloud::{Cloud, CloudError, ErrorKind, Rotation, Secret, SecretState};
use crate::deadline::Deadline;
use crate::guard::catch_panic;
use crate::observe;
use crate::ownership::Owner;
use crate::plan::{self, RotationBlocked, RotationStep};
use crate::secret::Label;
use crate::settle::{Round, SettleError, settle};
use crate::verify::Target;
use crate::waits::{between_rotation_rounds, until_visible};

/// Why a step was not taken, and what to do: one line. Shows nothing that is secret in any form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RotationError(String);

impl From<CloudError> for RotationError {
    fn from(error: CloudError) -> Self {
        Self(format!("could not look at what is there: {error}"))
    }
}

impl From<SettleError> for RotationError {
    fn from(unsettled: SettleError) -> Self {
        Self(unsettled.to_string())
    }
}

/// Takes the step that an event asks for, given as its JSON text, before the deadline. `cloud` is awaited with the work.
///
/// # Errors
/// The step was not taken, or not to its end: Secrets Manager then begins the rotation again, with the same token.
pub async fn rotate<'c, C: Cloud + 'c>(
    event: &str,
    deadline: Deadline,
    settings: &Settings,
    cloud: impl Future<Output = &'c C>,
) -> Result<(), RotationError> {
    let span = error_span!(
        "rotation",
        invocation_id = settings.invocation_id,
        secret = %settings.secret,
    );
    let end = deadline.of_answer();
    let work = async {
        let event = Event::parse(event)?;
        info!(step = event.step.name(), token = %event.token, "asked by Secrets Manager");
        let turn = Turn {
            cloud: cloud.await,
            settings,
            event: &event,
            deadline: end,
        };
        settle(between_rotation_rounds(), async || turn.round().await).await
    };
    async {
        let outcome = match catch_panic(timeout_at(end, work)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(RotationError(
                "the step did not end in time and was stopped; it is safe to repeat it".to_owned(),
            )),
            Err(panicked) => Err(RotationError(panicked.to_string())),
        };
        match &outcome {
            Ok(()) => info!("done"),
            Err(reason) => error!(%reason, "the step was not taken"),
        }
        outcome
    }
    .instrument(span)
    .await
}

/// One step, asked for once.
struct Turn<'a, C> {
    cloud: &'a C,
    settings: &'a Settings,
    event: &'a Event,
    deadline: Instant,
}

impl<C: Cloud> Turn<'_, C> {
    /// Looks, plans and applies once.
    async fn round(&self) -> Result<Round<()>, RotationError> {
        let Event {
            step,
            secret: _,
            token,
        } = self.event;
        let secret = self.secret().await?;
        if let Staging::InUse = staging(&secret, self.event)? {
            info!("this version is in use already: there is nothing to do");
            return Ok(Round::Done(()));
        }
        let owner = self.owner(&secret)?;
        let pair = observe::for_rotation(self.cloud, &owner, &self.settings.user, secret).await?;
        let plan = match plan::rotation(*step, token, &pair, self.cloud.now()) {
            Ok(plan) => plan,
            Err(RotationBlocked::Transient(why)) => return Ok(Round::Again(why)),
            Err(RotationBlocked::Permanent(reason)) => return Err(RotationError(reason)),
        };
        info!(stack_id = %owner.stack, logical_id = owner.logical_id, "the stack that the tags name");
        let targets = match step {
            RotationStep::Test => self.targets().await,
            RotationStep::Create | RotationStep::Set | RotationStep::Finish => Vec::new(),
        };
        let timeouts = self.settings.timeouts;
        let mut execution =
            Execution::new(&owner, &pair.name, &pair, targets, timeouts, self.deadline);
        let round = apply(self.cloud, plan, &mut execution).await;
        round.map_err(|stopped| RotationError(stopped.to_string()))
    }

    /// The one secret that this function rotates, if the event is about it. A role that has just been made is denied for
    /// some seconds.
    async fn secret(&self) -> Result<Secret, RotationError> {
        let name = self.settings.user.secret_name();
        let ours = &self.settings.secret;
        if self.event.secret != ours.0 {
            return Err(RotationError(format!(
                "the event is about another secret than `{ours}`, the only one that this function rotates (`SECRET_ARN`)"
            )));
        }
        let look = || self.cloud.find_secret(&name);
        let secret = look
            .retry(until_visible())
            .when(|error| error.kind == ErrorKind::Denied)
            .await?;
        let live = |secret: &Secret| secret.arn == *ours && secret.state == SecretState::Live;
        secret.filter(live).ok_or_else(|| {
            RotationError(format!(
                "there is no secret `{ours}`, or it is pending deletion: update the stack with another `Revision`"
            ))
        })
    }

    /// The resource whose tags the secret carries, which must be of a stack in this place.
    fn owner(&self, secret: &Secret) -> Result<Owner, RotationError> {
        let home = &self.settings.home;
        Owner::of_tags(&secret.tags)
            .filter(|Owner { stack, .. }| {
                *stack.partition() == home.partition
                    && stack.region() == home.region
                    && stack.account() == home.account
            })
            .ok_or_else(|| {
                RotationError(format!(
                    "the tags of secret `{}` name no stack of this account and region: nothing is changed",
                    secret.arn
                ))
            })
    }

    /// The buckets and where they are. Where that cannot be found out, the proof says why it cannot read them.
    async fn targets(&self) -> Vec<Target> {
        let Settings { buckets, home, .. } = self.settings;
        let target = async |bucket: &BucketUri| {
            let region = self.cloud.bucket_region(&bucket.bucket).await;
            Target {
                bucket: bucket.clone(),
                region: region.ok().flatten().unwrap_or_else(|| home.region.clone()),
            }
        };
        join_all(buckets.iter().map(target)).await
    }
}

/// Where the version of the event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Staging {
    Pending,
    InUse,
}

/// The checks, and their order, of
/// [AWS's own rotation functions](https://github.com/aws-samples/aws-secrets-manager-rotation-lambdas).
fn staging(secret: &Secret, Event { token, .. }: &Event) -> Result<Staging, RotationError> {
    let refuse = |reason: String| Err(RotationError(reason));
    if secret.rotation == Rotation::Off {
        return refuse(format!(
            "rotation is not enabled for secret `{}`",
            secret.arn
        ));
    }
    let Some(labels) = secret.labels.get(token) else {
        return refuse(format!("the secret has no version `{token}` to rotate to"));
    };
    if labels.contains(Label::Current.as_str()) {
        return Ok(Staging::InUse);
    }
    if !labels.contains(Label::Pending.as_str()) {
        return refuse(format!(
            "version `{token}` is not {}: this rotation was ended",
            Label::Pending
        ));
    }
    Ok(Staging::Pending)
}
