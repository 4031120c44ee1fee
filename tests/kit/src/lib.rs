//! What the tests share: an AWS account in memory, a wrapper that makes its calls fail, a `CloudFormation`, an evaluator
//! of IAM policies, and the template as a stack would have it.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a double that is used wrongly fails the test"
)]

pub mod account;
pub mod calls;
pub mod faults;
pub mod function;
pub mod policy_check;
pub mod rotation;
pub mod stack;
pub mod template;
