//! The stack and the resource in it, as CloudFormation describes them. Each answer may lag some seconds behind what
//! CloudFormation has sent to the function.

use std::fmt;

use super::Result;
use crate::request::names::{PhysicalId, TagMap};

pub trait Stacks {
    /// `cloudformation:DescribeStackResource`: CloudFormation's record of the resource.
    async fn stack_resource(&self, stack_id: &str, logical_id: &str) -> Result<StackResource>;
    /// `cloudformation:DescribeStacks`: the stack's status and tags; `None` if there is no such stack.
    async fn stack(&self, stack_id: &str) -> Result<Option<Stack>>;
}

/// CloudFormation's record of a logical id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StackResource {
    Custom(CustomResource),
    /// A resource of another type, which this function does not serve. Holds the type.
    OtherType(String),
    /// The stack has no such resource, or there is no such stack. Holds CloudFormation's message.
    Missing(String),
}

/// A custom resource as CloudFormation shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomResource {
    /// Its [status](https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackResourceDetail.html), such as
    /// `UPDATE_IN_PROGRESS`.
    pub status: String,
    /// Empty while CloudFormation has none.
    pub physical_id: PhysicalId,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Its [status](https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Stack.html).
    pub status: StackStatus,
    /// Its own tags, without those that AWS adds.
    pub tags: TagMap,
}

/// A stack status, such as `UPDATE_ROLLBACK_IN_PROGRESS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackStatus(pub String);

/// Whether a stack goes forward or rolls back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StackOperation {
    Forward,
    Rollback,
}

impl StackStatus {
    /// Whether an operation is under way: every status of a stack at work ends in `_IN_PROGRESS`.
    pub fn is_in_progress(&self) -> bool {
        self.0.ends_with("_IN_PROGRESS")
    }

    /// Whether the stack goes forward or rolls back: `ROLLBACK_…`, `UPDATE_ROLLBACK_…` and `IMPORT_ROLLBACK_…` roll
    /// back. A rollback that has ended does not count, because a late view may still show the one before this
    /// operation.
    pub fn operation(&self) -> StackOperation {
        if self.0.contains("ROLLBACK") && self.is_in_progress() {
            StackOperation::Rollback
        } else {
            StackOperation::Forward
        }
    }
}

impl fmt::Display for StackStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
