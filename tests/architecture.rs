//! The shape of the code: no module uses one above it.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules, callers first. An event meets them in the order of src/lib.rs.
const CALLERS_FIRST: [&str; 9] = [
    "maintenance",
    "reconcile",
    "reply",
    "apply",
    "plan",
    "observe",
    "cloud",
    "request",
    "waits",
];

/// The modules that src/lib.rs declares.
fn declared() -> BTreeSet<String> {
    let crate_root = fs::read_to_string("src/lib.rs").expect("the crate");
    let declared = crate_root.lines().filter_map(|line| {
        let name = line.trim_start_matches("pub ").strip_prefix("mod ")?;
        Some(name.trim_end_matches(';').to_owned())
    });
    declared.collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// The modules that a file names by `crate::`, comments and unit tests apart.
fn uses(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("a file");
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or("");
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let named = lines.flat_map(|line| line.split("crate::").skip(1));
    let name = |rest: &str| {
        let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '_'));
        rest[..end.unwrap_or(rest.len())].to_owned()
    };
    named.map(name).filter(|name| !name.is_empty()).collect()
}

#[test]
fn no_module_uses_one_above_it() {
    assert_eq!(declared(), CALLERS_FIRST.map(str::to_owned).into());
    let place = |name: &str| CALLERS_FIRST.iter().position(|module| *module == name);
    let mut upward = Vec::new();
    let mut seen = 0;
    for (own, module) in CALLERS_FIRST.iter().enumerate() {
        let folder = PathBuf::from(format!("src/{module}"));
        let file = PathBuf::from(format!("src/{module}.rs"));
        assert!(file.is_file(), "{}", file.display());
        let tests = |path: &PathBuf| path.components().any(|part| part.as_os_str() == "tests");
        let paths = files(&folder).into_iter().chain([file]);
        for path in paths.filter(|path| !tests(path) && !path.ends_with("tests.rs")) {
            for used in uses(&path) {
                seen += 1;
                match place(&used) {
                    Some(there) if there >= own => {}
                    Some(_) => upward.push(format!("{} uses {used}", path.display())),
                    None => panic!("{} uses `{used}`, which is no module", path.display()),
                }
            }
        }
    }
    assert!(seen > 100, "only {seen} uses");
    assert!(upward.is_empty(), "{upward:#?}");
}
