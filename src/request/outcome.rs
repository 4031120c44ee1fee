//! The outcome of a request, before it becomes a reply.

use std::collections::BTreeMap;

pub type Outcome = Result<Success, Failure>;

#[derive(Debug, PartialEq, Eq)]
pub struct Success {
    pub id: String,
    /// The attributes for `Fn::GetAtt`; none after a Delete.
    pub attributes: BTreeMap<&'static str, String>,
    /// What a person should look at: sentences without a full stop, the weightiest first. They become an attribute too.
    pub warnings: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// The physical id: what a following Delete has to clean up.
    pub id: String,
    /// What went wrong and what to do, in one line.
    pub reason: String,
}
