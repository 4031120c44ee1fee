//! The emulator: starts on a free port, and ends with everything it started.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use crate::{interrupt, process::end_group, redaction::redact, workplace::Workplace};

/// It is up within two seconds; a machine that is busy building takes longer.
const START_LIMIT: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(50);

/// The account that AWS's runtime interface emulator puts its functions in.
const ACCOUNT: &str = "012345678912";
/// Where tests say what time has brought.
pub(crate) const DATES: &str = "dates";

/// A running emulator; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Emulator {
    child: Child,
    log: PathBuf,
    after: After,
}

/// What becomes of the emulator at the end of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// It ends with the driver, even if the driver is killed.
    Stop,
    /// It stays, for a person to look around.
    Keep,
}

impl Emulator {
    /// Starts the emulator. Returns its endpoint, such as `http://127.0.0.1:45661`.
    ///
    /// # Errors
    /// If it is not ready within [`START_LIMIT`]. The error shows the end of its log.
    pub(crate) fn start(workplace: &Workplace, after: After) -> anyhow::Result<(Self, String)> {
        let log = workplace.logs().join("emulator.log");
        let output =
            File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let launcher = workplace.repository().join("tests/e2e/tools/emulator.py");
        let invocation = workplace
            .tool("python")
            .arg("-u")
            .arg(launcher)
            .args(["--port", "0", "--account", ACCOUNT])
            .arg("--dates")
            .arg(workplace.scratch().join(DATES));
        let mut command = match after {
            // The driver holds the other end of its input, so the emulator cannot outlive it.
            After::Stop => invocation.arg("--stop-at-eof").command(),
            After::Keep => invocation.command(),
        };
        if after == After::Stop {
            command.stdin(Stdio::piped());
        }
        let child = command
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .context("cannot start the emulator")?;
        // From here on, a failure drops and so ends what was started.
        let mut emulator = Self {
            child,
            log,
            after: After::Stop,
        };
        let endpoint = emulator.await_ready()?;
        Ok((emulator, endpoint))
    }

    /// Its log, with the lines about the function's invocations.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Leaves it running after this program, and returns its process group, by which to end it.
    pub(crate) fn keep(&mut self) -> u32 {
        self.after = After::Keep;
        self.child.id()
    }

    /// Waits for the line `ready URL`.
    fn await_ready(&mut self) -> anyhow::Result<String> {
        let start = Instant::now();
        loop {
            let text = fs::read_to_string(&self.log)?;
            // The last line may be half written.
            let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
            if let Some(endpoint) = whole.lines().find_map(|line| line.strip_prefix("ready ")) {
                return Ok(endpoint.trim().to_owned());
            }
            let problem = match self.child.try_wait()? {
                Some(status) => format!("the emulator ended at once ({status})"),
                None if interrupt::is_pending() => "interrupted".to_owned(),
                None if start.elapsed() > START_LIMIT => {
                    format!("the emulator was not ready within {START_LIMIT:?}")
                }
                None => {
                    thread::sleep(POLL);
                    continue;
                }
            };
            let lines: Vec<&str> = text.lines().collect();
            let end = lines[lines.len().saturating_sub(10)..].join("\n  | ");
            bail!("{problem}: {}\n  | {}", self.log.display(), redact(&end));
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        match self.after {
            After::Stop => end_group(&mut self.child),
            After::Keep => {}
        }
    }
}
