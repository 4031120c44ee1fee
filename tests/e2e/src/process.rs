//! Running other programs: timed, captured, in a process group of their own, ended on an interruption.

use std::{
    ffi::{OsStr, OsString},
    io::Read,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use crate::{interrupt, redaction::redact};

mod finished;
mod group;
mod warm;

pub(crate) use finished::{Finished, record_to};
pub(crate) use group::end_group;
pub(crate) use warm::WarmCli;

/// A command that takes longer hangs, because the stacks' own time limit is shorter.
const LIMIT: Duration = Duration::from_secs(15 * 60);
const POLL: Duration = Duration::from_millis(10);

/// A program to run with its arguments, environment and folder.
#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    program: OsString,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, Option<OsString>)>,
    folder: Option<PathBuf>,
    warm: Option<Arc<WarmCli>>,
}

impl Invocation {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            folder: None,
            warm: None,
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

    /// Adds the environment of another one.
    pub(crate) fn environment_of(mut self, other: &Self) -> Self {
        self.environment.extend(other.environment.iter().cloned());
        self
    }

    pub(crate) fn in_folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// Lets `warm` run it: its program is the AWS CLI.
    pub(crate) fn in_warm(mut self, warm: &Arc<WarmCli>) -> Self {
        self.warm = Some(Arc::clone(warm));
        self
    }

    /// The environment variables that are set, except the search path and those that only shut something off.
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
        let finished = match &self.warm {
            Some(warm) => warm.run(self)?,
            None => self.run_in_process()?,
        };
        finished.record();
        Ok(finished)
    }

    fn run_in_process(&self) -> anyhow::Result<Finished> {
        let start = Instant::now();
        let mut command = self.command();
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start `{}`", self.shown()))?;
        let stdout = collect(child.stdout.take());
        let stderr = collect(child.stderr.take());
        let status = self.wait(&mut child, start)?;
        Ok(Finished {
            shown: self.shown(),
            status,
            stdout: stdout.join().unwrap_or_default(),
            stderr: stderr.join().unwrap_or_default(),
            elapsed: start.elapsed(),
        })
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

/// Does two things side by side, because a command line tool keeps one processor busy most of the time.
///
/// # Errors
/// The first one's, otherwise the second one's, after both have ended.
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

fn collect(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            // The output before an error is still worth showing.
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
}
