//! What the tests stand on: one account, one packaged template, one bucket to read; each test deploys
//! stacks of its own with names of its own, so that they run side by side.

use std::{collections::BTreeSet, fs, time::Duration};

use anyhow::{bail, ensure};
use serde_json::{Value, json};

use crate::{
    account::{Account, path_text, secrets::StoredKey},
    process::join,
    publisher::Publisher,
    sink::Sink,
    stack::{BOUNDARY, FUNCTION, RESOURCE, Settled, Stack},
    workplace::Workplace,
};

/// The bucket that the tests' stacks read.
pub(crate) const BUCKET: &str = "genomes-shared";
/// One of its objects.
pub(crate) const OBJECT: &str = "targets/exome.chr20.bed";
const ARTIFACTS: &str = "publisher-e2e-artifacts";
/// The function's own time limit is 120 seconds.
const ANSWER_LIMIT: Duration = Duration::from_secs(130);

/// What is made once for all tests.
#[derive(Debug)]
pub(crate) struct Bench<'a> {
    pub(crate) workplace: &'a Workplace,
    pub(crate) account: &'a Account,
    sink: &'a Sink,
    template: Value,
}

/// One stack of a test, with a user of its own.
#[derive(Debug)]
pub(crate) struct Deployment<'a> {
    bench: &'a Bench<'a>,
    pub(crate) stack: Stack<'a>,
    pub(crate) user: String,
    /// The custom resource's properties beyond those of the template, and instead of them.
    properties: Value,
}

impl<'a> Bench<'a> {
    /// Makes the bucket and uploads the function.
    pub(crate) fn prepare(
        workplace: &'a Workplace,
        account: &'a Account,
        sink: &'a Sink,
    ) -> anyhow::Result<Self> {
        account.create_bucket(BUCKET)?;
        account.upload(&workplace.data().join("first"), &format!("s3://{BUCKET}"))?;
        account.create_bucket(ARTIFACTS)?;
        let template = account.sam_package(workplace, ARTIFACTS)?;
        Ok(Self {
            workplace,
            account,
            sink,
            template,
        })
    }

    /// A stack named `publisher-<slug>` that is not created yet, for the user of the same name.
    pub(crate) fn stack(&'a self, slug: &str) -> Deployment<'a> {
        let name = format!("publisher-{slug}");
        Deployment {
            bench: self,
            stack: Stack::new(self.account, &name),
            user: name,
            properties: json!({}),
        }
    }

    /// Publisher with the profile of `user`.
    pub(crate) fn publisher(&self, user: &str) -> anyhow::Result<Publisher<'a>> {
        Publisher::with_profile(self.account, self.workplace, user)
    }

    /// Puts the sample [`OBJECT`] into another bucket, with further `options`.
    pub(crate) fn put_object(
        &self,
        bucket: &str,
        key: &str,
        options: &[&str],
    ) -> anyhow::Result<()> {
        let file = self.workplace.data().join("first").join(OBJECT);
        let command = [
            "s3api",
            "put-object",
            "--bucket",
            bucket,
            "--key",
            key,
            "--body",
            path_text(&file)?,
        ];
        self.account
            .json(command.into_iter().chain(options.iter().copied()))?;
        Ok(())
    }

    /// The key in use of `user`.
    pub(crate) fn current_key(&self, user: &str) -> anyhow::Result<StoredKey> {
        self.account
            .stored_key(&format!("publisher/{user}"), "AWSCURRENT")
    }

    /// Whether `user`, by its profile, reads the shared bucket's object byte for byte.
    pub(crate) fn assert_reads(&self, user: &str) -> anyhow::Result<()> {
        let publisher = self.publisher(user)?;
        let content = fs::read(self.workplace.data().join("first").join(OBJECT))?;
        let (read, listed) = join(
            || publisher.get(BUCKET, OBJECT),
            || publisher.list(BUCKET, "", 1),
        )?;
        ensure!(read == content, "{user} read another content");
        ensure!(!listed.is_empty(), "{user} listed nothing");
        Ok(())
    }

    /// Whether neither user nor secret of that name is there.
    pub(crate) fn assert_nothing_of(&self, user: &str) -> anyhow::Result<()> {
        let secret = format!("publisher/{user}");
        let (user, secret) = join(|| self.account.user(user), || self.account.secret(&secret))?;
        ensure!(user.is_none(), "a user is there: {user:?}");
        ensure!(secret.is_none(), "a secret is there: {secret:?}");
        Ok(())
    }
}

impl<'a> Deployment<'a> {
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
    pub(crate) fn send(&self, request_type: &str, physical_id: &str) -> anyhow::Result<Value> {
        let expected = self.bench.sink.expect();
        let mut properties = self.resource_properties()?;
        properties["ServiceToken"] = json!("set by CloudFormation");
        let event = json!({
            "RequestType": request_type,
            "ResponseURL": expected.url,
            "StackId": self.stack.settle()?.id,
            "RequestId": format!("{}-{physical_id}", self.stack.name),
            "LogicalResourceId": RESOURCE,
            "PhysicalResourceId": physical_id,
            "ResourceType": "Custom::PublisherS3Access",
            "ResourceProperties": properties,
        });
        let folder = self.bench.workplace.scratch();
        let payload = folder.join(format!("{}-event.json", self.stack.name));
        fs::write(&payload, event.to_string())?;
        let function = self.stack.physical_id(FUNCTION)?;
        let command = [
            "lambda",
            "invoke",
            "--function-name",
            &function,
            "--invocation-type",
            "Event",
        ];
        let input = format!("file://{}", path_text(&payload)?);
        let output = folder.join(format!("{}-answer.json", self.stack.name));
        self.bench.account.json(command.into_iter().chain([
            "--payload",
            &input,
            path_text(&output)?,
        ]))?;
        expected.receive(ANSWER_LIMIT)
    }

    /// The template with this test's properties in place of those it computes from parameters.
    fn template(&self) -> Value {
        let mut template = self.bench.template.clone();
        let resource = &mut template["Resources"][RESOURCE]["Properties"];
        resource["Buckets"] = json!([BUCKET]);
        resource["UserName"] = json!(self.user);
        for (name, value) in self.properties.as_object().into_iter().flatten() {
            resource[name] = value.clone();
        }
        // The only parameter without a default, which nothing refers to any more.
        template["Parameters"]["Buckets"]["Default"] = json!(BUCKET);
        template
    }

    /// The properties as the function gets them.
    fn resource_properties(&self) -> anyhow::Result<Value> {
        let mut properties = json!({
            "Buckets": [BUCKET],
            "UserName": self.user,
            "PermissionsBoundary": self.stack.physical_id(BOUNDARY)?,
        });
        for (name, value) in self.properties.as_object().into_iter().flatten() {
            properties[name] = value.clone();
        }
        Ok(properties)
    }
}

/// # Errors
/// If one of `words` is not in the `Reason`, which is to tell a person what to do.
pub(crate) fn assert_names(reason: &str, words: &[&str]) -> anyhow::Result<()> {
    let missing: BTreeSet<_> = words
        .iter()
        .filter(|word| !reason.contains(**word))
        .collect();
    ensure!(
        missing.is_empty(),
        "the Reason does not name {missing:?}: {reason}"
    );
    let line = reason.lines().count();
    ensure!(line == 1, "the Reason has {line} lines: {reason}");
    Ok(())
}
