//! What CloudFormation sends, read in two stages: first where to send the answer ([`Envelope`]), from any event; then
//! what to do ([`Request`]), with only valid values.

pub mod buckets;
pub mod labels;
pub mod names;
pub mod outcome;
pub mod owner;
pub mod properties;
pub mod property_error;
pub mod response_url;
pub mod settings;
mod visible;

pub use visible::visible;

use std::collections::HashMap;
use std::time::SystemTime;

use aws_lambda_events::cloudformation::CloudFormationCustomResourceRequest;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use names::{PhysicalId, RecoveryWindow, UserName};
use outcome::Failure;
use owner::{Owner, StackId};
use properties::{Deletion, Desired, Previous};
use property_error::PropertyError;
use response_url::{ResponseUrl, ResponseUrlError};
use settings::{CUSTOM_RESOURCE, Settings};

/// How many bytes the ids may take in an answer. They must arrive intact, and leave room for a reason in 4,096 bytes.
/// CloudFormation's take about 1,800 at most.
const IDS_LIMIT: usize = 3000;

/// Where to send the answer, and with which ids.
#[derive(Clone, Debug)]
pub struct Envelope {
    pub url: ResponseUrl,
    /// `StackId`; empty if it is missing or not text.
    pub stack_id: String,
    pub request_id: String,
    pub logical_id: String,
    /// `PhysicalResourceId`; a Create has none.
    pub physical_id: Option<String>,
    /// `RequestType`, unchecked.
    pub request_type: String,
}

/// Why no answer can be given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not a JSON object with a `ResponseURL`.
    #[error(
        "it is not a request of CloudFormation: it has no `ResponseURL` (`ServiceToken` must be the ARN of this function)"
    )]
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
        let text = |name| decoded::<String>(&members, name);
        let url = text("ResponseURL").ok_or(EnvelopeError::NoUrl)?;
        let envelope = Self {
            url: ResponseUrl::parse(&url, &settings.response_origins)?,
            stack_id: text("StackId").unwrap_or_default(),
            request_id: text("RequestId").unwrap_or_default(),
            logical_id: text("LogicalResourceId").unwrap_or_default(),
            physical_id: text("PhysicalResourceId").filter(|id| !id.is_empty()),
            request_type: text("RequestType").unwrap_or_default(),
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
    pub fn refused_id(&self) -> String {
        match self.logical_id.as_str() {
            "" => "unnamed-refused".to_owned(),
            logical_id => format!("{logical_id}-refused"),
        }
    }

    /// A failure under the event's physical id or, if it has none, under [`Envelope::refused_id`].
    pub fn failure(&self, reason: impl Into<String>) -> Failure {
        Failure {
            id: self
                .physical_id
                .clone()
                .unwrap_or_else(|| self.refused_id()),
            reason: reason.into(),
        }
    }
}

/// The members of a JSON object, undecoded, so that a bad one does not spoil the others.
type Members = HashMap<String, Box<RawValue>>;

/// A member, if it exists and can be decoded.
fn decoded<T: DeserializeOwned>(members: &Members, name: &str) -> Option<T> {
    serde_json::from_str(members.get(name)?.get()).ok()
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whose the resource is, or will be.
    pub owner: Owner,
    /// When CloudFormation sent the request, if its URL says so.
    pub sent: Option<SystemTime>,
    pub action: Action,
}

#[expect(
    clippy::large_enum_variant,
    reason = "there is one request in an invocation: its size does not matter"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Create(Desired),
    /// Change it. A rollback is an Update with old and new properties swapped.
    Update {
        id: PhysicalId,
        desired: Desired,
        previous: Previous,
    },
    Delete {
        id: PhysicalId,
        /// The user that the id names or, if the id is not of our form, the user that the properties name. `None` if
        /// neither names one that can be ours.
        user: Option<UserName>,
        recovery: RecoveryWindow,
    },
}

type Untyped = CloudFormationCustomResourceRequest<Value, Value>;

impl Request {
    /// Reads the whole event; `envelope` was read from it.
    ///
    /// # Errors
    /// The answer, if the event is refused without an AWS call.
    pub fn parse(event: &str, envelope: &Envelope, settings: &Settings) -> Result<Self, Failure> {
        let owner = admit(envelope, settings).map_err(|why| envelope.failure(why))?;
        let event = untyped(event, envelope)
            .map_err(|why| envelope.failure(format!("the request is malformed: {why}")))?;
        // A user beyond the role's reach was refused at its Create, so nothing was made under that name.
        let reachable = |user: Option<UserName>| user.filter(|user| within_reach(user, settings));
        let action = match event {
            Untyped::Create(event) => {
                let properties = &event.resource_properties;
                Action::Create(desired(&owner, properties, settings).map_err(|refusal| {
                    Failure {
                        id: refused_create_id(envelope, properties, settings),
                        reason: refusal.to_string(),
                    }
                })?)
            }
            Untyped::Update(event) => {
                let mut previous = Previous::read(&event.old_resource_properties);
                previous.user = reachable(previous.user);
                Action::Update {
                    id: PhysicalId::parse(&event.physical_resource_id),
                    desired: desired(&owner, &event.resource_properties, settings)
                        .map_err(|refusal| envelope.failure(refusal.to_string()))?,
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
                return Err(envelope.failure(format!(
                    "`{}` is an unknown `RequestType`",
                    envelope.request_type
                )));
            }
        };
        let sent = envelope.url.sent();
        Ok(Self {
            owner,
            sent,
            action,
        })
    }

    /// The id for a failure without a better one: what a following Delete has to clean up, or the id so far.
    pub fn failure_id(&self) -> String {
        match &self.action {
            Action::Create(desired) => desired.user.secret_name().to_string(),
            Action::Update { id, .. } | Action::Delete { id, .. } => id.to_string(),
        }
    }

    pub fn kind(&self) -> &'static str {
        match self.action {
            Action::Create(_) => "Create",
            Action::Update { .. } => "Update",
            Action::Delete { .. } => "Delete",
        }
    }
}

/// The resource of the event, if this function may act on it: one of the stack that `STACK_ID` names. Whoever may invoke
/// the function can forge an event of another stack. A Delete is no exception, because another stack could not create
/// anything here.
fn admit(envelope: &Envelope, settings: &Settings) -> Result<Owner, String> {
    let handler = &settings.handler;
    if handler != CUSTOM_RESOURCE {
        return Err(format!(
            "the function's `Handler` is `{}`: set it to `{CUSTOM_RESOURCE}`",
            visible(handler)
        ));
    }
    let Some(served) = &settings.stack_id else {
        return Err(
            "the function does not know which stack it serves: set its environment variable `STACK_ID` to the stack's id \
             (`AWS::StackId`)"
                .into(),
        );
    };
    if *served != envelope.stack_id {
        return Err(format!(
            "this function serves only stack `{served}`, which made it, and the request names another one: give the \
             resource the `ServiceToken` of a function of its own; nothing was changed"
        ));
    }
    let Some(stack) = StackId::parse(served) else {
        return Err(format!(
            "`STACK_ID` is `{served}`, which is not the id of a stack: set it to `AWS::StackId`"
        ));
    };
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
