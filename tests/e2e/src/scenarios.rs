//! The end-to-end tests. Each is a sentence that can be false, and needs no other test.

use crate::{bench::Bench, report::Notes};

mod deletion;
mod documented;
mod examples;
mod forgery;
mod late;
mod ownership;
mod privileges;
mod proof;
mod readme;
mod releases;
mod repair;
mod replacement;
mod runtime;
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
        forgery::SCENARIOS,
        late::SCENARIOS,
        examples::SCENARIOS,
        ownership::SCENARIOS,
        documented::SCENARIOS,
        proof::SCENARIOS,
        repair::SCENARIOS,
        replacement::SCENARIOS,
        privileges::SCENARIOS,
        runtime::SCENARIOS,
        tags::SCENARIOS,
        upgrade::SCENARIOS,
        deletion::SCENARIOS,
    ]
    .into_iter()
    .flatten()
}
