//! Somebody who is told: an HTTP endpoint on this machine that is subscribed to the stack's topic.

use std::{
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, anyhow, ensure};
use serde_json::Value;
use tiny_http::{Request, Response, Server};

use crate::{
    account::{Account, text},
    redaction::redact,
};

/// A function tells of what it cannot read after it has waited for its role, and looks twice.
const LIMIT: Duration = Duration::from_secs(100);
/// SNS hands a message on within this time.
const DELIVERY: Duration = Duration::from_millis(500);
/// The most that SNS takes as a subject.
const SUBJECT: usize = 100;

/// A subscription, from which messages are taken in their order.
#[derive(Debug)]
pub(crate) struct Inbox {
    received: Mutex<Receiver<Value>>,
    topic: String,
}

/// A message as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) subject: String,
    pub(crate) body: String,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subject: {}\n\n{}", self.subject, self.body.trim_end())
    }
}

impl Message {
    /// # Errors
    /// If one of these parts is missing.
    pub(crate) fn assert_says(&self, parts: &[&str]) -> anyhow::Result<()> {
        for part in parts {
            let said = self.subject.contains(part) || self.body.contains(part);
            ensure!(said, "the message lacks {part}: {self}");
        }
        Ok(())
    }
}

impl Inbox {
    /// Subscribes to a topic. Nothing is received before the subscription is confirmed.
    pub(crate) fn subscribe(account: &Account, topic: &str) -> anyhow::Result<Self> {
        let server = Server::http("127.0.0.1:0")
            .map_err(|error| anyhow!("cannot listen for messages: {error}"))?;
        let endpoint = format!("http://{}/", server.server_addr());
        let (send, received) = mpsc::channel();
        thread::spawn(move || {
            for request in server.incoming_requests() {
                take(request, &send);
            }
        });
        let command = ["sns", "subscribe", "--topic-arn", topic];
        let options = ["--protocol", "http", "--notification-endpoint", &endpoint];
        account.json(command.into_iter().chain(options))?;
        Ok(Self {
            received: Mutex::new(received),
            topic: topic.to_owned(),
        })
    }

    /// Confirms the subscription, as whoever gets AWS's question does.
    pub(crate) fn confirm(&self, account: &Account) -> anyhow::Result<()> {
        let question = self.next("SubscriptionConfirmation")?;
        let token = text(&question["Token"])?;
        let command = ["sns", "confirm-subscription", "--topic-arn", &self.topic];
        account.json(command.into_iter().chain(["--token", &token]))?;
        Ok(())
    }

    /// The next message.
    ///
    /// # Errors
    /// If none comes, its subject is none that SNS takes, or it shows a secret that this run knows.
    pub(crate) fn receive(&self) -> anyhow::Result<Message> {
        let notification = self.next("Notification")?;
        let subject = text(&notification["Subject"])?;
        ensure!(
            subject.is_ascii() && subject.len() <= SUBJECT,
            "SNS refuses the subject {subject}"
        );
        let body = text(&notification["Message"])?;
        ensure!(redact(&body) == body, "a message shows a secret");
        Ok(Message { subject, body })
    }

    /// # Errors
    /// If somebody was told something that was not received yet.
    pub(crate) fn assert_silent(&self) -> anyhow::Result<()> {
        let told = self.received().recv_timeout(DELIVERY);
        ensure!(told.is_err(), "there is a message too many: {told:?}");
        Ok(())
    }

    fn received(&self) -> MutexGuard<'_, Receiver<Value>> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, kind: &str) -> anyhow::Result<Value> {
        let received = self.received().recv_timeout(LIMIT);
        let received = received.with_context(|| format!("nothing came within {LIMIT:?}"))?;
        ensure!(received["Type"] == kind, "{received} is no {kind}");
        Ok(received)
    }
}

fn take(mut request: Request, send: &Sender<Value>) {
    let mut body = String::new();
    let read = request.as_reader().read_to_string(&mut body).is_ok();
    let status = match serde_json::from_str(&body) {
        // The test may be over.
        Ok(message) if read => send.send(message).map_or(410, |()| 200),
        Ok(_) | Err(_) => 400,
    };
    let _gone = request.respond(Response::empty(status));
}
