//! Notifications, in our own words: implemented with the SDK ([`crate::cloud::aws::Topics`]) and, in the tests, in memory.

use std::fmt;

use serde_json::{Value, json};

use super::Result;

/// The full ARN of an SNS topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicArn(pub String);

impl fmt::Display for TopicArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A message, in a form for each kind of subscriber. It contains no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    subject: String,
    pub text: String,
    /// For people who chat: Amazon Q Developer's
    /// [custom notification](https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html), which drops anything
    /// else.
    pub chat: Value,
    pub machine: Value,
}

impl Message {
    /// The most characters of a subject
    /// ([`Publish`](https://docs.aws.amazon.com/sns/latest/api/API_Publish.html)).
    pub const LONGEST_SUBJECT: usize = 100;

    /// The most bytes of a message with all its forms.
    pub const LONGEST: usize = 256 * 1024;

    /// Makes a message. SNS refuses a subject that is too long or has characters beyond printable ASCII, so it is cut
    /// and they are replaced.
    pub fn new(subject: &str, text: String, chat: Value, machine: Value) -> Self {
        let printable = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
        let subject = subject.chars().map(printable);
        Self {
            subject: subject.take(Self::LONGEST_SUBJECT).collect(),
            text,
            chat,
            machine,
        }
    }

    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// One text for each protocol, as `MessageStructure: json` takes them. A short message is the first sentence.
    pub fn by_protocol(&self) -> Value {
        let Self {
            subject: _,
            text,
            chat,
            machine,
        } = self;
        let sentence = text.split('\n').next().unwrap_or_default();
        let (chat, machine) = (chat.to_string(), machine.to_string());
        json!({
            "default": text,
            "email": text,
            "sms": sentence,
            "https": chat,
            "email-json": machine,
            "firehose": machine,
            "http": machine,
            "lambda": machine,
            "sqs": machine,
        })
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subscriptions {
    /// Those that are confirmed: they get every message.
    pub confirmed: u64,
    /// Those that nobody has confirmed yet: they get none.
    pub pending: u64,
}

/// The calls, with the guarantees of [`Cloud`](super::Cloud) on errors and repetition.
pub trait Notifier {
    /// `sns:Publish`. On [`Indeterminate`](super::ErrorKind::Indeterminate) it may have been sent.
    async fn publish(&self, topic: &TopicArn, message: &Message) -> Result<()>;

    /// `sns:GetTopicAttributes`: how many subscriptions the topic has; a topic that is gone has none.
    async fn subscriptions(&self, topic: &TopicArn) -> Result<Subscriptions>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(subject: &str) -> Message {
        let text = "The first sentence.\n- a finding".to_owned();
        Message::new(
            subject,
            text,
            json!({"version": "1.0"}),
            json!({"event": "x"}),
        )
    }

    #[test]
    fn a_subject_is_one_that_sns_accepts() {
        let message = message(&format!("Größe\n{}", "x".repeat(200)));
        assert_eq!(message.subject().len(), 100);
        assert!(message.subject().starts_with("Gr??e?xx"));
    }

    #[test]
    fn each_protocol_gets_its_own_form() {
        let forms = message("s").by_protocol();
        for (protocol, form) in [
            ("default", "The first sentence.\n- a finding"),
            ("email", "The first sentence.\n- a finding"),
            ("sms", "The first sentence."),
            ("https", r#"{"version":"1.0"}"#),
            ("http", r#"{"event":"x"}"#),
            ("sqs", r#"{"event":"x"}"#),
            ("lambda", r#"{"event":"x"}"#),
            ("firehose", r#"{"event":"x"}"#),
            ("email-json", r#"{"event":"x"}"#),
        ] {
            assert_eq!(forms[protocol], form, "{protocol}");
        }
    }
}
