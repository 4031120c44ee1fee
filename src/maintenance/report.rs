//! The report of a check by hand: JSON, without secrets.

use serde_json::{Value, json};

use super::Environment;
use super::findings::Finding;
use crate::cloud::{AccessKeyId, Label};
use crate::cloud::{Key, KeyStatus, Subscriptions};
use crate::observe::{KeyUse, Observed};
use crate::plan::dates;
use crate::waits::DAY;

/// Whether the pair is as the stack says, and the key reads every bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    Healthy,
    Unhealthy,
    /// Unknown, because the stack is at work.
    AtWork,
}

impl Health {
    fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::AtWork => "stack at work",
        }
    }
}

/// Reports as JSON. `subscriptions` is `None` if there is no topic or the role may not look at it.
pub(super) fn report(
    environment: &Environment,
    observed: &Observed,
    health: Health,
    findings: &[Finding],
    subscriptions: Option<Subscriptions>,
) -> Value {
    let keys = observed.pair.user.iter().flat_map(|user| &user.keys);
    json!({
        "healthy": health == Health::Healthy,
        "state": health.name(),
        "user": environment.desired.user.as_str(),
        "secret": environment.desired.user.secret_name().to_string(),
        "checked": dates::date(observed.now),
        "findings": findings.iter().map(|finding| &finding.text).collect::<Vec<_>>(),
        "keys": keys.map(|key| described(observed, key)).collect::<Vec<_>>(),
        "subscriptions": subscriptions.map(|Subscriptions { confirmed, pending }| {
            json!({"confirmed": confirmed, "pending": pending})
        }),
    })
}

fn described(observed: &Observed, key: &Key) -> Value {
    let Key {
        id,
        status,
        created,
    } = key;
    let age = observed.now.duration_since(*created).unwrap_or_default();
    let label = label_of(observed, id);
    let uses = observed.pair.user.as_ref().map(|user| &user.last_used);
    let last = uses.and_then(|uses| uses.get(id));
    json!({
        "id": id.as_str(),
        "label": label,
        "active": *status == KeyStatus::Active,
        "ageDays": age.as_secs() / DAY.as_secs(),
        "lastUse": last_use(last, label == Some(Label::Current.as_str())),
    })
}

/// The label of the version that holds the key.
fn label_of(observed: &Observed, id: &AccessKeyId) -> Option<&'static str> {
    let secret = observed.pair.secret.as_ref()?;
    let holds = |label: &Label| secret.key_under(*label).is_some_and(|key| key.id == *id);
    let labels = [
        Label::Current,
        Label::Previous,
        Label::Pending,
        Label::Candidate,
    ];
    labels.into_iter().find(holds).map(Label::as_str)
}

fn last_use(last: Option<&KeyUse>, in_use: bool) -> Value {
    match last {
        Some(Ok(Some(last))) => {
            let mut value = json!({
                "date": dates::date(last.date),
                "service": last.service,
                "region": last.region,
            });
            if in_use {
                value["note"] = json!("often the daily check's own use");
            }
            value
        }
        Some(Ok(None)) => json!("never, as far as AWS knows"),
        Some(Err(_)) | None => json!("unknown"),
    }
}
