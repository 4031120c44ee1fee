//! SNS: messages and subscriptions.

use publisher_s3_access::cloud::{ErrorKind, Message, Notifier, Subscriptions, TopicArn};

use crate::wire::{Wire, query_error, query_result};

fn topic() -> TopicArn {
    TopicArn("arn:aws:sns:eu-west-1:111122223333:people".to_owned())
}

fn message() -> Message {
    let chat = serde_json::json!({"version": "1.0"});
    Message::new(
        "a subject",
        "a body".to_owned(),
        chat,
        serde_json::json!({"event": "x"}),
    )
}

#[tokio::test(start_paused = true)]
async fn a_message_is_sent_with_its_subject() {
    let sent = query_result("Publish", "<MessageId>0a1b</MessageId>");
    let wire = Wire::playing([sent]);
    let told = wire.topics().publish(&topic(), &message()).await;
    assert_eq!(told, Ok(()));
    let body = format!("{:?}", wire.sent());
    for part in [
        "Action=Publish",
        "Subject=a%20subject",
        "MessageStructure=json",
        "%22email%22%3A%22a%20body%22",
        "people",
    ] {
        assert!(body.contains(part), "{part}: {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_sns_refuses_is_an_error() {
    for (status, code, kind) in [
        (403, "AuthorizationError", ErrorKind::Denied),
        (404, "NotFound", ErrorKind::NotFound),
        (400, "InvalidParameter", ErrorKind::Rejected),
    ] {
        let wire = Wire::always(query_error(status, code, "No."));
        let told = wire.topics().publish(&topic(), &message()).await;
        assert_eq!(told.map_err(|error| error.kind), Err(kind), "{code}");
    }
    let wire = Wire::playing([query_result("Publish", "")]);
    let told = wire.topics().publish(&topic(), &message()).await;
    assert_eq!(
        told.map_err(|error| error.kind),
        Err(ErrorKind::Indeterminate)
    );
}

#[tokio::test(start_paused = true)]
async fn subscriptions_are_counted() {
    let entry =
        |key: &str, value: &str| format!("<entry><key>{key}</key><value>{value}</value></entry>");
    let confirmed = entry("SubscriptionsConfirmed", "2");
    let both = format!(
        "<Attributes>{confirmed}{}</Attributes>",
        entry("SubscriptionsPending", "1")
    );
    let wire = Wire::playing([query_result("GetTopicAttributes", &both)]);
    assert_eq!(
        wire.topics().subscriptions(&topic()).await,
        Ok(Subscriptions {
            confirmed: 2,
            pending: 1
        })
    );
    let gone = Wire::playing([query_error(404, "NotFound", "Topic does not exist")]);
    let found = gone.topics().subscriptions(&topic()).await;
    assert_eq!(found, Ok(Subscriptions::default()));
    let half = format!("<Attributes>{confirmed}</Attributes>");
    let wire = Wire::playing([query_result("GetTopicAttributes", &half)]);
    let found = wire.topics().subscriptions(&topic()).await;
    assert_eq!(
        found.map_err(|error| error.kind),
        Err(ErrorKind::Indeterminate)
    );
}
