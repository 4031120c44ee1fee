//! Tests of the whole flow against an AWS account in memory: nothing here leaves the process.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod by_hand;
mod calls;
mod drift;
mod edits;
mod faults;
mod forced_deletion;
mod forged;
mod forged_at_work;
mod ids;
mod impossible;
mod interleaved;
mod keys;
mod lags;
mod life;
mod lost_kms_key;
mod maintenance;
mod overtaken;
mod proofs;
mod redelivered;
mod rotation;
mod scene;
mod stack_tags;
mod stories;
mod strangers;

/// Whether every case is to be tried: `make simulate` does, and each test run tries a part that differs from place to place.
fn tries_all() -> bool {
    std::env::var_os("TRY_ALL").is_some()
}
