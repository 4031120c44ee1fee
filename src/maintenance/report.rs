//! The report of a check by hand: JSON, without secrets.

use serde_json::{Value, json};

use super::findings::Finding;
use super::{Environment, Form};
use crate::cloud::{AccessKeyId, Key, KeyStatus, Label, Subscriptions};
use crate::observe::{KeyUse, Observed};
use crate::plan::dates;
use crate::request::labels::with_labels;
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

/// What a check by hand answers.
pub(super) struct Report<'a> {
    pub(super) environment: &'a Environment,
    pub(super) observed: &'a Observed,
    pub(super) health: Health,
    pub(super) findings: &'a [Finding],
    /// `None` if there is no topic or the role may not look at it.
    pub(super) subscriptions: Option<Subscriptions>,
}

impl Report<'_> {
    pub(super) fn written(&self, form: Form) -> Value {
        let keys = self.observed.pair.user.iter().flat_map(|user| &user.keys);
        let keys: Vec<Value> = keys.map(|key| described(self.observed, key)).collect();
        match form {
            Form::Json => self.json(&keys),
            Form::Text => Value::String(self.lines(&keys)),
        }
    }

    fn json(&self, keys: &[Value]) -> Value {
        let user = &self.environment.desired.user;
        let findings: Vec<Value> = self.findings.iter().map(Finding::to_json).collect();
        json!({
            "healthy": self.health == Health::Healthy,
            "state": self.health.name(),
            "user": user.as_str(),
            "secret": user.secret_name().as_str(),
            "checked": dates::date(self.observed.now),
            "findings": findings,
            "keys": keys,
            "subscriptions": self.subscriptions.map(|Subscriptions { confirmed, pending }| {
                json!({"confirmed": confirmed, "pending": pending})
            }),
        })
    }

    /// The same for people. The first line is the state.
    fn lines(&self, keys: &[Value]) -> String {
        let user = &self.environment.desired.user;
        let mut lines = vec![
            self.health.name().to_owned(),
            format!(
                "User {user}, secret {}, checked {}",
                user.secret_name(),
                dates::date(self.observed.now)
            ),
        ];
        let findings = self.findings.iter();
        lines.extend(findings.map(|finding| format!("- {}.", with_labels(&finding.text))));
        lines.extend(keys.iter().map(line_of));
        lines.push(match self.subscriptions {
            Some(Subscriptions { confirmed, pending }) => format!(
                "Messages go to {confirmed} subscriptions; {pending} wait for their confirmation"
            ),
            None if self.environment.topic.is_none() => "Nobody is notified".to_owned(),
            None => "Who gets the messages is unknown: this function may not look at the topic"
                .to_owned(),
        });
        lines.join("\n") + "\n"
    }
}

fn line_of(key: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
    let last = &key["lastUse"];
    let used = match last.is_object() {
        false => text(last),
        true => {
            let note = last["note"].as_str();
            let note = note.map_or_else(String::new, |note| format!(" ({note})"));
            let [date, service, region] = ["date", "service", "region"].map(|of| text(&last[of]));
            format!("{date} for {service} in {region}{note}")
        }
    };
    let active = match key["active"] == true {
        true => "active",
        false => "inactive",
    };
    format!(
        "Key {}: {active}, label {}, {} days old, last use: {used}",
        text(&key["id"]),
        text(&key["label"]),
        key["ageDays"],
    )
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
