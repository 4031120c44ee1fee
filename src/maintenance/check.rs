//! A check: an update's plan that nobody applies, and a proof of the current key. It changes nothing.
//!
//! A finding counts only if a second look confirms it. One bad answer from AWS, or an update that has just begun, must
//! not alarm anybody.

use std::time::SystemTime;

use serde_json::Value;
use tokio::time::sleep;
use tracing::{info, warn};

use super::findings::{About, Finding, listed, of_age, of_plan, of_proof};
use super::report::{Health, report};
use super::{Asked, MaintenanceError, Settings, message, rotation, tell};
use crate::cloud::{Cloud, CloudError, KeyStatus, Notifier, Subscriptions};
use crate::observe::{self, AtWork, BucketRegion, Observed, buckets_to_find};
use crate::plan::{self, Access, Change, Goal, Plan, Refusal};
use crate::proof::{ProofError, prove};
use crate::run::Run;
use crate::secret::{Label, StoredKey};
use crate::waits::SECOND_LOOK;

/// Checks the pair, notifies people of what a scheduled check found, and answers a check by hand with the report.
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
        let first = seen;
        seen = look(run, settings).await?;
        seen.confirm(&first);
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

/// What one look found.
struct Seen {
    observed: Observed,
    health: Health,
    findings: Vec<Finding>,
}

impl Seen {
    /// Drops findings that the first look did not have.
    fn confirm(&mut self, first: &Self) {
        let found = |about| first.findings.iter().any(|finding| finding.about == about);
        self.findings
            .retain(|finding| finding.about == About::Age || found(finding.about));
        if self.health == Health::Unhealthy {
            self.health = health(&self.findings);
        }
    }
}

fn health(findings: &[Finding]) -> Health {
    if findings.iter().all(|finding| finding.about == About::Age) {
        Health::Healthy
    } else {
        Health::Unhealthy
    }
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
    // In the wrong region S3 answers with the region, whatever the key, so a proof needs the right one.
    let unknown = observed
        .regions
        .iter()
        .find_map(|(bucket, region)| match region {
            BucketRegion::Unknown(why) => Some((bucket, why)),
            BucketRegion::In(_) | BucketRegion::NoSuchBucket => None,
        });
    if let Some((bucket, why)) = unknown {
        return Err(MaintenanceError(format!(
            "the check could not be made: the region of bucket `{bucket}` is unknown: {why}"
        )));
    }
    let plan = planned(settings, &observed);
    let proof = match key_in_use(&observed) {
        Some(key) => {
            let targets = rotation::targets(settings, &observed);
            prove(run, &desired.user, key, &targets).await
        }
        // The plan reports a missing key.
        None => Ok(()),
    };
    if let Err(ProofError::Unanswered(why)) = proof {
        return Err(MaintenanceError(format!(
            "the check could not be made: {why}"
        )));
    }
    let broken = [of_proof(&proof), of_plan(&plan)].into_iter().flatten();
    let findings: Vec<_> = broken.chain(of_age(settings, &observed)).collect();
    Ok(Seen {
        observed,
        health: health(&findings),
        findings,
    })
}

/// The plan of an update that keeps all properties, without the stack's tags.
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

/// The current key, if it is one of the user's.
fn key_in_use(observed: &Observed) -> Option<&StoredKey> {
    let secret = observed.pair.secret.as_ref()?;
    let key = secret.key_of(secret.labelled(Label::Current)?)?;
    // An inactive key needs no proof, because the plan replaces it.
    let listed = listed(observed.pair.user.as_ref()?, secret, Label::Current);
    listed
        .is_none_or(|listed| listed.status == KeyStatus::Active)
        .then_some(key)
}

/// Sends the findings that are due, in one message.
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

/// Counts the topic's subscriptions. `None` if there is no topic, or if it is not the stack's own and the role may not
/// look.
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
                warn!(%topic, pending = found.pending, "a subscription is not confirmed, so its address gets no \
                                                        messages");
            }
            Some(found)
        }
        Err(error) => {
            info!(%topic, %error, "the topic's subscriptions cannot be read");
            None
        }
    }
}
