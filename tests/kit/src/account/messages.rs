//! SNS: the messages that people get.

use publisher_s3_access::cloud::{ErrorKind, Message, Notifier, Result, Subscriptions, TopicArn};

use serde_json::Value;

use super::{ACCOUNT, Account, By, REGION, denied, refusal};

/// The topic that exists.
pub fn topic() -> TopicArn {
    TopicArn(format!("arn:aws:sns:{REGION}:{ACCOUNT}:people"))
}

impl Notifier for Account {
    async fn publish(&self, to: &TopicArn, message: &Message) -> Result<()> {
        self.act("sns:Publish", message.subject(), By::Role, |state, _| {
            if *to != topic() {
                let why = "Topic does not exist";
                return Err(refusal(ErrorKind::NotFound, "NotFound", why));
            }
            let subject = message.subject();
            if subject.is_empty() || subject.len() > 100 || !subject.is_ascii() {
                let why = "Invalid parameter: Subject";
                return Err(refusal(ErrorKind::Rejected, "InvalidParameter", why));
            }
            state.violations.extend(faults_of(message));
            state.messages.push(message.clone());
            Ok(())
        })
        .await
    }

    async fn subscriptions(&self, to: &TopicArn) -> Result<Subscriptions> {
        self.act("sns:GetTopicAttributes", to, By::Role, |state, _| {
            let denied = || {
                denied(
                    "sns:GetTopicAttributes",
                    "because no identity-based policy allows it",
                )
            };
            state.subscriptions.ok_or_else(denied)
        })
        .await
    }
}

/// What SNS, a subscriber or a reader could not take.
fn faults_of(message: &Message) -> Vec<String> {
    let forms = message.by_protocol();
    let all = forms.to_string();
    let mut faults = Vec::new();
    let mut must = |holds: bool, fault: &str| {
        if !holds {
            faults.push(format!("{fault}: {all}"));
        }
    };
    must(all.len() <= Message::LONGEST, "a message is too long");
    must(!all.contains("s3cr3t/+"), "a message contains a secret key");
    must(
        forms["default"]
            .as_str()
            .is_some_and(|text| !text.is_empty()),
        "a message has no default form",
    );
    let chat: Value = forms["https"]
        .as_str()
        .and_then(|form| serde_json::from_str(form).ok())
        .unwrap_or_default();
    must(is_custom_notification(&chat), "chat drops a message");
    for protocol in ["sqs", "lambda", "http", "firehose", "email-json"] {
        let form = forms[protocol].as_str().unwrap_or_default();
        must(
            serde_json::from_str::<Value>(form).is_ok(),
            "a program cannot read a message",
        );
    }
    faults
}

/// The [documented schema](https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html).
fn is_custom_notification(chat: &Value) -> bool {
    let only = |value: &Value, names: &[&str]| {
        let members = value.as_object().into_iter().flatten();
        members
            .map(|(name, _)| name.as_str())
            .all(|name| names.contains(&name))
    };
    let strings = |list: &Value| {
        list.as_array()
            .is_some_and(|items| items.iter().all(Value::is_string))
    };
    let (content, metadata) = (&chat["content"], &chat["metadata"]);
    let context = metadata["additionalContext"].as_object();
    chat["version"] == "1.0"
        && chat["source"] == "custom"
        && only(chat, &["version", "source", "id", "content", "metadata"])
        && only(
            content,
            &["textType", "title", "description", "nextSteps", "keywords"],
        )
        && content["textType"] == "client-markdown"
        && content["title"].is_string()
        && content["description"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
        && strings(&content["nextSteps"])
        && only(
            metadata,
            &[
                "threadId",
                "summary",
                "eventType",
                "relatedResources",
                "additionalContext",
            ],
        )
        && ["threadId", "summary", "eventType"]
            .iter()
            .all(|name| metadata[name].is_string())
        && strings(&metadata["relatedResources"])
        && context.is_some_and(|context| context.values().all(Value::is_string))
}

impl Account {
    /// Sets how many subscriptions the topic has; `None` if the role may not look.
    pub fn subscribe(&self, subscriptions: Option<Subscriptions>) {
        self.state().subscriptions = subscriptions;
    }

    /// The messages so far, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.state().messages.clone()
    }

    /// Takes the messages since the last time.
    pub fn take_messages(&self) -> Vec<Message> {
        std::mem::take(&mut self.state().messages)
    }
}
