//! Tests of the whole flow against an AWS account in memory: nothing here leaves the process.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod doubles;
mod drift;
mod faults;
mod interleaved;
mod life;
mod scene;
mod support;
