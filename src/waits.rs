//! Every wait and time limit, and how they depend on each other.
//!
//! The longest waits of a Create end within its time for work, one after the other:
//! ```text
//! start ── role ──► CloudFormation's view ──► user and secret ──► make a key ──► prove it ──► store it ──► withdraw it
//!          32 s              20 s                  25 s              10 s          60 s         25 s          10 s
//! ```
//! A test at the end of this file adds them up. If something lags more than once, a key is made only while there is time
//! left to prove, store and withdraw it ([`KEY_BUDGET`]), and a proof gives up in time for that.

use std::time::{Duration, SystemTime};

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::time::Instant;

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

pub const ATTEMPT: Duration = Duration::from_secs(10);

/// The limit of an AWS call with all its attempts.
pub const CALL: Duration = Duration::from_secs(25);

/// The limits of connecting and of reading within one attempt.
pub const CONNECT: Duration = Duration::from_secs(3);
pub const READ: Duration = Duration::from_secs(8);

/// The limit of one attempt to put the answer. S3 takes milliseconds, so a longer attempt is better begun again.
pub const PUT: Duration = Duration::from_secs(5);

/// The time left before the deadline when a proof gives up: enough to delete the key that failed it.
pub const WITHDRAW: Duration = Duration::from_secs(10);

/// How long a proof waits for a key to be known. Three in four are unknown in their first second, and one in a hundred after
/// five.
pub const KEY_KNOWN: Duration = Duration::from_secs(60);

/// How long a proof waits for the user's own policy and boundary to allow, and where a denial does not name a policy.
pub const POLICY_ALLOWS: Duration = Duration::from_secs(30);

/// How long a proof waits for other policies to allow: bucket, KMS key, organization. They lag less than IAM's.
pub const OTHERS_ALLOW: Duration = Duration::from_secs(5);

/// The shortest proof that is worth beginning: 99 of 100 new keys are known everywhere after five seconds.
const SHORT_PROOF: Duration = Duration::from_secs(10);

/// No key is made if less time than this is left, because a key must be proved and stored, or withdrawn.
pub const KEY_BUDGET: Duration = ATTEMPT
    .saturating_add(SHORT_PROOF)
    .saturating_add(CALL)
    .saturating_add(WITHDRAW);

/// How long a key may exist before it is stored. After that it is nobody's, and may be ended.
pub const KEY_IN_FLIGHT: Duration = Duration::from_secs(100);

/// How old CloudFormation's "go on" may be when a key is stored.
pub const FRESH_WORD: Duration = Duration::from_secs(5);

/// How long a request goes round: longer than a key in flight, which may have to be waited for.
pub const ROUNDS: Duration = KEY_IN_FLIGHT.saturating_add(Duration::from_secs(10));

/// How long Secrets Manager's own rotation may be under way before it counts as failed.
pub const ROTATION_WINDOW: Duration = Duration::from_secs(15 * 60);

/// The longest that CloudFormation waits for an answer.
pub const SERVICE_TIMEOUT: Duration = Duration::from_secs(3600);

/// A key that no label names, that is older than this and that was not used after its first day was only ever tried.
pub const TRIED_ONLY_AFTER: Duration = Duration::from_secs(2 * 24 * 3600);

pub const DAY: Duration = Duration::from_secs(24 * 3600);

/// The longest life of a pre-signed URL. Links that a key signed need the key that long.
const LINK_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long a key must have been unused before a rotation every `days` days may end it.
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

/// Growing pauses with jitter, until the caller stops. Jitter separates two runs that get in each other's way.
fn pauses(least: Duration, most: Duration) -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(least)
        .with_max_delay(most)
        .without_max_times()
        .with_jitter()
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Pauses while IAM may lag. They are short, so that the last try comes close to the end of the lag.
pub(crate) fn while_iam_lags() -> ExponentialBuilder {
    pauses(ms(200), ms(1000))
}

/// Pauses between two questions to CloudFormation, which allows a whole account only a few a second.
pub(crate) fn between_looks() -> impl Iterator<Item = Duration> {
    pauses(ms(500), ms(2000)).build()
}

/// Pauses between rounds of a request, so that IAM's lists can settle.
pub(crate) fn between_rounds() -> impl Iterator<Item = Duration> {
    pauses(ms(250), ms(4000)).build()
}

/// The longest pause between two attempts of a proof, which jitter at most doubles.
const PROOF_PAUSE: Duration = ms(3000);

/// The longest pause with jitter. A proof stops this much earlier, so that its last pause does not use up [`WITHDRAW`].
pub const LONGEST_PROOF_PAUSE: Duration = PROOF_PAUSE.saturating_mul(2);

pub(crate) fn while_a_proof_waits() -> ExponentialBuilder {
    pauses(ms(250), PROOF_PAUSE)
}

pub(crate) fn between_puts() -> ExponentialBuilder {
    pauses(ms(100), ms(1000))
}

/// Pauses until a secret's name is free after a forced deletion, which goes on behind the scenes for some seconds
/// ([`DeleteSecret`](https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html)).
pub(crate) fn until_name_is_free() -> ExponentialBuilder {
    pauses(ms(1000), ms(5000)).with_total_delay(Some(CALL))
}

/// When an invocation ends, and how its time is divided. If little is left, each part shrinks with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    started: Instant,
    left: Duration,
}

impl Deadline {
    /// Takes the deadline that Lambda gives.
    pub fn at(end: SystemTime) -> Self {
        match end.duration_since(SystemTime::now()) {
            Ok(left) if !left.is_zero() => Self::after(left),
            Ok(_) | Err(_) => Self::after(ASSUMED),
        }
    }

    /// A deadline after this time, from now.
    pub fn after(left: Duration) -> Self {
        Self {
            started: Instant::now(),
            left,
        }
    }

    pub fn started(&self) -> Instant {
        self.started
    }

    /// When the work must have ended. A quarter of the time, at most 20 seconds, is kept for the answer.
    pub fn of_work(&self) -> Instant {
        self.started + self.left - ANSWER.min(self.left / 4)
    }

    /// When the answer must have been delivered.
    pub fn of_answer(&self) -> Instant {
        self.started + self.left - REST.min(self.left / 10)
    }

    pub fn work_time(&self) -> Duration {
        self.of_work() - self.started
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
        let proof = KEY_KNOWN.max(POLICY_ALLOWS).max(OTHERS_ALLOW);
        let key = ATTEMPT + proof + CALL + WITHDRAW;
        let longest = ROLE_LAG + VIEW_LAG + USER_AND_SECRET + key;
        assert!(longest <= INVOCATION - ANSWER, "{longest:?}");
    }

    #[test]
    fn a_key_can_still_be_made_after_all_before_it_has_lagged_its_longest() {
        assert!(ROLE_LAG + VIEW_LAG + USER_AND_SECRET + KEY_BUDGET <= INVOCATION - ANSWER);
    }

    #[test]
    fn a_request_outwaits_a_key_in_flight_and_still_has_time_for_its_own() {
        assert!(ROUNDS > KEY_IN_FLIGHT);
        assert!(ROUNDS + KEY_BUDGET <= INVOCATION - ANSWER);
    }

    #[test]
    fn the_longest_proof_and_the_longest_call_fit_into_a_key_in_flight() {
        assert!(ATTEMPT + KEY_KNOWN + CALL <= KEY_IN_FLIGHT);
    }

    #[test]
    fn an_attempt_fits_into_its_call() {
        assert!(CONNECT < READ && READ < ATTEMPT && ATTEMPT < CALL);
        assert!(PUT < ANSWER);
    }

    fn parts(seconds: u64) -> (f64, f64) {
        let deadline = Deadline::after(Duration::from_secs(seconds));
        let since = |instant: Instant| (instant - deadline.started).as_secs_f64();
        (since(deadline.of_work()), since(deadline.of_answer()))
    }

    #[test]
    fn two_minutes_leave_twenty_seconds_for_the_answer_and_one_for_the_end() {
        assert_eq!(parts(120), (100.0, 119.0));
    }

    #[test]
    fn if_little_time_is_left_each_part_keeps_its_share() {
        assert_eq!(parts(4), (3.0, 3.6));
    }

    #[test]
    fn a_deadline_that_has_passed_is_not_believed() {
        let deadline = Deadline::at(SystemTime::UNIX_EPOCH);
        assert_eq!(deadline.left, ASSUMED);
    }

    #[test]
    fn a_deadline_to_come_is_taken_as_it_is() {
        let deadline = Deadline::at(SystemTime::now() + Duration::from_secs(120));
        assert!(
            deadline.left > Duration::from_secs(119) && deadline.left <= Duration::from_secs(120)
        );
    }
}
