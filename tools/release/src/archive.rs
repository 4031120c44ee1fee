//! The archive that Lambda runs: one program, named `bootstrap`. The same program gives the same bytes.

use std::{
    fmt::{self, Display, Formatter},
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::{Context, bail, ensure};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

/// What Lambda starts in an archive of the runtime `provided.al2023`.
const PROGRAM: &str = "bootstrap";
/// The place where an ELF file names its processor, in little-endian order.
const MACHINE: std::ops::Range<usize> = 18..20;

/// A processor architecture, in Lambda's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Architecture {
    X86_64,
    Arm64,
}

impl Architecture {
    /// The number of the processor in an ELF file.
    fn machine(self) -> u16 {
        match self {
            Self::X86_64 => 62,
            Self::Arm64 => 183,
        }
    }
}

impl Display for Architecture {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        })
    }
}

impl FromStr for Architecture {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let known = [Self::X86_64, Self::Arm64];
        let found = known.into_iter().find(|known| known.to_string() == text);
        found.with_context(|| format!("`{text}` is not an architecture of Lambda: x86_64 or arm64"))
    }
}

/// Where the programs for an architecture are: `x86_64=target/lambda`.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    pub(crate) architecture: Architecture,
    folder: PathBuf,
}

impl FromStr for Programs {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let parts = text.split_once('=');
        let (architecture, folder) = parts.context("it must be ARCHITECTURE=FOLDER")?;
        Ok(Self {
            architecture: architecture.parse()?,
            folder: folder.into(),
        })
    }
}

impl Programs {
    /// Writes the archive of the program `name` to the release's folder.
    ///
    /// # Errors
    /// If the program was not built, or was built for another architecture.
    pub(crate) fn archive(&self, name: &str, release: &Path) -> anyhow::Result<()> {
        let program = self.folder.join(name).join(PROGRAM);
        let content = fs::read(&program)
            .with_context(|| format!("{} was not built: run `make release`", program.display()))?;
        ensure_runs_on(self.architecture, &content)
            .with_context(|| program.display().to_string())?;
        let archive = release.join(format!("{name}-{}.zip", self.architecture));
        let mut writer = ZipWriter::new(File::create(archive)?);
        // The earliest time that an archive can express, because the time of the build must not matter.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(9))
            .last_modified_time(DateTime::default())
            .unix_permissions(0o755);
        writer.start_file(PROGRAM, options)?;
        writer.write_all(&content)?;
        writer.finish()?;
        Ok(())
    }
}

fn ensure_runs_on(architecture: Architecture, program: &[u8]) -> anyhow::Result<()> {
    let Some(&[low, high]) = program
        .get(MACHINE)
        .filter(|_| program.starts_with(b"\x7fELF"))
    else {
        bail!("it is not a program for Linux");
    };
    let machine = u16::from_le_bytes([low, high]);
    ensure!(
        machine == architecture.machine(),
        "it was built for another architecture than {architecture}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// The first bytes of a program for x86-64.
    const ELF: &[u8] = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0";

    fn programs(
        architecture: &str,
        content: &[u8],
    ) -> anyhow::Result<(tempfile::TempDir, Programs)> {
        let folder = tempfile::tempdir()?;
        fs::create_dir(folder.path().join("answer"))?;
        fs::write(folder.path().join("answer").join(PROGRAM), content)?;
        let programs = format!("{architecture}={}", folder.path().display()).parse()?;
        Ok((folder, programs))
    }

    #[test]
    fn the_same_program_gives_the_same_bytes_at_any_time() -> anyhow::Result<()> {
        let (folder, programs) = programs("x86_64", ELF)?;
        let made = || {
            programs.archive("answer", folder.path())?;
            anyhow::Ok(fs::read(folder.path().join("answer-x86_64.zip"))?)
        };
        let first = made()?;
        // An archive counts time in steps of two seconds.
        std::thread::sleep(std::time::Duration::from_secs(2));
        assert_eq!(first, made()?);
        Ok(())
    }

    #[test]
    fn the_archive_holds_one_program_that_everybody_may_run() -> anyhow::Result<()> {
        let (folder, programs) = programs("x86_64", ELF)?;
        programs.archive("answer", folder.path())?;
        let file = File::open(folder.path().join("answer-x86_64.zip"))?;
        let mut archive = zip::ZipArchive::new(file)?;
        assert_eq!(archive.len(), 1);
        let mut entry = archive.by_name("bootstrap")?;
        assert_eq!(entry.unix_mode().map(|mode| mode & 0o777), Some(0o755));
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        assert_eq!(content, ELF);
        Ok(())
    }

    #[test]
    fn a_program_for_another_architecture_is_refused() -> anyhow::Result<()> {
        for (architecture, content, says) in [
            ("arm64", ELF, "another architecture than arm64"),
            (
                "x86_64",
                &b"#!/bin/sh\nexit 1 # too long for a header"[..],
                "not a program for Linux",
            ),
            ("x86_64", &ELF[..10], "not a program for Linux"),
        ] {
            let (folder, programs) = programs(architecture, content)?;
            let error = programs.archive("answer", folder.path()).err();
            let error = error.map(|error| format!("{error:#}")).unwrap_or_default();
            assert!(error.contains(says), "{error}");
        }
        Ok(())
    }
}
