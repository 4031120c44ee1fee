//! Blocks of commands: each is read by the tool it belongs to, in one process for all.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::pages::{Block, file, pages, text};

/// Read by the script beside this file.
const COMMANDS: [&str; 3] = ["sh", "ini", "hcl"];
/// Read by the tests in `policies.rs`.
const DATA: [&str; 2] = ["json", "yaml"];
/// Blocks with nothing to run.
const TEXT: [&str; 1] = ["text"];
/// The tools whose commands are also read inside sentences.
const INLINE: [&str; 4] = ["aws ", "cargo ", "make ", "sam "];

#[test]
fn every_block_says_what_it_is_and_has_a_reader() {
    let known = |block: &Block| {
        let language = &block.language.as_str();
        COMMANDS.contains(language) || DATA.contains(language) || TEXT.contains(language)
    };
    let blocks = pages()
        .into_iter()
        .flat_map(|page| page.blocks().into_iter());
    let unknown: Vec<String> = blocks
        .filter(|block| !known(block))
        .map(|block| format!("{}: {}", block.place, block.language))
        .collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn no_command_is_wider_than_a_reader_sees() {
    let blocks = pages()
        .into_iter()
        .flat_map(|page| page.blocks().into_iter());
    let wide: Vec<String> = blocks
        .filter(|block| ["sh", "hcl"].contains(&block.language.as_str()))
        .filter(|block| block.text.lines().any(|line| line.chars().count() > WIDTH))
        .map(|block| block.place)
        .collect();
    assert!(wide.is_empty(), "{wide:#?}");
}

#[test]
fn every_command_is_one_that_its_tool_accepts() {
    let mut asked = Vec::new();
    for page in pages() {
        let blocks = page.blocks().into_iter();
        let blocks = blocks.filter(|block| COMMANDS.contains(&block.language.as_str()));
        asked.extend(blocks.map(
            |Block {
                 place,
                 language,
                 text,
             }| json!({"where": place, "language": language, "text": text}),
        ));
        for (at, code) in page.codes() {
            if INLINE.iter().any(|tool| code.starts_with(tool)) && !code.contains('…') {
                let place = format!("{}:{at}", page.path);
                asked.push(json!({"where": place, "language": "inline", "text": code}));
            }
        }
    }
    for picture in fs::read_dir(file("docs/images")).expect("pictures") {
        let path = format!(
            "docs/images/{}",
            picture.expect("a picture").file_name().to_string_lossy()
        );
        asked.push(json!({"where": path, "language": "svg", "text": text(&path)}));
    }
    let answer = read(&Value::from(asked));
    println!("commands read: {}", answer["read"]);
    let complaints = answer["complaints"].as_array().expect("a list");
    assert!(complaints.is_empty(), "{complaints:#?}");
    for tool in ["aws", "sam", "make", "cargo", "terraform"] {
        assert!(answer["read"][tool].as_u64() > Some(1), "{tool}: {answer}");
    }
}

/// A filter that names no test runs nothing, and looks green.
#[test]
fn every_filter_of_cargo_test_names_a_test() {
    let mut filters = 0;
    for page in pages() {
        for (at, code) in page.codes() {
            let Some((_, words)) = code
                .split_once("cargo test")
                .and_then(|(_, rest)| rest.split_once("--test "))
            else {
                continue;
            };
            let Some((target, filter)) = words.split_once(' ') else {
                continue;
            };
            filters += 1;
            let module = file(&format!("tests/{target}/{filter}.rs"));
            let named = module.exists() || functions(&file(&format!("tests/{target}")), filter);
            assert!(
                named,
                "{}:{at}: no test of `{target}` is named `{filter}`",
                page.path
            );
        }
    }
    assert!(filters > 0, "no filter");
}

/// Whether a function in this folder has `part` in its name.
fn functions(folder: &Path, part: &str) -> bool {
    let entries = fs::read_dir(folder).expect("a folder of tests");
    let mut paths = entries.map(|entry| entry.expect("an entry").path());
    paths.any(|path| {
        if path.is_dir() {
            return functions(&path, part);
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        let mut functions = text.lines().filter(|line| line.contains("fn "));
        functions.any(|line| line.contains(part))
    })
}

fn read(blocks: &Value) -> Value {
    for tools in ["python", "lint"] {
        let there = file(&format!(".tools/{tools}/bin/python")).exists();
        assert!(there, "the tools are missing: run `make check-rust`");
    }
    let mut script = Command::new(file(".tools/python/bin/python"))
        .arg(file("tests/documents/commands.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python");
    let mut input = script.stdin.take().expect("its input");
    input
        .write_all(blocks.to_string().as_bytes())
        .expect("its input");
    drop(input);
    let output = script.wait_with_output().expect("its output");
    assert!(output.status.success(), "{}", output.status);
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The characters of a block's line that GitHub shows without scrolling.
const WIDTH: usize = 111;
