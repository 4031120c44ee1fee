//! The folders of a run: the repository, its tools, the logs, which stay, and the scratch files, which go.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use tempfile::TempDir;

use crate::process::{Invocation, record_to};

/// The folder with the programs that `make tools` installs, below the repository.
const TOOLS: &str = ".tools/python/bin";

/// Folders of one run.
#[derive(Debug)]
pub(crate) struct Workplace {
    repository: PathBuf,
    logs: PathBuf,
    scratch: TempDir,
}

impl Workplace {
    /// Clears `target/e2e/<run>`, the logs of the run before, and makes a scratch folder.
    ///
    /// # Errors
    /// If the tools are not installed, or a folder cannot be made.
    pub(crate) fn prepare(run: &str) -> anyhow::Result<Self> {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let repository = repository
            .canonicalize()
            .with_context(|| format!("{} is gone", repository.display()))?;
        for tool in ["aws", "sam", "python"] {
            if !repository.join(TOOLS).join(tool).exists() {
                bail!("`{TOOLS}/{tool}` is missing: run `make tools`");
            }
        }
        let logs = repository.join("target/e2e").join(run);
        if logs.exists() {
            fs::remove_dir_all(&logs)?;
        }
        fs::create_dir_all(&logs).with_context(|| format!("cannot make {}", logs.display()))?;
        record_to(logs.join("commands.log"));
        let scratch = tempfile::Builder::new()
            .prefix("publisher-e2e-")
            .tempdir()?;
        Ok(Self {
            repository,
            logs,
            scratch,
        })
    }

    /// The repository's root.
    pub(crate) fn repository(&self) -> &Path {
        &self.repository
    }

    /// Files that stay until the next run of the same kind.
    pub(crate) fn logs(&self) -> &Path {
        &self.logs
    }

    /// Files that are removed at the end.
    pub(crate) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// Sample data that the repository brings.
    pub(crate) fn data(&self) -> PathBuf {
        self.repository.join("tests/e2e/data")
    }

    /// Keeps the scratch folder, for a person to look around.
    pub(crate) fn keep_scratch(&mut self) {
        self.scratch.disable_cleanup(true);
    }

    /// One of the installed tools, which finds the others first in its path.
    pub(crate) fn tool(&self, name: &str) -> Invocation {
        Invocation::new(self.tools().join(name))
            .env("PATH", self.path())
            .in_folder(&self.repository)
    }

    /// The folder of the installed tools.
    pub(crate) fn tools(&self) -> PathBuf {
        self.repository.join(TOOLS)
    }

    /// The search path with the installed tools first.
    fn path(&self) -> OsString {
        let mut path = self.tools().into_os_string();
        if let Some(rest) = env::var_os("PATH") {
            path.push(":");
            path.push(rest);
        }
        path
    }
}
