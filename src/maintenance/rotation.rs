//! Rotation by Secrets Manager: on a schedule it asks for four steps, in order, and for all of them again after a
//! failure; so each can be repeated with the same token.
//!
//! The key in use stays so until the next one is stored and proved. The one before stays active until the next rotation,
//! and longer while it is used: a rotation that would end a key in use is held up.

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
    info!(step = step.name(), %token, "asked by Secrets Manager");
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

/// Observes what the step has to know: of a rotation that has ended, no more than that.
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

/// Looks when the keys were last used that a rotation may want to end: any that works but the one in use.
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
        info!("this version is in use already: there is nothing to do");
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
        // A fresh role may not ask yet; and a key that has just been deleted may still be listed, but has no last use.
        Err(RotationBlocked::HeldUp(HeldUp {
            key,
            why: Protection::Unreadable(error),
        })) if run.is_lagging() => Ok(Plan::nothing(End::ObserveAgain(format!(
            "when key `{key}` was last used cannot be read yet: {error}"
        )))),
        Err(RotationBlocked::HeldUp(held_up)) => Err(RunError::HeldUp(held_up)),
    }
}

/// The buckets and where they are, where they are to be read. Where that cannot be found out, the proof says why it cannot
/// read them. That the key is accepted is seen in any case.
pub(super) fn targets(settings: &Settings, observed: &Observed) -> Vec<Target> {
    match settings.desired.verification {
        Verification::Prove => plan::targets(&settings.desired, &settings.owner, observed),
        Verification::Skip => Vec::new(),
    }
}

/// Ends a rotation that would end a key in use, and gives the error for Secrets Manager. In this order: who is not told
/// would never hear of it once the label is gone.
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
        "the rotation was held up: {why}; paste the key in use into Publisher; `KeySerial` ends the other key regardless"
    )))
}

/// The one secret that this function serves.
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

/// The secret alone.
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

/// Where the version of the event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Staging {
    Pending,
    InUse,
}

/// The checks, and their order, of
/// [AWS's own rotation functions](https://github.com/aws-samples/aws-secrets-manager-rotation-lambdas).
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
