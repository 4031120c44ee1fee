//! Tests of the whole flow against an AWS account in memory: nothing here leaves the process.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod calls;
mod drift;
mod faults;
mod forged;
mod ids;
mod interleaved;
mod lags;
mod life;
mod named_faults;
mod proofs;
mod redelivered;
mod rotation;
mod scene;
mod stack_tags;
mod stories;
mod strangers;
