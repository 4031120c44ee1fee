//! Somebody who may only invoke a stack's function, and forges CloudFormation's requests.

use std::{
    fmt::Write,
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
    /// If anything else that it tries is allowed.
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

    /// Invokes the function with each of `events`, side by side, as CloudFormation does. It answers to the driver.
    pub(crate) fn send(&self, events: &[Value]) -> anyhow::Result<Vec<Expected>> {
        let mut expected = Vec::new();
        let mut lines = String::new();
        for event in events {
            let answer = self.bench.sink.expect();
            let mut event = event.clone();
            event["ResponseURL"] = json!(answer.url);
            writeln!(lines, "{event}")?;
            expected.push(answer);
        }
        let before = self.sent.fetch_add(events.len(), Ordering::Relaxed);
        let file = format!("{}-{before}.jsonl", self.name);
        let file = self.bench.workplace.scratch().join(file);
        fs::write(&file, lines)?;
        let program = [
            "tests/e2e/tools/invoke.py",
            &self.function,
            path_text(&file)?,
        ];
        self.key
            .sign(self.bench.account.python(program))
            .succeed()?;
        Ok(expected)
    }

    /// The function's answer to a request.
    pub(crate) fn receive(&self, expected: Expected) -> anyhow::Result<Value> {
        expected.receive(ANSWER_LIMIT)
    }
}
