//! The calls of a step. Most steps make one. Making a key takes several, because no other step may come between making it
//! and storing it.

use backon::Retryable;
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use super::{ApplyError, Effect, Execution};
use crate::cloud::{
    Cloud, CloudError, CreatedKey, Creation, ErrorKind, NewSecret, NewUser, PutVersion, SecretArn,
    VersionId,
};
use crate::confirm::{Confirmation, Question, ask, look};
use crate::plan::{KeyUnderTest, NewKey, Step};
use crate::secret::{AccessKeyId, Label, StoredKey};
use crate::waits::{IAM_LAG, KEY_BUDGET, while_iam_lags};

/// The recovery period of a secret that may not be deleted at once, in days: the shortest that Secrets Manager has.
const LEAST_RECOVERY_DAYS: u8 = 7;

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

    /// Makes the call of a step, or its few calls.
    async fn call(&self, step: &Step) -> Result<Effect, CallError> {
        let (cloud, user) = (self.run.cloud, self.name);
        match step {
            Step::CreateUser(new) => return self.create_user(new).await,
            Step::CreateSecret(new) => return self.create_secret(new).await,
            Step::AskCloudFormation => {
                let confirmation = ask(self.run).await;
                let confirmed = confirmation == Confirmation::Confirmed;
                let why = || confirmation.sentence(&self.run.owner.logical_id);
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
            // `take` gives these to `make_key` and `prove`.
            Step::MakeKey(_) | Step::Prove(_) => return Err(CallError::Defect),
        }
        Ok(Effect::None)
    }

    async fn create_user(&self, new: &NewUser) -> Result<Effect, CallError> {
        let created = self.run.cloud.create_user(new).await;
        Ok(match self.note_creation(created)? {
            Creation::Created(user) => Effect::User(user.arn),
            Creation::AlreadyExists => {
                Effect::Again(format!("user `{}` has just appeared", new.name))
            }
        })
    }

    async fn create_secret(&self, new: &NewSecret) -> Result<Effect, CallError> {
        let created = self.run.cloud.create_secret(new).await;
        Ok(match self.note_creation(created)? {
            Creation::Created(arn) => Effect::Secret(arn),
            Creation::AlreadyExists => {
                Effect::Again(format!("secret `{}` has just appeared", new.name))
            }
        })
    }

    /// Notes that a user or secret was made, or may have been made without an answer.
    fn note_creation<T>(
        &self,
        created: Result<Creation<T>, CloudError>,
    ) -> Result<Creation<T>, CloudError> {
        let made = match &created {
            Ok(Creation::Created(_)) => true,
            Ok(Creation::AlreadyExists) => false,
            Err(error) => error.kind == ErrorKind::Indeterminate,
        };
        if made {
            self.run.made.user_or_secret.set(true);
        }
        created
    }

    /// Deletes the secret at once. If a policy of the organization forbids that
    /// (`secretsmanager:ForceDeleteWithoutRecovery`), deletes it with a recovery period of 7 days. A denial
    /// while IAM may lag is returned, and so the call is repeated, because a new role is denied for some seconds too.
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

    /// Makes a key and stores it at once, with no step between the two that can fail. If Secrets Manager refuses to
    /// store it, deletes the key, because nobody will ever know its secret half. Without a clear answer, leaves the key
    /// alone: a version keeps its value forever, so a version with a dead key could not take another one.
    pub(super) async fn make_key(&self, new: &NewKey, step: &Step) -> Result<Effect, ApplyError> {
        let failed = |error| ApplyError::Failed {
            step: step.to_string(),
            error: Box::new(error),
        };
        let Some(secret) = &self.secret else {
            return Err(ApplyError::Defect(step.to_string()));
        };
        if !self.has_time_for_a_key() {
            return Err(ApplyError::OutOfTime);
        }
        let key = match self.create_key().await {
            Ok(CreatedKey::Created { id, secret }) => StoredKey {
                id,
                secret,
                user: self.name.to_string(),
                serial: new.serial,
            },
            Ok(CreatedKey::LimitReached) => {
                return Ok(Effect::Again("the user has two keys already".into()));
            }
            // A key that nobody knows may exist now. IAM's list shows it late, and observing again then finds it as an
            // orphan.
            Err(error) if error.kind == ErrorKind::Indeterminate => {
                sleep(IAM_LAG).await;
                return Ok(Effect::Again(error.to_string()));
            }
            Err(error) => return Err(failed(error)),
        };
        let made = (new.version.clone(), key.id.clone());
        self.run.made.keys.borrow_mut().push(made);
        let value = key.to_value();
        let stored = self
            .run
            .cloud
            .store_version(secret, &new.version, &value, new.label);
        match stored.await {
            Ok(PutVersion::Stored) => {
                info!(key = %key.id, version = %new.version, "key made and stored");
                Ok(Effect::Key(key))
            }
            Ok(PutVersion::TokenTaken) => {
                self.discard(&key).await;
                Ok(Effect::Again("another run was first to store a key".into()))
            }
            // The version may hold the key by now. Observing again shows it, or finds the key as an orphan.
            Err(error) if error.kind == ErrorKind::Indeterminate => {
                Ok(Effect::Again(error.to_string()))
            }
            Err(error) => {
                self.discard(&key).await;
                Err(failed(error))
            }
        }
    }

    /// `CreateAccessKey`, repeated only if AWS said that nothing happened: it throttled, or the user may not be visible
    /// yet.
    async fn create_key(&self) -> Result<CreatedKey, CloudError> {
        (|| self.run.cloud.create_key(self.name))
            .retry(while_iam_lags())
            .when(|error| {
                (error.kind == ErrorKind::Throttled || self.run.may_lag(error))
                    && self.has_time_for_a_key()
            })
            .await
    }

    fn has_time_for_a_key(&self) -> bool {
        let left = self.run.deadline.of_work();
        left.saturating_duration_since(Instant::now()) >= KEY_BUDGET
    }

    /// Checks that the key just stored still exists, because another run may have taken it for an orphan.
    async fn look_again(&self) -> Result<Effect, CallError> {
        let made = self.made.as_ref().ok_or(CallError::Defect)?;
        let keys = self.run.cloud.list_keys(self.name).await?;
        if keys.iter().any(|key| key.id == made.id) {
            return Ok(Effect::None);
        }
        let why = format!("key `{}` is stored but not listed", made.id);
        Ok(Effect::Again(why))
    }

    /// Moves `AWSCURRENT`, and moves it back if that key was deleted meanwhile. Another run may have taken the key for
    /// unwanted, and ended before it could see that the key was in use.
    async fn promote(
        &self,
        from: &VersionId,
        to: &VersionId,
        key: Option<&AccessKeyId>,
    ) -> Result<Effect, CallError> {
        let made = self.made.as_ref().map(|made| &made.id);
        let key = key.or(made).ok_or(CallError::Defect)?;
        let (cloud, secret) = (self.run.cloud, self.secret()?);
        let label = Label::Current.as_str();
        cloud
            .move_label(secret, label, Some(from), Some(to))
            .await?;
        let listed = cloud.list_keys(self.name).await?;
        if listed.iter().any(|listed| listed.id == *key) {
            return Ok(Effect::None);
        }
        cloud
            .move_label(secret, label, Some(to), Some(from))
            .await?;
        Ok(Effect::Again("the new key was deleted meanwhile".into()))
    }

    /// Deletes an unwanted key. If that fails too, the next observation finds it as an orphan.
    async fn discard(&self, key: &StoredKey) {
        match self.run.cloud.delete_key(self.name, &key.id).await {
            Ok(()) => info!(key = %key.id, "deleted the new key"),
            Err(error) => {
                error!(key = %key.id, %error, "could not delete the new key; the next event will");
            }
        }
    }

    /// Removes a key that failed its proof, and its candidate label. `AWSCURRENT` cannot be removed, so after a Create
    /// it names a dead key until the Delete that follows removes the secret. A key that another run of the same request
    /// has taken into use meanwhile stays.
    pub(super) async fn withdraw(&self, key_under_test: &KeyUnderTest) {
        let (key, candidate) = match (key_under_test, &self.made) {
            (KeyUnderTest::Made(new), Some(made)) => (
                made,
                (new.label == Label::Candidate).then_some(&new.version),
            ),
            (KeyUnderTest::Candidate(version, key), _) => (key, Some(version)),
            (KeyUnderTest::Made(_), None)
            | (KeyUnderTest::Pending(_) | KeyUnderTest::Current(_), _) => return,
        };
        let in_use = match candidate {
            Some(version) => self.was_promoted(version).await,
            None => self.was_answered().await,
        };
        if in_use {
            warn!(key = %key.id, "the key failed its proof, but another run has taken it into use: it stays");
            return;
        }
        self.discard(key).await;
        if let (Some(version), Some(secret)) = (candidate, &self.secret)
            && let Err(error) = self
                .run
                .cloud
                .move_label(secret, Label::Candidate.as_str(), Some(version), None)
                .await
        {
            error!(%error, "could not remove the candidate's label; the next event will");
        }
    }

    /// Whether a candidate is in use by now, or was. Without an answer, it counts as in use: its label keeps it, and the
    /// next event clears it.
    async fn was_promoted(&self, version: &VersionId) -> bool {
        match self.run.cloud.find_secret(&self.name.secret_name()).await {
            Ok(Some(secret)) => secret.labels.get(version).is_some_and(|labels| {
                [Label::Current, Label::Previous]
                    .iter()
                    .any(|label| labels.contains(label.as_str()))
            }),
            Ok(None) => false,
            Err(error) => {
                error!(%error, "could not see whether the new key is in use; the next event will delete it if it is not");
                true
            }
        }
    }

    /// Whether CloudFormation has the answer of another run of this request.
    async fn was_answered(&self) -> bool {
        let view = look(self.run).await;
        let said = Question::Change.judge(&view, &self.run.owner.logical_id);
        matches!(said, Confirmation::Answered(_))
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

/// Whether waiting cannot help: a policy denies the deletion outright, and `delete_secret` has no other way left.
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
