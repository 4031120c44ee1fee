//! Test doubles: an AWS account in memory, a wrapper that makes its calls fail, and a CloudFormation.

pub(crate) mod account;
pub(crate) mod faults;
pub(crate) mod function;
pub(crate) mod policy_check;
pub(crate) mod rotation;
pub(crate) mod stack;
