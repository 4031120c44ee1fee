//! The pages against the code: their lists are complete, their quotes are true, every link leads somewhere, every tool
//! accepts its commands, and no sentence stands twice.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a page that cannot be read fails the test; the counts are for whoever runs it"
)]

mod commands;
mod deployer;
mod examples;
mod links;
mod pages;
mod policies;
mod reference;
mod wording;
