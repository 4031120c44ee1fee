//! Releases as their users have them: folders with a template and archives.

use std::{
    env,
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

use crate::{account::path_text, process::Invocation, workplace::Workplace};

mod story;

pub(crate) use story::Story;

/// What Lambda starts in an archive.
const PROGRAM: &str = "bootstrap";

/// The folder of a release.
#[derive(Clone, Debug)]
pub(crate) struct Release {
    /// Where the folder is.
    pub(crate) parent: PathBuf,
    pub(crate) version: String,
}

impl Release {
    /// Makes the release of this checkout from the programs that were built, as `make release` does, in `parent`.
    ///
    /// # Errors
    /// If a program was not built.
    pub(crate) fn assemble(workplace: &Workplace, parent: &Path) -> anyhow::Result<Self> {
        let programs = format!("x86_64={}", built(workplace).join("lambda").display());
        tool(workplace)
            .args(["assemble", "--into", path_text(parent)?])
            .args(["--programs", &programs])
            .succeed()?;
        let folders = fs::read_dir(parent)?.collect::<Result<Vec<_>, _>>()?;
        let names = folders.iter().map(|folder| folder.file_name());
        let version = names.filter_map(|name| {
            Some(
                name.to_str()?
                    .strip_prefix("publisher-s3-access-")?
                    .to_owned(),
            )
        });
        let version = version.max().context("no release was made")?;
        let parent = parent.to_owned();
        Ok(Self { parent, version })
    }

    /// The same release in another folder.
    ///
    /// # Errors
    /// If a file cannot be copied.
    pub(crate) fn copy_to(&self, parent: &Path) -> anyhow::Result<Self> {
        let copy = Self {
            parent: parent.to_owned(),
            version: self.version.clone(),
        };
        fs::create_dir_all(copy.folder())?;
        for entry in fs::read_dir(self.folder())? {
            let entry = entry?;
            fs::copy(entry.path(), copy.folder().join(entry.file_name()))?;
        }
        Ok(copy)
    }

    /// The folder's name.
    pub(crate) fn name(&self) -> String {
        format!("publisher-s3-access-{}", self.version)
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.parent.join(self.name())
    }

    /// The next release, beside this one. It takes its programs from this one, because to build others takes minutes;
    /// a script before each tells it the version that it was built with.
    ///
    /// # Errors
    /// If the version is not of the form `1.2.3`, or a file cannot be read or written.
    pub(crate) fn next(&self) -> anyhow::Result<Self> {
        let (start, patch) = self.version.rsplit_once('.').context("no patch version")?;
        let next = Self {
            parent: self.parent.clone(),
            version: format!("{start}.{}", patch.parse::<u32>()? + 1),
        };
        fs::create_dir_all(next.folder())?;
        let template = fs::read_to_string(self.folder().join("template.yaml"))?;
        let mapping = |version: &str| format!("Version: {version} }}");
        ensure!(
            template.contains(&mapping(&self.version)),
            "the template has no version"
        );
        let template = template
            .replace(&mapping(&self.version), &mapping(&next.version))
            .replace(&format!("{}/", self.name()), &format!("{}/", next.name()));
        fs::write(next.folder().join("template.yaml"), template)?;
        for entry in fs::read_dir(self.folder())? {
            let archive = entry?.path();
            if archive.extension().is_some_and(|of| of == "zip") {
                let name = archive.file_name().context("an archive has a name")?;
                self.disguise(&archive, &next, &next.folder().join(name))?;
            }
        }
        Ok(next)
    }

    /// Writes the archive `to`, whose program is that of `from` and answers to the version of `next`.
    fn disguise(&self, from: &Path, next: &Self, to: &Path) -> anyhow::Result<()> {
        let mut program = Vec::new();
        let mut archive = ZipArchive::new(File::open(from)?)?;
        archive.by_name(PROGRAM)?.read_to_end(&mut program)?;
        let script = format!(
            "#!/bin/sh\ntest \"$RELEASE\" = {} || exit 1\nRELEASE={} exec \"$(dirname \"$0\")/program\"\n",
            next.version, self.version
        );
        let mut writer = ZipWriter::new(File::create(to)?);
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .unix_permissions(0o755);
        for (name, content) in [(PROGRAM, script.as_bytes()), ("program", &program)] {
            writer.start_file(name, options)?;
            writer.write_all(content)?;
        }
        writer.finish()?;
        Ok(())
    }
}

/// The program behind `make release` and `make publish`.
pub(crate) fn tool(workplace: &Workplace) -> Invocation {
    Invocation::new("cargo")
        .args(["run", "--quiet", "--locked", "--package", "release", "--"])
        .env_remove("RUSTFLAGS")
        .env_remove("CFLAGS")
        .in_folder(workplace.repository())
}

/// Where cargo puts what it builds.
fn built(workplace: &Workplace) -> PathBuf {
    let folder = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| PathBuf::from("target"));
    workplace.repository().join(folder)
}
