//! The front of the flow: whatever arrives, one answer leaves in time, to the right address, and within its limits.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod binary;
mod delivery;
mod harmless;
mod leaks;
mod malformed;
mod refusals;
mod reply;
mod samples;
mod support;
mod time;
