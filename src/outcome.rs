//! What a request is answered with.

use std::collections::BTreeMap;

/// What came of a request.
pub type Outcome = Result<Success, Failure>;

/// What a fulfilled request is answered with.
#[derive(Debug, PartialEq, Eq)]
pub struct Success {
    /// The physical id.
    pub id: String,
    /// The attributes for `Fn::GetAtt`; none after a Delete.
    pub attributes: BTreeMap<&'static str, String>,
}

/// What a failed request is answered with.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// The physical id: what a Delete that follows has to clean.
    pub id: String,
    /// What went wrong and what to do, in one line.
    pub reason: String,
}
