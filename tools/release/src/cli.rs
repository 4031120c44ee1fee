//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::archive::Programs;

/// Makes a release of publisher-s3-access and publishes it
#[derive(Debug, Parser)]
#[command(name = "release")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make the folder of a release from the programs that were built
    Assemble(Assemble),
    /// Upload the folder of a release to a bucket and print how to create a stack from it
    Publish(Publish),
}

#[derive(Debug, Args)]
pub(crate) struct Assemble {
    /// The checkout
    #[arg(long, default_value = ".")]
    pub(crate) repository: PathBuf,
    /// Where the release's folder is made
    #[arg(long, default_value = "dist")]
    pub(crate) into: PathBuf,
    /// Where the programs for an architecture are, as cargo-lambda leaves them: `x86_64=target/lambda`
    #[arg(long, required = true)]
    pub(crate) programs: Vec<Programs>,
}

#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// The release's folder
    pub(crate) release: PathBuf,
    /// The bucket to upload to, in the region of the stacks
    #[arg(long)]
    pub(crate) bucket: String,
    /// A folder in the bucket
    #[arg(long, default_value = "")]
    pub(crate) prefix: String,
    /// The region of the stacks; without it, the one that the AWS CLI is set up for, else the bucket's
    #[arg(long)]
    pub(crate) region: Option<String>,
}
