//! Running other programs: timed, captured, in a process group of their own, ended on an interruption.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    fs::OpenOptions,
    io::{Read, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::{interrupt, redaction::redact};

/// No command of this driver takes longer unless it hangs: the stacks' own time limit is below it.
const LIMIT: Duration = Duration::from_secs(15 * 60);
/// How long a group may take to end in its own way.
const GRACE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(10);

/// Where every command of the run is written down.
static RECORD: OnceLock<PathBuf> = OnceLock::new();

/// From now on writes every command, its time and how it ended to `file`.
pub(crate) fn record_to(file: PathBuf) {
    // A run has one workplace; a second file would only be another name for it.
    let _first = RECORD.set(file);
}
/// So much of a failed command's output is shown.
const SHOWN_LINES: usize = 20;

/// A program to run with its arguments, environment and folder.
#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    program: OsString,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, Option<OsString>)>,
    folder: Option<PathBuf>,
}

impl Invocation {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            folder: None,
        }
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments
            .extend(arguments.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    pub(crate) fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let value = Some(value.as_ref().to_owned());
        self.environment.push((name.as_ref().to_owned(), value));
        self
    }

    pub(crate) fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().to_owned(), None));
        self
    }

    pub(crate) fn in_folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// The environment variables that are set, but for the search path and those that only keep things out.
    pub(crate) fn exports(&self) -> impl Iterator<Item = (String, String)> {
        let set = self
            .environment
            .iter()
            .filter_map(|(name, value)| Some((name, value.as_ref()?)));
        let shown = set.map(|(name, value)| {
            (
                name.to_string_lossy().into_owned(),
                value.to_string_lossy().into_owned(),
            )
        });
        shown.filter(|(name, value)| name != "PATH" && value != "/dev/null")
    }

    /// The command as a person would type it, secrets masked. The environment is not shown.
    pub(crate) fn shown(&self) -> String {
        let program = Path::new(&self.program)
            .file_name()
            .unwrap_or(&self.program);
        let words = std::iter::once(program).chain(self.arguments.iter().map(OsString::as_os_str));
        let words: Vec<String> = words.map(|word| quoted(&word.to_string_lossy())).collect();
        redact(&words.join(" "))
    }

    /// The program with its standard streams still to be set, leader of a new process group.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::null());
        for (name, value) in &self.environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command.process_group(0);
        command
    }

    /// Runs to the end, whatever its status.
    ///
    /// # Errors
    /// If it cannot be started, is interrupted, or takes longer than [`LIMIT`].
    pub(crate) fn run(&self) -> anyhow::Result<Finished> {
        if interrupt::is_pending() {
            bail!("interrupted before `{}`", self.shown());
        }
        let start = Instant::now();
        let mut command = self.command();
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start `{}`", self.shown()))?;
        let stdout = collect(child.stdout.take());
        let stderr = collect(child.stderr.take());
        let status = self.wait(&mut child, start)?;
        let finished = Finished {
            shown: self.shown(),
            status,
            stdout: stdout.join().unwrap_or_default(),
            stderr: stderr.join().unwrap_or_default(),
            elapsed: start.elapsed(),
        };
        finished.record();
        Ok(finished)
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// As [`Self::run`], and if the status is not 0: the error shows the command and its last lines.
    pub(crate) fn succeed(&self) -> anyhow::Result<Finished> {
        let finished = self.run()?;
        if !finished.status.success() {
            bail!("{finished}");
        }
        Ok(finished)
    }

    fn wait(&self, child: &mut Child, start: Instant) -> anyhow::Result<ExitStatus> {
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if interrupt::is_pending() {
                end_group(child);
                bail!("interrupted while `{}` ran", self.shown());
            }
            if start.elapsed() > LIMIT {
                end_group(child);
                bail!("`{}` ran for more than {LIMIT:?}", self.shown());
            }
            thread::sleep(POLL);
        }
    }
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    shown: String,
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) elapsed: Duration,
}

impl Finished {
    fn record(&self) {
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

/// Does two things side by side: a command line tool keeps one processor busy for most of its time.
///
/// # Errors
/// The first one's, else the second one's, after both have ended.
pub(crate) fn join<A: Send, B>(
    first: impl FnOnce() -> anyhow::Result<A> + Send,
    second: impl FnOnce() -> anyhow::Result<B>,
) -> anyhow::Result<(A, B)> {
    thread::scope(|scope| {
        let first = scope.spawn(first);
        let second = second();
        let first = first
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((first?, second?))
    })
}

/// Ends the group that `child` leads: SIGTERM first, SIGKILL for what remains.
pub(crate) fn end_group(child: &mut Child) {
    end_group_within(child, GRACE);
}

fn end_group_within(child: &mut Child, grace: Duration) {
    let group = Pid::from_child(child);
    let deadline = Instant::now() + grace;
    // A group that is gone already is what we want.
    let _gone = kill_process_group(group, Signal::TERM);
    while Instant::now() < deadline && matches!(child.try_wait(), Ok(None)) {
        thread::sleep(POLL);
    }
    let _gone = kill_process_group(group, Signal::KILL);
    let _reaped = child.wait();
}

fn collect(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            // What was read before an error is still worth showing.
            let _partial = stream.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// `word` as a shell needs it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_command_shows_itself_and_its_last_lines() -> anyhow::Result<()> {
        let failing = Invocation::new("sh").args(["-c", "seq 1 50; echo reason >&2; exit 3"]);
        let error = failing.succeed().err().context("it should fail")?;
        let text = error.to_string();
        assert!(text.starts_with("`sh -c 'seq 1 50"), "{text}");
        assert!(text.contains("exit status: 3"), "{text}");
        assert!(text.ends_with("| 50\n  | reason"), "{text}");
        assert!(!text.contains("| 30\n"), "{text}");
        Ok(())
    }

    #[test]
    fn ending_a_group_ends_grandchildren_that_ignore_sigterm() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let script = "trap '' TERM; sh -c 'echo $$ > pid; sleep 60' & while ! test -s pid; do sleep 0.05; done; wait";
        let stubborn = Invocation::new("sh").args(["-c", script]);
        let mut child = stubborn.in_folder(folder.path()).command().spawn()?;
        let file = folder.path().join("pid");
        while std::fs::read_to_string(&file)
            .unwrap_or_default()
            .is_empty()
        {
            thread::sleep(POLL);
        }
        end_group_within(&mut child, 10 * POLL);
        let grandchild = std::fs::read_to_string(&file)?;
        let state = Invocation::new("ps").args(["-o", "stat=", "-p", grandchild.trim()]);
        let state = state.run()?.stdout;
        // Gone, or a zombie that nobody has reaped yet.
        assert!(state.is_empty() || state.starts_with('Z'), "{state}");
        Ok(())
    }
}
