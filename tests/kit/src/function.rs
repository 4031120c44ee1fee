//! The function as Lambda runs it: one event in, one answer out, or a process that died.

use std::future::ready;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use publisher_s3_access::cloud::Cloud;
use publisher_s3_access::deadline::Deadline;
use publisher_s3_access::delivery::{PutError, Sink};
use publisher_s3_access::handle;
use publisher_s3_access::response_url::ResponseUrl;
use publisher_s3_access::settings::{Invocation, Settings};
use serde_json::Value;

use super::account::{ACCOUNT, Account, REGION};
use super::faults::Faulty;

/// The function's timeout in the template.
pub const TIMEOUT: Duration = Duration::from_secs(180);

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
    invoke_served(account, cloud, event, "").await
}

/// The same with a function that serves only the stack with this id.
pub async fn invoke_served<C: Cloud>(
    account: &Account,
    cloud: &Faulty<C>,
    event: &Value,
    served: &str,
) -> Option<Value> {
    let mailbox = Mailbox::default();
    cloud.revive();
    let run = run(cloud, event, &mailbox, served);
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

async fn run(cloud: &impl Cloud, event: &Value, mailbox: &Mailbox, served: &str) {
    let settings = settings(served);
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

fn settings(served: &str) -> Settings {
    let variable = |name: &str| match name {
        "STACK_ID" => Some(served.to_owned()),
        "USER_NAME_PREFIX" => Some("publisher-".to_owned()),
        "URL_SUFFIX" => Some("amazonaws.com".to_owned()),
        _ => None,
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
