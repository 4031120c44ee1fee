//! How the time of an invocation is divided between work and answer.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::waits::{ANSWER, ASSUMED, REST};

/// When an invocation ends, and how its time is divided. If little is left, each part shrinks with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    started: Instant,
    left: Duration,
}

impl Deadline {
    /// Takes the deadline that Lambda gives.
    #[must_use]
    pub fn at(end: SystemTime) -> Self {
        match end.duration_since(SystemTime::now()) {
            Ok(left) if !left.is_zero() => Self::after(left),
            Ok(_) | Err(_) => Self::after(ASSUMED),
        }
    }

    /// A deadline after this time, from now.
    #[must_use]
    pub fn after(left: Duration) -> Self {
        Self {
            started: Instant::now(),
            left,
        }
    }

    /// When the invocation began.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.started
    }

    /// When the work must have ended. A quarter of the time, at most 20 seconds, is kept for the answer.
    #[must_use]
    pub fn of_work(&self) -> Instant {
        self.started + self.left - ANSWER.min(self.left / 4)
    }

    /// When the answer must have been delivered.
    #[must_use]
    pub fn of_answer(&self) -> Instant {
        self.started + self.left - REST.min(self.left / 10)
    }

    /// How long the work may take.
    #[must_use]
    pub fn work_time(&self) -> Duration {
        self.of_work() - self.started
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
