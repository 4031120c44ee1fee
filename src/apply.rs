//! Apply: takes the steps of a plan, and goes round until nothing is left. It makes no choice.

mod call;
mod key;
mod proof;

pub use proof::{Found, Patience, Proved, Shown, Shows, prove};

use futures_util::future::{Either, join_all, select};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::cloud::{Cloud, SecretArn, VersionId};
use crate::observe::{Conversation, Done, Invocation, Observed, Pair, Progress, Refusal};
use crate::plan::{End, OnFailure, Plan, Proof, Step, Trial, Warning};
use crate::request::names::UserName;
use crate::waits::{KEY_KNOWN, OTHERS_ALLOW, ROUNDS, WITHDRAW, between_rounds};

/// Where the user and the secret are after the whole plan.
#[derive(Debug, PartialEq, Eq)]
pub struct Applied {
    pub user_arn: Option<String>,
    pub secret: Option<SecretArn>,
    pub warnings: Vec<Warning>,
}

/// The one loop: observes, plans and applies, with pauses between the rounds, until a plan is applied to its end.
///
/// # Errors
/// The first refusal, or why the last round was not enough when time ran out.
pub async fn settle<C: Cloud>(
    invocation: &Invocation<'_, C>,
    progress: &mut Progress,
    mut observe: impl AsyncFnMut(&mut Progress) -> Result<Observed, Refusal>,
    mut plan: impl FnMut(&Observed, &Progress) -> Result<Plan, Refusal>,
) -> Result<(Observed, Applied), Refusal> {
    let end = (Instant::now() + ROUNDS).min(invocation.deadline.of_work() - WITHDRAW);
    let mut pauses = between_rounds();
    loop {
        // On the heap, because its type, nested in its callers, would be too deep for the compiler.
        let observed = Box::pin(observe(progress)).await?;
        let plan = plan(&observed, progress)?;
        progress.access = plan.access;
        let why = match Box::pin(apply(invocation, progress, plan, &observed.pair)).await? {
            Round::Done(applied) => return Ok((observed, applied)),
            Round::Again(why) => why,
        };
        info!(why, "observing again");
        let pause = pauses.next().unwrap_or_default();
        if Instant::now() + pause >= end {
            return Err(Refusal::Unsettled(why));
        }
        sleep(pause).await;
    }
}

enum Round {
    Done(Applied),
    /// AWS is not as planned, or has not settled: observe again. Holds why.
    Again(String),
}

/// Logs a plan, takes its steps, and says how the round ended.
async fn apply<C: Cloud>(
    invocation: &Invocation<'_, C>,
    progress: &mut Progress,
    plan: Plan,
    pair: &Pair,
) -> Result<Round, Refusal> {
    info!(user = %pair.name, %plan, "plan");
    let mut applied = Applied {
        user_arn: pair.user.as_ref().map(|user| user.user.arn.clone()),
        secret: pair.secret.as_ref().map(|secret| secret.secret.arn.clone()),
        warnings: plan.warnings,
    };
    for stage in plan.stages.iter().filter(|stage| !stage.is_empty()) {
        let execution = Execution {
            invocation,
            progress,
            name: &pair.name,
            secret: applied.secret.as_ref(),
        };
        let ended = execution.take_stage(stage).await;
        let again = fold(ended, progress, &mut applied)?;
        if stage.iter().any(|step| step.nature().lags) {
            progress.wrote();
        }
        if let Some(why) = again {
            return Ok(Round::Again(why));
        }
    }
    match plan.end {
        End::Done => {
            for warning in &applied.warnings {
                warn!(user = %pair.name, "{}", warning.text);
            }
            Ok(Round::Done(applied))
        }
        End::ObserveAgain(why) => Ok(Round::Again(why)),
        End::Refuse(refusal) => Err(refusal),
    }
}

/// What a step has done and learned.
#[derive(Debug, Default)]
struct Effect {
    done: Done,
    user_arn: Option<String>,
    secret: Option<SecretArn>,
    warnings: Vec<Warning>,
    conversation: Option<Conversation>,
    overtaken_by: Option<VersionId>,
    /// Why to observe again.
    again: Option<String>,
}

impl Effect {
    /// Nothing more can be known without observing again.
    fn again(why: impl Into<String>) -> Self {
        Self {
            again: Some(why.into()),
            ..Self::default()
        }
    }
}

/// Notes what the steps of a stage have done and learned. Returns why to observe again, if that is needed.
///
/// # Errors
/// The first failure. The steps beside it have ended.
fn fold(
    ended: Vec<Result<Effect, Refusal>>,
    progress: &mut Progress,
    applied: &mut Applied,
) -> Result<Option<String>, Refusal> {
    let (mut failure, mut why) = (None, None);
    for ended in ended {
        match ended {
            Ok(Effect {
                done,
                user_arn,
                secret,
                warnings,
                conversation,
                overtaken_by,
                again,
            }) => {
                progress.done.add(done);
                progress.conversation = conversation.unwrap_or(progress.conversation);
                progress.overtaken_by = overtaken_by.or(progress.overtaken_by.take());
                applied.user_arn = user_arn.or(applied.user_arn.take());
                applied.secret = secret.or(applied.secret.take());
                applied.warnings.extend(warnings);
                why = why.or(again);
            }
            Err(refusal) => failure = failure.or(Some(refusal)),
        }
    }
    match (failure, why) {
        // Observing again may show why it failed, such as a request that nobody wants any more.
        (Some(Refusal::Failed { .. }) | None, Some(why)) => Ok(Some(why)),
        (Some(failure), _) => Err(failure),
        (None, None) => Ok(None),
    }
}

struct Execution<'a, C> {
    invocation: &'a Invocation<'a, C>,
    /// What was done and learned before this stage.
    progress: &'a Progress,
    name: &'a UserName,
    /// The secret's ARN, once there is a secret.
    secret: Option<&'a SecretArn>,
}

impl<C: Cloud> Execution<'_, C> {
    /// Takes the steps of a stage side by side.
    ///
    /// Every call is awaited even if another one fails, because a call that is cut off has an unknown effect. A proof
    /// only reads, so it is cut off as soon as a step beside it makes it pointless.
    async fn take_stage(&self, stage: &[Step]) -> Vec<Result<Effect, Refusal>> {
        let is_proof = |step: &&Step| matches!(step, Step::Prove(_));
        let (proofs, calls): (Vec<&Step>, Vec<&Step>) = stage.iter().partition(is_proof);
        let calls = Box::pin(join_all(calls.into_iter().map(|step| self.take(step))));
        let proofs = Box::pin(join_all(proofs.into_iter().map(|step| self.take(step))));
        let stop = |effect: &Result<Effect, Refusal>| match effect {
            Ok(effect) => effect.again.is_some(),
            Err(_) => true,
        };
        match select(calls, proofs).await {
            Either::Left((calls, _)) if calls.iter().any(stop) => calls,
            Either::Left((mut calls, proofs)) => {
                calls.extend(proofs.await);
                calls
            }
            Either::Right((proofs, calls)) => {
                let mut calls = calls.await;
                if !calls.iter().any(stop) {
                    calls.extend(proofs);
                }
                calls
            }
        }
    }

    async fn take(&self, step: &Step) -> Result<Effect, Refusal> {
        let started = Instant::now();
        let ended = if let Step::MakeKey(new) = step {
            self.make_key(new, step).await
        } else if let Step::Prove(proof) = step {
            self.prove(proof).await
        } else {
            self.call_patiently(step).await
        };
        let seconds = started.elapsed().as_secs_f64();
        match &ended {
            Ok(Effect {
                again: Some(why), ..
            }) => info!(%step, seconds, why, "step put off"),
            Ok(_) => info!(%step, seconds, "step done"),
            Err(refusal) => warn!(%step, seconds, %refusal, "step failed"),
        }
        ended
    }

    async fn prove(&self, proof: &Proof) -> Result<Effect, Refusal> {
        let Trial {
            on_failure,
            targets,
        } = &proof.trial;
        let patience = Patience {
            known: match on_failure {
                // A key that another one goes for has long been known.
                OnFailure::FailIfAccepted => OTHERS_ALLOW,
                OnFailure::Fail | OnFailure::Warn => KEY_KNOWN,
            },
            end: self.invocation.deadline.of_work() - WITHDRAW,
        };
        let proved = prove(
            self.invocation.cloud,
            self.name,
            &proof.key,
            targets,
            patience,
        )
        .await;
        let warnings = proved.judge(*on_failure)?;
        Ok(Effect {
            warnings,
            ..Effect::default()
        })
    }
}
