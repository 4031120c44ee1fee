//! `CloudFormation` as the handler asks it: how it describes the resource and the stack, as late as a test says.
//!
//! The answers are those that AWS was recorded to give: a resource that the stack lacks, or whose creation was rolled
//! back, "does not exist for stack"; another stack's ARN is denied.

use std::collections::BTreeMap;
use std::time::Duration;

use publisher_s3_access::cloud::{
    CustomResource, ErrorKind, Stack, StackResource, StackStatus, TagMap,
};
use publisher_s3_access::request::names::PhysicalId;
use tokio::time::Instant;

use super::{Account, At, Effect, Owner, denied, refusal};

/// The stacks that are there, by id.
#[derive(Clone, Default)]
pub struct Stacks {
    stacks: BTreeMap<String, Recorded<StackRecord>>,
    resources: BTreeMap<(String, String), Recorded<ResourceRecord>>,
    lag: ViewLag,
    /// How many questions are throttled from now on.
    throttled: u32,
}

/// How late a change shows. Nothing lags unless a test says so.
#[derive(Clone, Copy, Debug, Default)]
pub struct ViewLag {
    /// For this long after a change.
    pub time: Duration,
    /// And for this many looks after it.
    pub looks: u32,
}

#[derive(Clone)]
struct StackRecord {
    status: String,
    tags: TagMap,
}

#[derive(Clone)]
enum ResourceRecord {
    Custom { status: String, physical_id: String },
    OtherType(String),
    Gone,
}

/// A value with its predecessors, to be shown late.
#[derive(Clone)]
struct Recorded<T> {
    values: Vec<(Instant, T)>,
    late_looks: u32,
}

impl<T> Default for Recorded<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            late_looks: 0,
        }
    }
}

impl<T> Recorded<T> {
    fn set(&mut self, value: T, lag: ViewLag) {
        self.values.push((Instant::now(), value));
        self.late_looks = lag.looks;
    }

    fn newest(&self) -> Option<&T> {
        self.values.last().map(|(_, value)| value)
    }

    fn look(&mut self, lag: ViewLag, now: Instant) -> Option<&T> {
        let shown = self
            .values
            .iter()
            .rposition(|(set, _)| *set + lag.time <= now);
        let shown = if self.late_looks > 0 {
            self.late_looks -= 1;
            shown?.min(self.values.len().checked_sub(2)?)
        } else {
            shown?
        };
        self.values.get(shown).map(|(_, value)| value)
    }
}

impl Stacks {
    pub fn resource(
        &mut self,
        stack_id: &str,
        logical_id: &str,
        actor: Option<&Owner>,
        at: At,
    ) -> Effect<StackResource> {
        self.answers("cloudformation:DescribeStackResource", stack_id, actor)?;
        let lag = self.lag;
        let stack = self.stacks.get_mut(stack_id);
        if stack.and_then(|stack| stack.newest()).is_none() {
            let message = format!("Stack '{stack_id}' does not exist");
            return Ok(StackResource::Missing(message));
        }
        let key = (stack_id.to_owned(), logical_id.to_owned());
        let resource = self.resources.get_mut(&key);
        Ok(match resource.and_then(|it| it.look(lag, at.now)) {
            Some(ResourceRecord::Custom {
                status,
                physical_id,
            }) => StackResource::Custom(CustomResource {
                status: status.clone(),
                physical_id: PhysicalId::parse(physical_id),
            }),
            Some(ResourceRecord::OtherType(kind)) => StackResource::OtherType(kind.clone()),
            Some(ResourceRecord::Gone) | None => {
                let name = stack_id.split('/').nth(1).unwrap_or_default();
                let message = format!("Resource {logical_id} does not exist for stack {name}");
                StackResource::Missing(message)
            }
        })
    }

    pub fn stack(
        &mut self,
        stack_id: &str,
        actor: Option<&Owner>,
        at: At,
    ) -> Effect<Option<Stack>> {
        self.answers("cloudformation:DescribeStacks", stack_id, actor)?;
        let lag = self.lag;
        let stack = self.stacks.get_mut(stack_id);
        let stack = stack.and_then(|stack| stack.look(lag, at.now));
        Ok(stack.map(|stack| Stack {
            status: StackStatus(stack.status.clone()),
            tags: stack.tags.clone(),
        }))
    }

    /// The role reaches one stack, and `CloudFormation` throttles an account as a whole.
    fn answers(
        &mut self,
        operation: &'static str,
        stack_id: &str,
        actor: Option<&Owner>,
    ) -> Effect<()> {
        if self.throttled > 0 {
            self.throttled -= 1;
            return Err(refusal(ErrorKind::Throttled, "Throttling", "Rate exceeded"));
        }
        if actor.is_some_and(|actor| actor.stack_id != stack_id) {
            let why = format!("on resource: {stack_id} because no identity-based policy allows it");
            return Err(denied(operation, &why));
        }
        Ok(())
    }

    fn set_resource(&mut self, stack_id: &str, logical_id: &str, record: ResourceRecord) {
        let key = (stack_id.to_owned(), logical_id.to_owned());
        let lag = self.lag;
        self.resources.entry(key).or_default().set(record, lag);
    }
}

impl Account {
    /// Shows changes late from now on.
    pub fn view_lags(&self, lag: ViewLag) {
        self.state().stacks.lag = lag;
    }

    /// Throttles this many questions from now on.
    pub fn throttle_views(&self, questions: u32) {
        self.state().stacks.throttled = questions;
    }

    /// Says how `CloudFormation` sees the stack.
    pub fn set_stack(&self, stack_id: &str, status: &str) {
        self.note(format_args!("-- stack {status}"));
        let mut state = self.state();
        let lag = state.stacks.lag;
        let stack = state.stacks.stacks.entry(stack_id.to_owned()).or_default();
        let tags = stack.newest().map(|stack| stack.tags.clone());
        let record = StackRecord {
            status: status.to_owned(),
            tags: tags.unwrap_or_default(),
        };
        stack.set(record, lag);
    }

    /// Gives the stack these tags from now on.
    pub fn tag_stack(&self, stack_id: &str, tags: TagMap) {
        let mut state = self.state();
        let stack = state.stacks.stacks.entry(stack_id.to_owned()).or_default();
        let status = stack.newest().map(|stack| stack.status.clone());
        let record = StackRecord {
            status: status.unwrap_or_else(|| "REVIEW_IN_PROGRESS".to_owned()),
            tags,
        };
        stack.set(record, ViewLag::default());
    }

    /// There is no such stack, and never was.
    pub fn unknown_stack(&self, stack_id: &str) {
        self.state().stacks.stacks.remove(stack_id);
    }

    /// Says how `CloudFormation` sees the resource.
    pub fn set_resource(&self, stack_id: &str, logical_id: &str, status: &str, physical_id: &str) {
        self.note(format_args!("-- {logical_id} {status}"));
        let record = ResourceRecord::Custom {
            status: status.to_owned(),
            physical_id: physical_id.to_owned(),
        };
        let stacks = &mut self.state().stacks;
        stacks.set_resource(stack_id, logical_id, record);
    }

    /// Adds a resource of another type to the stack.
    pub fn add_other_resource(&self, stack_id: &str, logical_id: &str, kind: &str) {
        let record = ResourceRecord::OtherType(kind.to_owned());
        let stacks = &mut self.state().stacks;
        stacks.set_resource(stack_id, logical_id, record);
    }

    /// Removes the resource from the stack.
    pub fn forget_resource(&self, stack_id: &str, logical_id: &str) {
        self.note(format_args!("-- {logical_id} gone"));
        let stacks = &mut self.state().stacks;
        stacks.set_resource(stack_id, logical_id, ResourceRecord::Gone);
    }

    /// Ends the stack. Its ARN describes it and what it had as deleted from then on.
    pub fn forget_stack(&self, stack_id: &str) {
        self.set_stack(stack_id, "DELETE_COMPLETE");
        let mut state = self.state();
        let lag = state.stacks.lag;
        let resources = state.stacks.resources.iter_mut();
        for (_, resource) in resources.filter(|((stack, _), _)| stack == stack_id) {
            if let Some(ResourceRecord::Custom { physical_id, .. }) = resource.newest() {
                let (status, physical_id) = ("DELETE_COMPLETE".to_owned(), physical_id.clone());
                let deleted = ResourceRecord::Custom {
                    status,
                    physical_id,
                };
                resource.set(deleted, lag);
            }
        }
    }
}
