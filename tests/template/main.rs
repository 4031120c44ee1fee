//! What the template promises, read from `template.yaml` itself.
//!
//! Most tests look at a [`kit::template::rendering::Stack`]: the template with `CloudFormation`'s functions resolved, so
//! that they hold for what is deployed, however it is written.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a template that cannot be read fails the test"
)]

mod environment;
mod governed;
mod lifecycle;
mod maintenance;
mod outputs;
mod parameters;
mod portability;
mod release;
mod upgrade;
