//! One pair of user and secret: made what is wanted, or removed, in as many rounds as it takes.

use std::collections::BTreeMap;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder, Retryable};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::apply::{Applied, Ground, Stopped, apply};
use crate::buckets::BucketUri;
use crate::cloud::{Cloud, CloudError, ErrorKind, Standing};
use crate::names::{RecoveryWindow, UserName, Verification};
use crate::observe::{self, Observed, Pair, Scope};
use crate::ownership::{Owner, Ownership};
use crate::plan::{self, Access, End, IAM_LAG, Want};
use crate::verify::{Patience, Target};

/// Why a pair is not as wanted.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfulfilled {
    #[error("{0}")]
    Refused(String),
    #[error("could not look at what is there: {0}")]
    Unobserved(#[from] CloudError),
    #[error(transparent)]
    Stopped(#[from] Stopped),
    #[error("it did not settle: {0}; it is safe to try again")]
    Unsettled(String),
    #[error("CloudFormation no longer wants this resource: what this request had made was removed")]
    Abandoned,
    #[error(
        "CloudFormation has settled on `{0}` meanwhile: what this request had made was removed"
    )]
    Superseded(String),
}

/// What stays the same throughout a request.
pub(super) struct Work<'a, C> {
    pub(super) cloud: &'a C,
    pub(super) owner: &'a Owner,
    pub(super) patience: Patience,
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
        want: &Want<'_>,
    ) -> (Result<BTreeMap<&'static str, String>, Unfulfilled>, Before) {
        let mut want = *want;
        let mut before = Before::Something;
        let mut first = true;
        let mut pauses = pauses();
        loop {
            let observed = match self.observe(&want).await {
                Ok(observed) => observed,
                Err(error) => return (Err(error.into()), before),
            };
            if std::mem::take(&mut first)
                && observed.pair.user.is_none()
                && observed.pair.secret.is_none()
            {
                before = Before::Nothing;
            }
            match self.step(&want, &observed).await {
                Ok(Round::Done(attributes)) => return (Ok(attributes), before),
                Ok(Round::Again(why, access)) => {
                    want.access = access;
                    info!(why, "observing again");
                    match pauses.next() {
                        Some(pause) => sleep(pause).await,
                        None => return (Err(Unfulfilled::Unsettled(why)), before),
                    }
                }
                Err(error) => return (Err(error), before),
            }
        }
    }

    /// One round on what was observed.
    async fn step(&self, want: &Want<'_>, observed: &Observed) -> Result<Round, Unfulfilled> {
        let desired = want.desired;
        match &observed.standing {
            Standing::Wanted => {}
            Standing::Settled(physical_id) => {
                return self.answer_again(want, observed, physical_id);
            }
            Standing::Abandoned => return Err(Unfulfilled::Abandoned),
        }
        let plan = plan::presence(want, observed).map_err(Unfulfilled::Refused)?;
        info!(user = %desired.user, %plan, "plan");
        for note in &plan.notes {
            warn!(note, "note");
        }
        let target = |bucket: &BucketUri| Target {
            bucket: bucket.clone(),
            region: observed.region(self.owner, &bucket.bucket).to_owned(),
        };
        let targets = desired.buckets.iter().map(target).collect();
        let mut ground = Ground::new(
            self.owner,
            &desired.user,
            &observed.pair,
            targets,
            self.patience,
            self.deadline,
        );
        if let Applied::ObserveAgain(why) = apply(self.cloud, &plan, &mut ground).await? {
            return Ok(Round::Again(why, plan.access));
        }
        match (plan.end, &ground.user_arn, &ground.secret) {
            (End::Refuse(reason), _, _) => Err(Unfulfilled::Refused(reason)),
            (End::Done, Some(user), Some(secret)) => {
                Ok(Round::Done(attributes(want, observed, user, &secret.0)))
            }
            (End::Done | End::ObserveAgain, _, _) => Ok(Round::Again(
                "there is more to be seen now".into(),
                plan.access,
            )),
        }
    }

    /// Answers a late duplicate: this request was answered already, nothing is changed. Unless the resource is another
    /// pair by now: then what is ours under this name is what late requests have left.
    fn answer_again(
        &self,
        want: &Want<'_>,
        observed: &Observed,
        physical_id: &str,
    ) -> Result<Round, Unfulfilled> {
        let Pair {
            name,
            user,
            secret,
            renamed_to: _,
        } = &observed.pair;
        if !physical_id.is_empty() && physical_id != name.secret_name().as_str() {
            return Err(Unfulfilled::Superseded(physical_id.to_owned()));
        }
        info!("a late duplicate: this request was answered already, nothing is changed");
        match (user, secret) {
            (Some(user), Some(secret))
                if user.ownership == Ownership::Ours && secret.ownership == Ownership::Ours =>
            {
                Ok(Round::Done(attributes(
                    want,
                    observed,
                    &user.user.arn,
                    &secret.secret.arn.0,
                )))
            }
            _ => Err(Unfulfilled::Refused(
                "this request was answered before; nothing was changed".into(),
            )),
        }
    }

    async fn observe(&self, want: &Want<'_>) -> Result<Observed, CloudError> {
        let desired = want.desired;
        let first = &desired.buckets.first().bucket;
        let mut buckets = vec![first];
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
        look.retry(role_lag())
            .when(|error| error.kind == ErrorKind::Denied)
            .await
    }

    /// Removes what is ours of a pair.
    pub(super) async fn remove(
        &self,
        name: &UserName,
        recovery: RecoveryWindow,
    ) -> Result<(), Unfulfilled> {
        let mut pauses = pauses();
        loop {
            let look = || observe::for_removal(self.cloud, self.owner, name);
            let pair = look
                .retry(role_lag())
                .when(|error| error.kind == ErrorKind::Denied)
                .await?;
            let plan = plan::removal(self.owner, &pair, recovery, self.cloud.now())
                .map_err(Unfulfilled::Refused)?;
            info!(user = %name, %plan, "plan");
            for note in &plan.notes {
                warn!(note, "note");
            }
            let mut ground = Ground::new(
                self.owner,
                name,
                &pair,
                Vec::new(),
                self.patience,
                self.deadline,
            );
            let why = match (apply(self.cloud, &plan, &mut ground).await?, plan.end) {
                (Applied::Done, End::Done) => return Ok(()),
                (Applied::Done, End::Refuse(reason)) => return Err(Unfulfilled::Refused(reason)),
                (Applied::Done, End::ObserveAgain) => "there is more to be seen now".into(),
                (Applied::ObserveAgain(why), _) => why,
            };
            match pauses.next() {
                Some(pause) => sleep(pause).await,
                None => return Err(Unfulfilled::Unsettled(why)),
            }
        }
    }
}

/// How a round ended.
enum Round {
    Done(BTreeMap<&'static str, String>),
    Again(String, Access),
}

/// All attributes, on every success: a missing one fails `Fn::GetAtt`.
fn attributes(
    want: &Want<'_>,
    observed: &Observed,
    user_arn: &str,
    secret_arn: &str,
) -> BTreeMap<&'static str, String> {
    let first = want.desired.buckets.first();
    let region = observed.region(want.owner, &first.bucket);
    if let Some(unknown) = observed
        .regions
        .get(&first.bucket)
        .filter(|known| !known.is_known())
    {
        warn!(bucket = %first.bucket, ?unknown, region, "the bucket's region is not known; the stack's is answered");
    }
    BTreeMap::from([
        ("BucketUri", first.to_string()),
        ("PolicyName", want.desired.policy.to_string()),
        ("Region", region.to_owned()),
        ("SecretArn", secret_arn.to_owned()),
        ("SecretName", want.desired.user.secret_name().to_string()),
        ("UserArn", user_arn.to_owned()),
        ("UserName", want.desired.user.to_string()),
    ])
}

/// The pauses between rounds: half a minute in all, so that IAM's lists can settle; jittered, so that two runs which
/// hinder each other part.
fn pauses() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(250))
        .with_max_delay(Duration::from_secs(4))
        .with_max_times(12)
        .with_jitter()
        .build()
}

/// A role that has just been made is denied for some seconds.
pub(crate) fn role_lag() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(250))
        // Short, so that the last look comes close to the end of the lag.
        .with_max_delay(Duration::from_secs(1))
        .with_total_delay(Some(IAM_LAG))
        .without_max_times()
        .with_jitter()
}
