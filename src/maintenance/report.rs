//! The report of a check by hand: JSON, without secrets.

use std::fmt::Write;

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

/// Reports. `subscriptions` is `None` if there is no topic or the role may not look at it.
pub(super) fn report(
    environment: &Environment,
    observed: &Observed,
    health: Health,
    findings: &[Finding],
    subscriptions: Option<Subscriptions>,
    form: Form,
) -> Value {
    let keys = observed.pair.user.iter().flat_map(|user| &user.keys);
    let keys: Vec<Value> = keys.map(|key| described(observed, key)).collect();
    match form {
        Form::Json => json!({
            "healthy": health == Health::Healthy,
            "state": health.name(),
            "user": environment.desired.user.as_str(),
            "secret": environment.desired.user.secret_name().to_string(),
            "checked": dates::date(observed.now),
            "findings": findings.iter().map(Finding::to_json).collect::<Vec<_>>(),
            "keys": keys,
            "subscriptions": subscriptions.map(|Subscriptions { confirmed, pending }| {
                json!({"confirmed": confirmed, "pending": pending})
            }),
        }),
        Form::Text => Value::String(lines(
            environment,
            observed,
            health,
            findings,
            subscriptions,
            &keys,
        )),
    }
}

/// The same for people. The first line is the state.
fn lines(
    environment: &Environment,
    observed: &Observed,
    health: Health,
    findings: &[Finding],
    subscriptions: Option<Subscriptions>,
    keys: &[Value],
) -> String {
    let user = &environment.desired.user;
    let mut text = format!(
        "{}\nUser {user}, secret {}, checked {}\n",
        health.name(),
        user.secret_name(),
        dates::date(observed.now)
    );
    for finding in findings {
        let _ = writeln!(text, "- {}.", with_labels(&finding.text));
    }
    for key in keys {
        let said = |member: &str| match &key[member] {
            Value::String(said) => said.clone(),
            Value::Null => "none".to_owned(),
            Value::Object(of) => {
                let parts = of.values().filter_map(Value::as_str);
                parts.collect::<Vec<_>>().join(" ")
            }
            other => other.to_string(),
        };
        let active = if key["active"] == true {
            "active"
        } else {
            "inactive"
        };
        let _ = writeln!(
            text,
            "Key {}: {active}, label {}, {} days old, last use: {}",
            said("id"),
            said("label"),
            said("ageDays"),
            said("lastUse")
        );
    }
    match subscriptions {
        Some(Subscriptions { confirmed, pending }) => {
            let _ = writeln!(
                text,
                "Messages go to {confirmed} subscriptions; {pending} wait for their confirmation"
            );
        }
        None if environment.topic.is_none() => text.push_str("Nobody is notified\n"),
        None => text.push_str(
            "Who gets the messages is unknown: this function may not look at the topic\n",
        ),
    }
    text
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
