//! Apply: takes the steps of a plan, stage by stage. Its only decision is to stop.

mod key;

use backon::Retryable;
use futures_util::future::{Either, join_all, select};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::cloud::{Cloud, CloudError, Creation, ErrorKind, NewSecret, NewUser, SecretArn};
use crate::confirm::Confirmation;
use crate::names::UserName;
use crate::observe::Pair;
use crate::plan::{End, KeyUnderTest, OnFailure, Plan, Proof, Refusal, Step};
use crate::proof::prove;
use crate::run::Run;
use crate::secret::StoredKey;
use crate::waits::while_iam_lags;

/// The recovery period of a secret that may not be deleted at once, in days: the shortest that Secrets Manager has.
const LEAST_RECOVERY_DAYS: u8 = 7;

/// Where the user and the secret are after the whole plan.
#[derive(Debug, PartialEq, Eq)]
pub struct Applied {
    /// The user's ARN, if there is a user.
    pub user_arn: Option<String>,
    /// The secret's ARN, if there is a secret.
    pub secret: Option<SecretArn>,
}

/// How a round ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Round<T> {
    /// Everything is as wanted.
    Done(T),
    /// AWS is not as planned, or has not settled: observe again. Holds why.
    Again(String),
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

/// Logs a plan, takes its steps, and says how the round ended.
///
/// # Errors
/// The first failure. Steps beside it have ended, and later steps were not begun.
pub async fn apply<C: Cloud>(
    run: &Run<'_, C>,
    plan: Plan,
    pair: &Pair,
) -> Result<Round<Applied>, ApplyError> {
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

    /// Makes the call of a step, and repeats it while IAM may lag.
    async fn call_patiently(&self, step: &Step) -> Result<Effect, ApplyError> {
        let ended = (|| self.call(step))
            .retry(while_iam_lags())
            .when(|failed| matches!(failed, CallError::Cloud(error) if self.run.may_lag(error) && !is_final(step, error)))
            .await;
        match ended {
            Ok(effect) => Ok(effect),
            // Without an answer, the call may have taken effect. Observing again shows it.
            Err(CallError::Cloud(error))
                if matches!(error.kind, ErrorKind::Conflict | ErrorKind::Indeterminate)
                    || overtaken(step, &error) =>
            {
                Ok(Effect::Again(format!("could not {step} yet: {error}")))
            }
            Err(CallError::Cloud(error)) => Err(ApplyError::Failed {
                step: step.to_string(),
                error: Box::new(error),
            }),
            Err(CallError::Defect) => Err(ApplyError::Defect(step.to_string())),
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

/// Another run has moved a label that is not where it was.
fn overtaken(step: &Step, error: &CloudError) -> bool {
    matches!(step, Step::Promote { .. } | Step::DropLabel { .. })
        && matches!(error.kind, ErrorKind::Rejected | ErrorKind::NotFound)
}

/// Why the call of a step failed.
enum CallError {
    Cloud(CloudError),
    /// The plan is wrong.
    Defect,
}

impl From<CloudError> for CallError {
    fn from(error: CloudError) -> Self {
        Self::Cloud(error)
    }
}

impl<C: Cloud> Execution<'_, C> {
    /// The one call of a step.
    async fn call(&self, step: &Step) -> Result<Effect, CallError> {
        let (cloud, user) = (self.run.cloud, self.name);
        match step {
            Step::CreateUser(new) => return self.create_user(new).await,
            Step::CreateSecret(new) => return self.create_secret(new).await,
            Step::AskCloudFormation => {
                let confirmation = self.run.ask().await;
                let confirmed = confirmation == Confirmation::Confirmed;
                let why = || format!("CloudFormation does not say go on: {confirmation:?}");
                return Ok(if confirmed {
                    Effect::None
                } else {
                    Effect::Again(why())
                });
            }
            Step::LookAgain => return self.look_again().await,
            Step::Promote { from, to, key } => return self.promote(from, to, key.as_ref()).await,
            Step::DeleteSecret {
                secret,
                recovery_days,
            } => self.delete_secret(secret, *recovery_days).await?,
            Step::SetBoundary(boundary) => cloud.set_boundary(user, boundary).await?,
            Step::TagUser(tags) => cloud.tag_user(user, tags).await?,
            Step::UntagUser(keys) => cloud.untag_user(user, keys).await?,
            Step::PutPolicy { name, document } => cloud.put_policy(user, name, document).await?,
            Step::DeletePolicy(policy) => cloud.delete_policy(user, policy).await?,
            Step::DeleteKey(key) => cloud.delete_key(user, key).await?,
            Step::Detach(attachment) => cloud.detach(user, attachment).await?,
            Step::DeleteUser => cloud.delete_user(user).await?,
            Step::RestoreSecret(arn) => cloud.restore_secret(arn).await?,
            Step::UpdateSecret {
                description,
                kms_key,
            } => {
                let secret = self.secret()?;
                cloud
                    .update_secret(secret, description, kms_key.as_ref())
                    .await?;
            }
            Step::TagSecret(tags) => cloud.tag_secret(self.secret()?, tags).await?,
            Step::UntagSecret(keys) => cloud.untag_secret(self.secret()?, keys).await?,
            Step::DropLabel { label, version } => {
                cloud
                    .move_label(self.secret()?, label.as_str(), Some(version), None)
                    .await?;
            }
            Step::RemoveReplicas { secret, regions } => {
                cloud.remove_replicas(secret, regions).await?;
            }
            // `take` splits these into their calls.
            Step::MakeKey(_) | Step::Prove(_) => return Err(CallError::Defect),
        }
        Ok(Effect::None)
    }

    async fn create_user(&self, new: &NewUser) -> Result<Effect, CallError> {
        Ok(match self.run.cloud.create_user(new).await? {
            Creation::Created(user) => {
                self.run.made.user_or_secret.set(true);
                Effect::User(user.arn)
            }
            Creation::AlreadyExists => {
                Effect::Again(format!("user `{}` has just appeared", new.name))
            }
        })
    }

    async fn create_secret(&self, new: &NewSecret) -> Result<Effect, CallError> {
        Ok(match self.run.cloud.create_secret(new).await? {
            Creation::Created(arn) => {
                self.run.made.user_or_secret.set(true);
                Effect::Secret(arn)
            }
            Creation::AlreadyExists => {
                Effect::Again(format!("secret `{}` has just appeared", new.name))
            }
        })
    }

    /// Deletes the secret at once. If a policy of the organization forbids that
    /// (`secretsmanager:ForceDeleteWithoutRecovery`), deletes it with a recovery period of 7 days. Waits first for a
    /// role that is merely fresh.
    async fn delete_secret(
        &self,
        secret: &SecretArn,
        recovery_days: Option<u8>,
    ) -> Result<(), CloudError> {
        let cloud = self.run.cloud;
        match cloud.delete_secret(secret, recovery_days).await {
            Err(error)
                if recovery_days.is_none()
                    && error.kind == ErrorKind::Denied
                    && (is_explicit(&error) || !self.run.may_lag(&error)) =>
            {
                warn!(%secret, %error, "the secret may not be deleted at once; it stays restorable for 7 days");
                let later = cloud.delete_secret(secret, Some(LEAST_RECOVERY_DAYS));
                // If the second call is denied as well, the first denial says what is missing.
                later.await.map_err(|_| error)
            }
            done => done,
        }
    }

    /// The secret, observed or made by an earlier step.
    fn secret(&self) -> Result<&SecretArn, CallError> {
        self.secret.as_ref().ok_or(CallError::Defect)
    }
}

/// Whether AWS says that a policy denies the call outright.
fn is_explicit(error: &CloudError) -> bool {
    error.denial.as_ref().is_some_and(|denial| denial.explicit)
}

/// Whether waiting cannot help, because both ways to delete the secret were tried.
fn is_final(step: &Step, error: &CloudError) -> bool {
    matches!(step, Step::DeleteSecret { .. }) && is_explicit(error)
}
