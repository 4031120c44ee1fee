//! Apply: takes the steps of a plan, one stage after the other. It makes no choice but to stop.

mod key;

use backon::Retryable;
use futures_util::future::join_all;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::cloud::{Cloud, CloudError, Creation, ErrorKind, SecretArn, Standing};
use crate::names::UserName;
use crate::observe;
use crate::ownership::Owner;
use crate::plan::{End, Plan, Step};
use crate::secret::StoredKey;
use crate::settle::Round;
use crate::verify::Target;
use crate::waits::{IAM_LAG, ProofTimeouts, until_visible};

/// What a plan acts on. Filled in as the steps make things.
#[derive(Debug)]
pub struct Execution<'a> {
    /// Who asks.
    pub owner: &'a Owner,
    /// The pair's name.
    pub name: &'a UserName,
    /// The user's ARN, once there is a user.
    pub user_arn: Option<String>,
    /// The secret's ARN, once there is a secret.
    pub secret: Option<SecretArn>,
    /// What a proof reads.
    pub targets: Vec<Target>,
    /// How long a proof waits.
    pub timeouts: ProofTimeouts,
    /// When the work must have ended.
    pub deadline: Instant,
    /// The key that this plan made.
    made: Option<StoredKey>,
    /// Until when what IAM was told may not be seen everywhere: the role at the start of an event, and every user, tag
    /// and boundary that this plan has set.
    lags_until: Instant,
}

/// Why a plan stopped.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The rest is a person's to do.
    #[error("{0}")]
    Refused(String),
    /// A call failed.
    #[error("could not {step}: {error}")]
    Failed {
        /// The step.
        step: String,
        /// Why.
        error: CloudError,
    },
    /// The key does not read what it should.
    #[error("{0}")]
    ProofError(String),
    /// There was not enough time left to make and store a key.
    #[error("too little time was left to make and store a key; it is safe to try again")]
    OutOfTime,
}

/// What a step brought.
enum Effect {
    None,
    User(String),
    Secret(SecretArn),
    Key(StoredKey),
    Again(String),
}

impl<'a> Execution<'a> {
    /// The execution as observed, before the first step.
    pub fn new(
        owner: &'a Owner,
        name: &'a UserName,
        pair: &observe::Pair,
        targets: Vec<Target>,
        timeouts: ProofTimeouts,
        deadline: Instant,
    ) -> Self {
        Self {
            owner,
            name,
            user_arn: pair.user.as_ref().map(|user| user.user.arn.clone()),
            secret: pair.secret.as_ref().map(|secret| secret.secret.arn.clone()),
            targets,
            timeouts,
            deadline,
            made: None,
            lags_until: Instant::now() + IAM_LAG,
        }
    }
}

/// Logs a plan, takes its steps, and says how the round ended.
///
/// # Errors
/// The first failure; what was begun beside it has ended, and what comes after it is not begun.
pub(crate) async fn apply<C: Cloud>(
    cloud: &C,
    plan: Plan,
    execution: &mut Execution<'_>,
) -> Result<Round<()>, ApplyError> {
    info!(user = %execution.name, %plan, "plan");
    for note in &plan.notes {
        warn!(note, "note");
    }
    for stage in &plan.stages {
        // Every step of a stage is awaited even if one fails: a call that is cut off has an unknown effect.
        let ended = join_all(stage.iter().map(|step| take(cloud, step, execution))).await;
        let mut again = None;
        for effect in ended {
            match effect? {
                Effect::None => {}
                Effect::User(arn) => execution.user_arn = Some(arn),
                Effect::Secret(arn) => execution.secret = Some(arn),
                Effect::Key(key) => execution.made = Some(key),
                Effect::Again(why) => again = Some(why),
            }
        }
        if let Some(why) = again {
            return Ok(Round::Again(why));
        }
        if stage.iter().any(lags) {
            execution.lags_until = Instant::now() + IAM_LAG;
        }
    }
    match plan.end {
        End::Done => Ok(Round::Done(())),
        End::ObserveAgain => Ok(Round::Again("there is more to be seen now".to_owned())),
        End::Refuse(reason) => Err(ApplyError::Refused(reason)),
    }
}

/// Whether IAM may take its time until this step is seen everywhere.
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

async fn take<C: Cloud>(
    cloud: &C,
    step: &Step,
    execution: &Execution<'_>,
) -> Result<Effect, ApplyError> {
    if let Step::MakeKey(new) = step {
        return key::make_key(cloud, new, execution, step).await;
    }
    if let Step::Prove(proof) = step {
        return key::prove(cloud, proof, execution)
            .await
            .map(|()| Effect::None);
    }
    let attempt = || call(cloud, step, execution);
    match attempt
        .retry(until_visible())
        .when(|error| execution.may_lag(error))
        .await
    {
        Ok(effect) => Ok(effect),
        // Without an answer it may have happened: looking again tells.
        Err(error)
            if matches!(error.kind, ErrorKind::Conflict | ErrorKind::Indeterminate)
                || overtaken(step, &error) =>
        {
            Ok(Effect::Again(format!("could not {step} yet: {error}")))
        }
        Err(error) => Err(ApplyError::Failed {
            step: step.to_string(),
            error,
        }),
    }
}

/// A label that is not where it was has been moved by another run.
fn overtaken(step: &Step, error: &CloudError) -> bool {
    matches!(step, Step::Promote { .. } | Step::DropLabel { .. })
        && matches!(error.kind, ErrorKind::Rejected | ErrorKind::NotFound)
}

/// The one call of a step.
async fn call<C: Cloud>(
    cloud: &C,
    step: &Step,
    execution: &Execution<'_>,
) -> Result<Effect, CloudError> {
    let user = execution.name;
    match step {
        Step::CreateUser(new) => {
            return Ok(match cloud.create_user(new).await? {
                Creation::Created(user) => Effect::User(user.arn),
                Creation::AlreadyExists => {
                    Effect::Again(format!("user `{user}` has just appeared"))
                }
            });
        }
        Step::CreateSecret(new) => {
            return Ok(match cloud.create_secret(new).await? {
                Creation::Created(arn) => Effect::Secret(arn),
                Creation::AlreadyExists => {
                    Effect::Again(format!("secret `{}` has just appeared", new.name))
                }
            });
        }
        Step::AskStanding => {
            return Ok(match observe::standing(cloud, execution.owner).await {
                Standing::Wanted => Effect::None,
                // After a key was made, a duplicate that has answered meanwhile wanted the same key.
                Standing::Settled(_) if execution.made.is_some() => Effect::None,
                Standing::Settled(_) | Standing::Abandoned => {
                    Effect::Again("CloudFormation no longer waits".into())
                }
            });
        }
        Step::LookAgain => {
            let keys = cloud.list_keys(user).await?;
            return Ok(match &execution.made {
                Some(made) if !keys.iter().any(|key| key.id == made.id) => {
                    Effect::Again(format!("key `{}` is stored but not listed", made.id))
                }
                Some(_) | None => Effect::None,
            });
        }
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
            cloud
                .update_secret(execution.secret()?, description, kms_key.as_ref())
                .await?;
        }
        Step::TagSecret(tags) => cloud.tag_secret(execution.secret()?, tags).await?,
        Step::UntagSecret(keys) => cloud.untag_secret(execution.secret()?, keys).await?,
        Step::Promote { from, to, key } => {
            return key::promote(cloud, execution, from, to, key.as_ref()).await;
        }
        Step::DropLabel { label, version } => {
            cloud
                .move_label(execution.secret()?, label.as_str(), Some(version), None)
                .await?;
        }
        Step::RemoveReplicas { secret, regions } => cloud.remove_replicas(secret, regions).await?,
        Step::DeleteSecret {
            secret,
            recovery_days,
        } => cloud.delete_secret(secret, *recovery_days).await?,
        // Taken apart above: they are more than one call.
        Step::MakeKey(_) | Step::Prove(_) => {}
    }
    Ok(Effect::None)
}

impl Execution<'_> {
    /// Whether AWS may only not have seen yet what this call needs: nothing has happened then, and it is worth repeating.
    fn may_lag(&self, error: &CloudError) -> bool {
        matches!(error.kind, ErrorKind::NotFound | ErrorKind::Denied)
            && Instant::now() < self.lags_until
    }

    /// The secret, which a step before this one has made or observed.
    fn secret(&self) -> Result<&SecretArn, CloudError> {
        self.secret.as_ref().ok_or_else(|| CloudError {
            operation: "secretsmanager:DescribeSecret",
            kind: ErrorKind::Conflict,
            code: None,
            message: "the secret went away".into(),
            request_id: None,
        })
    }
}
