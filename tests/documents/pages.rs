//! The pages, and what is found in them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A page, by its path in the repository.
pub(crate) struct Page {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A fenced block of a page.
pub(crate) struct Block {
    /// The page and the line, as an editor opens it.
    pub(crate) place: String,
    pub(crate) language: String,
    pub(crate) text: String,
}

/// A file of the repository.
pub(crate) fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub(crate) fn text(path: &str) -> String {
    fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every page: at the root, and below `docs` and `examples`.
pub(crate) fn pages() -> Vec<Page> {
    let mut paths = Vec::new();
    markdown_in("", false, &mut paths);
    markdown_in("docs", true, &mut paths);
    markdown_in("examples", true, &mut paths);
    paths.sort();
    assert!(paths.len() > 12, "only {paths:?}");
    let page = |path: String| Page {
        text: text(&path),
        path,
    };
    paths.into_iter().map(page).collect()
}

fn markdown_in(folder: &str, deep: bool, paths: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(file(folder)) else {
        return;
    };
    for entry in entries {
        let entry = entry.expect("an entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = match folder {
            "" => name,
            folder => format!("{folder}/{name}"),
        };
        if entry.path().is_dir() {
            if deep && !path.ends_with("node_modules") {
                markdown_in(&path, deep, paths);
            }
        } else if path.ends_with(".md") {
            paths.push(path);
        }
    }
}

impl Page {
    /// The lines outside fenced blocks, with their numbers from 1.
    pub(crate) fn prose(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut fenced = false;
        self.text.lines().enumerate().filter_map(move |(at, line)| {
            let fence = line.trim_start().starts_with("```");
            fenced ^= fence;
            (!fenced && !fence).then_some((at + 1, line))
        })
    }

    /// The fenced blocks.
    pub(crate) fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut open = false;
        for (at, line) in self.text.lines().enumerate() {
            match (open, line.strip_prefix("```")) {
                (false, Some(language)) => {
                    blocks.push(Block {
                        place: format!("{}:{}", self.path, at + 1),
                        language: language.to_owned(),
                        text: String::new(),
                    });
                    open = true;
                }
                (true, Some(_)) => open = false,
                (true, None) => {
                    let block = blocks.last_mut().expect("an open block");
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (false, None) => {}
            }
        }
        assert!(!open, "{}: a block does not end", self.path);
        blocks
    }

    /// The text between single backticks in prose, with its line.
    pub(crate) fn codes(&self) -> Vec<(usize, String)> {
        let spans = |(at, line): (usize, &str)| {
            let spans: Vec<_> = codes(line).map(|code| (at, code)).collect();
            spans
        };
        self.prose().flat_map(spans).collect()
    }

    /// The headings' anchors, as GitHub makes them.
    pub(crate) fn anchors(&self) -> BTreeSet<String> {
        let mut anchors = BTreeSet::new();
        for (at, line) in self.prose().filter(|(_, line)| line.starts_with('#')) {
            let new = anchors.insert(anchor(line.trim_start_matches('#').trim()));
            assert!(new, "{}:{at}: this heading stands twice", self.path);
        }
        anchors
    }
}

/// A heading's anchor, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// The text between single backticks.
pub(crate) fn codes(cell: &str) -> impl Iterator<Item = String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned)
}

/// The cells of the first table of a page that begins with `header`, a row each, without header and rule.
pub(crate) fn table(path: &str, header: &str) -> Vec<Vec<String>> {
    let page = text(path);
    let lines = page.lines().skip_while(|line| !line.starts_with(header));
    let rows = lines.skip(2).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| {
        let row = row.trim_matches('|');
        row.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let rows: Vec<Vec<String>> = rows.map(cells).collect();
    assert!(!rows.is_empty(), "{path} has no table {header}");
    rows
}

/// The name that each row of a table begins with.
pub(crate) fn names(path: &str, header: &str) -> BTreeSet<String> {
    let first = |row: &Vec<String>| codes(&row[0]).next().expect("a name in backticks");
    table(path, header).iter().map(first).collect()
}
