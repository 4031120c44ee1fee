//! docs/troubleshooting.md: the code gives every message that the page quotes.

use std::fs;
use std::path::Path;

use crate::pages::{file, table, text};

/// The function's messages that the page quotes.
fn rows() -> impl Iterator<Item = String> {
    let tables = ["| It says |", "| It ends with |"].into_iter();
    let rows = tables.flat_map(|head| table("docs/troubleshooting.md", head));
    rows.map(|row| row[0].clone())
}

#[test]
fn every_message_under_troubleshooting_is_one_that_the_code_gives() {
    let code = source(Path::new("src"));
    let unknown: Vec<String> = rows()
        .map(|row| row.trim_matches('`').trim().to_owned())
        .filter(|quoted| {
            let mut parts = quoted.split('…').filter(|part| part.trim().len() > 3);
            let quotes_something = parts.clone().next().is_some();
            !quotes_something || !parts.all(|part| code.contains(part))
        })
        .collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

/// Where reasons are written: in these functions and enums of these files.
const REASONS: [(&str, &str); 16] = [
    ("src/lib.rs", "async fn decide<"),
    ("src/plan/refusals.rs", "pub enum Refusal {"),
    ("src/settle.rs", "pub enum RunError {"),
    ("src/settle.rs", "pub enum ApplyError {"),
    ("src/event.rs", "impl Request {"),
    ("src/event.rs", "fn serve_only("),
    ("src/event.rs", "fn admit("),
    ("src/proof.rs", "pub async fn prove<"),
    ("src/proof.rs", "fn explain("),
    ("src/proof.rs", "fn cure_of("),
    ("src/reconcile.rs", "async fn delete<"),
    ("src/reconcile/clean_up.rs", "pub(super) async fn clean_up<"),
    (
        "src/reconcile/clean_up.rs",
        "async fn withdraw_replacement<",
    ),
    ("src/confirm.rs", "impl Confirmation {"),
    ("src/panics.rs", "#[derive(Debug"),
    ("src/reply.rs", "fn success("),
];

/// Texts in those places that no answer shows: words for the log, and parts of a reason that another row quotes whole.
const NO_REASONS: [&str; 7] = [
    "neither the id nor the properties name a user: there is nothing to delete",
    "decryption was not proved: there are only empty or archived objects, or none",
    "CloudFormation no longer waits for this answer",
    "CloudFormation confirmed this request",
    "CloudFormation did not confirm this request",
    "(the object's properties show which)",
    "it is safe to try again",
];

/// Shorter ones are names and words of a sentence.
const WORDS_OF_A_REASON: usize = 4;

#[test]
fn every_reason_has_a_row_under_troubleshooting() {
    let rows: Vec<String> = rows().collect();
    let quoted = |message: &str| rows.iter().any(|row| quotes(row, message));
    let mut missing = Vec::new();
    for (path, start) in REASONS {
        let code = joined(&text(path));
        let (_, code) = code.split_once(start).expect(start);
        let (code, _) = code.split_once("\n}").expect(start);
        let reasons: Vec<String> = literals(code)
            .into_iter()
            .filter(|text| text.split(' ').count() >= WORDS_OF_A_REASON)
            .filter(|text| !NO_REASONS.contains(&text.trim()))
            .collect();
        assert!(!reasons.is_empty(), "{path}: {start} says nothing");
        missing.extend(reasons.into_iter().filter(|reason| !quoted(reason)));
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Whether a row quotes the message: all of it if the row is short or begins at the end of a sentence, otherwise every
/// part between the values that vary.
fn quotes(row: &str, message: &str) -> bool {
    let bare = |text: &str| text.trim_matches(['`', ' ']).to_owned();
    let row = bare(row);
    if row.starts_with(';') || row.split(' ').count() <= WORDS_OF_A_REASON {
        let (_, ending) = message.split_once('}').unwrap_or_default();
        return [message, ending]
            .iter()
            .any(|said| bare(&varied(said)) == row);
    }
    let mut parts = row
        .split(['…', '`'])
        .filter(|part| part.trim().len() > 3)
        .peekable();
    parts.peek().is_some() && parts.all(|part| message.contains(part.trim()))
}

/// A message with `…` for each value.
fn varied(message: &str) -> String {
    let mut parts = message.split('{');
    let mut varied = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        varied.push('…');
        varied.push_str(part.split_once('}').unwrap_or_default().1);
    }
    varied
}

/// The texts between quotation marks, comments left out.
pub(crate) fn literals(code: &str) -> Vec<String> {
    let code: Vec<&str> = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let code = code.join("\n").replace("\\\"", "\u{201d}");
    code.split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// A file with the text of literals that go over several lines joined as the compiler does it.
pub(crate) fn joined(code: &str) -> String {
    code.split("\\\n").map(str::trim_start).collect()
}

/// All Rust files below a folder, each [`joined`].
pub(crate) fn source(folder: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(file(&folder.to_string_lossy())).expect("a folder") {
        let entry = entry.expect("an entry");
        let path = folder.join(entry.file_name());
        if entry.path().is_dir() {
            all.push_str(&source(&path));
        } else {
            let file = text(&path.to_string_lossy());
            all.push_str(&joined(&file));
        }
    }
    all
}
