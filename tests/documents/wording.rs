//! Rules for the text itself.

use std::collections::BTreeMap;

use crate::pages::{pages, text};

/// A reader sees the front page at a glance.
const FRONT_PAGE_LINES: usize = 160;

/// Shorter ones are labels, such as "yes" or "in place".
const WORDS_OF_A_SENTENCE: usize = 6;

#[test]
fn the_front_page_is_short() {
    let lines = text("README.md").lines().count();
    assert!(lines <= FRONT_PAGE_LINES, "{lines} lines");
}

#[test]
fn no_sentence_stands_twice() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for page in pages() {
        for (at, line) in page.prose() {
            for sentence in sentences(line) {
                let place = format!("{}:{at}", page.path);
                places.entry(sentence).or_default().push(place);
            }
        }
    }
    places.retain(|_, places| places.len() > 1);
    assert!(places.is_empty(), "{places:#?}");
}

/// The sentences of a line or of a table's cells, in small letters and without marks.
fn sentences(line: &str) -> impl Iterator<Item = String> {
    let parts = line.split('|').flat_map(|cell| cell.split_inclusive(". "));
    parts.filter_map(|part| {
        let kept = |c: char| c.is_alphanumeric() || c == '-';
        let words: Vec<&str> = part
            .split(|c: char| !kept(c))
            .filter(|word| word.contains(char::is_alphanumeric))
            .collect();
        (words.len() >= WORDS_OF_A_SENTENCE).then(|| words.join(" ").to_lowercase())
    })
}
