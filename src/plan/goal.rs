//! What a request wants the pair to be.

use super::Access;
use crate::ownership::Owner;
use crate::policy::PolicyDocument;
use crate::properties::{Desired, Previous};

/// What is wanted, by whom, and since when.
#[derive(Clone, Copy, Debug)]
pub struct Goal<'a> {
    /// Who asks.
    pub owner: &'a Owner,
    /// What the template says.
    pub desired: &'a Desired,
    /// The policy that grants it.
    pub document: &'a PolicyDocument,
    /// What it is a change of.
    pub change: Change<'a>,
    /// Whether an earlier plan of this request has changed what the user may do.
    pub access: Access,
}

/// What a request is a change of.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// A pair of its own: a Create, or the new half of a replacement.
    Fresh,
    /// The same pair with other properties.
    InPlace(&'a Previous),
}
