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
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument, error, error_span, info};

use crate::buckets::BucketUri;
use crate::cloud::{Cloud, ErrorKind, Rotation, Secret, SecretState};
use crate::deadline::Deadline;
use crate::guard::catch_panic;
use crate::observe::{self, BucketRegion, Observed};
use crate::ownership::Owner;
use crate::plan::{self, End, Plan, RotationBlocked, RotationStep, Target};
use crate::run::{Run, Serves};
use crate::secret::Label;
use crate::settle::{RunError, settle};
use crate::waits::{ROLE_LAG, between_rotation_rounds, while_iam_lags};

/// Why a step was not taken, and what to do: one line. Shows nothing that is secret in any form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RotationError(String);

impl From<RunError> for RotationError {
    fn from(error: RunError) -> Self {
        Self(error.to_string())
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
        // On the heap: nested in its callers, its type would be too deep for the compiler.
        Box::pin(take(cloud.await, settings, &event, deadline)).await
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

/// Takes one step: observes, plans and applies until it is done.
async fn take<C: Cloud>(
    cloud: &C,
    settings: &Settings,
    event: &Event,
    deadline: Deadline,
) -> Result<(), RotationError> {
    if event.secret != settings.secret.0 {
        return Err(RotationError(format!(
            "the event is about another secret than `{}`, the only one that this function rotates (`SECRET_ARN`)",
            settings.secret
        )));
    }
    let secret = find(cloud, settings, deadline).await?;
    if staging(&secret, event)? == Staging::InUse {
        info!("this version is in use already: there is nothing to do");
        return Ok(());
    }
    let owner = owner(settings, &secret)?;
    info!(stack_id = %owner.stack, logical_id = owner.logical_id, "the stack that the tags name");
    let serves = Serves::OneStack;
    let run = Run::new(cloud, &owner, serves, settings.proof_timeouts, deadline);
    let targets = match event.step {
        RotationStep::Test => targets(&run, settings).await,
        RotationStep::Create | RotationStep::Set | RotationStep::Finish => Vec::new(),
    };
    let observe = async || {
        let secret = run
            .patiently(async || cloud.find_secret(&settings.user.secret_name()).await)
            .await?;
        let secret = live(settings, secret)?;
        Ok(observe::for_rotation(&run, &settings.user, secret).await?)
    };
    let staged = |observed: &Observed| {
        let secret = observed.pair.secret.as_ref();
        let secret = live(settings, secret.map(|observed| observed.secret.clone()))?;
        staging(&secret, event)
    };
    let plan = |observed: &Observed| match staged(observed)? {
        Staging::InUse => Ok(Plan::nothing(End::Done)),
        Staging::Pending => match plan::rotation(event.step, &event.token, observed, &targets) {
            Ok(plan) => Ok(plan),
            Err(RotationBlocked::Transient(why)) => Ok(Plan::nothing(End::ObserveAgain(why))),
            Err(RotationBlocked::Permanent(reason)) => Err(RunError::Blocked(reason)),
        },
    };
    settle(&run, between_rotation_rounds(), observe, plan).await?;
    Ok(())
}

/// The one secret that this function rotates. A role that has just been made is denied for some seconds.
async fn find<C: Cloud>(
    cloud: &C,
    settings: &Settings,
    deadline: Deadline,
) -> Result<Secret, RotationError> {
    let lags_until = deadline.started() + ROLE_LAG;
    let name = settings.user.secret_name();
    let secret = (|| cloud.find_secret(&name))
        .retry(while_iam_lags())
        .when(|error| error.kind == ErrorKind::Denied && Instant::now() < lags_until)
        .await;
    let secret = secret.map_err(RunError::from)?;
    Ok(live(settings, secret)?)
}

fn live(settings: &Settings, secret: Option<Secret>) -> Result<Secret, RunError> {
    let ours = &settings.secret;
    let live = |secret: &Secret| secret.arn == *ours && secret.state == SecretState::Live;
    secret.filter(live).ok_or_else(|| {
        RunError::Blocked(format!(
            "there is no secret `{ours}`, or it is pending deletion: update the stack with another `Revision`"
        ))
    })
}

/// The resource whose tags the secret carries, which must be of a stack in this place.
fn owner(settings: &Settings, secret: &Secret) -> Result<Owner, RotationError> {
    let home = &settings.home;
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
async fn targets<C: Cloud>(run: &Run<'_, C>, settings: &Settings) -> Vec<Target> {
    let names: Vec<_> = settings.buckets.iter().map(|entry| &entry.bucket).collect();
    let regions = observe::regions(run, &names).await;
    let target = |bucket: &BucketUri| Target {
        bucket: bucket.clone(),
        region: match regions.get(&bucket.bucket) {
            Some(BucketRegion::In(region)) => region.clone(),
            Some(BucketRegion::NoSuchBucket | BucketRegion::Unknown(_)) | None => {
                settings.home.region.clone()
            }
        },
    };
    settings.buckets.iter().map(target).collect()
}

/// Where the version of the event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Staging {
    Pending,
    InUse,
}

/// The checks, and their order, of
/// [AWS's own rotation functions](https://github.com/aws-samples/aws-secrets-manager-rotation-lambdas).
fn staging(secret: &Secret, Event { token, .. }: &Event) -> Result<Staging, RunError> {
    let refuse = |reason: String| Err(RunError::Blocked(reason));
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
