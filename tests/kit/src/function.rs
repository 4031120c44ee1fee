//! The function as Lambda runs it: one event in, one answer out, or a process that died.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use publisher_s3_access::cloud::Cloud;
use publisher_s3_access::handle;
use publisher_s3_access::reply::{PutError, Sink};
use publisher_s3_access::request::response_url::ResponseUrl;
use publisher_s3_access::request::settings::{CUSTOM_RESOURCE, Settings};
use publisher_s3_access::waits::{Deadline, INVOCATION};
use serde_json::Value;

use super::account::Account;
use super::faults::Faulty;
use super::template::rendering::{COMMERCIAL, Stack};

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

/// The same with other environment variables of the function than the template's, such as the stack it serves.
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
    let settings = settings(event, variables);
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

/// The function's environment as the template sets it, with Lambda's own variables.
static ENVIRONMENT: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let mut all = rendered("Function");
    all.insert("_HANDLER".to_owned(), CUSTOM_RESOURCE.to_owned());
    all
});

/// The environment that the template gives a function of a stack in the usual place.
pub(crate) fn rendered(function: &str) -> BTreeMap<String, String> {
    let stack = Stack::rotating(COMMERCIAL);
    let variables = &stack.properties(function)["Environment"]["Variables"];
    let variables = variables.as_object().expect("it has an environment");
    let text = |value: &Value| value.as_str().expect("a variable is a text").to_owned();
    variables
        .iter()
        .map(|(name, value)| (name.clone(), text(value)))
        .collect()
}

/// The settings of the function of the stack that the event names, unless `variables` say otherwise.
fn settings(event: &Value, variables: &[(&str, &str)]) -> Settings {
    let stack_id = event["StackId"].as_str().unwrap_or_default();
    let variable = |name: &str| {
        let given = variables.iter().find(|(given, _)| *given == name);
        match given {
            Some((_, value)) => Some((*value).to_owned()),
            None if name == "STACK_ID" => Some(stack_id.to_owned()),
            None => ENVIRONMENT.get(name).cloned(),
        }
    };
    Settings::read(variable, "invocation")
}
