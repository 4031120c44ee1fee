//! Reconcile: what Create, Update and Delete do. Each brings one pair of user and secret to what it asks for, and removes
//! what nobody wants any more.

use std::collections::BTreeMap;
use std::time::Duration;

use tracing::{info, warn};

use crate::apply::{Applied, settle};
use crate::cloud::{Cloud, CustomResource};
use crate::observe::{
    self, Done, Invocation, Observed, Progress, Refusal, Values, buckets_to_find,
};
use crate::plan::policy::PolicyDocument;
use crate::plan::{self, Change, Goal, Made, Warning, Weight, letter_case_change};
use crate::request::names::{PhysicalId, RecoveryWindow, UserName};
use crate::request::outcome::{Failure, Outcome, Success};
use crate::request::properties::{Desired, Previous};
use crate::request::settings::Settings;
use crate::request::{Action, Request};
use crate::waits::{Deadline, SERVICE_TIMEOUT};

/// Fulfils one request. The caller stops the work at `deadline.of_work()`, and no key is made shortly before that.
pub async fn reconcile<C: Cloud>(
    cloud: &C,
    request: &Request,
    settings: &Settings,
    deadline: Deadline,
) -> Outcome {
    let Request {
        owner,
        sent,
        action,
    } = request;
    // CloudFormation waits for no older request, and an event can be forged.
    let waits = |age: Duration| age <= SERVICE_TIMEOUT;
    let invocation = Invocation {
        cloud,
        owner,
        sent: sent.filter(|sent| cloud.now().duration_since(*sent).is_ok_and(waits)),
        deadline,
    };
    let work = Work {
        invocation,
        settings,
        progress: Progress::new(deadline),
    };
    match action {
        Action::Create(desired) => work.create(desired).await,
        Action::Update {
            id,
            desired,
            previous,
        } => work.update(id, desired, previous).await,
        Action::Delete { id, user, recovery } => work.delete(id, user.as_ref(), *recovery).await,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goes {
    Whole,
    /// What this invocation has made, unless another one has taken it into use.
    Made(Made),
}

struct Work<'a, C> {
    invocation: Invocation<'a, C>,
    settings: &'a Settings,
    progress: Progress,
}

impl<C: Cloud> Work<'_, C> {
    async fn create(mut self, desired: &Desired) -> Outcome {
        let id = desired.user.secret_name().to_string();
        let refusal = match self.provision(desired, Change::Fresh).await {
            Ok(success) => return Ok(success),
            Err(refusal) => refusal,
        };
        // The pair is unwanted if CloudFormation names it, or has no id of ours yet.
        let unwanted = unwanted(&refusal).filter(|now| {
            let named = now.physical_id.user();
            named.is_none_or(|named| named == desired.user)
        });
        let unwanted = unwanted.map(|_| &desired.user);
        let mut refusal = self.clean_up(refusal, unwanted, desired).await;
        if self.progress.conversation.creates_stack() {
            let then = "; then delete the stack and deploy it again".to_owned();
            refusal = with_clean_up(refusal, then);
        }
        Err(failure(id, &refusal))
    }

    async fn update(mut self, id: &PhysicalId, desired: &Desired, previous: &Previous) -> Outcome {
        let current = id.user();
        if let Some(current) = &current {
            letter_case_change(current, &desired.user).map_err(|why| failure(id, &why))?;
        }
        let replacement = current.as_ref() != Some(&desired.user);
        let change = if replacement {
            Change::Fresh
        } else {
            Change::InPlace(previous)
        };
        let success = match self.provision(desired, change).await {
            Ok(success) => success,
            Err(refusal @ Refusal::NotWaitedFor { .. }) => {
                let unwanted = unwanted(&refusal).and_then(|now| now.physical_id.user());
                let refusal = self.clean_up(refusal, unwanted.as_ref(), desired).await;
                return Err(failure(id, &refusal));
            }
            Err(refusal) if replacement && self.made_the_pair() => {
                return Err(self.withdraw_replacement(id, &desired.user, refusal).await);
            }
            Err(refusal) => return Err(failure(id, &refusal)),
        };
        // If the previous properties name a pair that is neither the event's nor wanted, it comes from a replacement that
        // never answered. CloudFormation does not know its id, and will never delete it.
        let is_known = |name: &UserName| {
            let current = current.as_ref();
            current.is_some_and(|current| current.eq_ignore_case(name))
                || name.eq_ignore_case(&desired.user)
        };
        if let Some(name) = previous.user.as_ref().filter(|name| !is_known(name)) {
            info!(user = %name, "removing what a replacement without an answer may have left");
            if let Err(refusal) = self.remove_confirmed(name, desired.recovery).await {
                let refusal = self.clean_up(refusal, None, desired).await;
                return Err(failure(id, &refusal));
            }
        }
        Ok(success)
    }

    async fn delete(
        mut self,
        id: &PhysicalId,
        user: Option<&UserName>,
        recovery: RecoveryWindow,
    ) -> Outcome {
        let success = || Success {
            id: id.to_string(),
            attributes: BTreeMap::new(),
            warnings: Vec::new(),
        };
        let Some(user) = user else {
            warn!("neither the id nor the properties name a user: there is nothing to delete");
            return Ok(success());
        };
        match self.remove_confirmed(user, recovery).await {
            Ok(()) => Ok(success()),
            Err(refusal @ Refusal::NotWaitedFor { .. }) => {
                let then = if self.progress.done.changed {
                    "; what was removed before stays removed"
                } else {
                    "; nothing was removed"
                };
                Err(failure(id, &with_clean_up(refusal, then.to_owned())))
            }
            Err(refusal) => Err(failure(id, &refusal)),
        }
    }

    async fn provision(
        &mut self,
        desired: &Desired,
        change: Change<'_>,
    ) -> Result<Success, Refusal> {
        let (invocation, settings) = (&self.invocation, self.settings);
        // Before the first call: no policy is longer than IAM allows.
        let partition = invocation.owner.stack.partition();
        let goal = Goal {
            owner: invocation.owner,
            desired,
            document: &PolicyDocument::of(desired, partition, &settings.url_suffix)?,
            change,
            release: settings.release.as_deref(),
            sent: invocation.sent,
        };
        let buckets = buckets_to_find(&desired.buckets, desired.verification);
        let (observed, applied) = settle(
            invocation,
            &mut self.progress,
            async |progress| {
                observe::for_provision(invocation, progress, &desired.user, &buckets).await
            },
            |observed, progress| plan::provision(&goal, observed, progress),
        )
        .await?;
        success(&goal, &observed, applied)
    }

    /// Removes the parts of a pair that are ours, once CloudFormation confirms that it is not the one in use.
    async fn remove_confirmed(
        &mut self,
        name: &UserName,
        recovery: RecoveryWindow,
    ) -> Result<(), Refusal> {
        let invocation = &self.invocation;
        let owner = invocation.owner;
        let removed = settle(
            invocation,
            &mut self.progress,
            async |progress| observe::for_deletion(invocation, progress, name).await,
            |observed, _| plan::removal(owner, &observed.pair, recovery, observed.now),
        );
        removed.await.map(drop)
    }

    /// Removes the parts of a pair that are ours, without asking.
    async fn remove(
        &mut self,
        name: &UserName,
        goes: Goes,
        recovery: RecoveryWindow,
    ) -> Result<(), Refusal> {
        let invocation = &self.invocation;
        let owner = invocation.owner;
        let values = match goes {
            Goes::Whole => Values::IfUserIsNotOurs,
            Goes::Made(_) => Values::Always,
        };
        let removed = settle(
            invocation,
            &mut self.progress,
            async |progress| Ok(observe::for_removal(invocation, progress, name, values).await?),
            |observed, _| match goes {
                Goes::Whole => plan::removal(owner, &observed.pair, recovery, observed.now),
                Goes::Made(made) => Ok(plan::withdrawal(
                    &observed.pair,
                    made,
                    recovery,
                    observed.now,
                )),
            },
        );
        removed.await.map(drop)
    }

    fn made_the_pair(&self) -> bool {
        self.progress.done.user && self.progress.done.secret
    }

    /// Removes what a request that nobody waits for has left: the `unwanted` pair; the pair that this invocation made, if
    /// CloudFormation does not name it; otherwise the half that it made, unless its key was stored. Any other refusal leaves
    /// everything to CloudFormation's next request.
    async fn clean_up(
        &mut self,
        refusal: Refusal,
        unwanted: Option<&UserName>,
        desired: &Desired,
    ) -> Refusal {
        let Refusal::NotWaitedFor { verdict, .. } = &refusal else {
            return refusal;
        };
        let Done {
            user,
            secret,
            stored,
            discarded,
            changed,
        } = self.progress.done.clone();
        let named = verdict.named().as_ref() == Some(&desired.user);
        let made = match (user, secret) {
            (true, true) if !named => Some(Goes::Whole),
            (false, false) => None,
            (_, _) if stored.is_some() => None,
            (true, true) => Some(Goes::Made(Made::Both)),
            (true, false) => Some(Goes::Made(Made::User)),
            (false, true) => Some(Goes::Made(Made::Secret)),
        };
        let own_goes = unwanted == Some(&desired.user);
        let mut left = Ok(());
        if let Some(name) = unwanted {
            left = self.remove(name, Goes::Whole, desired.recovery).await;
        }
        let made = made.filter(|_| !own_goes);
        if let Some(goes) = made {
            let removed = self.remove(&desired.user, goes, desired.recovery).await;
            left = left.and(removed);
        }
        // What was changed of a pair that goes now goes with it.
        let stays = changed && !own_goes && made != Some(Goes::Whole);
        let removed = match left {
            Err(error) => format!("; what was left could not be removed: {error}"),
            Ok(()) if unwanted.is_some() => "; what was left of it was removed".to_owned(),
            Ok(()) if made.is_some() || discarded => {
                "; what this request had made was removed".to_owned()
            }
            Ok(()) if stays => String::new(),
            Ok(()) => "; nothing was changed".to_owned(),
        };
        let stays = if stays {
            "; what it had changed stays until the next update or rollback"
        } else {
            ""
        };
        with_clean_up(refusal, format!("{removed}{stays}"))
    }

    /// Removes the new half of a failed replacement, unless CloudFormation names it by now, because another run of the same
    /// request has made it work. If that fails too, the answer names the new half, because CloudFormation deletes what the
    /// answer names.
    async fn withdraw_replacement(
        &mut self,
        id: &PhysicalId,
        user: &UserName,
        refusal: Refusal,
    ) -> Failure {
        match self.remove_confirmed(user, RecoveryWindow::None).await {
            Ok(()) => failure(id, &refusal),
            Err(left) => {
                let then = format!("; and its new user could not be removed again: {left}");
                failure(user.secret_name(), &with_clean_up(refusal, then))
            }
        }
    }
}

/// The resource, if CloudFormation says that nobody wants it any more.
fn unwanted(refusal: &Refusal) -> Option<&CustomResource> {
    let Refusal::NotWaitedFor { verdict, .. } = refusal else {
        return None;
    };
    verdict.unwanted()
}

fn with_clean_up(refusal: Refusal, then: String) -> Refusal {
    Refusal::WithCleanUp {
        why: Box::new(refusal),
        then,
    }
}

fn failure(id: impl ToString, refusal: &Refusal) -> Failure {
    Failure {
        id: id.to_string(),
        reason: refusal.to_string(),
    }
}

/// All attributes, on every success, because a missing one fails `Fn::GetAtt`.
fn success(goal: &Goal<'_>, observed: &Observed, applied: Applied) -> Result<Success, Refusal> {
    let Applied {
        user_arn: Some(user_arn),
        secret: Some(secret),
        mut warnings,
    } = applied
    else {
        return Err(Refusal::Unsettled("user or secret went away".to_owned()));
    };
    let first = goal.desired.buckets.first();
    if let Some(text) = observed.why_region_is_unknown(&first.bucket) {
        let text = format!(
            "the region of bucket `{}` is unknown ({text}), and `Region` is the stack's",
            first.bucket
        );
        warnings.push(Warning::new(Weight::LeftOut, text));
    }
    let id = goal.desired.user.secret_name().to_string();
    let attributes = BTreeMap::from([
        ("BucketUri", first.to_string()),
        ("PolicyName", goal.desired.policy.to_string()),
        (
            "Region",
            observed.region(goal.owner, &first.bucket).to_owned(),
        ),
        ("SecretArn", secret.0),
        ("SecretName", id.clone()),
        ("UserArn", user_arn),
        ("UserName", goal.desired.user.to_string()),
    ]);
    Ok(Success {
        id,
        attributes,
        warnings: plan::in_order(warnings),
    })
}
