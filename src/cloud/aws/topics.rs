//! SNS: messages to people.

use aws_config::SdkConfig;
use aws_sdk_sns::Client;

use super::error::{incomplete_response, none_if_not_found, sent};
use super::retry;
use crate::cloud::{Message, Notifier, Result, Subscriptions, TopicArn};

#[derive(Debug)]
pub struct Topics(Client);

impl Topics {
    /// Uses the given configuration, with the time limits and retries of every other client.
    pub fn new(config: &SdkConfig) -> Self {
        let config = config
            .to_builder()
            .timeout_config(retry::timeouts())
            .retry_config(retry::retries())
            .build();
        Self(Client::new(&config))
    }
}

impl Notifier for Topics {
    async fn publish(&self, topic: &TopicArn, message: &Message) -> Result<()> {
        const OPERATION: &str = "sns:Publish";
        let call = self.0.publish().topic_arn(&topic.0);
        let call = call.subject(message.subject()).message_structure("json");
        let call = call.message(message.by_protocol().to_string());
        let answer = sent(OPERATION, call.send()).await?;
        let id = answer.message_id.filter(|id| !id.is_empty());
        id.map(drop)
            .ok_or_else(|| incomplete_response(OPERATION, "the message's id"))
    }

    async fn subscriptions(&self, topic: &TopicArn) -> Result<Subscriptions> {
        const OPERATION: &str = "sns:GetTopicAttributes";
        let call = self.0.get_topic_attributes().topic_arn(&topic.0);
        let Some(answer) = none_if_not_found(sent(OPERATION, call.send()).await)? else {
            return Ok(Subscriptions::default());
        };
        let attributes = answer.attributes.unwrap_or_default();
        let count = |name: &str| {
            let number = attributes.get(name).and_then(|text| text.parse().ok());
            number.ok_or_else(|| incomplete_response(OPERATION, "its subscriptions"))
        };
        Ok(Subscriptions {
            confirmed: count("SubscriptionsConfirmed")?,
            pending: count("SubscriptionsPending")?,
        })
    }
}
