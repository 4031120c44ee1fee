//! Rotation by Secrets Manager. On a schedule, it asks for four steps in order. After a failure it asks for all of them
//! again with the same token, so each step can be repeated.
//!
//! The current key stays current until the next one is stored and proved. The previous key stays active until the next
//! rotation. A rotation that would end a key in use is held up.

use std::collections::BTreeMap;

use tracing::{info, warn};

use super::{MaintenanceError, RotationRequest, Settings, message, tell};
use crate::cloud::{Cloud, Key, KeyStatus, Notifier, Rotation, Secret, SecretState, VersionId};
use crate::names::Verification;
use crate::observe::{self, Observed, ObservedSecret, Pair, buckets_to_find};
use crate::plan::{
    self, End, HeldUp, Plan, Protection, Rotating, RotationBlocked, RotationStep, Target,
};
use crate::run::Run;
use crate::secret::Label;
use crate::settle::{RunError, settle};
use crate::waits::{between_rotation_rounds, between_rounds, unused_before_rotation};

/// Takes one step: observes, plans and applies until it is done.
pub(super) async fn rotate<C: Cloud, N: Notifier>(
    run: &Run<'_, C>,
    settings: &Settings,
    notifier: &N,
    request: &RotationRequest,
) -> Result<(), MaintenanceError> {
    let RotationRequest { step, token } = request;
    info!(step = step.name(), %token, "Secrets Manager asks for a step");
    let settled = settle(
        run,
        between_rotation_rounds(),
        async || observe(run, settings, request).await,
        |observed| plan_step(run, settings, request, observed),
    );
    match settled.await {
        Ok(_) => Ok(()),
        Err(RunError::HeldUp(held_up)) => {
            Err(hold_up(run, settings, notifier, token, &held_up).await?)
        }
        Err(error) => Err(error.into()),
    }
}

/// Observes what the step needs. If the rotation has already ended, that is the secret alone.
async fn observe<C: Cloud>(
    run: &Run<'_, C>,
    settings: &Settings,
    RotationRequest { step, token }: &RotationRequest,
) -> Result<Observed, RunError> {
    let secret = find(run, settings).await?;
    if staging(&secret, token)? == Staging::InUse {
        return Ok(Observed::unasked(run, bare(run, settings, secret)));
    }
    let mut observed = observe::for_rotation(run, &settings.desired.user, secret).await?;
    match step {
        RotationStep::Create => look_at_uses(run, &mut observed.pair).await,
        RotationStep::Test => {
            let names = buckets_to_find(&settings.desired.buckets, settings.desired.verification);
            observed.regions = observe::regions(run, &names).await;
        }
        RotationStep::Set | RotationStep::Finish => {}
    }
    Ok(observed)
}

/// Looks up the last use of the keys that a rotation may want to end: all active ones except the current key.
async fn look_at_uses<C: Cloud>(run: &Run<'_, C>, pair: &mut Pair) {
    let Pair {
        user: Some(user),
        secret: Some(secret),
        ..
    } = pair
    else {
        return;
    };
    let in_use = secret
        .labelled(Label::Current)
        .and_then(|version| secret.key_of(version));
    let may_go = |key: &&Key| {
        key.status == KeyStatus::Active && in_use.is_none_or(|in_use| in_use.id != key.id)
    };
    user.last_used = observe::last_uses(run, user.keys.iter().filter(may_go)).await;
}

fn plan_step<C: Cloud>(
    run: &Run<'_, C>,
    settings: &Settings,
    RotationRequest { step, token }: &RotationRequest,
    observed: &Observed,
) -> Result<Plan, RunError> {
    let secret = observed.pair.secret.as_ref();
    let secret = live(settings, secret.map(|observed| observed.secret.clone()))?;
    if staging(&secret, token)? == Staging::InUse {
        info!("this version is current already: there is nothing to do");
        return Ok(Plan::nothing(End::Done));
    }
    let rotating = Rotating {
        token,
        targets: &targets(settings, observed),
        window: unused_before_rotation(settings.rotation_days),
    };
    match plan::rotation(*step, rotating, observed) {
        Ok(plan) => Ok(plan),
        Err(RotationBlocked::Transient(why)) => Ok(Plan::nothing(End::ObserveAgain(why))),
        Err(RotationBlocked::Permanent(reason)) => Err(RunError::Blocked(reason)),
        // IAM lags: a new role may not ask yet, and a key that was just deleted may still be listed without a last use.
        Err(RotationBlocked::HeldUp(HeldUp {
            key,
            why: Protection::Unreadable(error),
        })) if run.is_lagging() => Ok(Plan::nothing(End::ObserveAgain(format!(
            "the last use of key `{key}` cannot be read yet: {error}"
        )))),
        Err(RotationBlocked::HeldUp(held_up)) => Err(RunError::HeldUp(Box::new(held_up))),
    }
}

/// The buckets that a proof reads, with their regions: none if `VerifyAccess` is off, and the proof then shows only
/// that AWS accepts the key. If a region is unknown, the proof says why it cannot read the bucket.
pub(super) fn targets(settings: &Settings, observed: &Observed) -> Vec<Target> {
    match settings.desired.verification {
        Verification::Prove => plan::targets(&settings.desired, &settings.owner, observed),
        Verification::Skip => Vec::new(),
    }
}

/// Stops a rotation that would end a key in use, and returns the error for Secrets Manager. It sends the message before
/// it removes the label: without the label, Secrets Manager does not repeat the rotation, and a message that failed
/// would be lost.
async fn hold_up<C: Cloud, N: Notifier>(
    run: &Run<'_, C>,
    settings: &Settings,
    notifier: &N,
    token: &VersionId,
    held_up: &HeldUp,
) -> Result<MaintenanceError, MaintenanceError> {
    let why = message::why_held_up(held_up);
    warn!(why, "the rotation is held up");
    let message = message::held_up(settings, held_up);
    tell(run, settings, notifier, &message).await?;
    let ended = settle(
        run,
        between_rounds(),
        async || {
            let secret = find(run, settings).await?;
            Ok(Observed::unasked(run, bare(run, settings, secret)))
        },
        |observed| match &observed.pair.secret {
            Some(secret) => Ok(plan::end_rotation(token, secret)),
            None => Ok(Plan::nothing(End::Done)),
        },
    );
    ended.await?;
    Ok(MaintenanceError(format!(
        "the rotation was held up: {why}; paste the current key into Publisher, or raise `KeySerial` to end the other \
         key regardless"
    )))
}

/// Finds the one secret that this function serves.
async fn find<C: Cloud>(run: &Run<'_, C>, settings: &Settings) -> Result<Secret, RunError> {
    let name = settings.desired.user.secret_name();
    let secret = run.patiently(async || run.cloud.find_secret(&name).await);
    live(settings, secret.await?)
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

/// A pair of which only the secret was observed.
fn bare<C: Cloud>(run: &Run<'_, C>, settings: &Settings, secret: Secret) -> Pair {
    Pair {
        name: settings.desired.user.clone(),
        user: None,
        secret: Some(ObservedSecret {
            ownership: run.owner.classify(&secret.tags),
            secret,
            versions: Vec::new(),
            stored: BTreeMap::new(),
            unreadable: None,
        }),
        renamed_to: None,
    }
}

/// What label the event's version has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Staging {
    Pending,
    InUse,
}

/// Makes the same checks in the same order as [AWS's own rotation
/// functions](https://github.com/aws-samples/aws-secrets-manager-rotation-lambdas).
fn staging(secret: &Secret, token: &VersionId) -> Result<Staging, RunError> {
    let refuse = |reason: String| Err(RunError::Blocked(reason));
    if secret.rotation == Rotation::Off {
        return refuse(format!(
            "rotation is not enabled for secret `{}`",
            secret.arn
        ));
    }
    let Some(labels) = secret.labels.get(token) else {
        return refuse(format!(
            "version `{token}` has no label: this rotation was held up or ended before"
        ));
    };
    if labels.contains(Label::Current.as_str()) {
        return Ok(Staging::InUse);
    }
    if !labels.contains(Label::Pending.as_str()) {
        return refuse(format!(
            "version `{token}` is not {}: this rotation was held up or ended before",
            Label::Pending
        ));
    }
    Ok(Staging::Pending)
}
