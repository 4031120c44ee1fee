//! One pair of user and secret: made what is wanted, or removed, in as many rounds as it takes.

use std::collections::BTreeMap;

use backon::Retryable;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::apply::{ApplyError, Execution, apply};
use crate::buckets::BucketUri;
use crate::cloud::{Cloud, CloudError, ErrorKind, Standing};
use crate::names::{RecoveryWindow, UserName, Verification};
use crate::observe::{self, Observed, Pair, Scope};
use crate::ownership::{Owner, Ownership};
use crate::plan::{self, Access, Change, Goal};
use crate::properties::Desired;
use crate::settings::Settings;
use crate::settle::{Round, SettleError, settle};
use crate::verify::Target;
use crate::waits::{between_rounds, until_visible};

/// The attributes for `Fn::GetAtt`.
type Attributes = BTreeMap<&'static str, String>;

/// Why a pair is not as wanted.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReconcileError {
    #[error("{0}")]
    Refused(String),
    #[error("could not look at what is there: {0}")]
    Unobserved(#[from] CloudError),
    #[error(transparent)]
    ApplyError(#[from] ApplyError),
    #[error(transparent)]
    SettleError(#[from] SettleError),
    #[error("CloudFormation no longer wants this resource: what this request had made was removed")]
    Abandoned,
    #[error(
        "CloudFormation has settled on `{0}` meanwhile: what this request had made was removed"
    )]
    Superseded(String),
}

impl ReconcileError {
    /// Whether nobody wants any more what this request makes.
    pub(super) fn is_unwanted(&self) -> bool {
        matches!(self, Self::Abandoned | Self::Superseded(_))
    }
}

/// What stays the same throughout a request.
pub(super) struct Work<'a, C> {
    pub(super) cloud: &'a C,
    pub(super) owner: &'a Owner,
    pub(super) settings: &'a Settings,
    pub(super) deadline: Instant,
}

/// What there was of a pair before the first step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    Nothing,
    Something,
}

impl<C: Cloud> Work<'_, C> {
    /// Makes the pair what is wanted, and tells what there was of it before.
    pub(super) async fn establish(
        &self,
        desired: &Desired,
        change: Change<'_>,
    ) -> (Result<Attributes, ReconcileError>, Before) {
        let partition = self.owner.stack.partition();
        let document = match desired.policy_document(partition, &self.settings.url_suffix) {
            Ok(document) => document,
            Err(refusal) => {
                let refused = ReconcileError::Refused(refusal.to_string());
                return (Err(refused), Before::Something);
            }
        };
        let mut goal = Goal {
            owner: self.owner,
            desired,
            document: &document,
            change,
            access: Access::Same,
        };
        let mut before = None;
        let attributes = settle(between_rounds(), async || {
            let observed = self.observe(desired).await?;
            let Pair { user, secret, .. } = &observed.pair;
            before.get_or_insert(match (user, secret) {
                (None, None) => Before::Nothing,
                (_, _) => Before::Something,
            });
            self.round(&mut goal, &observed).await
        });
        (attributes.await, before.unwrap_or(Before::Something))
    }

    /// One round on what was observed.
    async fn round(
        &self,
        goal: &mut Goal<'_>,
        observed: &Observed,
    ) -> Result<Round<Attributes>, ReconcileError> {
        match &observed.standing {
            Standing::Wanted => {}
            Standing::Settled(physical_id) => {
                return self.answer_again(goal, observed, physical_id);
            }
            Standing::Abandoned => return Err(ReconcileError::Abandoned),
        }
        let plan = plan::presence(goal, observed).map_err(ReconcileError::Refused)?;
        goal.access = plan.access;
        let target = |bucket: &BucketUri| Target {
            bucket: bucket.clone(),
            region: observed.region(self.owner, &bucket.bucket).to_owned(),
        };
        let targets = goal.desired.buckets.iter().map(target).collect();
        let mut execution = self.execution(&observed.pair, targets);
        if let Round::Again(why) = apply(self.cloud, plan, &mut execution).await? {
            return Ok(Round::Again(why));
        }
        Ok(match (&execution.user_arn, &execution.secret) {
            (Some(user), Some(secret)) => Round::Done(attributes(goal, observed, user, &secret.0)),
            (_, _) => Round::Again("user or secret went away".to_owned()),
        })
    }

    fn execution<'b>(&'b self, pair: &'b Pair, targets: Vec<Target>) -> Execution<'b> {
        let timeouts = self.settings.timeouts;
        Execution::new(
            self.owner,
            &pair.name,
            pair,
            targets,
            timeouts,
            self.deadline,
        )
    }

    /// Answers a late duplicate: this request was answered already, nothing is changed. Unless the resource is another
    /// pair by now: then what is ours under this name is what late requests have left.
    fn answer_again(
        &self,
        goal: &Goal<'_>,
        observed: &Observed,
        physical_id: &str,
    ) -> Result<Round<Attributes>, ReconcileError> {
        let Pair {
            name,
            user,
            secret,
            renamed_to: _,
        } = &observed.pair;
        if !physical_id.is_empty() && physical_id != name.secret_name().as_str() {
            return Err(ReconcileError::Superseded(physical_id.to_owned()));
        }
        info!("a late duplicate: this request was answered already, nothing is changed");
        match (user, secret) {
            (Some(user), Some(secret))
                if user.ownership == Ownership::Ours && secret.ownership == Ownership::Ours =>
            {
                Ok(Round::Done(attributes(
                    goal,
                    observed,
                    &user.user.arn,
                    &secret.secret.arn.0,
                )))
            }
            _ => Err(ReconcileError::Refused(
                "this request was answered before; nothing was changed".into(),
            )),
        }
    }

    async fn observe(&self, desired: &Desired) -> Result<Observed, CloudError> {
        let mut buckets = vec![&desired.buckets.first().bucket];
        if desired.verification == Verification::Prove {
            for entry in desired.buckets.iter() {
                if !buckets.contains(&&entry.bucket) {
                    buckets.push(&entry.bucket);
                }
            }
        }
        let scope = Scope {
            owner: self.owner,
            name: &desired.user,
            buckets,
        };
        let look = || observe::for_presence(self.cloud, &scope);
        look.retry(until_visible())
            .when(|error| error.kind == ErrorKind::Denied)
            .await
    }

    /// Removes what is ours of a pair.
    pub(super) async fn remove(
        &self,
        name: &UserName,
        recovery: RecoveryWindow,
    ) -> Result<(), ReconcileError> {
        settle(between_rounds(), async || {
            let look = || observe::for_removal(self.cloud, self.owner, name);
            let pair = look
                .retry(until_visible())
                .when(|error| error.kind == ErrorKind::Denied)
                .await?;
            let plan = plan::removal(self.owner, &pair, recovery, self.cloud.now())
                .map_err(ReconcileError::Refused)?;
            Ok(apply(self.cloud, plan, &mut self.execution(&pair, Vec::new())).await?)
        })
        .await
    }
}

/// All attributes, on every success: a missing one fails `Fn::GetAtt`.
fn attributes(
    goal: &Goal<'_>,
    observed: &Observed,
    user_arn: &str,
    secret_arn: &str,
) -> BTreeMap<&'static str, String> {
    let first = goal.desired.buckets.first();
    let region = observed.region(goal.owner, &first.bucket);
    if let Some(unknown) = observed
        .regions
        .get(&first.bucket)
        .filter(|known| !known.is_known())
    {
        warn!(bucket = %first.bucket, ?unknown, region, "the bucket's region is not known; the stack's is answered");
    }
    BTreeMap::from([
        ("BucketUri", first.to_string()),
        ("PolicyName", goal.desired.policy.to_string()),
        ("Region", region.to_owned()),
        ("SecretArn", secret_arn.to_owned()),
        ("SecretName", goal.desired.user.secret_name().to_string()),
        ("UserArn", user_arn.to_owned()),
        ("UserName", goal.desired.user.to_string()),
    ])
}
