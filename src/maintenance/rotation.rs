//! Rotation by Secrets Manager. On a schedule, it asks for four steps in order. After a failure it asks for all of them
//! again with the same token, so each step can be repeated.
//!
//! The current key stays current until the next one is stored and proved. The previous key stays active until the next
//! rotation. A rotation that would end a key in use is held up.

use tracing::{info, warn};

use super::{RotationRequest, Work, message};
use crate::apply::settle;
use crate::cloud::{
    Cloud, Key, KeyStatus, Label, Notifier, Rotation, Secret, SecretState, VersionId,
};
use crate::observe::{self, AtWork, Invocation, Observed, Pair, Progress, buckets_to_find};
use crate::plan::{self, End, HeldUp, Plan, Protection, Refusal, Rotating, RotationStep, Target};
use crate::request::names::Verification;
use crate::waits::unused_before_rotation;

impl<C: Cloud, N: Notifier> Work<'_, C, N> {
    /// Takes one step: observes, plans and applies until it is done.
    pub(super) async fn rotate(&mut self, request: &RotationRequest) -> Result<(), Refusal> {
        let RotationRequest { step, token } = request;
        info!(step = step.name(), %token, "Secrets Manager asks for a step");
        let mut progress = self.progress.clone();
        let at_work = match step {
            RotationStep::Create => observe::at_work(&self.invocation, &progress).await?,
            RotationStep::Set | RotationStep::Test | RotationStep::Finish => AtWork::No,
        };
        let settled = settle(
            &self.invocation,
            &mut progress,
            async |progress| self.observe(request, progress).await,
            |observed, progress| self.plan_step(request, at_work, observed, progress),
        );
        match settled.await {
            Ok(_) => Ok(()),
            Err(refusal @ Refusal::HeldUp(_)) => Err(self.hold_up(token, refusal).await?),
            Err(refusal) => Err(refusal),
        }
    }

    /// Observes what the step needs. If the rotation has already ended, that is the secret alone.
    async fn observe(
        &self,
        RotationRequest { step, token }: &RotationRequest,
        progress: &Progress,
    ) -> Result<Observed, Refusal> {
        let (invocation, desired) = (&self.invocation, &self.environment.desired);
        let secret = self.find(progress).await?;
        if staging(&secret, token)? == Staging::InUse {
            let pair = Pair::of_secret(invocation, &desired.user, secret);
            return Ok(Observed::of(invocation, pair));
        }
        let pair = Pair::for_rotation(invocation, progress, &desired.user, secret).await?;
        let mut observed = Observed::of(invocation, pair);
        match step {
            RotationStep::Create => look_at_uses(invocation, &mut observed.pair).await,
            RotationStep::Test => {
                let names = buckets_to_find(&desired.buckets, desired.verification);
                observed.regions = observe::regions(invocation, &names).await;
            }
            RotationStep::Set | RotationStep::Finish => {}
        }
        Ok(observed)
    }

    fn plan_step(
        &self,
        RotationRequest { step, token }: &RotationRequest,
        at_work: AtWork,
        observed: &Observed,
        progress: &Progress,
    ) -> Result<Plan, Refusal> {
        let secret = observed.pair.secret.as_ref();
        let secret = self.live(secret.map(|observed| observed.secret.clone()))?;
        if staging(&secret, token)? == Staging::InUse {
            info!("this version is current already: there is nothing to do");
            return Ok(Plan::nothing(End::Done));
        }
        let rotating = Rotating {
            owner: &self.environment.owner,
            token,
            serial: self.environment.desired.key_serial,
            targets: &self.targets(observed),
            window: unused_before_rotation(self.environment.rotation_days),
            at_work,
        };
        match plan::rotation(*step, rotating, observed) {
            // IAM lags: a new role may not ask yet, and a key that was just deleted may still be listed without a last use.
            Err(Refusal::HeldUp(held_up)) if progress.is_lagging() => match *held_up {
                HeldUp {
                    key,
                    why: Protection::Unreadable(error),
                } => Ok(Plan::nothing(End::ObserveAgain(format!(
                    "the last use of key `{key}` cannot be read yet: {error}"
                )))),
                held_up @ HeldUp {
                    why: Protection::Used(_) | Protection::Young(_),
                    ..
                } => Err(Refusal::HeldUp(Box::new(held_up))),
            },
            planned => planned,
        }
    }

    /// The buckets that a proof reads, with their regions: none if `VerifyAccess` is off, and the proof then shows only
    /// that AWS accepts the key. None of them is new.
    pub(super) fn targets(&self, observed: &Observed) -> Vec<Target> {
        let (desired, owner) = (&self.environment.desired, &self.environment.owner);
        match desired.verification {
            Verification::Prove | Verification::AllowEmpty => {
                plan::targets(desired, owner, observed, Some(&desired.buckets))
            }
            Verification::Skip => Vec::new(),
        }
    }

    /// Stops a rotation that would end a key in use, and returns the refusal for Secrets Manager. It sends the message before
    /// it removes the label: without the label, Secrets Manager does not repeat the rotation, and a message that failed
    /// would be lost.
    async fn hold_up(&self, token: &VersionId, refusal: Refusal) -> Result<Refusal, Refusal> {
        warn!(%refusal, "the rotation is held up");
        if let Refusal::HeldUp(held_up) = &refusal {
            self.tell(&message::held_up(self.environment, held_up))
                .await?;
        }
        let (invocation, user) = (&self.invocation, &self.environment.desired.user);
        let mut progress = self.progress.clone();
        let ended = settle(
            invocation,
            &mut progress,
            async |progress| {
                let secret = self.find(progress).await?;
                Ok(Observed::of(
                    invocation,
                    Pair::of_secret(invocation, user, secret),
                ))
            },
            |observed, _| match &observed.pair.secret {
                Some(secret) => Ok(plan::end_rotation(token, secret)),
                None => Ok(Plan::nothing(End::Done)),
            },
        );
        ended.await?;
        Ok(refusal)
    }

    /// Finds the one secret that this function serves.
    async fn find(&self, progress: &Progress) -> Result<Secret, Refusal> {
        let (invocation, name) = (
            &self.invocation,
            self.environment.desired.user.secret_name(),
        );
        let find = async || invocation.cloud.find_secret(&name).await;
        self.live(invocation.while_denied(progress, find).await?)
    }

    fn live(&self, secret: Option<Secret>) -> Result<Secret, Refusal> {
        let ours = &self.environment.secret;
        let live = |secret: &Secret| secret.arn == *ours && secret.state == SecretState::Live;
        secret.filter(live).ok_or_else(|| {
            Refusal::Rotation(format!(
                "there is no secret `{ours}`, or it is pending deletion: update the stack with another `Revision`"
            ))
        })
    }
}

/// Looks up the last use of the keys that a rotation may want to end: all active ones except the current key.
async fn look_at_uses<C: Cloud>(invocation: &Invocation<'_, C>, pair: &mut Pair) {
    let (Some(user), Some(secret)) = (&mut pair.user, &pair.secret) else {
        return;
    };
    let in_use = secret.key_under(Label::Current);
    let may_go = |key: &&Key| {
        key.status == KeyStatus::Active && in_use.is_none_or(|in_use| in_use.id != key.id)
    };
    user.last_used = observe::last_uses(invocation, user.keys.iter().filter(may_go)).await;
}

/// What label the event's version has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Staging {
    Pending,
    InUse,
}

/// Makes the same checks in the same order as [AWS's own rotation
/// functions](https://github.com/aws-samples/aws-secrets-manager-rotation-lambdas).
fn staging(secret: &Secret, token: &VersionId) -> Result<Staging, Refusal> {
    let refuse = |reason: String| Err(Refusal::Rotation(reason));
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
