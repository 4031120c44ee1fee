//! Every wait and time limit that IAM's eventual consistency asks for, in one place.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// How long an IAM write may take to be visible everywhere: new users, keys, tags, boundaries and roles all lag.
pub const IAM_LAG: Duration = Duration::from_secs(20);

/// The limit of one attempt of an AWS call.
pub(crate) const ATTEMPT: Duration = Duration::from_secs(10);

/// The limit of an AWS call with all its attempts.
pub(crate) const CALL: Duration = Duration::from_secs(30);

/// How long a key can be made and not stored yet: one attempt to make it and storing it, with a margin.
pub(crate) const KEY_IN_FLIGHT: Duration = ATTEMPT
    .saturating_add(CALL)
    .saturating_add(Duration::from_secs(10));

/// No key is made when less time than this is left: making and storing it must fit.
pub(crate) const KEY_BUDGET: Duration = ATTEMPT
    .saturating_add(CALL)
    .saturating_add(Duration::from_secs(5));

/// Pauses while IAM may lag. Short, so that the last try comes close to the end of the lag.
pub(crate) fn until_visible() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(1))
        .with_total_delay(Some(IAM_LAG))
        .without_max_times()
        .with_jitter()
}

/// Pauses between rounds of a request: half a minute in all, so that IAM's lists can settle; jittered, so that two runs
/// that get in each other's way drift apart.
pub(crate) fn between_rounds() -> impl Iterator<Item = Duration> {
    rounds().with_max_times(12).build()
}

/// Pauses between rounds of a rotation: longer in all than [`KEY_IN_FLIGHT`], and short enough to leave time for a key.
pub(crate) fn between_rotation_rounds() -> impl Iterator<Item = Duration> {
    rounds()
        .with_total_delay(Some(Duration::from_secs(65)))
        .without_max_times()
        .build()
}

fn rounds() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(250))
        .with_max_delay(Duration::from_secs(4))
        .with_jitter()
}

/// How long a proof waits for what IAM has been told to be seen everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProofTimeouts {
    /// For a key to be known. Three in four are unknown in their first second, one in a hundred after five.
    pub known: Duration,
    /// For a policy to allow.
    pub allowed: Duration,
}

impl Default for ProofTimeouts {
    fn default() -> Self {
        Self {
            known: Duration::from_secs(60),
            allowed: Duration::from_secs(30),
        }
    }
}
