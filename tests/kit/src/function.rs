//! The function as Lambda runs it: one event in, one answer out, or a process that died.

use std::future::ready;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use publisher_s3_access::cloud::Cloud;
use publisher_s3_access::deadline::Deadline;
use publisher_s3_access::handle;
use publisher_s3_access::reply::{PutError, Sink};
use publisher_s3_access::response_url::ResponseUrl;
use publisher_s3_access::settings::{Invocation, Settings};
use publisher_s3_access::waits::INVOCATION;
use serde_json::Value;

use super::account::{ACCOUNT, Account, REGION};
use super::faults::Faulty;

/// The function's timeout in the template.
pub const TIMEOUT: Duration = INVOCATION;

/// Takes every answer.
#[derive(Default)]
struct Mailbox(Mutex<Vec<String>>);

impl Sink for Mailbox {
    async fn put(&self, _: &ResponseUrl, body: &str) -> Result<u16, PutError> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(body.to_owned());
        Ok(200)
    }
}

/// Runs the function once: its answer, or `None` if its process died. More or fewer answers than one fail the test.
pub async fn invoke<C: Cloud>(
    account: &Account,
    cloud: &Faulty<C>,
    event: &Value,
) -> Option<Value> {
    invoke_with(account, cloud, event, &[]).await
}

/// The same with further environment variables of the function, such as the stack it serves.
pub async fn invoke_with<C: Cloud>(
    account: &Account,
    cloud: &Faulty<C>,
    event: &Value,
    variables: &[(&str, &str)],
) -> Option<Value> {
    let mailbox = Mailbox::default();
    cloud.revive();
    let run = run(cloud, event, &mailbox, variables);
    let ended = cloud.until_killed(run).await;
    let answers = mailbox
        .0
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let expected = usize::from(ended.is_some());
    if answers.len() != expected {
        account.violated(format!("{} answers to one invocation", answers.len()));
    }
    ended?;
    serde_json::from_str(answers.first()?).ok()
}

async fn run(cloud: &impl Cloud, event: &Value, mailbox: &Mailbox, variables: &[(&str, &str)]) {
    let settings = settings(variables);
    let deadline = Deadline::after(TIMEOUT);
    handle(
        &event.to_string(),
        deadline,
        &settings,
        ready(cloud),
        mailbox,
    )
    .await
    .expect("the mailbox takes every answer");
}

/// Runs the function without faults.
pub async fn invoke_well(account: &Account, event: &Value) -> Option<Value> {
    invoke(account, &Faulty::new(account.clone()), event).await
}

fn settings(variables: &[(&str, &str)]) -> Settings {
    let always = [
        ("USER_NAME_PREFIX", "publisher-"),
        ("URL_SUFFIX", "amazonaws.com"),
    ];
    let variable = |name: &str| {
        let mut all = always.iter().chain(variables);
        Some(all.find(|(given, _)| *given == name)?.1.to_owned())
    };
    let function_arn = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:publisher-s3-access");
    Settings::read(
        variable,
        Invocation {
            id: "invocation",
            function_arn: &function_arn,
        },
    )
}
