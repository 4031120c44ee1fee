//! The steps that take more than one call, because no key may be left alone between two of them.

use backon::Retryable;
use tokio::time::{Instant, sleep};
use tracing::{error, info};

use super::call::CallError;
use super::{ApplyError, Effect, Execution};
use crate::cloud::{Cloud, CloudError, CreatedKey, ErrorKind, PutVersion, VersionId};
use crate::plan::{KeyUnderTest, NewKey, Step};
use crate::secret::{AccessKeyId, Label, StoredKey};
use crate::waits::{IAM_LAG, KEY_BUDGET, while_iam_lags};

impl<C: Cloud> Execution<'_, C> {
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
        let left = self.run.deadline.of_work();
        if left.saturating_duration_since(Instant::now()) < KEY_BUDGET {
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
    pub(super) async fn look_again(&self) -> Result<Effect, CallError> {
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
    pub(super) async fn promote(
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
    /// it names a dead key until the Delete that follows removes the secret.
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
}
