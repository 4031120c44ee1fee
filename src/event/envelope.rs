//! Where to send the answer, read from any event.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::outcome::{Failure, Outcome, Success};
use crate::properties::service_timeout;
use crate::response_url::{ResponseUrl, ResponseUrlError};
use crate::settings::Settings;
use crate::waits::SERVICE_TIMEOUT;

/// The ids of an answer are CloudFormation's own and must arrive intact. Together they must leave room for a reason in
/// 4,096 bytes. CloudFormation's are about 1,800 bytes long at most.
const IDS_LIMIT: usize = 3000;

/// Where to send the answer, and with which ids.
#[derive(Clone, Debug)]
pub struct Envelope {
    pub url: ResponseUrl,
    /// `StackId`; empty if it is missing or not text.
    pub stack_id: String,
    /// `RequestId`, likewise.
    pub request_id: String,
    /// `LogicalResourceId`, likewise.
    pub logical_id: String,
    /// `PhysicalResourceId`; a Create has none.
    pub physical_id: Option<String>,
    /// `RequestType`, unchecked.
    pub request_type: String,
    pub channel: Channel,
    /// How long CloudFormation waits for the answer.
    pub waits: Duration,
}

/// How an event came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// From CloudFormation itself.
    Direct,
    /// Through an SNS topic: `ServiceToken` is the topic's ARN.
    Topic,
}

/// Why no answer can be given. Another invocation cannot cure it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not a JSON object with a `ResponseURL`.
    #[error("it is not a request of CloudFormation: it has no `ResponseURL`")]
    NoUrl,
    /// The URL is not one that answers may go to.
    #[error(transparent)]
    Url(#[from] ResponseUrlError),
    /// No answer with these ids fits into 4,096 bytes.
    #[error("its ids have {0} bytes, more than CloudFormation's ever have")]
    Ids(usize),
}

/// The members of a JSON object, undecoded, so that a bad one does not spoil the others.
type Members = HashMap<String, Box<RawValue>>;

/// A member, if it exists and can be decoded.
fn decoded<T: DeserializeOwned>(members: &Members, name: &str) -> Option<T> {
    serde_json::from_str(members.get(name)?.get()).ok()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TopicEvent {
    records: Vec<TopicRecord>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TopicRecord {
    sns: TopicMessage,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TopicMessage {
    message: String,
}

impl Envelope {
    /// Reads the event's text. Only the URL is required. Anything else that is missing or of the wrong type still gets
    /// an answer.
    pub fn read(event: &str, settings: &Settings) -> Result<Self, EnvelopeError> {
        let members: Members = serde_json::from_str(event).map_err(|_| EnvelopeError::NoUrl)?;
        if members.contains_key("ResponseURL") {
            return Self::of_members(&members, Channel::Direct, settings);
        }
        let mut topic: TopicEvent =
            serde_json::from_str(event).map_err(|_| EnvelopeError::NoUrl)?;
        let record = topic.records.pop().ok_or(EnvelopeError::NoUrl)?;
        let members =
            serde_json::from_str(&record.sns.message).map_err(|_| EnvelopeError::NoUrl)?;
        Self::of_members(&members, Channel::Topic, settings)
    }

    fn of_members(
        members: &Members,
        channel: Channel,
        settings: &Settings,
    ) -> Result<Self, EnvelopeError> {
        let text = |name| decoded::<String>(members, name);
        let url = text("ResponseURL").ok_or(EnvelopeError::NoUrl)?;
        let envelope = Self {
            url: ResponseUrl::parse(&url, &settings.response_origins)?,
            stack_id: text("StackId").unwrap_or_default(),
            request_id: text("RequestId").unwrap_or_default(),
            logical_id: text("LogicalResourceId").unwrap_or_default(),
            physical_id: text("PhysicalResourceId").filter(|id| !id.is_empty()),
            request_type: text("RequestType").unwrap_or_default(),
            channel,
            waits: service_timeout(&decoded(members, "ResourceProperties").unwrap_or_default())
                .unwrap_or(SERVICE_TIMEOUT),
        };
        match envelope.ids_length() {
            length if length > IDS_LIMIT => Err(EnvelopeError::Ids(length)),
            _ => Ok(envelope),
        }
    }

    /// How many bytes the ids take in an answer, including escapes.
    fn ids_length(&self) -> usize {
        let refused = self.refused_id();
        let physical = self.physical_id.as_ref().unwrap_or(&refused);
        let ids = [&self.stack_id, &self.request_id, &self.logical_id, physical];
        ids.iter()
            .map(|id| serde_json::Value::from(id.as_str()).to_string().len())
            .sum()
    }

    /// The physical id of a resource whose Create was refused before its name was known. Nothing was made under it.
    #[must_use]
    pub fn refused_id(&self) -> String {
        match self.logical_id.as_str() {
            "" => "unnamed-refused".to_owned(),
            logical_id => format!("{logical_id}-refused"),
        }
    }

    /// A failure with the id that the event came with, which is never empty.
    #[must_use]
    pub fn failure(&self, reason: impl Into<String>) -> Failure {
        Failure {
            id: self
                .physical_id
                .clone()
                .unwrap_or_else(|| self.refused_id()),
            reason: reason.into(),
        }
    }

    /// The answer to an event that is refused as a whole, without an AWS call.
    ///
    /// CloudFormation follows a refused Create with a Delete of its [`Envelope::refused_id`]. Refusing that Delete for
    /// the same cause would leave the stack in `DELETE_FAILED`. Nothing was ever made under that id, so the Delete
    /// succeeds.
    ///
    /// # Errors
    /// The failure, in any other case.
    pub fn refuse(&self, reason: impl Into<String>) -> Outcome {
        let id = self.refused_id();
        if self.request_type == "Delete" && self.physical_id.as_ref() == Some(&id) {
            return Ok(Success {
                id,
                attributes: BTreeMap::new(),
            });
        }
        Err(self.failure(reason))
    }
}
