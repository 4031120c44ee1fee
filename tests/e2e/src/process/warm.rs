//! The AWS CLI without its start, which takes half a second of processor time: an interpreter that has
//! loaded it runs each command in a fork.

use std::{
    env,
    ffi::OsString,
    io::{self, BufRead, BufReader, Write},
    os::unix::{net::UnixStream, process::ExitStatusExt},
    path::PathBuf,
    process::{Child, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use super::{Finished, Invocation, LIMIT, POLL, end_group};
use crate::interrupt;

/// Loading takes two seconds; a machine that is busy building takes longer.
const START_LIMIT: Duration = Duration::from_secs(90);
/// How often a command that runs looks for Ctrl-C.
const LOOK: Duration = Duration::from_millis(200);

/// An interpreter that waits for commands at a socket. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct WarmCli {
    child: Child,
    socket: PathBuf,
}

impl WarmCli {
    /// Starts `program`, the Python program that loads the AWS CLI and listens at `socket`.
    ///
    /// # Errors
    /// If it does not listen within [`START_LIMIT`].
    pub(crate) fn start(program: Invocation, socket: PathBuf) -> anyhow::Result<Self> {
        let mut command = program.arg(&socket).command();
        let child = command.stdin(Stdio::piped()).spawn()?;
        let mut warm = Self { child, socket };
        let start = Instant::now();
        while UnixStream::connect(&warm.socket).is_err() {
            if let Some(status) = warm.child.try_wait()? {
                bail!("the AWS CLI could not be loaded ({status})");
            }
            ensure!(!interrupt::is_pending(), "interrupted");
            ensure!(
                start.elapsed() < START_LIMIT,
                "the AWS CLI was not loaded within {START_LIMIT:?}"
            );
            thread::sleep(POLL);
        }
        Ok(warm)
    }

    /// Runs `invocation`, whose program is the AWS CLI, to its end.
    pub(super) fn run(&self, invocation: &Invocation) -> anyhow::Result<Finished> {
        let shown = invocation.shown();
        let start = Instant::now();
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(LOOK))?;
        writeln!(stream, "{}", request(invocation)?)?;
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while let Err(error) = stream.read_until(b'\n', &mut line) {
            let waits = matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
            );
            ensure!(waits, "`{shown}`: {error}");
            ensure!(!interrupt::is_pending(), "interrupted while `{shown}` ran");
            ensure!(
                start.elapsed() < LIMIT,
                "`{shown}` ran for more than {LIMIT:?}"
            );
        }
        let answer: Value = serde_json::from_slice(&line)
            .with_context(|| format!("`{shown}` ended without an answer"))?;
        let code = answer["status"].as_i64().context("no status")?;
        let printed = |stream: &str| answer[stream].as_str().unwrap_or_default().to_owned();
        Ok(Finished {
            shown,
            status: ExitStatus::from_raw(i32::try_from(code)? << 8),
            stdout: printed("stdout"),
            stderr: printed("stderr"),
            elapsed: start.elapsed(),
        })
    }
}

impl Drop for WarmCli {
    fn drop(&mut self) {
        end_group(&mut self.child);
    }
}

/// What the interpreter needs to do as a new process would: this process's environment with the command's changes.
fn request(invocation: &Invocation) -> anyhow::Result<Value> {
    let mut environment: Vec<(OsString, OsString)> = env::vars_os().collect();
    for (name, value) in &invocation.environment {
        environment.retain(|(known, _)| known != name);
        environment.extend(value.clone().map(|value| (name.clone(), value)));
    }
    let environment = environment
        .iter()
        .map(|(name, value)| Ok((text(name)?, json!(text(value)?))))
        .collect::<anyhow::Result<serde_json::Map<_, _>>>()?;
    let arguments = invocation
        .arguments
        .iter()
        .map(text)
        .collect::<anyhow::Result<Vec<_>>>()?;
    let folder = match &invocation.folder {
        Some(folder) => folder.clone(),
        None => env::current_dir()?,
    };
    Ok(json!({"arguments": arguments, "environment": environment, "folder": folder}))
}

fn text(word: &OsString) -> anyhow::Result<String> {
    let word = word
        .to_str()
        .with_context(|| format!("{word:?}: not UTF-8"))?;
    Ok(word.to_owned())
}
