//! The events that invoke the function, and who sends them.

use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::{Map, Value};

use crate::cloud::{SecretArn, VersionId};
use crate::observe::Refusal;
use crate::plan::RotationStep;
use crate::plan::dates::date;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Secrets Manager asks for a step of a rotation.
    Rotation(RotationRequest),
    /// Secrets Manager has moved `AWSCURRENT`.
    NewKey { time: String },
    /// A check is due, or a person asks for one.
    Check(Asked),
}

/// One step of a rotation, as Secrets Manager asks for it
/// ([form](https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html)).
///
/// An event may also carry a `RotationToken`, which lets a function write with another account's role. This function
/// uses its own role, so it neither reads nor keeps the sensitive token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationRequest {
    pub step: RotationStep,
    /// The version that is to become current.
    pub token: VersionId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A person: `{"check": {}}`. The report is the answer, and nobody is notified.
    ByHand(Form),
    /// The schedule: `{"check": {"time": "2026-11-24T06:00:00Z"}}`. The time of day never varies, so two checks are
    /// whole days apart, however late either runs.
    OnSchedule(SystemTime),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Json,
    /// `{"check": {"as": "text"}}`: lines for people, as one JSON string. `make status` asks for it.
    Text,
}

impl Event {
    /// Parses an event about this secret.
    ///
    /// # Errors
    /// What is wrong with the event, without its values.
    pub fn parse(text: &str, secret: &SecretArn) -> Result<Self, Refusal> {
        let members: Map<String, Value> =
            serde_json::from_str(text).map_err(|_| refused("it is not a JSON object"))?;
        let has = |name: &str| members.contains_key(name);
        if has("Step") || has("SecretId") || has("ClientRequestToken") {
            return rotation(&members, secret).map(Self::Rotation);
        }
        if has("check") {
            return check(&members).map(Self::Check);
        }
        if has("detail-type") || has("source") {
            return new_key(&members, secret);
        }
        Err(refused(
            "it has neither `Step`, `SecretId` and `ClientRequestToken`, nor `check`, nor `source` and `detail-type`",
        ))
    }
}

/// Parses a step of a rotation. Ignores unknown members, because Secrets Manager may add some.
fn rotation(members: &Map<String, Value>, ours: &SecretArn) -> Result<RotationRequest, Refusal> {
    let member = |name: &str| {
        let value = members.get(name).and_then(Value::as_str);
        value.ok_or_else(|| refused(&format!("`{name}` is missing or not a string")))
    };
    let step = RotationStep::named(member("Step")?).ok_or_else(|| {
        refused("`Step` must be `createSecret`, `setSecret`, `testSecret` or `finishSecret`")
    })?;
    let secret = member("SecretId")?;
    let token = member("ClientRequestToken")?;
    let of_a_token = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if !(32..=64).contains(&token.len()) || !token.chars().all(of_a_token) {
        return Err(refused(
            "`ClientRequestToken` must be a version id of 32 to 64 letters, digits and hyphens",
        ));
    }
    about(secret, ours)?;
    Ok(RotationRequest {
        step,
        token: VersionId(token.to_owned()),
    })
}

fn about(secret: &str, ours: &SecretArn) -> Result<(), Refusal> {
    if secret == ours.0 {
        return Ok(());
    }
    Err(Refusal::Event(format!(
        "the event is about another secret, and this function serves only `{ours}` (`SECRET_ARN`)"
    )))
}

fn check(members: &Map<String, Value>) -> Result<Asked, Refusal> {
    const FORM: &str = "a check is `{\"check\": {}}` by hand, or `{\"check\": {\"time\": \"2026-11-24T06:00:00Z\"}}` \
                        on schedule";
    let asked = members.get("check").and_then(Value::as_object);
    let asked = asked.filter(|_| members.len() == 1);
    let asked = asked.ok_or_else(|| refused(FORM))?;
    let member = |name: &str| asked.get(name).and_then(Value::as_str);
    match (asked.len(), member("time"), member("as")) {
        (0, _, _) => Ok(Asked::ByHand(Form::Json)),
        (1, _, Some("text")) => Ok(Asked::ByHand(Form::Text)),
        (1, Some(time), _) => {
            let time = timestamp(time).ok_or_else(|| refused(FORM))?;
            Ok(Asked::OnSchedule(time))
        }
        (_, _, _) => Err(refused(FORM)),
    }
}

/// Secrets Manager's
/// [event](https://docs.aws.amazon.com/secretsmanager/latest/userguide/event-detail-secret-label-updated-secretsmanager.html)
/// that a label has moved. It needs no `CloudTrail` trail.
fn new_key(members: &Map<String, Value>, ours: &SecretArn) -> Result<Event, Refusal> {
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    if (text("source"), text("detail-type"))
        != (Some("aws.secretsmanager"), Some("Secret Label Updated"))
    {
        return Err(refused(
            "from `EventBridge` it serves only `Secret Label Updated` of `aws.secretsmanager`",
        ));
    }
    let resources = members.get("resources").and_then(Value::as_array);
    let [Value::String(secret)] = resources.map(Vec::as_slice).unwrap_or_default() else {
        return Err(refused("its `resources` must name one secret"));
    };
    about(secret, ours)?;
    let label = members
        .get("detail")
        .and_then(|detail| detail.get("labelUpdated"));
    if label.and_then(Value::as_str) != Some("AWSCURRENT") {
        return Err(refused("its `detail.labelUpdated` must be `AWSCURRENT`"));
    }
    let time = text("time").and_then(timestamp);
    let time = time.ok_or_else(|| refused("its `time` is not a timestamp"))?;
    Ok(Event::NewKey { time: date(time) })
}

fn timestamp(text: &str) -> Option<SystemTime> {
    let time = DateTime::from_str(text, Format::DateTime).ok()?;
    SystemTime::try_from(time).ok()
}

fn refused(why: &str) -> Refusal {
    Refusal::Event(format!("this function does not serve such an event: {why}"))
}

impl RotationStep {
    pub const ALL: [Self; 4] = [Self::Create, Self::Set, Self::Test, Self::Finish];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "createSecret",
            Self::Set => "setSecret",
            Self::Test => "testSecret",
            Self::Finish => "finishSecret",
        }
    }

    /// The step of this name. AWS's documentation also spells it `create_secret`, and so on.
    fn named(name: &str) -> Option<Self> {
        let name = name.replace('_', "");
        Self::ALL
            .into_iter()
            .find(|step| step.name().eq_ignore_ascii_case(&name))
    }
}

#[cfg(test)]
mod tests;
