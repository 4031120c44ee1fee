//! SNS: the messages that people get.

use publisher_s3_access::cloud::{ErrorKind, Message, Notifier, Result, Subscriptions, TopicArn};

use super::{ACCOUNT, Account, By, REGION, refusal};

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
            if message.body().contains("s3cr3t/+") {
                state
                    .violations
                    .push("a message contains a secret key".to_owned());
            }
            state.messages.push(message.clone());
            Ok(())
        })
        .await
    }

    async fn subscriptions(&self, to: &TopicArn) -> Result<Subscriptions> {
        self.act("sns:GetTopicAttributes", to, By::Role, |_, _| {
            Ok(Subscriptions {
                confirmed: 1,
                pending: 0,
            })
        })
        .await
    }
}

impl Account {
    /// The messages so far, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.state().messages.clone()
    }

    /// Takes the messages since the last time.
    pub fn take_messages(&self) -> Vec<Message> {
        std::mem::take(&mut self.state().messages)
    }
}
