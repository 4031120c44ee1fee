//! Reconcile: brings one pair of user and secret to what a request asks for, and removes what nobody wants any more.

mod clean_up;

use std::collections::BTreeMap;

use tracing::{info, warn};

use self::clean_up::{clean_up, withdraw_replacement};
use crate::cloud::Cloud;
use crate::confirm::{Confirmation, ResourceNow};
use crate::deadline::Deadline;
use crate::event::{Action, Request};
use crate::names::{PhysicalId, RecoveryWindow, UserName};
use crate::observe::{self, Observed, buckets_to_find};
use crate::outcome::{Failure, Outcome, Success};
use crate::plan::{self, Access, Change, End, Goal, Plan, letter_case_change};
use crate::properties::{Desired, Previous};
use crate::run::Run;
use crate::settings::Settings;
use crate::settle::{Applied, RunError, settle};
use crate::waits::between_rounds;

type Attributes = BTreeMap<&'static str, String>;

/// Fulfils one request. The caller stops the work at `deadline.of_work()`, and no key is made shortly before that.
///
/// # Errors
/// The reason for a FAILED answer, with its physical id.
pub async fn reconcile<C: Cloud>(
    cloud: &C,
    request: &Request,
    settings: &Settings,
    deadline: Deadline,
) -> Outcome {
    let Request { owner, action } = request;
    let serves = settings.serves();
    let run = Run::new(cloud, owner, serves, settings.proof_timeouts, deadline);
    match action {
        Action::Create(desired) => create(&run, settings, desired).await,
        Action::Update {
            id,
            desired,
            previous,
        } => update(&run, settings, id, desired, previous).await,
        Action::Delete { id, user, recovery } => delete(&run, id, user.as_ref(), *recovery).await,
    }
}

async fn create<C: Cloud>(run: &Run<'_, C>, settings: &Settings, desired: &Desired) -> Outcome {
    let id = desired.user.secret_name().to_string();
    let error = match provision(run, settings, desired, Change::Fresh).await {
        Ok(attributes) => return Ok(Success { id, attributes }),
        Err(error) => error,
    };
    let RunError::Unconfirmed(confirmation) = error else {
        return Err(Failure {
            id,
            reason: error.to_string(),
        });
    };
    // The pair is unwanted if CloudFormation names it, or has no id of ours yet.
    let nobodys = |now: &ResourceNow| {
        let named = now.physical_id.user();
        named.is_none_or(|named| named == desired.user)
    };
    let unwanted = confirmation.unwanted().filter(|now| nobodys(now));
    let unwanted = unwanted.map(|_| &desired.user);
    let reason = clean_up(run, &confirmation, unwanted, desired).await;
    Err(Failure { id, reason })
}

async fn update<C: Cloud>(
    run: &Run<'_, C>,
    settings: &Settings,
    id: &PhysicalId,
    desired: &Desired,
    previous: &Previous,
) -> Outcome {
    let failure = |reason: String| Failure {
        id: id.to_string(),
        reason,
    };
    let current = id.user();
    if let Some(current) = &current {
        letter_case_change(current, &desired.user).map_err(|why| failure(why.to_string()))?;
    }
    let replacement = current.as_ref() != Some(&desired.user);
    let change = if replacement {
        Change::Fresh
    } else {
        Change::InPlace(previous)
    };
    let attributes = match provision(run, settings, desired, change).await {
        Ok(attributes) => attributes,
        Err(RunError::Unconfirmed(confirmation)) => {
            let unwanted = confirmation.unwanted();
            let named = unwanted.and_then(|now| now.physical_id.user());
            let reason = clean_up(run, &confirmation, named.as_ref(), desired).await;
            return Err(failure(reason));
        }
        Err(error) if replacement && run.made.the_pair() => {
            return Err(withdraw_replacement(run, &desired.user, &error, failure).await);
        }
        Err(error) => return Err(failure(error.to_string())),
    };
    // If the previous properties name a pair that is neither the event's nor wanted, it comes from a replacement that
    // never answered. CloudFormation does not know its id, and will never delete it.
    if let Some(name) = &previous.user
        && !current
            .as_ref()
            .is_some_and(|current| current.eq_ignore_case(name))
        && !name.eq_ignore_case(&desired.user)
    {
        info!(user = %name, "removing what a replacement without an answer may have left");
        match remove_confirmed(run, name, desired.recovery).await {
            Ok(()) => {}
            Err(RunError::Unconfirmed(confirmation)) => {
                let reason = clean_up(run, &confirmation, None, desired).await;
                return Err(failure(reason));
            }
            Err(error) => return Err(failure(error.to_string())),
        }
    }
    Ok(Success {
        id: desired.user.secret_name().to_string(),
        attributes,
    })
}

async fn delete<C: Cloud>(
    run: &Run<'_, C>,
    id: &PhysicalId,
    user: Option<&UserName>,
    recovery: RecoveryWindow,
) -> Outcome {
    let id = id.to_string();
    let attributes = BTreeMap::new();
    let Some(user) = user else {
        warn!("neither the id nor the properties name a user: there is nothing to delete");
        return Ok(Success { id, attributes });
    };
    match remove_confirmed(run, user, recovery).await {
        Ok(()) => Ok(Success { id, attributes }),
        Err(RunError::Unconfirmed(confirmation)) => {
            let removed = if run.made.changes.get() {
                "; what was removed before stays removed"
            } else {
                "; nothing was removed"
            };
            let sentence = confirmation.sentence(&run.owner.logical_id);
            let reason = format!("{sentence}{removed}");
            Err(Failure { id, reason })
        }
        Err(error) => Err(Failure {
            id,
            reason: error.to_string(),
        }),
    }
}

/// Brings the pair to the goal.
async fn provision<C: Cloud>(
    run: &Run<'_, C>,
    settings: &Settings,
    desired: &Desired,
    change: Change<'_>,
) -> Result<Attributes, RunError> {
    let partition = run.owner.stack.partition();
    let document = desired
        .policy_document(partition, &settings.url_suffix)
        .map_err(plan::Refusal::from)?;
    let mut goal = Goal {
        owner: run.owner,
        desired,
        document: &document,
        change,
        release: settings.release.as_deref(),
        access: Access::Same,
    };
    let buckets = buckets_to_find(&desired.buckets, desired.verification);
    let (observed, applied) = settle(
        run,
        between_rounds(),
        async || Ok(observe::for_provision(run, &desired.user, &buckets).await?),
        |observed| {
            let plan = if observed.confirmation.is_confirmed() {
                plan::provision(&goal, observed)?
            } else {
                answer_again(&goal, observed).ok_or_else(|| unconfirmed(observed))?
            };
            goal.access = plan.access;
            Ok(plan)
        },
    )
    .await?;
    attributes(&goal, &observed, applied)
}

fn unconfirmed(observed: &Observed) -> RunError {
    RunError::Unconfirmed(Box::new(observed.confirmation.clone()))
}

/// The plan for a request that was answered before: empty, if everything is as it asks. A proof changes nothing either,
/// and is left out.
fn answer_again(goal: &Goal<'_>, observed: &Observed) -> Option<Plan> {
    let Confirmation::Answered(_) = &observed.confirmation else {
        return None;
    };
    let plan = plan::provision(goal, observed).ok()?;
    plan.changes_nothing().then(|| {
        info!("this request was answered before, and everything is as it asks");
        Plan::nothing(End::Done)
    })
}

/// Removes the parts of a pair that are ours, once CloudFormation confirms that it is not the one in use.
async fn remove_confirmed<C: Cloud>(
    run: &Run<'_, C>,
    name: &UserName,
    recovery: RecoveryWindow,
) -> Result<(), RunError> {
    let removed = settle(
        run,
        between_rounds(),
        async || Ok(observe::for_deletion(run, name).await?),
        |observed| {
            if observed.confirmation.is_confirmed() {
                removal(run, observed, recovery)
            } else {
                Err(unconfirmed(observed))
            }
        },
    );
    removed.await.map(|_| ())
}

/// Removes the parts of a pair that are ours.
async fn remove<C: Cloud>(
    run: &Run<'_, C>,
    name: &UserName,
    recovery: RecoveryWindow,
) -> Result<(), RunError> {
    let removed = settle(
        run,
        between_rounds(),
        async || Ok(observe::for_removal(run, name).await?),
        |observed| removal(run, observed, recovery),
    );
    removed.await.map(|_| ())
}

fn removal<C: Cloud>(
    run: &Run<'_, C>,
    observed: &Observed,
    recovery: RecoveryWindow,
) -> Result<Plan, RunError> {
    let plan = plan::removal(run.owner, &observed.pair, recovery, observed.now)?;
    Ok(plan)
}

/// All attributes, on every success, because a missing one fails `Fn::GetAtt`.
fn attributes(
    goal: &Goal<'_>,
    observed: &Observed,
    applied: Applied,
) -> Result<Attributes, RunError> {
    let Applied {
        user_arn: Some(user_arn),
        secret: Some(secret),
    } = applied
    else {
        return Err(RunError::Unsettled("user or secret went away".to_owned()));
    };
    let first = goal.desired.buckets.first();
    let region = observed.region(goal.owner, &first.bucket);
    let found = observed.regions.get(&first.bucket);
    if let Some(unknown) = found.filter(|found| !found.is_known()) {
        warn!(bucket = %first.bucket, ?unknown, region, "the bucket's region is unknown; answering with the stack's");
    }
    Ok(BTreeMap::from([
        ("BucketUri", first.to_string()),
        ("PolicyName", goal.desired.policy.to_string()),
        ("Region", region.to_owned()),
        ("SecretArn", secret.0),
        ("SecretName", goal.desired.user.secret_name().to_string()),
        ("UserArn", user_arn),
        ("UserName", goal.desired.user.to_string()),
    ]))
}
