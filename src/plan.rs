//! Plan: decides the steps from what exists to what is wanted. Pure: no I/O, no clock, and no decision left to
//! [`crate::settle`].
//!
//! The steps of a stage are independent and run side by side. A stage begins when the previous one has ended. Every
//! step can be repeated. A printed plan is the audit log.

mod goal;
mod keys;
mod provision;
mod refusals;
mod removal;
mod resources;
mod rotation;
mod step;
#[cfg(test)]
mod tests;
mod withdrawal;

pub use goal::{Change, Goal};
pub use keys::{HeldUp, Protection};
pub use provision::{provision, targets};
pub use refusals::{Refusal, letter_case_change};
pub use removal::removal;
pub use rotation::{Rotating, RotationBlocked, RotationStep, end_rotation, rotation};
pub use step::{Access, End, KeyUnderTest, NewKey, OnFailure, Plan, Proof, Step, Target};
pub use withdrawal::withdrawal;
