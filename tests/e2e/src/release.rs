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

/// The architecture of most functions, and of the machines that run the tests.
pub(crate) const X86_64: &str = "x86_64";
/// What Lambda starts in an archive.
const PROGRAM: &str = "bootstrap";
/// The program that a script wraps. The script finds it by its own name, because it may be wrapped again.
const WRAPPED: &str = "\"$(dirname \"$0\")/wrapped-$(basename \"$0\")\"";

/// The folder of a release.
#[derive(Clone, Debug)]
pub(crate) struct Release {
    /// The folder's path.
    pub(crate) parent: PathBuf,
    pub(crate) version: String,
}

impl Release {
    /// Makes the release of this checkout from what was built to the folder `programs`, as `make release` does, in
    /// `parent`.
    ///
    /// # Errors
    /// If a program was not built.
    pub(crate) fn assemble(
        workplace: &Workplace,
        parent: &Path,
        architecture: &str,
        programs: &Path,
    ) -> anyhow::Result<Self> {
        let programs = format!("{architecture}={}", programs.display());
        tool(workplace)?
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

    /// The next release, beside this one. It reuses this one's programs, because building others takes minutes. A
    /// script in front of each sets the version that it was built with.
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
        let script = format!(
            "test \"$RELEASE\" = {} || exit 1\nRELEASE={} exec {WRAPPED}",
            next.version, self.version
        );
        for archive in self.archives()? {
            let name = archive.file_name().context("an archive has a name")?;
            wrap(&archive, &next.folder().join(name), &script)?;
        }
        Ok(next)
    }

    /// Makes `command`, such as an emulator of their processor, run the release's programs.
    ///
    /// # Errors
    /// If an archive cannot be read or written.
    pub(crate) fn run_through(&self, command: &str) -> anyhow::Result<()> {
        for archive in self.archives()? {
            wrap(&archive, &archive, &format!("exec {command} {WRAPPED}"))?;
        }
        Ok(())
    }

    fn archives(&self) -> anyhow::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(self.folder())?.collect::<Result<Vec<_>, _>>()?;
        let paths = entries.iter().map(fs::DirEntry::path);
        Ok(paths
            .filter(|path| path.extension().is_some_and(|of| of == "zip"))
            .collect())
    }
}

/// Writes the archive `to` with the content of `from` behind a script that ends by starting [`WRAPPED`].
fn wrap(from: &Path, to: &Path, script: &str) -> anyhow::Result<()> {
    let mut archive = ZipArchive::new(File::open(from)?)?;
    let mut files = vec![(
        PROGRAM.to_owned(),
        format!("#!/bin/sh\n{script}\n").into_bytes(),
    )];
    for at in 0..archive.len() {
        let mut file = archive.by_index(at)?;
        let name = file.name()?.into_owned();
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        files.push((format!("wrapped-{name}"), content));
    }
    let mut writer = ZipWriter::new(File::create(to)?);
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .unix_permissions(0o755);
    for (name, content) in files {
        writer.start_file(name, options)?;
        writer.write_all(&content)?;
    }
    writer.finish()?;
    Ok(())
}

/// The program behind `make release` and `make publish`, which is built beside this one.
///
/// # Errors
/// If it is not there.
pub(crate) fn tool(workplace: &Workplace) -> anyhow::Result<Invocation> {
    let tool = env::current_exe()?.with_file_name("release");
    ensure!(
        tool.exists(),
        "{} is missing: run `cargo build --package release`",
        tool.display()
    );
    Ok(Invocation::new(tool).in_folder(workplace.repository()))
}
