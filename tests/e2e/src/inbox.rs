//! Somebody who is told: a mailbox and an HTTP endpoint on this machine that are subscribed to the stack's topic.

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

/// Two subscriptions, of a person by mail and of a program by HTTP, from which messages are taken in their order.
#[derive(Debug)]
pub(crate) struct Inbox {
    mail: Mutex<Receiver<Value>>,
    http: Mutex<Receiver<Value>>,
    topic: String,
}

/// A message as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) subject: String,
    /// What the person got.
    pub(crate) body: String,
    /// What the program got.
    pub(crate) machine: Value,
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
    /// Subscribes to a topic. The program receives nothing before its subscription is confirmed.
    pub(crate) fn subscribe(account: &Account, topic: &str) -> anyhow::Result<Self> {
        let server = Server::http("127.0.0.1:0")
            .map_err(|error| anyhow!("cannot listen for messages: {error}"))?;
        let endpoint = format!("http://{}/", server.server_addr());
        let address = format!("genomics@{}", server.server_addr());
        let ((to_mail, mail), (to_http, http)) = (mpsc::channel(), mpsc::channel());
        thread::spawn(move || {
            for request in server.incoming_requests() {
                take(request, &to_mail, &to_http);
            }
        });
        for (protocol, endpoint) in [("http", &endpoint), ("email", &address)] {
            let command = ["sns", "subscribe", "--topic-arn", topic];
            let options = ["--protocol", protocol, "--notification-endpoint", endpoint];
            account.json(command.into_iter().chain(options))?;
        }
        Ok(Self {
            mail: Mutex::new(mail),
            http: Mutex::new(http),
            topic: topic.to_owned(),
        })
    }

    /// Confirms the subscription, as whoever gets AWS's question does.
    pub(crate) fn confirm(&self, account: &Account) -> anyhow::Result<()> {
        let question = next(&self.http, "SubscriptionConfirmation")?;
        let token = text(&question["Token"])?;
        let command = ["sns", "confirm-subscription", "--topic-arn", &self.topic];
        account.json(command.into_iter().chain(["--token", &token]))?;
        Ok(())
    }

    /// The next message, in both forms.
    ///
    /// # Errors
    /// If none comes, its subject is none that SNS takes, or it shows a secret that this run knows.
    pub(crate) fn receive(&self) -> anyhow::Result<Message> {
        let (mail, http) = (next(&self.mail, "Mail")?, next(&self.http, "Notification")?);
        let subject = text(&mail["Subject"])?;
        ensure!(
            subject.is_ascii() && subject.len() <= SUBJECT,
            "SNS refuses the subject {subject}"
        );
        let (body, machine) = (text(&mail["Message"])?, text(&http["Message"])?);
        for said in [&body, &machine] {
            ensure!(redact(said) == *said, "a message shows a secret");
        }
        let machine = serde_json::from_str(&machine)?;
        Ok(Message {
            subject,
            body,
            machine,
        })
    }

    /// # Errors
    /// If somebody was told something that was not received yet.
    pub(crate) fn assert_silent(&self) -> anyhow::Result<()> {
        let told = opened(&self.mail).recv_timeout(DELIVERY);
        ensure!(told.is_err(), "there is a message too many: {told:?}");
        Ok(())
    }
}

fn opened(received: &Mutex<Receiver<Value>>) -> MutexGuard<'_, Receiver<Value>> {
    received.lock().unwrap_or_else(PoisonError::into_inner)
}

fn next(received: &Mutex<Receiver<Value>>, kind: &str) -> anyhow::Result<Value> {
    let received = opened(received).recv_timeout(LIMIT);
    let received = received.with_context(|| format!("nothing came within {LIMIT:?}"))?;
    ensure!(received["Type"] == kind, "{received} is no {kind}");
    Ok(received)
}

fn take(mut request: Request, to_mail: &Sender<Value>, to_http: &Sender<Value>) {
    let mut body = String::new();
    let read = request.as_reader().read_to_string(&mut body).is_ok();
    let status = match serde_json::from_str::<Value>(&body) {
        // It comes on the first day of a month only, whatever the test is about.
        Ok(message) if read && is_all_well(&message) => 200,
        Ok(message) if read => {
            let to = match message["Type"] == "Mail" {
                true => to_mail,
                false => to_http,
            };
            // The test may be over.
            to.send(message).map_or(410, |()| 200)
        }
        Ok(_) | Err(_) => 400,
    };
    let _gone = request.respond(Response::empty(status));
}

fn is_all_well(message: &Value) -> bool {
    let subject = message["Subject"].as_str().unwrap_or_default();
    subject.ends_with("all is well")
}
