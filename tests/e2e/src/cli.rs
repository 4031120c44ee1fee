//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, builder::FalseyValueParser};

/// Drives the stack from outside, as a user would
#[derive(Debug, Parser)]
#[command(name = "e2e", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Without a command the tests run.
    #[command(flatten)]
    pub(crate) test: Test,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the whole life of a stack on an emulated AWS
    Demo(Demo),
    /// Run every end-to-end test on an emulated AWS
    Test(Test),
    /// Run the life of a stack on the account that the AWS command line is set up for
    Acceptance(Acceptance),
    /// Print the credentials in the environment for a profile's `credential_process`
    #[command(hide = true)]
    EnvironmentCredentials,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Leave the emulator and the stack up, and say how to look around
    #[arg(long, env = "KEEP", value_parser = FalseyValueParser::new())]
    pub(crate) keep: bool,
    /// Deploy a release of the programs in this folder, with the AWS CLI alone
    #[arg(long, conflicts_with = "keep")]
    pub(crate) release: Option<PathBuf>,
    /// The processor that the functions of the release are for: `x86_64` or `arm64`
    #[arg(long, default_value = "x86_64", requires = "release")]
    pub(crate) architecture: String,
    /// A command that runs programs for that processor, such as `qemu-aarch64-static -L /`
    #[arg(long, requires = "release")]
    pub(crate) through: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The functions' program; without it, the one that was built with the tests
    #[arg(long, env = "PROGRAM")]
    pub(crate) program: Option<PathBuf>,
    /// Run only the tests whose name contains one of these
    pub(crate) filters: Vec<String>,
    /// Print the names of the tests instead of running them
    #[arg(long)]
    pub(crate) list: bool,
    /// How many tests run side by side; three for each processor, because each waits most of the time
    #[arg(long, default_value_t = 3 * std::thread::available_parallelism().map_or(2, usize::from))]
    pub(crate) jobs: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Acceptance {
    /// A bucket of the account with at least one object; nothing in it is changed
    #[arg(long, env = "BUCKET")]
    pub(crate) bucket: String,
    /// The ARN of a policy that bounds the functions' roles, where your organization demands one
    #[arg(long, env = "ROLE_BOUNDARY")]
    pub(crate) role_boundary: Option<String>,
    /// Do not ask whether this is the right account
    #[arg(long)]
    pub(crate) yes: bool,
}
