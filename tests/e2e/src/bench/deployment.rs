//! One stack of a test.

use std::collections::BTreeMap;

use anyhow::{bail, ensure};
use serde_json::{Value, json};

use super::{BUCKET, Bench};
use crate::stack::{RESOURCE, Settled, Stack};

/// One stack of a test, with a user of its own.
#[derive(Debug)]
pub(crate) struct Deployment<'a> {
    bench: &'a Bench<'a>,
    pub(crate) stack: Stack<'a>,
    pub(crate) user: String,
    /// Properties of the custom resource that are added to the template's, or replace them.
    properties: Value,
    /// The parameters that do not have their default.
    parameters: BTreeMap<&'static str, String>,
    /// A template to use instead of this repository's.
    other_template: Option<Value>,
}

impl<'a> Deployment<'a> {
    pub(super) fn new(bench: &'a Bench<'a>, name: String) -> Self {
        Self {
            bench,
            stack: Stack::new(bench.account, &name),
            // The maintenance function gets the parameters, not the resource's properties.
            parameters: BTreeMap::from([
                ("Buckets", BUCKET.to_owned()),
                ("UserName", name.clone()),
            ]),
            user: name,
            properties: json!({}),
            other_template: None,
        }
    }

    /// Deploys a packaged template of another release.
    pub(crate) fn with_template(self, template: Value) -> Self {
        let other_template = Some(template);
        Self {
            other_template,
            ..self
        }
    }

    /// The next operation gives the stack this tag.
    pub(crate) fn tagged(self, key: &str, value: &str) -> Self {
        let stack = self.stack.with_tag(key, value);
        Self { stack, ..self }
    }

    /// Uses the name of another user.
    pub(crate) fn with_user(mut self, user: &str) -> Self {
        self.set_parameter("UserName", user);
        let user = user.to_owned();
        Self { user, ..self }
    }

    /// Sets a property of the custom resource that the template's parameters refuse or do not have.
    pub(crate) fn set(&mut self, property: &str, value: Value) {
        self.properties[property] = value;
    }

    /// Sets a parameter of the template that no property depends on.
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

    /// Creates the stack, which must fail and roll back with a Delete that succeeds. Returns the resource's `Reason`.
    pub(crate) fn fail_to_create(&self) -> anyhow::Result<String> {
        let settled = self.stack.create(self.bench.workplace, &self.template())?;
        self.expect(settled, "ROLLBACK_COMPLETE")?;
        let deleted = self.stack.deleted()?;
        ensure!(deleted.len() == 1, "Deletes were sent for {deleted:?}");
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

    /// The template with this test's properties in place of those it computes from parameters.
    pub(crate) fn template(&self) -> Value {
        let template = self.other_template.as_ref();
        let mut template = template.unwrap_or(&self.bench.template).clone();
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
