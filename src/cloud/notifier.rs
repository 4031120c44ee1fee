//! Telling people, in our own words: implemented by the SDK ([`crate::aws::Topics`]) and, in the tests, in memory.

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

/// What a person is told. Holds nothing that is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    subject: String,
    body: String,
}

impl Message {
    /// The most characters of a subject
    /// ([`Publish`](https://docs.aws.amazon.com/sns/latest/api/API_Publish.html)).
    pub const LONGEST_SUBJECT: usize = 100;

    /// A message. SNS refuses a subject that is longer, or not of printable ASCII: what it would refuse is replaced.
    #[must_use]
    pub fn new(subject: &str, body: String) -> Self {
        let printable = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
        let subject = subject.chars().map(printable);
        Self {
            subject: subject.take(Self::LONGEST_SUBJECT).collect(),
            body,
        }
    }

    /// Its subject.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Its text.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
    }
}

/// How many have subscribed to a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscriptions {
    /// Those that are confirmed: they get every message.
    pub confirmed: u64,
    /// Those that nobody has confirmed yet: they get none.
    pub pending: u64,
}

/// The calls. What [`Cloud`](super::Cloud) guarantees of errors and repetition holds here too.
pub trait Notifier {
    /// `sns:Publish`. On [`Indeterminate`](super::ErrorKind::Indeterminate) it may have been sent.
    fn publish(&self, topic: &TopicArn, message: &Message) -> impl Future<Output = Result<()>>;

    /// `sns:GetTopicAttributes`: how many have subscribed.
    fn subscriptions(&self, topic: &TopicArn) -> impl Future<Output = Result<Subscriptions>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_what_sns_takes() {
        let subject = format!("Größe\n{}", "x".repeat(200));
        let message = Message::new(&subject, String::new());
        assert_eq!(message.subject().len(), 100);
        assert!(message.subject().starts_with("Gr??e?xx"));
    }
}
