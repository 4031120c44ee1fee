//! A CloudFormation stack by its name: creates, updates, deletes and describes it through `aws`.

use std::{
    collections::BTreeMap,
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::{
    account::{Account, path_text, text, texts},
    workplace::Workplace,
};

/// The resource of the template that this repository is about.
pub(crate) const RESOURCE: &str = "S3Access";
/// Its function.
pub(crate) const FUNCTION: &str = "Function";
/// The function that Secrets Manager calls.
pub(crate) const ROTATION: &str = "RotationFunction";
/// The topic for notifications.
pub(crate) const TOPIC: &str = "NewKeyTopic";
/// What has Secrets Manager rotate the secret.
pub(crate) const SCHEDULE: &str = "RotationSchedule";
/// The rule that has the check made once a day.
pub(crate) const CHECK: &str = "CheckRule";
/// The function's role.
pub(crate) const ROLE: &str = "FunctionRole";
/// The role of the function that Secrets Manager calls.
pub(crate) const ROTATION_ROLE: &str = "RotationRole";
/// The managed policy that bounds the user.
pub(crate) const BOUNDARY: &str = "Boundary";

/// `ServiceTimeout` is 600 seconds; the rest of the stack takes a minute.
const LIMIT: Duration = Duration::from_secs(12 * 60);
/// Each look costs half a second of processor time.
const POLL: Duration = Duration::from_millis(700);

/// A stack that may or may not exist.
#[derive(Clone, Debug)]
pub(crate) struct Stack<'a> {
    account: &'a Account,
    pub(crate) name: String,
    /// Its own tags, as `Key=…,Value=…`.
    tags: Vec<String>,
}

/// A stack at rest after an operation.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) status: String,
    pub(crate) outputs: BTreeMap<String, String>,
}

impl<'a> Stack<'a> {
    pub(crate) fn new(account: &'a Account, name: impl Into<String>) -> Self {
        let name = name.into();
        let tags = Vec::new();
        Self {
            account,
            name,
            tags,
        }
    }

    /// The same, tagged by the next operation.
    pub(crate) fn with_tag(mut self, key: &str, value: &str) -> Self {
        self.tags.push(format!("Key={key},Value={value}"));
        self
    }

    /// Creates the stack and waits. A failure is rolled back.
    pub(crate) fn create(
        &self,
        workplace: &Workplace,
        template: &Value,
    ) -> anyhow::Result<Settled> {
        self.submit(&["create-stack"], workplace, template)?;
        self.settle()
    }

    /// Updates the stack and waits. A failure is rolled back.
    pub(crate) fn update(
        &self,
        workplace: &Workplace,
        template: &Value,
    ) -> anyhow::Result<Settled> {
        self.begin_update(workplace, template)?;
        self.settle()
    }

    /// Begins an update, and does not wait.
    pub(crate) fn begin_update(
        &self,
        workplace: &Workplace,
        template: &Value,
    ) -> anyhow::Result<()> {
        self.submit(&["update-stack"], workplace, template)
    }

    fn submit(
        &self,
        operation: &[&str],
        workplace: &Workplace,
        template: &Value,
    ) -> anyhow::Result<()> {
        let body = workplace.scratch().join(format!("{}.json", self.name));
        fs::write(&body, serde_json::to_vec(template)?)?;
        let body = format!("file://{}", path_text(&body)?);
        let operation = ["cloudformation"].iter().chain(operation).copied();
        let input = ["--stack-name", &self.name, "--template-body", &body];
        let capabilities = ["--capabilities", "CAPABILITY_IAM"];
        let tags = self.tags.iter().map(String::as_str);
        let tags = tags.enumerate().flat_map(|(number, tag)| {
            let option = (number == 0).then_some("--tags");
            option.into_iter().chain([tag])
        });
        self.account
            .json(operation.chain(input).chain(capabilities).chain(tags))?;
        Ok(())
    }

    /// Deletes the stack and waits until it is gone.
    pub(crate) fn delete(&self) -> anyhow::Result<()> {
        let id = match self.describe()? {
            Some(stack) => text(&stack["StackId"])?,
            None => return Ok(()),
        };
        self.account
            .json(["cloudformation", "delete-stack", "--stack-name", &self.name])?;
        // By its id a deleted stack can still be described, by its name it cannot.
        let settled = Stack::new(self.account, id).settle()?;
        ensure!(
            settled.status == "DELETE_COMPLETE",
            "the stack is {}",
            settled.status
        );
        Ok(())
    }

    /// Waits until no operation is in progress.
    pub(crate) fn settle(&self) -> anyhow::Result<Settled> {
        let start = Instant::now();
        loop {
            let stack = self
                .describe()?
                .with_context(|| format!("no stack {}", self.name))?;
            let status = text(&stack["StackStatus"])?;
            if !status.ends_with("_IN_PROGRESS") {
                return Settled::read(&stack, status);
            }
            if start.elapsed() > LIMIT {
                bail!("stack {} is still {status} after {LIMIT:?}", self.name);
            }
            thread::sleep(POLL);
        }
    }

    /// Waits until an operation is at one of the resources.
    pub(crate) fn wait_for(&self, logical_id: &str) -> anyhow::Result<()> {
        let start = Instant::now();
        while self.events(logical_id)?.is_empty() {
            ensure!(
                start.elapsed() < LIMIT,
                "{logical_id} has not begun after {LIMIT:?}"
            );
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// What `describe-stacks` says, `None` if there is no such stack.
    pub(crate) fn describe(&self) -> anyhow::Result<Option<Value>> {
        let command = [
            "cloudformation",
            "describe-stacks",
            "--stack-name",
            &self.name,
        ];
        // CloudFormation has no code of its own for a stack that does not exist.
        let stacks = self.account.find(command, "ValidationError")?;
        Ok(stacks.map(|mut stacks| stacks["Stacks"][0].take()))
    }

    /// The stack's resources.
    pub(crate) fn resources(&self) -> anyhow::Result<Resources> {
        let command = [
            "cloudformation",
            "describe-stack-resources",
            "--stack-name",
            &self.name,
        ];
        Ok(Resources(
            self.account.json(command)?["StackResources"].take(),
        ))
    }

    /// Why the resource failed last, as the stack's events say.
    pub(crate) fn reason(&self) -> anyhow::Result<String> {
        let failed = self.events(RESOURCE)?.into_iter().rev().find(|event| {
            let status = event["ResourceStatus"].as_str().unwrap_or_default();
            status.ends_with("_FAILED")
        });
        let failed = failed.context("no event says that the resource failed")?;
        text(&failed["ResourceStatusReason"])
    }

    /// The physical ids for which a Delete of the resource was answered SUCCESS, in their order.
    pub(crate) fn deleted(&self) -> anyhow::Result<Vec<String>> {
        let events = self.events(RESOURCE)?.into_iter();
        let deleted = events.filter(|event| event["ResourceStatus"] == "DELETE_COMPLETE");
        deleted
            .map(|event| text(&event["PhysicalResourceId"]))
            .collect()
    }

    /// The events of one resource, the earliest first.
    pub(crate) fn events(&self, logical_id: &str) -> anyhow::Result<Vec<Value>> {
        let command = [
            "cloudformation",
            "describe-stack-events",
            "--stack-name",
            &self.name,
        ];
        let mut events = self.account.json(command)?;
        let events = events["StackEvents"]
            .as_array_mut()
            .context("the stack has no events")?;
        // The latest comes first.
        let of_it = |event: &Value| event["LogicalResourceId"] == logical_id;
        Ok(events.drain(..).rev().filter(of_it).collect())
    }
}

/// The resources of a stack, as CloudFormation lists them.
#[derive(Debug)]
pub(crate) struct Resources(Value);

impl Resources {
    /// The physical id of each resource.
    pub(crate) fn physical_ids(&self) -> BTreeMap<String, String> {
        let names = texts(&self.0, "LogicalResourceId");
        names
            .into_iter()
            .zip(texts(&self.0, "PhysicalResourceId"))
            .collect()
    }

    /// The name or ARN that `Ref` gives for a resource.
    pub(crate) fn physical_id(&self, logical_id: &str) -> anyhow::Result<String> {
        let resources = self.0.as_array().map(Vec::as_slice).unwrap_or_default();
        let found = resources
            .iter()
            .find(|resource| resource["LogicalResourceId"] == logical_id);
        let found = found.with_context(|| format!("the stack has no resource `{logical_id}`"))?;
        text(&found["PhysicalResourceId"])
    }
}

impl Settled {
    fn read(stack: &Value, status: String) -> anyhow::Result<Self> {
        let outputs = stack["Outputs"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let outputs = outputs
            .iter()
            .map(|output| Ok((text(&output["OutputKey"])?, text(&output["OutputValue"])?)));
        Ok(Self {
            status,
            outputs: outputs.collect::<anyhow::Result<_>>()?,
        })
    }

    /// One of the template's outputs.
    pub(crate) fn output(&self, key: &str) -> anyhow::Result<&str> {
        let value = self.outputs.get(key);
        value
            .map(String::as_str)
            .with_context(|| format!("the stack has no output `{key}`"))
    }
}
