//! The ends of the flow: whatever arrives, one answer leaves in time, to the right address, and within its limits.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and may tell what it counted"
)]

mod binary;
mod delivery;
mod harmless;
mod keys;
mod leaks;
mod maintenance;
mod malformed;
mod refusals;
mod reply;
mod response_url;
mod samples;
mod support;
mod time;
