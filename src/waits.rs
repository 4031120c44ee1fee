//! Every wait and time limit, and how they depend on each other.
//!
//! The longest waits of a Create end within its time for work, one after the other:
//! ```text
//! start ── role ──► CloudFormation's view ──► user and secret ──► make and store a key ──► prove it ──► withdraw it
//!          32 s              20 s                  25 s                    35 s               60 s         10 s
//! ```
//! A test at the end of this file adds them up. If something lags more than once, a key is made only while there is time
//! left to store, prove and withdraw it ([`KEY_BUDGET`]), and a proof gives up in time to withdraw it ([`WITHDRAW`]).

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// How long Lambda lets one invocation run: `Timeout` in the template, which a test compares.
pub const INVOCATION: Duration = Duration::from_secs(210);

/// The most time to keep for the answer and its repetitions.
pub const ANSWER: Duration = Duration::from_secs(20);

/// The most time to keep between the last attempt to answer and the moment when Lambda kills the process.
pub const REST: Duration = Duration::from_secs(1);

/// The time to assume if Lambda's deadline has passed already and so cannot be true.
pub const ASSUMED: Duration = Duration::from_secs(10);

/// How long a new role and its policies may take to become visible everywhere, from the start of the invocation. AWS's CDK
/// retries for [up to 31 seconds](https://github.com/aws/aws-cdk/issues/37878).
pub const ROLE_LAG: Duration = Duration::from_secs(32);

/// How long one invocation asks CloudFormation again before it believes an answer that says anything but "go on".
pub const VIEW_LAG: Duration = Duration::from_secs(20);

/// How long any other IAM write may take to become visible everywhere: users, keys, tags and boundaries all lag.
pub const IAM_LAG: Duration = Duration::from_secs(20);

/// The limit of one attempt of an AWS call.
pub const ATTEMPT: Duration = Duration::from_secs(10);

/// The limit of an AWS call with all its attempts.
pub const CALL: Duration = Duration::from_secs(25);

/// The limits of connecting and of reading within one attempt.
pub const CONNECT: Duration = Duration::from_secs(3);
pub const READ: Duration = Duration::from_secs(8);

/// The limit of one attempt to put the answer. S3 takes milliseconds, so a longer attempt is better begun again.
pub const PUT: Duration = Duration::from_secs(5);

/// How long making a key and storing it can take: one attempt to make it, and the call that stores it.
pub const MAKE_AND_STORE: Duration = ATTEMPT.saturating_add(CALL);

/// The time left before the deadline when a proof gives up: enough to delete the key and to remove its label.
pub const WITHDRAW: Duration = Duration::from_secs(10);

/// The shortest proof that is worth beginning: 99 of 100 new keys are known everywhere after five seconds.
const SHORT_PROOF: Duration = Duration::from_secs(10);

/// No key is made if less time than this is left, because a key must be stored, proved and, if the proof fails,
/// withdrawn.
pub const KEY_BUDGET: Duration = MAKE_AND_STORE
    .saturating_add(SHORT_PROOF)
    .saturating_add(WITHDRAW);

/// How long a key may exist before it is stored: making and storing it, with a margin.
pub const KEY_IN_FLIGHT: Duration = MAKE_AND_STORE.saturating_add(Duration::from_secs(10));

/// How long Secrets Manager's own rotation may be under way before it counts as failed.
pub const ROTATION_WINDOW: Duration = Duration::from_secs(15 * 60);

/// How long CloudFormation waits if `ServiceTimeout` is not set.
pub const SERVICE_TIMEOUT: Duration = Duration::from_secs(3600);

pub const DAY: Duration = Duration::from_secs(24 * 3600);

/// The longest life of a pre-signed URL. Links that a key signed need the key that long.
const LINK_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long a key must have been unused before a rotation every `days` days may end it.
#[must_use]
pub fn unused_before_rotation(days: u16) -> Duration {
    LINK_LIFE.max(DAY * u32::from(days) / 3)
}

/// How long the previous key may be used after a new one was made, before anybody is notified.
pub const PASTE_WITHIN: Duration = Duration::from_secs(10 * 24 * 3600);

/// How late a rotation may be before anybody is notified.
pub const OVERDUE: Duration = Duration::from_secs(2 * 24 * 3600);

/// How often a finding of age is sent again, in days.
pub const REMIND_DAYS: u64 = 7;

/// The pause between the two looks of a check. What is gone by then is not a finding.
pub const SECOND_LOOK: Duration = Duration::from_secs(10);

/// Pauses while IAM may lag, until the caller stops. They are short, so that the last try comes close to the end of the
/// lag.
pub(crate) fn while_iam_lags() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(1))
        .without_max_times()
        .with_jitter()
}

/// Pauses between two questions to CloudFormation, which allows a whole account only a few a second.
pub(crate) fn between_looks() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(500))
        .with_max_delay(Duration::from_secs(2))
        .without_max_times()
        .with_jitter()
        .build()
}

/// Pauses between rounds of a request, between 36 and 71 seconds in all, so that IAM's lists can settle. Jitter separates
/// two runs that get in each other's way.
pub(crate) fn between_rounds() -> impl Iterator<Item = Duration> {
    rounds().with_max_times(12).build()
}

/// Pauses between rounds of a rotation: longer in all than [`KEY_IN_FLIGHT`], and short enough to leave time for a key.
pub(crate) fn between_rotation_rounds() -> impl Iterator<Item = Duration> {
    rounds()
        .with_total_delay(Some(ROTATION_ROUNDS))
        .without_max_times()
        .build()
}

const ROTATION_ROUNDS: Duration = Duration::from_secs(65);

fn rounds() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(250))
        .with_max_delay(Duration::from_secs(4))
        .with_jitter()
}

/// The longest pause between two attempts of a proof, which jitter at most doubles.
const PROOF_PAUSE: Duration = Duration::from_secs(3);

/// The longest pause with jitter. A proof stops this much earlier, so that its last pause does not use up [`WITHDRAW`].
pub const LONGEST_PROOF_PAUSE: Duration = PROOF_PAUSE.saturating_mul(2);

/// Pauses between attempts of a proof, until the caller stops.
pub(crate) fn while_a_proof_waits() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(250))
        .with_max_delay(PROOF_PAUSE)
        .without_max_times()
        .with_jitter()
}

/// Pauses between attempts to deliver the answer, until the caller stops.
pub(crate) fn between_puts() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(1))
        .without_max_times()
        .with_jitter()
}

/// Pauses until a secret's name is free after a forced deletion, which goes on behind the scenes for some seconds
/// ([`DeleteSecret`](https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html)).
pub(crate) fn until_name_is_free() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_secs(1))
        .with_max_delay(Duration::from_secs(5))
        .without_max_times()
        .with_total_delay(Some(CALL))
        .with_jitter()
}

/// How long a proof waits for IAM writes to become visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProofTimeouts {
    /// For a key to be known. Three in four are unknown in their first second, and one in a hundred after five.
    pub known: Duration,
    /// For the user's own policy and boundary to allow, and for denials that do not name a policy.
    pub allowed: Duration,
    /// For other policies to allow: bucket, KMS key, organization. They lag less than IAM's.
    pub allowed_by_others: Duration,
}

impl Default for ProofTimeouts {
    fn default() -> Self {
        Self {
            known: Duration::from_secs(60),
            allowed: Duration::from_secs(30),
            allowed_by_others: Duration::from_secs(5),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Making user and secret, side by side: IAM shows the user late, and the secret's name may not be free yet.
    const USER_AND_SECRET: Duration = if IAM_LAG.as_secs() > CALL.as_secs() {
        IAM_LAG
    } else {
        CALL
    };

    #[test]
    fn the_longest_waits_of_a_create_end_within_the_time_for_work() {
        let ProofTimeouts {
            known,
            allowed,
            allowed_by_others,
        } = ProofTimeouts::default();
        let proof = known.max(allowed).max(allowed_by_others);
        let longest = ROLE_LAG + VIEW_LAG + USER_AND_SECRET + MAKE_AND_STORE + proof + WITHDRAW;
        assert!(longest <= INVOCATION - ANSWER, "{longest:?}");
    }

    #[test]
    fn a_key_can_still_be_made_after_all_before_it_has_lagged_its_longest() {
        assert!(ROLE_LAG + VIEW_LAG + USER_AND_SECRET + KEY_BUDGET <= INVOCATION - ANSWER);
    }

    #[test]
    fn a_rotation_outwaits_a_key_in_flight_and_still_has_time_for_its_own() {
        assert!(ROTATION_ROUNDS > KEY_IN_FLIGHT);
        assert!(ROTATION_ROUNDS + KEY_BUDGET <= INVOCATION - REST);
    }

    #[test]
    fn an_attempt_fits_into_its_call() {
        assert!(CONNECT < READ && READ < ATTEMPT && ATTEMPT < CALL);
        assert!(PUT < ANSWER);
    }
}
