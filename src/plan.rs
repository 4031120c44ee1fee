//! Plan: decides the steps from what exists to what is wanted. Pure: no I/O, no clock, and no decision left to
//! [`crate::apply`].
//!
//! The steps of a stage are independent and run side by side. A stage begins when the previous one has ended. Every
//! step can be repeated. A printed plan is the audit log.

pub mod dates;
mod keys;
pub mod policy;
mod provision;
mod removal;
mod resources;
mod rotation;
mod step;
mod strangers;
#[cfg(test)]
mod tests;
mod warning;

pub use keys::{LeftKey, left_keys};
pub use provision::{Change, Goal, RELEASE, letter_case_change, provision, targets};
pub use removal::{Made, removal, withdrawal};
pub use rotation::{Rotating, RotationStep, end_rotation, rotation};
pub use step::{End, Nature, NewKey, OnEmpty, OnFailure, Plan, Proof, Step, Target, Trial, Whose};
pub use warning::{Warning, Weight, in_order};
