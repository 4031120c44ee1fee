//! Fills the folder of a release.

use std::fs;

use anyhow::{Context, bail};

use crate::{archive::Architecture, beside, bill, cli, crates, licences, sums, template};

/// The target to look the crates up for. Those for arm64 are the same.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Makes `<into>/publisher-s3-access-<version>`, in place of an earlier one.
///
/// # Errors
/// If something was not built, or is not of the same version.
#[expect(clippy::print_stdout, reason = "a person wants to know what was made")]
pub(crate) fn assemble(arguments: &cli::Assemble) -> anyhow::Result<()> {
    let cli::Assemble {
        repository,
        into,
        programs,
    } = arguments;
    let architectures: Vec<Architecture> = programs.iter().map(|of| of.architecture).collect();
    let crates = crates::linked(repository, TARGET)?;
    let version = crates.own.package.version.to_string();
    let changelog = fs::read_to_string(repository.join("CHANGELOG.md")).context("CHANGELOG.md")?;
    if !changelog.contains(&format!("\n## [{version}]")) {
        bail!("CHANGELOG.md has no section for {version}: add `## [{version}] - YEAR-MONTH-DAY`");
    }
    let source = fs::read_to_string(repository.join("template.yaml")).context("template.yaml")?;
    let made = template::release(&source, &version, &architectures)?;

    let beside = beside::libraries(repository)?;
    let folder = into.join(template::folder(&version));
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::write(folder.join("template.yaml"), &made.text)?;
    for of in programs {
        of.archive(&made.program, &folder)?;
    }
    fs::write(folder.join("sbom.cdx.json"), bill::bill(&crates, &beside)?)?;
    fs::write(
        folder.join("THIRD-PARTY-LICENSES.txt"),
        licences::page(&crates, &beside)?,
    )?;
    sums::write(&folder)?;

    let mut files = fs::read_dir(&folder)?.collect::<Result<Vec<_>, _>>()?;
    files.sort_by_key(fs::DirEntry::file_name);
    for file in files {
        println!("{:>10}  {}", file.metadata()?.len(), file.path().display());
    }
    Ok(())
}
