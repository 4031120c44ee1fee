//! The one loop: observe, plan and apply, until a round needs no other.

mod call;

use std::time::Duration;

use futures_util::future::{Either, join_all, select};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::cloud::{Cloud, CloudError, SecretArn};
use crate::confirm::Confirmation;
use crate::names::UserName;
use crate::observe::{Observed, Pair};
use crate::plan::{End, HeldUp, KeyUnderTest, OnFailure, Plan, Proof, Refusal, Step};
use crate::proof::prove;
use crate::run::Run;
use crate::secret::StoredKey;

/// Where the user and the secret are after the whole plan.
#[derive(Debug, PartialEq, Eq)]
pub struct Applied {
    /// The user's ARN, if there is a user.
    pub user_arn: Option<String>,
    /// The secret's ARN, if there is a secret.
    pub secret: Option<SecretArn>,
}

/// Why a request did not reach its goal.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Something stands in the way that is not ours to change.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A rotation cannot go on until a person or a later event acts.
    #[error("{0}")]
    Blocked(String),
    /// A scheduled rotation would end a key that is in use.
    #[error("key `{}` is in use, and a rotation would end it", .0.key)]
    HeldUp(Box<HeldUp>),
    /// CloudFormation's word is not "go on".
    #[error("CloudFormation did not confirm this request")]
    Unconfirmed(Box<Confirmation>),
    /// The observation failed.
    #[error("could not look at what is there: {0}")]
    Unobserved(#[from] CloudError),
    /// A plan stopped.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The rounds ran out. Holds why the last one was not enough.
    #[error("user and secret did not settle: {0}; it is safe to try again")]
    Unsettled(String),
}

/// Why a plan stopped.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// A person has to do the rest.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A call failed.
    #[error("could not {step}: {error}")]
    Failed {
        step: String,
        error: Box<CloudError>,
    },
    /// The key cannot read what it should.
    #[error("{0}")]
    Unproven(String),
    /// There was not enough time left to make, store and prove a key.
    #[error("too little time was left to make, store and prove a key; it is safe to try again")]
    OutOfTime,
    /// The plan is impossible: a step needs something that no step before it makes.
    #[error(
        "the function has a defect: it planned to {0}; nothing more was done; please report it"
    )]
    Defect(String),
}

/// Observes, plans and applies, with these pauses between the rounds, until a plan is applied to its end.
///
/// # Errors
/// The first error that observing again does not cure.
pub async fn settle<C: Cloud>(
    run: &Run<'_, C>,
    mut pauses: impl Iterator<Item = Duration>,
    mut observe: impl AsyncFnMut() -> Result<Observed, RunError>,
    mut plan: impl FnMut(&Observed) -> Result<Plan, RunError>,
) -> Result<(Observed, Applied), RunError> {
    loop {
        // On the heap, because its type, nested in its callers, would be too deep for the compiler.
        let observed = Box::pin(observe()).await?;
        let plan = plan(&observed)?;
        let round = Box::pin(apply(run, plan, &observed.pair)).await?;
        let why = match round {
            Round::Done(applied) => return Ok((observed, applied)),
            Round::Again(why) => why,
        };
        info!(why, "observing again");
        match pauses.next() {
            Some(pause) => sleep(pause).await,
            None => return Err(RunError::Unsettled(why)),
        }
    }
}

/// How a round ended.
enum Round {
    /// Everything is as wanted.
    Done(Applied),
    /// AWS is not as planned, or has not settled: observe again. Holds why.
    Again(String),
}

/// Logs a plan, takes its steps, and says how the round ended.
///
/// # Errors
/// The first failure. Steps beside it have ended, and later steps were not begun.
async fn apply<C: Cloud>(run: &Run<'_, C>, plan: Plan, pair: &Pair) -> Result<Round, ApplyError> {
    info!(user = %pair.name, %plan, "plan");
    for note in &plan.notes {
        warn!(user = %pair.name, "{note}");
    }
    let mut execution = Execution {
        run,
        name: &pair.name,
        user_arn: pair.user.as_ref().map(|user| user.user.arn.clone()),
        secret: pair.secret.as_ref().map(|secret| secret.secret.arn.clone()),
        made: None,
    };
    for stage in &plan.stages {
        if let Some(why) = execution.take_stage(stage).await? {
            return Ok(Round::Again(why));
        }
    }
    let Execution {
        user_arn, secret, ..
    } = execution;
    match plan.end {
        End::Done => Ok(Round::Done(Applied { user_arn, secret })),
        End::ObserveAgain(why) => Ok(Round::Again(why)),
        End::Refuse(refusal) => Err(refusal.into()),
    }
}

/// The effect of a step.
enum Effect {
    None,
    User(String),
    Secret(SecretArn),
    Key(StoredKey),
    Again(String),
}

/// A plan at work.
struct Execution<'a, C> {
    run: &'a Run<'a, C>,
    name: &'a UserName,
    /// The user's ARN, once there is a user.
    user_arn: Option<String>,
    /// The secret's ARN, once there is a secret.
    secret: Option<SecretArn>,
    /// The key that this plan made.
    made: Option<StoredKey>,
}

impl<C: Cloud> Execution<'_, C> {
    /// Takes the steps of a stage side by side. Returns why to observe again, if that is needed.
    ///
    /// Every call is awaited even if another one fails, because a call that is cut off has an unknown effect. A proof
    /// only reads, so it is cut off as soon as a step beside it makes it pointless.
    async fn take_stage(&mut self, stage: &[Step]) -> Result<Option<String>, ApplyError> {
        let is_proof = |step: &&Step| matches!(step, Step::Prove(_));
        let (proofs, calls): (Vec<&Step>, Vec<&Step>) = stage.iter().partition(is_proof);
        let stopped = |effects: &[Result<Effect, ApplyError>]| {
            let stops = |effect: &Result<Effect, ApplyError>| {
                matches!(effect, Err(_) | Ok(Effect::Again(_)))
            };
            effects.iter().any(stops)
        };
        let ended = {
            let calls = Box::pin(join_all(calls.into_iter().map(|step| self.take(step))));
            let proofs = Box::pin(join_all(proofs.into_iter().map(|step| self.take(step))));
            match select(calls, proofs).await {
                Either::Left((calls, _)) if stopped(&calls) => calls,
                Either::Left((mut calls, proofs)) => {
                    calls.extend(proofs.await);
                    calls
                }
                Either::Right((proofs, calls)) => {
                    let mut calls = calls.await;
                    if !stopped(&calls) {
                        calls.extend(proofs);
                    }
                    calls
                }
            }
        };
        let mut again = None;
        let mut failure = None;
        for effect in ended {
            match effect {
                Ok(Effect::None) => {}
                Ok(Effect::User(arn)) => self.user_arn = Some(arn),
                Ok(Effect::Secret(arn)) => self.secret = Some(arn),
                Ok(Effect::Key(key)) => self.made = Some(key),
                Ok(Effect::Again(why)) => again = Some(why),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        if stage.iter().any(lags) {
            self.run.wrote();
        }
        if let (Some(ApplyError::Unproven(_)), [.., Step::Prove(proof)]) = (&failure, stage) {
            self.withdraw(&proof.key_under_test).await;
        }
        match (failure, again) {
            // Observing again may show why it failed, such as a request that nobody wants any more.
            (Some(ApplyError::Failed { .. }) | None, Some(why)) => Ok(Some(why)),
            (Some(failure), _) => Err(failure),
            (None, None) => Ok(None),
        }
    }

    /// Takes one step, and logs how it ended.
    async fn take(&self, step: &Step) -> Result<Effect, ApplyError> {
        let started = Instant::now();
        let ended = if let Step::MakeKey(new) = step {
            self.make_key(new, step).await
        } else if let Step::Prove(proof) = step {
            self.prove(proof).await.map(|()| Effect::None)
        } else {
            self.call_patiently(step).await
        };
        let seconds = started.elapsed().as_secs_f64();
        match &ended {
            Ok(Effect::Again(why)) => info!(%step, seconds, why, "step put off"),
            Ok(_) => info!(%step, seconds, "step done"),
            Err(error) => warn!(%step, seconds, %error, "step failed"),
        }
        // A step that is put off may have taken effect.
        if step.changes_something() && !matches!(ended, Ok(Effect::Key(_)) | Err(_)) {
            self.run.made.changes.set(true);
        }
        ended
    }

    async fn prove(&self, proof: &Proof) -> Result<(), ApplyError> {
        let Proof {
            key_under_test,
            on_failure,
            targets,
        } = proof;
        let key = match key_under_test {
            KeyUnderTest::Made(_) => self.made.as_ref(),
            KeyUnderTest::Candidate(_, key)
            | KeyUnderTest::Pending(key)
            | KeyUnderTest::Current(key) => Some(key),
        };
        let key =
            key.ok_or_else(|| ApplyError::Defect("prove a key that was not made".to_owned()))?;
        match (prove(self.run, self.name, key, targets).await, on_failure) {
            (Ok(()), _) => Ok(()),
            (Err(unproven), OnFailure::Fail) => Err(ApplyError::Unproven(unproven.to_string())),
            (Err(unproven), OnFailure::Log) => {
                warn!(%unproven, "the proof failed; the stack is rolling back, so it does not count");
                Ok(())
            }
        }
    }
}

/// Whether IAM may take a while to show this step everywhere.
fn lags(step: &Step) -> bool {
    matches!(
        step,
        Step::CreateUser(_)
            | Step::TagUser(_)
            | Step::SetBoundary(_)
            | Step::CreateSecret(_)
            | Step::TagSecret(_)
    )
}
