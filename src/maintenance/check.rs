//! A check: an update's plan that nobody applies, and a proof of the current key. It changes nothing.
//!
//! A finding counts only if a second look confirms it. One bad answer from AWS, or an update that has just begun, must
//! not alarm anybody.

use std::time::SystemTime;

use futures_util::future::join;
use serde_json::Value;
use tokio::time::sleep;
use tracing::{info, warn};

use super::findings::{
    About, Finding, listed, of_added_power, of_age, of_inactive_key, of_plan, of_proof, of_regions,
    of_topic,
};
use super::report::{Health, Report};
use super::{Asked, Environment, Work, message};
use crate::apply::{Patience, Proved, prove};
use crate::cloud::{Cloud, KeyStatus, Label, Notifier, StoredKey, Subscriptions};
use crate::observe::{self, AtWork, Observed, Refusal, buckets_to_find};
use crate::plan::policy::PolicyDocument;
use crate::plan::{self, Change, Goal, Plan, dates};
use crate::waits::{KEY_KNOWN, SECOND_LOOK, WITHDRAW};

struct Seen {
    observed: Observed,
    at_work: AtWork,
    findings: Vec<Finding>,
}

impl Seen {
    /// Drops findings that the first look did not have. An entry without an answer may be one that cannot be read.
    fn confirm(&mut self, first: &Self) {
        let found = |about| first.findings.iter().any(|finding| finding.about == about);
        let unread = found(About::Access) || found(About::Unanswered);
        self.findings.retain(|finding| {
            finding.is_of_age()
                || found(finding.about)
                || unread && matches!(finding.about, About::Access | About::Unanswered)
        });
    }

    fn health(&self) -> Health {
        match self.at_work {
            AtWork::Yes => Health::AtWork,
            AtWork::No if self.findings.iter().all(Finding::is_of_age) => Health::Healthy,
            AtWork::No => Health::Unhealthy,
        }
    }
}

impl<C: Cloud, N: Notifier> Work<'_, C, N> {
    /// Checks the pair, notifies people of what a scheduled check found, and answers a check by hand with the report.
    pub(super) async fn check(&self, asked: Asked) -> Result<Value, Refusal> {
        let (mut seen, subscriptions) = join(self.look(), self.subscriptions()).await;
        if let Ok(first) = &seen
            && first.health() == Health::Unhealthy
        {
            info!("looking a second time");
            sleep(SECOND_LOOK).await;
            let mut second = self.look().await?;
            second.confirm(first);
            seen = Ok(second);
        }
        let mut seen = seen?;
        let unanswered = |finding: &Finding| finding.about == About::Unanswered;
        if let [finding, ..] = &seen.findings[..]
            && seen.findings.iter().all(unanswered)
        {
            return Err(Refusal::Event(format!(
                "the check could not be made: {}",
                finding.text
            )));
        }
        if let (Some(topic), Some(subscriptions)) = (&self.environment.topic, subscriptions) {
            seen.findings.extend(of_topic(topic, subscriptions));
        }
        for finding in &seen.findings {
            warn!(about = finding.about.name(), "{}", finding.text);
        }
        let health = seen.health();
        info!(?health, findings = seen.findings.len(), "checked");
        match asked {
            Asked::ByHand(form) => {
                let report = Report {
                    environment: self.environment,
                    observed: &seen.observed,
                    health,
                    findings: &seen.findings,
                    subscriptions,
                };
                Ok(report.written(form))
            }
            Asked::OnSchedule(now) => {
                self.tell_of_check(&seen.findings, health, now).await?;
                Ok(Value::Null)
            }
        }
    }

    async fn look(&self) -> Result<Seen, Refusal> {
        let (at_work, observed) = self.observe_all().await?;
        let findings = match at_work {
            AtWork::Yes => Vec::new(),
            AtWork::No => self.judged(&observed).await,
        };
        Ok(Seen {
            observed,
            at_work,
            findings,
        })
    }

    /// What an update would see.
    pub(super) async fn observe_all(&self) -> Result<(AtWork, Observed), Refusal> {
        let desired = &self.environment.desired;
        let buckets = buckets_to_find(&desired.buckets, desired.verification);
        let observed =
            observe::for_check(&self.invocation, &self.progress, &desired.user, &buckets);
        Ok(observed.await?)
    }

    async fn judged(&self, observed: &Observed) -> Vec<Finding> {
        let unknown = of_regions(observed);
        let proof = match key_in_use(observed).filter(|_| unknown.is_none()) {
            Some(key) => Some(self.proved(key, observed).await),
            // The plan reports a missing key.
            None => None,
        };
        let proof = proof.iter().flat_map(of_proof);
        proof
            .chain(unknown)
            .chain(of_inactive_key(observed))
            .chain(of_plan(&self.planned(observed)))
            .chain(of_added_power(self.environment, observed))
            .chain(of_age(self.environment, observed))
            .collect()
    }

    /// The plan of an update that keeps all properties, without the stack's tags.
    pub(super) fn planned(&self, observed: &Observed) -> Result<Plan, Refusal> {
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
        let patience = Patience {
            known: KEY_KNOWN,
            end: invocation.deadline.of_work() - WITHDRAW,
        };
        let user = &self.environment.desired.user;
        prove(invocation.cloud, user, key, &targets, patience).await
    }

    /// Sends the findings that are due, in one message. On the first day of a month, says that all is well if it is.
    async fn tell_of_check(
        &self,
        findings: &[Finding],
        health: Health,
        now: SystemTime,
    ) -> Result<(), Refusal> {
        let (due, others): (Vec<&Finding>, Vec<&Finding>) =
            findings.iter().partition(|finding| finding.is_due(now));
        if !due.is_empty() {
            return self.tell(&message::findings(self.environment, &due)).await;
        }
        if health == Health::Healthy && dates::is_first_of_month(now) {
            return self
                .tell(&message::all_well(self.environment, &others))
                .await;
        }
        Ok(())
    }

    /// Counts the topic's subscriptions. `None` if there is no topic, or if it is not the stack's own and the role may not
    /// look.
    async fn subscriptions(&self) -> Option<Subscriptions> {
        let topic = self.environment.topic.as_ref()?;
        let count = async || self.notifier.subscriptions(topic).await;
        match self.invocation.while_denied(&self.progress, count).await {
            Ok(found) => Some(found),
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
