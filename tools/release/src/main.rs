//! Makes a release from what was built, and publishes it.
//!
//! In reading order: [`cli`] is the command line. [`assemble`] fills the folder of a release: the [`template`], an
//! [`archive`] of each program, the [`bill`] of materials and the [`licences`] of the [`crates`] that are linked and of
//! what is linked [`beside`] them, and the [`sums`] of all of it. [`publish`] uploads the folder with [`aws`] and
//! prints the [`link`] that creates a stack.

use std::process::ExitCode;

use clap::Parser;

mod archive;
mod assemble;
mod aws;
mod beside;
mod bill;
mod cli;
mod crates;
mod licences;
mod link;
mod publish;
mod sums;
mod template;

#[expect(clippy::print_stderr, reason = "an error is told to a person")]
fn main() -> ExitCode {
    let done = match cli::Cli::parse().command {
        cli::Command::Assemble(arguments) => assemble::assemble(&arguments),
        cli::Command::Publish(arguments) => publish::publish(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
