//! Somebody who may invoke a stack's function and nothing else, and makes up requests of CloudFormation.

use std::{
    fs,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{Bench, Deployment};
use crate::{
    account::{Refusal, path_text, secrets::AccessKey},
    sink::Expected,
    stack::FUNCTION,
};

/// The function's own time limit is 120 seconds; some invocations wait for others.
const ANSWER_LIMIT: Duration = Duration::from_secs(4 * 60);

/// A user with one permission, and its key.
#[derive(Debug)]
pub(crate) struct Forger<'a> {
    bench: &'a Bench<'a>,
    name: String,
    key: AccessKey,
    function: String,
    sent: AtomicUsize,
}

impl<'a> Forger<'a> {
    /// A new user that may invoke the function of `deployment`.
    ///
    /// # Errors
    /// If it may do anything else that was tried.
    pub(crate) fn of(bench: &'a Bench<'a>, deployment: &Deployment<'_>) -> anyhow::Result<Self> {
        let account = bench.account;
        let function = deployment.stack.resources()?.physical_id(FUNCTION)?;
        let (region, id) = (account.region(), account.id());
        let arn = format!("arn:aws:lambda:{region}:{id}:function:{function}");
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": arn},
        });
        let name = format!("forger-of-{}", deployment.stack.name);
        let named = |operation| ["iam", operation, "--user-name", name.as_str()];
        account.json(named("create-user"))?;
        let policy = policy.to_string();
        let put = ["--policy-name", "invoke", "--policy-document", &policy];
        account.json(named("put-user-policy").into_iter().chain(put))?;
        let key = account.json(named("create-access-key"))?;
        let key = AccessKey::from_json(&key["AccessKey"])?;
        let (sent, bench) = (AtomicUsize::new(0), bench);
        let forger = Self {
            bench,
            name,
            key,
            function,
            sent,
        };
        let stack = deployment.stack.name.as_str();
        for refused in [
            format!("lambda get-function --function-name {}", forger.function),
            format!("cloudformation describe-stacks --stack-name {stack}"),
            format!("secretsmanager get-secret-value --secret-id publisher/{stack}"),
            format!("iam create-access-key --user-name {stack}"),
        ] {
            let tried = forger.key.sign(account.aws(refused.split(' '))).run()?;
            let refusal = Refusal::of(&tried).with_context(|| format!("`aws {refused}`"))?;
            ensure!(refusal.code.starts_with("AccessDenied"), "{refusal}");
        }
        Ok(forger)
    }

    /// Invokes the function with `event` as CloudFormation does, to answer to the driver.
    pub(crate) fn send(&self, event: &Value) -> anyhow::Result<Expected> {
        let expected = self.bench.sink.expect();
        let mut event = event.clone();
        event["ResponseURL"] = json!(expected.url);
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        let folder = self.bench.workplace.scratch();
        let payload = folder.join(format!("{}-{number}.json", self.name));
        fs::write(&payload, event.to_string())?;
        let payload = format!("file://{}", path_text(&payload)?);
        let output = folder.join(format!("{}-{number}.out", self.name));
        let command = ["lambda", "invoke", "--invocation-type", "Event"];
        let input = ["--function-name", &self.function, "--payload", &payload];
        let all = command.into_iter().chain(input);
        let invocation = self.bench.account.aws(all.chain([path_text(&output)?]));
        self.key.sign(invocation).succeed()?;
        Ok(expected)
    }

    /// What the function answered to a request that was sent.
    pub(crate) fn receive(&self, expected: Expected) -> anyhow::Result<Value> {
        expected.receive(ANSWER_LIMIT)
    }

    /// How many requests were sent.
    pub(crate) fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }
}
