//! The calls of a step. Most steps make one.

use backon::Retryable;
use tracing::warn;

use super::{Effect, Execution};
use crate::cloud::{
    Cloud, CloudError, Creation, Encryption, ErrorKind, NewSecret, NewUser, SecretArn,
};
use crate::observe::{Answer, Conversation, Done, Question, Refusal, Verdict};
use crate::plan::{OnFailure, Step, Warning, Weight};
use crate::waits::while_iam_lags;

/// The recovery period of a secret that may not be deleted at once, in days: the shortest that Secrets Manager has.
const LEAST_RECOVERY_DAYS: u8 = 7;

impl<C: Cloud> Execution<'_, C> {
    /// Makes the call of a step, and repeats it while IAM may lag.
    pub(super) async fn call_patiently(&self, step: &Step) -> Result<Effect, Refusal> {
        let may_pass = |refusal: &Refusal| {
            matches!(refusal, Refusal::Unobserved(error)
                if self.progress.may_lag(error) && !is_final(step, error))
        };
        let ended = (|| self.call(step))
            .retry(while_iam_lags())
            .when(may_pass)
            .await;
        match ended {
            // Without an answer, the call may have taken effect. Observing again shows it.
            Err(Refusal::Unobserved(error)) if self.may_have_happened(step, &error) => Ok(Effect {
                done: may_have_done(step, &error),
                ..Effect::again(format!("could not {step} yet: {error}"))
            }),
            Err(Refusal::Unobserved(error)) => Err(Refusal::Failed {
                step: step.to_string(),
                error: Box::new(error),
            }),
            ended => ended,
        }
    }

    fn may_have_happened(&self, step: &Step, error: &CloudError) -> bool {
        match error.kind {
            // Without an answer it may have happened; what is not there any more, another run has removed.
            ErrorKind::Conflict | ErrorKind::Indeterminate | ErrorKind::NotFound => true,
            ErrorKind::Rejected => step.nature().may_be_overtaken,
            ErrorKind::Denied
            | ErrorKind::UnknownKey
            | ErrorKind::Throttled
            | ErrorKind::LimitExceeded => false,
        }
    }

    /// Makes the call of a step, or its few calls.
    async fn call(&self, step: &Step) -> Result<Effect, Refusal> {
        let (cloud, user) = (self.invocation.cloud, self.name);
        let mut effect = Effect {
            done: Done {
                changed: step.nature().changes,
                ..Done::default()
            },
            ..Effect::default()
        };
        match step {
            Step::CreateUser(new) => return self.create_user(new).await,
            Step::CreateSecret(new) => return self.create_secret(new).await,
            Step::AskCloudFormation => return Ok(self.ask(self.progress.conversation).await),
            Step::UpdateSecret {
                description,
                encryption,
                on_failure,
            } => {
                let secret = self.secret(step)?;
                let updated = cloud.update_secret(secret, description, encryption).await;
                effect.warnings = tolerated(updated, *on_failure, encryption)?;
            }
            Step::DeleteSecret {
                secret,
                recovery_days,
            } => self.delete_secret(secret, *recovery_days).await?,
            Step::SetBoundary(boundary) => cloud.set_boundary(user, boundary).await?,
            Step::TagUser(tags) => cloud.tag_user(user, tags).await?,
            Step::UntagUser(keys) => cloud.untag_user(user, keys).await?,
            Step::PutPolicy { name, document } => cloud.put_policy(user, name, document).await?,
            Step::DeletePolicy(policy) => cloud.delete_policy(user, policy).await?,
            Step::DeleteKey(key) => drop(cloud.delete_key(user, key).await?),
            Step::Detach(attachment) => cloud.detach(user, attachment).await?,
            Step::DeleteUser => cloud.delete_user(user).await?,
            Step::RestoreSecret(arn) => cloud.restore_secret(arn).await?,
            Step::TagSecret(tags) => cloud.tag_secret(self.secret(step)?, tags).await?,
            Step::UntagSecret(keys) => cloud.untag_secret(self.secret(step)?, keys).await?,
            Step::MoveLabel { label, from, to } => {
                let secret = self.secret(step)?;
                cloud
                    .move_label(secret, *label, Some(from), to.as_ref())
                    .await?;
            }
            Step::RemoveReplicas { secret, regions } => {
                cloud.remove_replicas(secret, regions).await?;
            }
            // `take` does these.
            Step::MakeKey(_) | Step::Prove(_) => return Err(Refusal::defect(step)),
        }
        Ok(effect)
    }

    async fn create_user(&self, new: &NewUser) -> Result<Effect, Refusal> {
        Ok(match self.invocation.cloud.create_user(new).await? {
            Creation::Created(user) => Effect {
                done: made_user(),
                user_arn: Some(user.arn),
                ..Effect::default()
            },
            Creation::AlreadyExists => {
                Effect::again(format!("user `{}` has just appeared", new.name))
            }
        })
    }

    async fn create_secret(&self, new: &NewSecret) -> Result<Effect, Refusal> {
        Ok(match self.invocation.cloud.create_secret(new).await? {
            Creation::Created(arn) => Effect {
                done: made_secret(),
                secret: Some(arn),
                ..Effect::default()
            },
            Creation::AlreadyExists => {
                Effect::again(format!("secret `{}` has just appeared", new.name))
            }
        })
    }

    pub(super) async fn ask(&self, conversation: Conversation) -> Effect {
        let asked = conversation.ask(self.invocation, Question::Change);
        let Answer {
            verdict,
            view: _,
            conversation,
            waited: _,
        } = asked.await;
        let logical_id = &self.invocation.owner.logical_id;
        Effect {
            conversation: Some(conversation),
            again: (verdict != Verdict::GoOn).then(|| verdict.sentence(logical_id)),
            ..Effect::default()
        }
    }

    /// Deletes the secret at once. If a policy of the organization forbids that
    /// (`secretsmanager:ForceDeleteWithoutRecovery`), deletes it with a recovery period of 7 days. A denial
    /// while IAM may lag is returned, and so the call is repeated, because a new role is denied for some seconds too.
    async fn delete_secret(
        &self,
        secret: &SecretArn,
        recovery_days: Option<u8>,
    ) -> Result<(), CloudError> {
        let cloud = self.invocation.cloud;
        match cloud.delete_secret(secret, recovery_days).await {
            Err(error)
                if recovery_days.is_none()
                    && error.kind == ErrorKind::Denied
                    && (is_explicit(&error) || !self.progress.may_lag(&error)) =>
            {
                warn!(%secret, %error, "the secret may not be deleted at once; it stays restorable for 7 days");
                let later = cloud.delete_secret(secret, Some(LEAST_RECOVERY_DAYS));
                // If the second call is denied as well, the first denial says what is missing.
                later.await.map_err(|_| error)
            }
            done => done,
        }
    }

    pub(super) fn secret(&self, step: &Step) -> Result<&SecretArn, Refusal> {
        self.secret.ok_or_else(|| Refusal::defect(step))
    }
}

fn made_user() -> Done {
    Done {
        user: true,
        ..Done::default()
    }
}

fn made_secret() -> Done {
    Done {
        secret: true,
        ..Done::default()
    }
}

/// What a step without a clear answer may have done.
fn may_have_done(step: &Step, error: &CloudError) -> Done {
    match (step, error.kind) {
        (Step::CreateUser(_), ErrorKind::Indeterminate) => made_user(),
        (Step::CreateSecret(_), ErrorKind::Indeterminate) => made_secret(),
        (_, _) => Done {
            changed: step.nature().changes,
            ..Done::default()
        },
    }
}

/// A warning where a failure is only one: AWS refused for good, and so would again.
fn tolerated(
    updated: Result<(), CloudError>,
    on_failure: OnFailure,
    encryption: &Encryption,
) -> Result<Vec<Warning>, CloudError> {
    let key = match encryption {
        Encryption::Key(key) => format!("`{key}`"),
        Encryption::AwsManaged | Encryption::Unchanged => "AWS's own".to_owned(),
    };
    match (updated, on_failure) {
        (Ok(()), _) => Ok(Vec::new()),
        (Err(error), OnFailure::Warn)
            if matches!(
                error.kind,
                ErrorKind::Rejected | ErrorKind::Denied | ErrorKind::NotFound
            ) =>
        {
            let text = format!(
                "the secret could not go back to KMS key {key}, so the one that it has stays: {error}"
            );
            Ok(vec![Warning::new(Weight::Secret, text)])
        }
        (Err(error), _) => Err(error),
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
