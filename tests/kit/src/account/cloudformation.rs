//! CloudFormation as the handler asks it: how it sees the resource, and which way the stack goes.

use std::collections::BTreeMap;

use publisher_s3_access::cloud::{Direction, ErrorKind, Standing};

use super::{Account, Effect, refusal};

/// The stacks that are there, by id.
#[derive(Clone, Default)]
pub struct Stacks(BTreeMap<String, StackStatus>);

#[derive(Clone, Default)]
struct StackStatus {
    status: String,
    /// Status and physical id, by logical id.
    resources: BTreeMap<String, (String, String)>,
}

impl Stacks {
    pub fn standing(&self, stack_id: &str, logical_id: &str) -> Effect<Standing> {
        let Some(stack) = self.0.get(stack_id) else {
            return Ok(Standing::Abandoned);
        };
        // A resource that the stack does not know yet is no clear answer.
        let resource = stack.resources.get(logical_id);
        Ok(resource.map_or(Standing::Wanted, |(status, physical_id)| {
            Standing::of_status(status, physical_id)
        }))
    }

    pub fn direction(&self, stack_id: &str) -> Effect<Direction> {
        let Some(stack) = self.0.get(stack_id) else {
            let message = format!("Stack with id {stack_id} does not exist");
            return Err(refusal(ErrorKind::Rejected, "ValidationError", message));
        };
        Ok(if stack.status.contains("ROLLBACK") {
            Direction::Rollback
        } else {
            Direction::Forward
        })
    }
}

impl Account {
    /// Says how CloudFormation sees the stack.
    pub fn set_stack(&self, stack_id: &str, status: &str) {
        self.note(format_args!("-- stack {status}"));
        self.state()
            .stacks
            .0
            .entry(stack_id.to_owned())
            .or_default()
            .status = status.to_owned();
    }

    /// Says how CloudFormation sees the resource.
    pub fn set_resource(&self, stack_id: &str, logical_id: &str, status: &str, physical_id: &str) {
        self.note(format_args!("-- {logical_id} {status}"));
        let mut state = self.state();
        let stack = state.stacks.0.entry(stack_id.to_owned()).or_default();
        stack.resources.insert(
            logical_id.to_owned(),
            (status.to_owned(), physical_id.to_owned()),
        );
    }

    /// Takes the stack away.
    pub fn forget_stack(&self, stack_id: &str) {
        self.note("-- stack gone");
        self.state().stacks.0.remove(stack_id);
    }
}
