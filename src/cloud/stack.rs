//! The stack and the resource in it.

/// How CloudFormation sees the resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The operation is under way, or there is no clear answer: go on.
    Wanted,
    /// `*_COMPLETE`: somebody answered this request already, it is a late duplicate. Holds the resource's physical id.
    Settled(String),
    /// `CREATE_FAILED`, `DELETE_*`, or the stack is gone: nobody wants the resource any more.
    Abandoned,
}

impl Standing {
    /// Reads a [resource status](https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackResourceDetail.html).
    /// A status that this does not know gives no clear answer.
    pub fn of_status(status: &str, physical_id: &str) -> Self {
        match status {
            "CREATE_COMPLETE"
            | "UPDATE_COMPLETE"
            | "IMPORT_COMPLETE"
            | "ROLLBACK_COMPLETE"
            | "UPDATE_ROLLBACK_COMPLETE" => Self::Settled(physical_id.to_owned()),
            "CREATE_FAILED" => Self::Abandoned,
            // Retained (DELETE_SKIPPED) is out of the stack as well, and somebody chose to keep it as it is.
            "DELETE_SKIPPED" => Self::Settled(physical_id.to_owned()),
            status if status.starts_with("DELETE_") => Self::Abandoned,
            _ => Self::Wanted,
        }
    }
}

/// Which way the stack goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Towards the new template.
    Forward,
    /// Rolling back: the properties are those of before.
    Rollback,
}
