//! What the template promises, read from `template.yaml` itself.
//!
//! Most tests look at a [`kit::template::rendering::Stack`]: the template with `CloudFormation`'s functions resolved, so
//! that they hold for what is deployed, however it is written.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a template that cannot be read fails the test"
)]

mod boundary;
mod environment;
mod governed;
mod least_privilege;
mod lifecycle;
mod maintenance;
mod outputs;
mod parameters;
mod policy;
mod portability;
mod release;
mod upgrade;
mod users;
