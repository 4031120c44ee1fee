//! What CloudFormation sends, read in two stages: first where to send the answer ([`Envelope`]), from any event; then
//! what to do ([`Request`]), with only valid values.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_lambda_events::cloudformation::CloudFormationCustomResourceRequest;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::names::{PhysicalId, RecoveryWindow, UserName};
use crate::outcome::{Failure, Outcome, Success};
use crate::ownership::{Owner, StackId};
use crate::properties::{Deletion, Desired, Previous, service_timeout};
use crate::property_error::PropertyError;
use crate::response_url::{ResponseUrl, ResponseUrlError};
use crate::settings::{BodyLogging, Home, Settings};
use crate::waits::SERVICE_TIMEOUT;

/// How many bytes the ids may take in an answer. They must arrive intact, and leave room for a reason in 4,096 bytes.
/// CloudFormation's take about 1,800 at most.
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
            .map(|id| Value::from(id.as_str()).to_string().len())
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

    /// A failure under the event's physical id or, if it has none, under [`Envelope::refused_id`].
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

/// What to do, and for which resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whose the resource is, or will be.
    pub owner: Owner,
    /// What to do with it.
    pub action: Action,
}

/// What to do with a resource.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one request in an invocation: its size does not matter"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Create(Desired),
    /// Change it. A rollback is an Update with old and new properties swapped.
    Update {
        /// Its id so far.
        id: PhysicalId,
        /// What it is to become.
        desired: Desired,
        previous: Previous,
    },
    Delete {
        id: PhysicalId,
        /// The user that the id names or, if the id is not of our form, the user that the properties name. `None` if
        /// neither names one that can be ours.
        user: Option<UserName>,
        /// How long its secret can be restored.
        recovery: RecoveryWindow,
    },
}

type Untyped = CloudFormationCustomResourceRequest<Value, Value>;

impl Request {
    /// Reads the whole event; `envelope` was read from it.
    ///
    /// # Errors
    /// The answer, if it is known without an AWS call: a refusal, or success when a Delete follows a refused Create.
    pub fn parse(event: &str, envelope: &Envelope, settings: &Settings) -> Result<Self, Outcome> {
        serve_only(envelope, settings).map_err(|why| Err(envelope.failure(why)))?;
        let owner = admit(envelope, settings).map_err(|why| envelope.refuse(why))?;
        let event = untyped(event, envelope)
            .map_err(|why| envelope.refuse(format!("the request is malformed: {why}")))?;
        // A user beyond the role's reach was refused at its Create, so nothing was made under that name.
        let reachable = |user: Option<UserName>| user.filter(|user| within_reach(user, settings));
        let action = match event {
            Untyped::Create(event) => {
                let properties = &event.resource_properties;
                Action::Create(desired(&owner, properties, settings).map_err(|refusal| {
                    Err(Failure {
                        id: refused_create_id(envelope, properties, settings),
                        reason: refusal.to_string(),
                    })
                })?)
            }
            Untyped::Update(event) => {
                let mut previous = Previous::read(&event.old_resource_properties);
                previous.user = reachable(previous.user);
                Action::Update {
                    id: PhysicalId::parse(&event.physical_resource_id),
                    desired: desired(&owner, &event.resource_properties, settings)
                        .map_err(|refusal| Err(envelope.failure(refusal.to_string())))?,
                    previous,
                }
            }
            Untyped::Delete(event) => {
                let id = PhysicalId::parse(&event.physical_resource_id);
                let Deletion { user, recovery } = Deletion::read(&event.resource_properties);
                let user = id.user().or_else(|| reachable(user));
                Action::Delete { id, user, recovery }
            }
            _ => {
                return Err(envelope.refuse(format!(
                    "`{}` is an unknown `RequestType`",
                    envelope.request_type
                )));
            }
        };
        Ok(Self { owner, action })
    }

    /// The id for a failure without a better one: what a following Delete has to clean up, or the id so far.
    #[must_use]
    pub fn failure_id(&self) -> String {
        match &self.action {
            Action::Create(desired) => desired.user.secret_name().to_string(),
            Action::Update { id, .. } | Action::Delete { id, .. } => id.to_string(),
        }
    }

    /// What is asked for, as CloudFormation calls it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.action {
            Action::Create(_) => "Create",
            Action::Update { .. } => "Update",
            Action::Delete { .. } => "Delete",
        }
    }
}

/// The function serves only the stack that made it. A Delete of another stack is no exception: that stack could not
/// create anything here.
fn serve_only(envelope: &Envelope, settings: &Settings) -> Result<(), String> {
    match &settings.stack_id {
        Some(served) if *served != envelope.stack_id => Err(format!(
            "this function serves only stack `{served}`, which made it, and the request names another one: give the \
             resource the `ServiceToken` of a function of its own; nothing was changed"
        )),
        Some(_) | None => Ok(()),
    }
}

/// The resource of the event, if this function may act on it.
///
/// Anybody who may invoke the function can forge an event. A stack of another account, region or partition than the
/// function's is refused. The refusal is still answered: the URL is one of AWS's, the answer carries no credentials,
/// and a forger learns nothing that they did not send.
fn admit(envelope: &Envelope, settings: &Settings) -> Result<Owner, String> {
    if settings.body_logging == BodyLogging::On {
        return Err("the function's environment has `LOG_SENSITIVE_BODIES`, which would log secret keys: remove it".into());
    }
    if envelope.channel == Channel::Topic {
        return Err(
            "the request came through an SNS topic: set `ServiceToken` to the function's ARN"
                .into(),
        );
    }
    let Some(home) = &settings.home else {
        return Err(
            "the function cannot tell its own account and region: Lambda gave no function ARN"
                .into(),
        );
    };
    let Some(stack) = StackId::parse(&envelope.stack_id) else {
        return Err(
            "the request is malformed: `StackId` is missing or is not the ARN of a stack".into(),
        );
    };
    let Home {
        partition,
        region,
        account,
    } = home;
    if (stack.partition(), stack.region(), stack.account()) != (partition, region, account) {
        return Err(format!(
            "the stack is in `{}:{}:{}`, but the function serves only `{partition}:{region}:{account}`: deploy it there too",
            stack.partition(),
            stack.region(),
            stack.account()
        ));
    }
    for (field, text) in [
        ("RequestType", &envelope.request_type),
        ("RequestId", &envelope.request_id),
        ("LogicalResourceId", &envelope.logical_id),
    ] {
        if text.is_empty() {
            return Err(format!(
                "the request is malformed: `{field}` is missing or is not a string"
            ));
        }
    }
    Ok(Owner {
        stack,
        logical_id: envelope.logical_id.clone(),
    })
}

/// Decodes the event with its properties left as they are. Fills in first what CloudFormation documents as optional,
/// and what emulators leave out, send as `null`, or send in another type.
fn untyped(event: &str, envelope: &Envelope) -> serde_json::Result<Untyped> {
    let mut event: Map<String, Value> = serde_json::from_str(event)?;
    for properties in ["ResourceProperties", "OldResourceProperties"] {
        let value = event.entry(properties).or_insert(Value::Null);
        if value.is_null() {
            *value = Value::Object(Map::new());
        }
    }
    for (field, text) in [
        ("StackId", &envelope.stack_id),
        ("RequestId", &envelope.request_id),
        ("LogicalResourceId", &envelope.logical_id),
    ] {
        event.insert(field.to_owned(), text.as_str().into());
    }
    // An id that is empty or not text counts as missing.
    if envelope.physical_id.is_none() {
        event.remove("PhysicalResourceId");
    }
    // The envelope has the URL. The resource's type and the function's name decide nothing.
    for field in ["ResponseURL", "ResourceType", "ServiceToken"] {
        event.insert(field.to_owned(), "".into());
    }
    serde_json::from_value(Value::Object(event))
}

/// Parses the properties of a Create or Update, and refuses a user that the role does not reach.
fn desired(
    owner: &Owner,
    properties: &Value,
    settings: &Settings,
) -> Result<Desired, PropertyError> {
    let partition = owner.stack.partition();
    let desired = Desired::parse(properties, partition)?;
    if !within_reach(&desired.user, settings) {
        let prefix = &settings.user_name_prefix;
        let rule =
            format!("the function's role reaches only users named `{prefix}*`; choose such a name");
        return Err(PropertyError::of_value(
            "UserName",
            &desired.user.as_str().into(),
            rule,
        ));
    }
    Ok(desired)
}

/// The id that a refused Create would have had, if it is known and within the role's reach; otherwise
/// [`Envelope::refused_id`].
fn refused_create_id(envelope: &Envelope, properties: &Value, settings: &Settings) -> String {
    let user = Deletion::read(properties)
        .user
        .filter(|user| within_reach(user, settings));
    user.map_or_else(
        || envelope.refused_id(),
        |user| user.secret_name().to_string(),
    )
}

fn within_reach(user: &UserName, settings: &Settings) -> bool {
    user.as_str().starts_with(&settings.user_name_prefix)
}
