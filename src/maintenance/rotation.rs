//! Rotation by Secrets Manager. On a schedule, it asks for four steps in order. After a failure it asks for all of them
//! again with the same token, so each step can be repeated.
//!
//! The current key stays current until the next one is stored and proved. The previous key stays active until the next
//! rotation. A rotation that would end a key in use is held up.

use tracing::{info, warn};

use super::{RotationRequest, Work, message};
use crate::apply::settle;
use crate::cloud::{Cloud, Label, Notifier, Rotation, Secret, SecretState, VersionId};
use crate::observe::{self, AtWork, Observed, Progress, Refusal, buckets_to_find};
use crate::plan::{self, End, Plan, Rotating, RotationStep, Target};
use crate::request::names::Verification;
use crate::waits::unused_before_rotation;

impl<C: Cloud, N: Notifier> Work<'_, C, N> {
    /// Takes one step: observes, plans and applies until it is done.
    pub(super) async fn rotate(&mut self, request: &RotationRequest) -> Result<(), Refusal> {
        let RotationRequest { step, token } = request;
        info!(step = step.name(), %token, "Secrets Manager asks for a step");
        let (invocation, desired) = (&self.invocation, &self.environment.desired);
        let at_work = match step {
            RotationStep::Create => observe::at_work(invocation, &self.progress).await?,
            RotationStep::Set | RotationStep::Test | RotationStep::Finish => AtWork::No,
        };
        let buckets = match step {
            RotationStep::Test => buckets_to_find(&desired.buckets, desired.verification),
            RotationStep::Create | RotationStep::Set | RotationStep::Finish => Vec::new(),
        };
        let mut progress = self.progress.clone();
        let settled = settle(
            invocation,
            &mut progress,
            async |progress| {
                Ok(observe::for_rotation(invocation, progress, &desired.user, &buckets).await?)
            },
            |observed, progress| self.plan_step(request, at_work, observed, progress),
        );
        match settled.await {
            Ok(_) => Ok(()),
            Err(refusal) => {
                if let Refusal::HeldUp(why) | Refusal::UseUnknown(why) = &refusal {
                    warn!(%refusal, "the rotation is held up");
                    self.hold_up(token, why).await?;
                }
                Err(refusal)
            }
        }
    }

    fn plan_step(
        &self,
        RotationRequest { step, token }: &RotationRequest,
        at_work: AtWork,
        observed: &Observed,
        progress: &Progress,
    ) -> Result<Plan, Refusal> {
        let secret = self.live(observed)?;
        if staging(secret, token)? == Staging::InUse {
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
            Err(Refusal::UseUnknown(why)) if progress.is_lagging() => {
                Ok(Plan::nothing(End::ObserveAgain(why)))
            }
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

    /// Stops a rotation that would end a key in use. It sends the message before it removes the label: without the label,
    /// Secrets Manager does not repeat the rotation, and a message that failed would be lost.
    async fn hold_up(&self, token: &VersionId, why: &str) -> Result<(), Refusal> {
        self.tell(&message::held_up(self.environment, why)).await?;
        let (invocation, user) = (&self.invocation, &self.environment.desired.user);
        let mut progress = self.progress.clone();
        let ended = settle(
            invocation,
            &mut progress,
            async |progress| Ok(observe::for_rotation(invocation, progress, user, &[]).await?),
            |observed, _| match &observed.pair.secret {
                Some(secret) => Ok(plan::end_rotation(token, secret)),
                None => Ok(Plan::nothing(End::Done)),
            },
        );
        ended.await.map(drop)
    }

    /// The one secret that this function serves.
    fn live<'o>(&self, observed: &'o Observed) -> Result<&'o Secret, Refusal> {
        let ours = &self.environment.secret;
        let secret = observed
            .pair
            .secret
            .as_ref()
            .map(|observed| &observed.secret);
        let live = |secret: &&Secret| secret.arn == *ours && secret.state == SecretState::Live;
        secret.filter(live).ok_or_else(|| {
            Refusal::Rotation(format!(
                "there is no secret `{ours}`, or it is pending deletion: update the stack with another `Revision`"
            ))
        })
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
