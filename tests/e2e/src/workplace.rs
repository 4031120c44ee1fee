//! The folders of a run: the repository, its tools, the logs, which stay, and the scratch files, which go.

use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use tempfile::TempDir;

use crate::process::{Invocation, record_to};

/// The folder with the programs that `make tools` installs, below the repository.
const TOOLS: &str = ".tools/python/bin";
/// Where `sam build` leaves the template and the programs.
const BUILT: &str = ".aws-sam/build";
/// The functions' program, as cargo names it.
const PROGRAM: &str = "publisher-s3-access";

/// Folders of one run.
#[derive(Debug)]
pub(crate) struct Workplace {
    repository: PathBuf,
    /// Where a person types commands.
    source: PathBuf,
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
            source: repository.clone(),
            repository,
            logs,
            scratch,
        })
    }

    /// Puts `program` where `sam build` would, in a folder that is as the repository otherwise: a release build takes
    /// minutes, and people may be working with what they have built. Without `program` it is the one beside this one.
    ///
    /// # Errors
    /// If it was not built.
    pub(crate) fn stage(&mut self, program: Option<&Path>) -> anyhow::Result<()> {
        let beside = env::current_exe()?.with_file_name(PROGRAM);
        let program = program.unwrap_or(&beside);
        let folder = self.scratch().join("source");
        let built = folder.join(BUILT);
        fs::create_dir_all(built.join(PROGRAM))?;
        fs::copy(program, built.join(PROGRAM).join("bootstrap"))
            .with_context(|| format!("{} was not built", program.display()))?;
        let template = fs::read_to_string(self.repository.join("template.yaml"))?;
        let code = format!("      Code: {PROGRAM}\n");
        let template = template.replace("      Code: .\n", &code);
        fs::write(built.join("template.yaml"), template)?;
        link(&self.repository, &folder)?;
        self.source = folder;
        Ok(())
    }

    /// A folder as the repository is after `sam build`, which commands may write to.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(crate) fn another_source(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.scratch().join(name);
        let built = folder.join(BUILT);
        fs::create_dir_all(&built)?;
        fs::copy(self.built_template(), built.join("template.yaml"))?;
        link(&self.built(), &built)?;
        link(&self.repository, &folder)?;
        Ok(folder)
    }

    /// The folder with the built template and, in one folder each, the programs.
    pub(crate) fn built(&self) -> PathBuf {
        self.source.join(BUILT)
    }

    /// The template that the other commands of `sam` take.
    pub(crate) fn built_template(&self) -> PathBuf {
        self.built().join("template.yaml")
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
            .in_folder(&self.source)
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

/// Makes links to what is in `from` and not in `to`.
fn link(from: &Path, to: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let link = to.join(entry.file_name());
        if !link.exists() {
            symlink(entry.path(), link)?;
        }
    }
    Ok(())
}
