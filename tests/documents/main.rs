//! The pages against the code: what they list is what there is, what they quote is what is said, every link leads
//! somewhere, every command is one that its tool accepts, and nothing stands twice.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a page that cannot be read fails the test; the counts are for whoever runs it"
)]

mod announced;
mod commands;
mod deployer;
mod examples;
mod links;
mod messages;
mod notifications;
mod pages;
mod policies;
mod reference;
mod wording;
