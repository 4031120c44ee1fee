//! What CloudFormation asks for, with only valid values.

use aws_lambda_events::cloudformation::CloudFormationCustomResourceRequest;
use serde_json::{Map, Value};

use super::envelope::{Channel, Envelope};
use crate::names::{PhysicalId, RecoveryWindow, UserName};
use crate::outcome::{Failure, Outcome};
use crate::ownership::{Owner, StackId};
use crate::properties::{Deletion, Desired, Previous};
use crate::property_error::PropertyError;
use crate::settings::{BodyLogging, Home, Settings};

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
        /// The user that its id names, or, if the id is foreign, its properties. `None` if neither names one that can
        /// be ours.
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
        // A user out of the role's reach was refused from the start, and AWS would only deny the call.
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

/// The id that a refused Create would have had, if it is known and within the role's reach.
fn refused_create_id(envelope: &Envelope, properties: &Value, settings: &Settings) -> String {
    let user = Deletion::read(properties)
        .user
        .filter(|user| within_reach(user, settings));
    user.map_or_else(
        || envelope.refused_id(),
        |user| user.secret_name().to_string(),
    )
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

fn within_reach(user: &UserName, settings: &Settings) -> bool {
    user.as_str().starts_with(&settings.user_name_prefix)
}
