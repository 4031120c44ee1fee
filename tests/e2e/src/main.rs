//! Drives the stack from outside, as a user would: with `sam` and `aws` as processes, on an emulated AWS or
//! on a real account. One driver serves demo, end-to-end tests and acceptance run, so that what the demo
//! shows is what the tests assert.
//!
//! In reading order: [`cli`] says what can be asked for and [`run`] does it; [`lifecycle`] is the story that
//! all three tell, [`scenarios`] are the further tests, which stand on a [`bench`]; a
//! [`release`] is what a person has who builds nothing. They see an [`account`]
//! through the command lines of an administrator ([`sam`], [`stack`]) and of a [`publisher`], and do not
//! know the [`emulator`]; an [`inbox`] takes the messages to people, and [`dates`] say what time has brought.
//! [`process`], [`interrupt`], [`redaction`], [`workplace`] and [`report`] keep it all in order.

use std::process::ExitCode;

use clap::Parser;

mod account;
mod bench;
mod cli;
mod dates;
mod emulator;
mod inbox;
mod interrupt;
mod lifecycle;
mod process;
mod publisher;
mod redaction;
mod release;
mod report;
mod run;
mod sam;
mod scenarios;
mod stack;
mod workplace;

/// The status of a program that a signal ended, as shells give it for Ctrl-C.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let outcome = interrupt::listen().and_then(|()| {
        match cli.command.unwrap_or(cli::Command::Test(cli.test)) {
            cli::Command::Demo(arguments) => run::demo(&arguments),
            cli::Command::Test(arguments) => run::test(&arguments),
            cli::Command::Acceptance(arguments) => run::acceptance(&arguments),
            cli::Command::EnvironmentCredentials => run::environment_credentials(),
        }
    });
    match outcome {
        _ if interrupt::happened() => ExitCode::from(INTERRUPTED),
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            report::failure(&error);
            ExitCode::FAILURE
        }
    }
}
