//! docs/troubleshooting.md: every message that is quoted is one that the code gives.

use std::fs;
use std::path::Path;

use crate::pages::{file, table, text};

#[test]
fn every_message_under_troubleshooting_is_one_that_the_code_gives() {
    let code = source(Path::new("src"));
    let unknown: Vec<String> = table("docs/troubleshooting.md", "| It says |")
        .into_iter()
        .map(|row| row[0].trim_matches('`').trim().to_owned())
        .filter(|quoted| {
            let mut parts = quoted.split('…').filter(|part| part.trim().len() > 3);
            let quotes_something = parts.clone().next().is_some();
            !quotes_something || !parts.all(|part| code.contains(part))
        })
        .collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn every_refusal_has_a_row_under_troubleshooting() {
    let rows = table("docs/troubleshooting.md", "| It says |");
    let rows: Vec<String> = rows.into_iter().map(|row| row[0].clone()).collect();
    let code = source(Path::new("src/plan"));
    let refusals = code
        .split("pub enum Refusal {")
        .nth(1)
        .expect("the refusals");
    let refusals = refusals.split("\n}").next().expect("their end");
    let messages: Vec<&str> = refusals
        .split("#[error(")
        .skip(1)
        .filter_map(|rest| rest.split('"').nth(1))
        .collect();
    assert!(messages.len() > 8, "only {messages:?}");
    let quoted = |message: &&str| {
        rows.iter().any(|row| {
            let mut parts = row
                .split(['…', '`'])
                .filter(|part| part.trim().len() > 3)
                .peekable();
            parts.peek().is_some() && parts.all(|part| message.contains(part.trim()))
        })
    };
    let missing: Vec<_> = messages.iter().filter(|message| !quoted(message)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// All Rust files below a folder, with the text of literals that go over several lines joined as the compiler does it.
pub(crate) fn source(folder: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(file(&folder.to_string_lossy())).expect("a folder") {
        let entry = entry.expect("an entry");
        let path = folder.join(entry.file_name());
        if entry.path().is_dir() {
            all.push_str(&source(&path));
        } else {
            let file = text(&path.to_string_lossy());
            all.extend(file.split("\\\n").map(str::trim_start));
        }
    }
    all
}
