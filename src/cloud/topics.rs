//! Notifications, in our own words: implemented with the SDK ([`crate::cloud::aws::Topics`]) and, in the tests, in memory.

use std::fmt;
use std::future::Future;

use super::Result;

/// The full ARN of an SNS topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicArn(pub String);

impl fmt::Display for TopicArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A message to people. It contains no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    subject: String,
    body: String,
}

impl Message {
    /// The most characters of a subject
    /// ([`Publish`](https://docs.aws.amazon.com/sns/latest/api/API_Publish.html)).
    pub const LONGEST_SUBJECT: usize = 100;

    /// Makes a message. SNS refuses a subject that is too long or has characters beyond printable ASCII, so it is cut
    /// and they are replaced.
    #[must_use]
    pub fn new(subject: &str, body: String) -> Self {
        let printable = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
        let subject = subject.chars().map(printable);
        Self {
            subject: subject.take(Self::LONGEST_SUBJECT).collect(),
            body,
        }
    }

    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
    }
}

/// How many subscriptions a topic has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscriptions {
    /// Those that are confirmed: they get every message.
    pub confirmed: u64,
    /// Those that nobody has confirmed yet: they get none.
    pub pending: u64,
}

/// The calls, with the guarantees of [`Cloud`](super::Cloud) on errors and repetition.
pub trait Notifier {
    /// `sns:Publish`. On [`Indeterminate`](super::ErrorKind::Indeterminate) it may have been sent.
    fn publish(&self, topic: &TopicArn, message: &Message) -> impl Future<Output = Result<()>>;

    /// `sns:GetTopicAttributes`: how many subscriptions the topic has.
    fn subscriptions(&self, topic: &TopicArn) -> impl Future<Output = Result<Subscriptions>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_one_that_sns_accepts() {
        let subject = format!("Größe\n{}", "x".repeat(200));
        let message = Message::new(&subject, String::new());
        assert_eq!(message.subject().len(), 100);
        assert!(message.subject().starts_with("Gr??e?xx"));
    }
}
