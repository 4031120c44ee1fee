//! A check: an update's plan that nobody applies, and the proof of the key in use. It changes nothing.
//!
//! What one look finds is told only if a second look finds it too: a single call that AWS did not answer well, or an
//! update that has just begun, is no finding.

use std::time::SystemTime;

use serde_json::Value;
use tokio::time::sleep;
use tracing::{info, warn};

use super::findings::{Finding, Told, listed, of_age, of_plan, of_proof};
use super::report::{Health, report};
use super::{Asked, MaintenanceError, Settings, message, rotation, tell};
use crate::cloud::{Cloud, CloudError, KeyStatus, Notifier, Subscriptions};
use crate::observe::{self, AtWork, Observed, buckets_to_find};
use crate::plan::{self, Access, Change, Goal, Plan, Refusal};
use crate::proof::{ProofError, prove};
use crate::run::Run;
use crate::secret::{Label, StoredKey};
use crate::waits::SECOND_LOOK;

/// Checks, and answers or tells what was found.
pub(super) async fn check<C: Cloud, N: Notifier>(
    run: &Run<'_, C>,
    settings: &Settings,
    notifier: &N,
    asked: Asked,
) -> Result<Value, MaintenanceError> {
    let mut seen = look(run, settings).await?;
    if seen.health == Health::Unhealthy {
        info!("looking a second time");
        sleep(SECOND_LOOK).await;
        seen = look(run, settings).await?;
    }
    let Seen {
        observed,
        health,
        findings,
    } = seen;
    for finding in &findings {
        warn!(finding = finding.text, "found");
    }
    info!(?health, findings = findings.len(), "checked");
    let subscriptions = subscriptions(run, settings, notifier).await;
    if let Asked::OnSchedule(now) = asked {
        tell_findings(run, settings, notifier, &findings, now).await?;
    }
    let report = report(settings, &observed, health, &findings, subscriptions);
    Ok(match asked {
        Asked::ByHand => report,
        Asked::OnSchedule(_) => Value::Null,
    })
}

/// What a look has shown.
struct Seen {
    observed: Observed,
    health: Health,
    findings: Vec<Finding>,
}

async fn look<C: Cloud>(run: &Run<'_, C>, settings: &Settings) -> Result<Seen, MaintenanceError> {
    let unmade =
        |error: CloudError| MaintenanceError(format!("the check could not be made: {error}"));
    let desired = &settings.desired;
    let buckets = buckets_to_find(&desired.buckets, desired.verification);
    let (at_work, observed) = observe::for_check(run, &desired.user, &buckets)
        .await
        .map_err(unmade)?;
    if at_work == AtWork::Yes {
        return Ok(Seen {
            observed,
            health: Health::AtWork,
            findings: Vec::new(),
        });
    }
    let plan = planned(settings, &observed);
    let proof = match key_in_use(&observed) {
        Some(key) => {
            let targets = rotation::targets(settings, &observed);
            prove(run, &desired.user, key, &targets).await
        }
        // Without a key the plan says what is wrong.
        None => Ok(()),
    };
    if let Err(ProofError::Unanswered(why)) = proof {
        return Err(MaintenanceError(format!(
            "the check could not be made: {why}"
        )));
    }
    let broken = [of_proof(&proof), of_plan(&plan)].into_iter().flatten();
    let findings: Vec<_> = broken.chain(of_age(settings, &observed)).collect();
    let is_broken = findings.iter().any(|finding| finding.told == Told::Daily);
    Ok(Seen {
        observed,
        health: if is_broken {
            Health::Unhealthy
        } else {
            Health::Healthy
        },
        findings,
    })
}

/// The plan of an update to what is there already, without the stack's tags.
fn planned(settings: &Settings, observed: &Observed) -> Result<Plan, Refusal> {
    let Settings {
        owner,
        desired,
        previous,
        ..
    } = settings;
    let document = desired.policy_document(owner.stack.partition(), &settings.url_suffix)?;
    let goal = Goal {
        owner,
        desired,
        document: &document,
        change: Change::InPlace(previous),
        release: settings.release.as_deref(),
        access: Access::Same,
    };
    plan::provision(&goal, observed)
}

/// The key that the secret gives to Publisher, if it is one of the user's.
fn key_in_use(observed: &Observed) -> Option<&StoredKey> {
    let secret = observed.pair.secret.as_ref()?;
    let key = secret.key_of(secret.labelled(Label::Current)?)?;
    // One that is listed as inactive needs no proof: the plan replaces it.
    let listed = listed(observed.pair.user.as_ref()?, secret, Label::Current);
    listed
        .is_none_or(|listed| listed.status == KeyStatus::Active)
        .then_some(key)
}

/// Tells those that are due, in one message.
async fn tell_findings<C: Cloud, N: Notifier>(
    run: &Run<'_, C>,
    settings: &Settings,
    notifier: &N,
    findings: &[Finding],
    now: SystemTime,
) -> Result<(), MaintenanceError> {
    let due = findings.iter().filter(|finding| finding.is_due(now));
    let due: Vec<&str> = due.map(|finding| finding.text.as_str()).collect();
    if due.is_empty() {
        return Ok(());
    }
    let message = message::findings(settings, &due);
    tell(run, settings, notifier, &message).await
}

/// How many have subscribed; `None` where nobody is told, or the topic is somebody else's and may not be looked at.
async fn subscriptions<C: Cloud, N: Notifier>(
    run: &Run<'_, C>,
    settings: &Settings,
    notifier: &N,
) -> Option<Subscriptions> {
    let topic = settings.topic.as_ref()?;
    let found = run.patiently(async || notifier.subscriptions(topic).await);
    match found.await {
        Ok(found) => {
            if found.pending > 0 {
                warn!(%topic, pending = found.pending, "a subscription was not confirmed: whoever asked for it hears nothing");
            }
            Some(found)
        }
        Err(error) => {
            info!(%topic, %error, "who has subscribed is not known");
            None
        }
    }
}
