//! The licences of everything that is linked, with their texts, as most of them require.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::Path,
};

use anyhow::Context;
use cargo_metadata::Package;

use crate::{
    beside::Library,
    crates::{Crates, Linked},
};

/// How the names of files begin that hold a licence, or a notice to pass on.
const FILES: [&str; 5] = ["licen", "copying", "copyright", "notice", "unlicense"];
const RULE: &str =
    "\n================================================================================\n";

/// A crate's licence as an SPDX expression.
///
/// # Errors
/// If it names none.
pub(crate) fn expression(package: &Package) -> anyhow::Result<String> {
    let licence = package.license.as_deref();
    let licence = licence.with_context(|| format!("crate `{}` names no licence", package.name))?;
    // An older way to write it.
    Ok(licence.replace('/', " OR "))
}

/// The page of licences.
///
/// # Errors
/// If a crate has no licence, or its files cannot be read.
pub(crate) fn page(crates: &Crates, beside: &[Library]) -> anyhow::Result<String> {
    let mut page =
        "The programs of this release contain the following software of others.\n\n".to_owned();
    let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut add = |name: String, found: Vec<String>| {
        for text in found {
            texts.entry(text).or_default().insert(name.clone());
        }
    };
    for Library {
        name,
        version,
        licence,
    } in beside
    {
        let name = format!("{name} {version}");
        writeln!(page, "{name}: {licence}")?;
        add(name, spdx_texts(licence)?);
    }
    for Linked { package, .. } in &crates.others {
        let name = format!("{} {}", package.name, package.version);
        let licence = expression(package)?;
        let place = package.repository.as_deref().unwrap_or_default();
        writeln!(page, "{name}: {licence} {place}")?;
        let folder = package
            .manifest_path
            .parent()
            .context("a crate has a folder")?;
        let mut found = Vec::new();
        collect(folder.as_std_path(), &mut found)?;
        if found.is_empty() {
            found = spdx_texts(&licence)?;
        }
        add(name, found);
    }
    let mut texts: Vec<_> = texts
        .into_iter()
        .map(|(text, names)| (names, text))
        .collect();
    texts.sort();
    for (names, text) in texts {
        let names: Vec<String> = names.into_iter().collect();
        write!(page, "{RULE}{}\n\n{text}\n", names.join(", "))?;
    }
    Ok(page)
}

/// The texts of a crate's licence files, with those of other people's sources that it contains.
fn collect(folder: &Path, found: &mut Vec<String>) -> anyhow::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().to_lowercase();
        // A program is not text, whatever its name.
        let is_text = [".md", ".txt", ""].iter().any(|end| {
            Path::new(&name)
                .extension()
                .is_none_or(|of| format!(".{}", of.to_string_lossy()) == *end)
        });
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), found)?;
        } else if is_text && FILES.iter().any(|start| name.starts_with(start)) {
            let text = fs::read(entry.path())?;
            let text = String::from_utf8_lossy(&text).replace("\r\n", "\n");
            found.push(text.trim_end().to_owned());
        }
    }
    Ok(())
}

/// The texts of the licences that an SPDX expression names.
fn spdx_texts(expression: &str) -> anyhow::Result<Vec<String>> {
    let parsed = spdx::Expression::parse(expression)?;
    let texts = parsed.requirements().flat_map(|requirement| {
        let licence = requirement.req.license.id().map(|id| id.text());
        let exception = requirement.req.addition.as_ref().and_then(|item| item.id());
        [licence, exception.map(|id| id.text())]
    });
    Ok(texts
        .flatten()
        .map(|text| text.trim_end().to_owned())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{beside, crates};

    #[test]
    fn every_crate_is_listed_and_stands_above_a_text() -> anyhow::Result<()> {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let crates = crates::linked(&repository, "x86_64-unknown-linux-gnu")?;
        let beside = beside::libraries(&repository)?;
        let page = page(&crates, &beside)?;
        let mut parts = page.split(RULE);
        let list = parts.next().unwrap_or_default();
        let headings: Vec<&str> = parts.filter_map(|part| part.split("\n\n").next()).collect();
        for Linked { package, .. } in &crates.others {
            let name = format!("{} {}", package.name, package.version);
            assert!(list.contains(&format!("\n{name}: ")), "{name}");
            let above = headings
                .iter()
                .any(|names| names.split(", ").any(|listed| listed == name));
            assert!(above, "{name} has no text");
        }
        for part in [
            "Permission is hereby granted",
            "Apache License",
            "Rust standard library",
        ] {
            assert!(page.contains(part), "{part}");
        }
        Ok(())
    }
}
