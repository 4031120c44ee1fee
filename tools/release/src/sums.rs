//! `SHA256SUMS`: the files of a release, with their hashes. `sha256sum --check SHA256SUMS` reads it.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, ensure};
use sha2::{Digest, Sha256};

/// The file's name.
pub(crate) const FILE: &str = "SHA256SUMS";

/// Writes the sums of all files of the folder.
pub(crate) fn write(release: &Path) -> anyhow::Result<()> {
    let lines = sums(release)?;
    let lines = lines.iter().map(|(name, sum)| format!("{sum}  {name}\n"));
    fs::write(release.join(FILE), lines.collect::<String>())?;
    Ok(())
}

/// Checks that the folder holds what its sums say, and nothing else.
///
/// # Errors
/// The first file that is missing, added or changed, and what to do.
pub(crate) fn check(release: &Path) -> anyhow::Result<()> {
    let listed = fs::read_to_string(release.join(FILE)).with_context(|| {
        format!(
            "{} is not a release: it has no {FILE}; make one with `make release`",
            release.display()
        )
    })?;
    let listed = listed.lines().filter_map(|line| line.split_once("  "));
    let listed: BTreeMap<String, String> = listed
        .map(|(sum, name)| (name.to_owned(), sum.to_owned()))
        .collect();
    let found = sums(release)?;
    let way_out = "get the release again, or make it with `make release`";
    for name in listed.keys().chain(found.keys()) {
        let problem = match (listed.get(name), found.get(name)) {
            (Some(listed), Some(found)) if listed == found => continue,
            (Some(_), Some(_)) => "was changed: it has another sum than",
            (Some(_), None) => "is missing, but is in",
            (None, _) => "is not in",
        };
        anyhow::bail!(
            "{}: `{name}` {problem} {FILE}; {way_out}",
            release.display()
        );
    }
    ensure!(
        !found.is_empty(),
        "{} is empty; {way_out}",
        release.display()
    );
    Ok(())
}

/// The sum of each file of the folder, except its list of sums.
fn sums(release: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut sums = BTreeMap::new();
    for entry in fs::read_dir(release)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != FILE {
            let content = fs::read(entry.path()).with_context(|| name.clone())?;
            sums.insert(name, hexadecimal(&Sha256::digest(&content)));
        }
    }
    Ok(sums)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release() -> anyhow::Result<tempfile::TempDir> {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("a.zip"), "abc")?;
        fs::write(folder.path().join("template.yaml"), "")?;
        write(folder.path())?;
        Ok(folder)
    }

    #[test]
    fn the_list_is_what_sha256sum_writes() -> anyhow::Result<()> {
        let folder = release()?;
        let list = fs::read_to_string(folder.path().join(FILE))?;
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(list, format!("{abc}  a.zip\n{empty}  template.yaml\n"));
        check(folder.path())
    }

    #[test]
    fn a_changed_added_or_lost_file_is_named() -> anyhow::Result<()> {
        let error = |change: &dyn Fn(&Path) -> std::io::Result<()>| {
            let folder = release()?;
            change(folder.path())?;
            anyhow::Ok(
                check(folder.path())
                    .err()
                    .map(|error| error.to_string())
                    .unwrap_or_default(),
            )
        };
        let changed = error(&|folder| fs::write(folder.join("a.zip"), "abd"))?;
        assert!(changed.contains("`a.zip` was changed"), "{changed}");
        let added = error(&|folder| fs::write(folder.join("b.zip"), "abd"))?;
        assert!(added.contains("`b.zip` is not in SHA256SUMS"), "{added}");
        let lost = error(&|folder| fs::remove_file(folder.join("a.zip")))?;
        assert!(lost.contains("`a.zip` is missing"), "{lost}");
        let none = error(&|folder| fs::remove_file(folder.join(FILE)))?;
        assert!(none.contains("is not a release"), "{none}");
        Ok(())
    }
}
