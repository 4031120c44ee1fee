//! Makes a key: created, proved while only this function knows it, and then stored in one call that makes it current. A
//! key that fails its proof, that nobody waits for any more or whose storing is refused is deleted, and the secret was
//! never touched.

use backon::Retryable;
use futures_util::future::{Either, select};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{error, info};

use super::proof::{Patience, prove};
use super::{Effect, Execution};
use crate::cloud::{
    Cloud, CloudError, CreatedKey, ErrorKind, Label, PutVersion, Removal, SecretArn, StoredKey,
};
use crate::observe::{Done, Refusal};
use crate::plan::{NewKey, Step, Trial};
use crate::waits::{
    CALL, FRESH_WORD, IAM_LAG, KEY_BUDGET, KEY_IN_FLIGHT, KEY_KNOWN, LONGEST_PROOF_PAUSE, WITHDRAW,
    while_iam_lags,
};

impl<C: Cloud> Execution<'_, C> {
    pub(super) async fn make_key(&self, new: &NewKey, step: &Step) -> Result<Effect, Refusal> {
        let secret = self.secret(step)?;
        if !self.has_time_for_a_key() {
            return Err(Refusal::OutOfTime);
        }
        let failed = |error: CloudError| Refusal::Failed {
            step: step.to_string(),
            error: Box::new(error),
        };
        let begun = Instant::now();
        let key = match self.create_key().await {
            Ok(CreatedKey::Created { id, secret }) => StoredKey {
                id,
                secret,
                user: self.name.to_string(),
                serial: Some(new.serial),
            },
            Ok(CreatedKey::LimitReached) => {
                return Ok(Effect::again("the user has two keys already"));
            }
            // A key that nobody knows may exist now. IAM's list shows it late, and observing again then finds it.
            Err(error) if error.kind == ErrorKind::Indeterminate => {
                sleep(IAM_LAG).await;
                return Ok(Effect::again(error.to_string()));
            }
            Err(error) => return Err(failed(error)),
        };
        let end = (begun + KEY_IN_FLIGHT).min(self.invocation.deadline.of_work() - WITHDRAW);
        let store_by = end - CALL;
        let mut effect = match timeout_at(store_by, self.try_key(&key, new, store_by)).await {
            Ok(Ok(effect)) => effect,
            Ok(Err(refusal)) => return self.give_up(&key, new, secret, refusal).await,
            Err(_) => Effect::again(format!("key `{}` was not proved in time", key.id)),
        };
        if effect.again.is_some() {
            self.discard(&key).await;
            effect.done.discarded = true;
            return Ok(effect);
        }
        match self.store(secret, new, &key, end).await {
            Ok(PutVersion::Stored) => {
                info!(key = %key.id, version = %new.version, "key made and stored");
                effect.done.stored = Some(key.id);
            }
            Ok(PutVersion::TokenTaken) => {
                self.discard(&key).await;
                effect.done.discarded = true;
                effect.overtaken_by = Some(new.version.clone());
                effect.again = Some("another run was first to store a key".to_owned());
            }
            // The version may hold the key by now. Observing again shows it.
            Err(error) if error.kind == ErrorKind::Indeterminate => {
                effect.done.stored = Some(key.id);
                effect.again = Some(error.to_string());
            }
            Err(error) => return self.give_up(&key, new, secret, failed(error)).await,
        }
        Ok(effect)
    }

    /// `CreateAccessKey`, repeated only if AWS said that nothing happened: it throttled, or the user or the role's policy may
    /// not be visible yet.
    async fn create_key(&self) -> Result<CreatedKey, CloudError> {
        (|| self.invocation.cloud.create_key(self.name))
            .retry(while_iam_lags())
            .when(|error| {
                (error.kind == ErrorKind::Throttled || self.progress.may_lag(error))
                    && self.has_time_for_a_key()
            })
            .await
    }

    /// Proves a key that only this function knows and, beside that, asks CloudFormation whether it still waits. Asks once more
    /// if that answer has become old. Secrets Manager asks for its rotations itself.
    async fn try_key(
        &self,
        key: &StoredKey,
        new: &NewKey,
        store_by: Instant,
    ) -> Result<Effect, Refusal> {
        if new.label != Label::Current {
            return Ok(Effect::default());
        }
        let mut effect = match &new.trial {
            Some(trial) => self.prove_and_ask(key, trial, store_by).await?,
            None => Effect::default(),
        };
        let word = effect.conversation.unwrap_or(self.progress.conversation);
        if effect.again.is_none() && word.is_older_than(FRESH_WORD) {
            let asked = self.ask(word).await;
            (effect.conversation, effect.again) = (asked.conversation, asked.again);
        }
        Ok(effect)
    }

    /// A proof only reads, so it is cut off as soon as CloudFormation says that nobody waits.
    async fn prove_and_ask(
        &self,
        key: &StoredKey,
        trial: &Trial,
        store_by: Instant,
    ) -> Result<Effect, Refusal> {
        let patience = Patience {
            known: KEY_KNOWN,
            end: store_by - LONGEST_PROOF_PAUSE,
        };
        let cloud = self.invocation.cloud;
        let proof = prove(cloud, self.name, key, &trial.targets, patience);
        let asking = self.ask(self.progress.conversation);
        let (proved, mut effect) = match select(Box::pin(proof), Box::pin(asking)).await {
            Either::Left((proved, asking)) => (Some(proved), asking.await),
            Either::Right((asked, _)) if asked.again.is_some() => (None, asked),
            Either::Right((asked, proof)) => (Some(proof.await), asked),
        };
        if let Some(proved) = proved
            && effect.again.is_none()
        {
            // In a rollback too, a key has to be this user's.
            proved.accepted()?;
            effect.warnings = proved.judge(trial.on_failure)?;
        }
        Ok(effect)
    }

    /// Stores a key, and repeats the call with the same version and value while it is not known whether it was stored.
    async fn store(
        &self,
        secret: &SecretArn,
        new: &NewKey,
        key: &StoredKey,
        end: Instant,
    ) -> Result<PutVersion, CloudError> {
        let value = key.to_value();
        let cloud = self.invocation.cloud;
        (|| cloud.store_version(secret, &new.version, &value, new.label))
            .retry(while_iam_lags())
            .when(|error| {
                let unclear =
                    error.kind == ErrorKind::Indeterminate || self.progress.may_lag(error);
                unclear && Instant::now() + CALL < end
            })
            .await
    }

    fn has_time_for_a_key(&self) -> bool {
        let left = self.invocation.deadline.of_work();
        left.saturating_duration_since(Instant::now()) >= KEY_BUDGET
    }

    /// Deletes a key that will not be stored. Another run may have stored its own meanwhile, and ended this one: then that
    /// one counts, and nothing has failed.
    async fn give_up(
        &self,
        key: &StoredKey,
        new: &NewKey,
        secret: &SecretArn,
        refusal: Refusal,
    ) -> Result<Effect, Refusal> {
        self.discard(key).await;
        let other = self.invocation.cloud.read_version(secret, &new.version);
        if !matches!(other.await, Ok(Some(_))) {
            return Err(refusal);
        }
        Ok(Effect {
            done: Done {
                discarded: true,
                ..Done::default()
            },
            overtaken_by: Some(new.version.clone()),
            ..Effect::again("another run was first to store a key")
        })
    }

    /// Deletes a key that nobody else knows. IAM may not show it everywhere yet, so a key that is missing is deleted again.
    async fn discard(&self, key: &StoredKey) {
        let cloud = self.invocation.cloud;
        let until = Instant::now() + WITHDRAW;
        let deleted = (|| async {
            match cloud.delete_key(self.name, &key.id).await {
                Ok(Removal::Removed) => Ok(()),
                Ok(Removal::WasMissing) => Err(None),
                Err(error) => Err(Some(error)),
            }
        })
        .retry(while_iam_lags())
        .when(|_| Instant::now() < until)
        .await;
        match deleted {
            Ok(()) => info!(key = %key.id, "deleted the new key"),
            Err(None) => info!(key = %key.id, "the new key is gone"),
            Err(Some(error)) => {
                error!(key = %key.id, %error, "could not delete the new key; the next request that makes one will");
            }
        }
    }
}
