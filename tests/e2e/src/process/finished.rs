//! What a command left behind, and the record of all commands.

use std::{
    fmt, fs::OpenOptions, io::Write, path::PathBuf, process::ExitStatus, sync::OnceLock,
    time::Duration,
};

use crate::redaction::redact;

/// How much of a failed command's output is shown.
const SHOWN_LINES: usize = 20;
/// The record of every command in the run.
static RECORD: OnceLock<PathBuf> = OnceLock::new();

/// From now on, writes every command with its time and result to `file`.
pub(crate) fn record_to(file: PathBuf) {
    // A run has one workplace, so a second file would only be another name for it.
    let _first = RECORD.set(file);
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(super) shown: String,
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) elapsed: Duration,
}

impl Finished {
    pub(super) fn record(&self) {
        let Self {
            shown,
            status,
            elapsed,
            ..
        } = self;
        let line = format!("{:6.1} s  {status}  {shown}\n", elapsed.as_secs_f32());
        let file = RECORD
            .get()
            .map(|file| OpenOptions::new().create(true).append(true).open(file));
        if let Some(Ok(mut file)) = file {
            // The record helps a person; a full disk must not fail the run.
            let _full = file.write_all(line.as_bytes());
        }
    }

    /// The command and all it printed, secrets masked, for a log.
    pub(crate) fn whole(&self) -> String {
        let Self {
            shown,
            status,
            stdout,
            stderr,
            elapsed,
        } = self;
        let seconds = elapsed.as_secs_f32();
        redact(&format!(
            "$ {shown}\n{stdout}{stderr}({status}, {seconds:.1} s)\n"
        ))
    }
}

impl fmt::Display for Finished {
    /// The command, how it ended and its last lines, secrets masked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f32();
        write!(f, "`{}`: {} after {seconds:.1} s", self.shown, self.status)?;
        let output = redact(&format!("{}\n{}", self.stdout, self.stderr));
        let lines: Vec<&str> = output.lines().filter(|l| !l.trim().is_empty()).collect();
        let first = lines.len().saturating_sub(SHOWN_LINES);
        for line in &lines[first..] {
            write!(f, "\n  | {line}")?;
        }
        Ok(())
    }
}
