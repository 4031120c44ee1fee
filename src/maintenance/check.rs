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
use super::{Asked, Environment, Work, message};
use crate::apply::{Patience, Proved, prove};
use crate::cloud::{Cloud, KeyStatus, Label, Notifier, StoredKey, Subscriptions};
use crate::observe::{self, AtWork, BucketRegion, Observed, buckets_to_find};
use crate::plan::policy::PolicyDocument;
use crate::plan::{self, Change, Goal, Plan, Refusal};
use crate::waits::{SECOND_LOOK, WITHDRAW};

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

impl<C: Cloud, N: Notifier> Work<'_, C, N> {
    /// Checks the pair, notifies people of what a scheduled check found, and answers a check by hand with the report.
    pub(super) async fn check(&self, asked: Asked) -> Result<Value, Refusal> {
        let mut seen = self.look().await?;
        if seen.health == Health::Unhealthy {
            info!("looking a second time");
            sleep(SECOND_LOOK).await;
            let first = seen;
            seen = self.look().await?;
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
        let subscriptions = self.subscriptions().await;
        if let Asked::OnSchedule(now) = asked {
            self.tell_findings(&findings, now).await?;
        }
        let report = report(
            self.environment,
            &observed,
            health,
            &findings,
            subscriptions,
        );
        Ok(match asked {
            Asked::ByHand => report,
            Asked::OnSchedule(_) => Value::Null,
        })
    }

    async fn look(&self) -> Result<Seen, Refusal> {
        let desired = &self.environment.desired;
        let buckets = buckets_to_find(&desired.buckets, desired.verification);
        let (at_work, observed) =
            observe::for_check(&self.invocation, &self.progress, &desired.user, &buckets).await?;
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
            return Err(Refusal::Event(format!(
                "the check could not be made: the region of bucket `{bucket}` is unknown: {why}"
            )));
        }
        let plan = self.planned(&observed);
        let proof = match key_in_use(&observed) {
            Some(key) => Some(self.proved(key, &observed).await),
            // The plan reports a missing key.
            None => None,
        };
        let broken = proof
            .iter()
            .flat_map(of_proof)
            .collect::<Result<Vec<_>, _>>()?;
        let findings: Vec<_> = broken
            .into_iter()
            .chain(of_plan(&plan))
            .chain(of_age(self.environment, &observed))
            .collect();
        Ok(Seen {
            observed,
            health: health(&findings),
            findings,
        })
    }

    /// The plan of an update that keeps all properties, without the stack's tags.
    fn planned(&self, observed: &Observed) -> Result<Plan, Refusal> {
        let Environment {
            owner,
            desired,
            previous,
            settings,
            ..
        } = self.environment;
        let partition = owner.stack.partition();
        let goal = Goal {
            owner,
            desired,
            document: &PolicyDocument::of(desired, partition, &settings.url_suffix)?,
            change: Change::InPlace(previous),
            release: settings.release.as_deref(),
            sent: None,
        };
        plan::provision(&goal, observed, &self.progress)
    }

    async fn proved(&self, key: &StoredKey, observed: &Observed) -> Proved {
        let Work { invocation, .. } = self;
        let targets = self.targets(observed);
        let end = invocation.deadline.of_work() - WITHDRAW;
        let patience = Patience::until(end, invocation.proof_timeouts);
        let user = &self.environment.desired.user;
        prove(invocation.cloud, user, key, &targets, patience).await
    }

    /// Sends the findings that are due, in one message.
    async fn tell_findings(&self, findings: &[Finding], now: SystemTime) -> Result<(), Refusal> {
        let due = findings.iter().filter(|finding| finding.is_due(now));
        let due: Vec<&str> = due.map(|finding| finding.text.as_str()).collect();
        if due.is_empty() {
            return Ok(());
        }
        self.tell(&message::findings(self.environment, &due)).await
    }

    /// Counts the topic's subscriptions. `None` if there is no topic, or if it is not the stack's own and the role may not
    /// look.
    async fn subscriptions(&self) -> Option<Subscriptions> {
        let topic = self.environment.topic.as_ref()?;
        let count = async || self.notifier.subscriptions(topic).await;
        match self.invocation.while_denied(&self.progress, count).await {
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
}

/// The current key, if it is one of the user's.
fn key_in_use(observed: &Observed) -> Option<&StoredKey> {
    let secret = observed.pair.secret.as_ref()?;
    let key = secret.key_under(Label::Current)?;
    // An inactive key needs no proof, because the plan replaces it.
    let listed = listed(observed.pair.user.as_ref()?, secret, Label::Current);
    listed
        .is_none_or(|listed| listed.status == KeyStatus::Active)
        .then_some(key)
}
