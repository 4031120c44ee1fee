//! The one call of a step, repeated while IAM may lag.

use backon::Retryable;
use tracing::warn;

use super::{ApplyError, Effect, Execution};
use crate::cloud::{Cloud, CloudError, Creation, ErrorKind, NewSecret, NewUser, SecretArn};
use crate::confirm::Confirmation;
use crate::plan::Step;
use crate::secret::Label;
use crate::waits::while_iam_lags;

/// The recovery period of a secret that may not be deleted at once, in days: the shortest that Secrets Manager has.
const LEAST_RECOVERY_DAYS: u8 = 7;

/// Why the call of a step failed.
pub(super) enum CallError {
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
    /// Makes the call of a step, and repeats it while IAM may lag.
    pub(super) async fn call_patiently(&self, step: &Step) -> Result<Effect, ApplyError> {
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
            Step::KeepPrevious { from, to } => {
                let label = Label::Previous.as_str();
                cloud
                    .move_label(self.secret()?, label, Some(from), Some(to))
                    .await?;
            }
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
    /// (`secretsmanager:ForceDeleteWithoutRecovery`), deletes it with a recovery period of 7 days. Waits first, because
    /// a new role is denied for some seconds too.
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
    pub(super) fn secret(&self) -> Result<&SecretArn, CallError> {
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

/// Whether another run has moved the label already.
fn overtaken(step: &Step, error: &CloudError) -> bool {
    matches!(
        step,
        Step::Promote { .. } | Step::KeepPrevious { .. } | Step::DropLabel { .. }
    ) && matches!(error.kind, ErrorKind::Rejected | ErrorKind::NotFound)
}
