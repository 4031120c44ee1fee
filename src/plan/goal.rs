//! What a request wants the pair to become.

use super::Access;
use crate::ownership::Owner;
use crate::policy::PolicyDocument;
use crate::properties::{Desired, Previous};

/// What is wanted, and by whom.
#[derive(Clone, Copy, Debug)]
pub struct Goal<'a> {
    /// The resource that the request is for.
    pub owner: &'a Owner,
    /// What the template says.
    pub desired: &'a Desired,
    /// The policy that grants it.
    pub document: &'a PolicyDocument,
    pub change: Change<'a>,
    /// The release that the template was made for; `None` if it does not say.
    pub release: Option<&'a str>,
    /// Whether an earlier plan of this request has changed what the user may do.
    pub access: Access,
}

/// What a request changes.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// Nothing: it makes a new pair, for a Create or as the new half of a replacement.
    Fresh,
    /// The same pair, which had these properties.
    InPlace(&'a Previous),
}
