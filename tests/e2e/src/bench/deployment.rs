//! One stack of a test, and the requests that CloudFormation would send for it.

use std::{collections::BTreeMap, fs, time::Duration};

use anyhow::{bail, ensure};
use serde_json::{Value, json};

use super::{BUCKET, Bench};
use crate::{
    account::path_text,
    stack::{BOUNDARY, FUNCTION, RESOURCE, Settled, Stack},
};

/// The function's own time limit is 120 seconds.
const ANSWER_LIMIT: Duration = Duration::from_secs(130);

/// One stack of a test, with a user of its own.
#[derive(Debug)]
pub(crate) struct Deployment<'a> {
    bench: &'a Bench<'a>,
    pub(crate) stack: Stack<'a>,
    pub(crate) user: String,
    /// The custom resource's properties beyond those of the template, and instead of them.
    properties: Value,
    /// The template's parameters that do not have their default.
    parameters: BTreeMap<&'static str, String>,
}

impl<'a> Deployment<'a> {
    pub(super) fn new(bench: &'a Bench<'a>, name: String) -> Self {
        Self {
            bench,
            stack: Stack::new(bench.account, &name),
            user: name,
            properties: json!({}),
            parameters: BTreeMap::new(),
        }
    }

    /// Reads as, or collides with, another user.
    pub(crate) fn with_user(self, user: &str) -> Self {
        let user = user.to_owned();
        Self { user, ..self }
    }

    /// Sets a property of the custom resource to what the template's parameters would not let through, or
    /// do not have.
    pub(crate) fn set(&mut self, property: &str, value: Value) {
        self.properties[property] = value;
    }

    /// Gives a parameter of the template that no property depends on.
    pub(crate) fn set_parameter(&mut self, parameter: &'static str, value: &str) {
        self.parameters.insert(parameter, value.to_owned());
    }

    /// Creates the stack.
    ///
    /// # Errors
    /// If it does not become `CREATE_COMPLETE`.
    pub(crate) fn create(&self) -> anyhow::Result<Settled> {
        let settled = self.stack.create(self.bench.workplace, &self.template())?;
        self.expect(settled, "CREATE_COMPLETE")
    }

    /// Updates the stack with the properties set by now.
    ///
    /// # Errors
    /// If it does not become `UPDATE_COMPLETE`.
    pub(crate) fn update(&self) -> anyhow::Result<Settled> {
        let settled = self.stack.update(self.bench.workplace, &self.template())?;
        self.expect(settled, "UPDATE_COMPLETE")
    }

    /// Creates the stack, which must fail; gives the resource's `Reason`.
    pub(crate) fn fail_to_create(&self) -> anyhow::Result<String> {
        let settled = self.stack.create(self.bench.workplace, &self.template())?;
        ensure!(
            settled.status == "CREATE_FAILED",
            "the stack is {}",
            settled.status
        );
        self.stack.reason()
    }

    /// Updates the stack, which must fail and end as `status`; gives the resource's `Reason`.
    pub(crate) fn fail_to_update(&self, status: &str) -> anyhow::Result<String> {
        let settled = self.stack.update(self.bench.workplace, &self.template())?;
        self.expect(settled, status)?;
        self.stack.reason()
    }

    fn expect(&self, settled: Settled, status: &str) -> anyhow::Result<Settled> {
        if settled.status != status {
            let reason = self
                .stack
                .reason()
                .unwrap_or_else(|error| error.to_string());
            bail!("stack {} is {}: {reason}", self.stack.name, settled.status);
        }
        Ok(settled)
    }

    /// Sends the Delete that CloudFormation would send for `physical_id`, and the emulator does not; the
    /// function must answer SUCCESS.
    pub(crate) fn send_delete(&self, physical_id: &str) -> anyhow::Result<()> {
        let answer = self.send("Delete", physical_id)?;
        ensure!(
            answer["Status"] == "SUCCESS",
            "Delete of {physical_id}: {answer}"
        );
        ensure!(
            answer["PhysicalResourceId"] == physical_id,
            "another id came back: {answer}"
        );
        Ok(())
    }

    /// Sends a request of this stack to its function, which answers to the driver.
    fn send(&self, request_type: &str, physical_id: &str) -> anyhow::Result<Value> {
        let expected = self.bench.sink.expect();
        let resources = self.stack.resources()?;
        let mut properties = json!({
            "ServiceToken": "what CloudFormation was given",
            "Buckets": [BUCKET],
            "UserName": self.user,
            "PermissionsBoundary": resources.physical_id(BOUNDARY)?,
        });
        self.overlay(&mut properties);
        let event = json!({
            "RequestType": request_type,
            "ResponseURL": expected.url,
            "StackId": resources.stack_id()?,
            "RequestId": format!("{}-{physical_id}", self.stack.name),
            "LogicalResourceId": RESOURCE,
            "PhysicalResourceId": physical_id,
            "ResourceType": "Custom::PublisherS3Access",
            "ResourceProperties": properties,
        });
        let folder = self.bench.workplace.scratch();
        let payload = folder.join(format!("{}-event.json", self.stack.name));
        fs::write(&payload, event.to_string())?;
        let payload = format!("file://{}", path_text(&payload)?);
        let output = folder.join(format!("{}-answer.json", self.stack.name));
        let function = resources.physical_id(FUNCTION)?;
        let command = ["lambda", "invoke", "--invocation-type", "Event"];
        let input = ["--function-name", &function, "--payload", &payload];
        let all = command
            .into_iter()
            .chain(input)
            .chain([path_text(&output)?]);
        self.bench.account.json(all)?;
        expected.receive(ANSWER_LIMIT)
    }

    /// The template with this test's properties in place of those it computes from parameters.
    fn template(&self) -> Value {
        let mut template = self.bench.template.clone();
        let properties = &mut template["Resources"][RESOURCE]["Properties"];
        properties["Buckets"] = json!([BUCKET]);
        properties["UserName"] = json!(self.user);
        self.overlay(properties);
        // The only parameter without a default, which nothing refers to any more.
        template["Parameters"]["Buckets"]["Default"] = json!(BUCKET);
        for (name, value) in &self.parameters {
            template["Parameters"][name]["Default"] = json!(value);
        }
        template
    }

    fn overlay(&self, properties: &mut Value) {
        for (name, value) in self.properties.as_object().into_iter().flatten() {
            properties[name] = value.clone();
        }
    }
}
