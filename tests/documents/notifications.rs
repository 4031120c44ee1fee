//! docs/operations.md: each message to a person has one row that quotes it, and each row quotes one message.

use crate::messages::{joined, literals};
use crate::pages::{table, text};

/// Shorter literals are names and parts of a sentence.
const WORDS_OF_A_FINDING: usize = 4;

/// Everything that somebody is told: the subjects of messages, a check's findings, the alarms.
fn told() -> Vec<String> {
    let proof = joined(&text("src/proof.rs"));
    let unread = literals(&proof).into_iter();
    let unread = unread.filter(|text| text.starts_with("the key cannot {what}"));
    let findings = joined(&text("src/maintenance/findings.rs"));
    let findings = literals(&findings).into_iter();
    let findings = findings.filter(|text| text.split(' ').count() >= WORDS_OF_A_FINDING);
    let told = subjects().into_iter().chain(unread).chain(findings);
    told.chain(alarms()).collect()
}

/// The subject of each message that the function can write.
fn subjects() -> Vec<String> {
    let code = text("src/maintenance/message.rs");
    let written = |line: &&str| line.starts_with("pub(super) fn") && line.ends_with("-> Message {");
    let count = code.lines().filter(written).count();
    let calls = code.split("message(\n").skip(1);
    let subjects: Vec<String> = calls.map(|call| literals(call).remove(0)).collect();
    assert!(
        count > 0 && subjects.len() == count,
        "{count}: {subjects:?}"
    );
    subjects
}

/// What each alarm says.
fn alarms() -> Vec<String> {
    let template = text("template.yaml");
    let count = template.matches("Type: AWS::CloudWatch::Alarm").count();
    let texts = template.split("AlarmDescription: !Sub >-\n").skip(1);
    let texts: Vec<String> = texts
        .map(|rest| {
            let lines = rest.lines().take_while(|line| line.starts_with("        "));
            lines.map(str::trim).collect::<Vec<_>>().join(" ")
        })
        .collect();
    assert!(count > 0 && texts.len() == count, "{count}: {texts:?}");
    texts
}

/// Whether a row quotes the message, with `…` for what varies.
fn quotes(row: &str, message: &str) -> bool {
    let parts = row.trim_matches(['`', ' ']).split('…').map(str::trim);
    let mut parts = parts.filter(|part| part.len() > 1).peekable();
    parts.peek().is_some() && parts.all(|part| message.contains(part))
}

#[test]
fn every_message_has_one_row_and_every_row_one_message() {
    let rows = table("docs/operations.md", "| It holds |");
    let told = told();
    for message in &told {
        let rows: Vec<_> = rows.iter().filter(|row| quotes(&row[0], message)).collect();
        assert_eq!(rows.len(), 1, "{message}: {rows:?}");
    }
    for row in &rows {
        let messages: Vec<_> = told.iter().filter(|told| quotes(&row[0], told)).collect();
        assert_eq!(messages.len(), 1, "{}: {messages:?}", row[0]);
        assert!(row[1..].iter().all(|cell| !cell.is_empty()), "{row:?}");
    }
}
