//! The end-to-end tests. Each is a sentence that can be false, and needs no other test.

use crate::{bench::Bench, report::Notes};

mod examples;
mod proof;
mod readme;
mod releases;
mod replacement;
mod schedule;
mod tags;
mod upgrade;
mod watch;

/// A test: its sentence, and the function that checks it.
pub(crate) type Scenario = (
    &'static str,
    for<'a> fn(&'a Bench<'a>, &mut Notes) -> anyhow::Result<()>,
);

/// Every test, in the order in which they start: the longest first.
pub(crate) fn all() -> impl Iterator<Item = &'static Scenario> {
    [
        readme::SCENARIOS,
        releases::SCENARIOS,
        schedule::SCENARIOS,
        watch::SCENARIOS,
        examples::SCENARIOS,
        proof::SCENARIOS,
        replacement::SCENARIOS,
        tags::SCENARIOS,
        upgrade::SCENARIOS,
    ]
    .into_iter()
    .flatten()
}
