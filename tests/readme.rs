//! README.md against the code: what it lists is what there is, and what it quotes is what is said.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a page that cannot be read fails the test"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use publisher_s3_access::buckets::{BucketUri, Buckets};
use publisher_s3_access::names::Partition;
use publisher_s3_access::policy;
use publisher_s3_access::properties::Desired;
use serde_json::{Value, json};

fn text(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The cells of the first table that begins with `header`, a row each, without header and rule.
fn table(header: &str) -> Vec<Vec<String>> {
    let readme = text("README.md");
    let lines = readme.lines().skip_while(|line| !line.starts_with(header));
    let rows = lines.skip(2).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| {
        let row = row.trim_matches('|');
        row.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let rows: Vec<Vec<String>> = rows.map(cells).collect();
    assert!(!rows.is_empty(), "README.md has no table {header}");
    rows
}

/// What stands between single backticks.
fn codes(cell: &str) -> impl Iterator<Item = String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned)
}

/// The name that each row of a table begins with.
fn names(header: &str) -> BTreeSet<String> {
    let first = |row: &Vec<String>| codes(&row[0]).next().expect("a name in backticks");
    table(header).iter().map(first).collect()
}

/// The keys of a section of the template.
fn section(name: &str) -> BTreeSet<String> {
    let template: yaml_serde::Value = yaml_serde::from_str(&text("template.yaml")).expect("YAML");
    let section = template[name].as_mapping().expect("a mapping");
    section
        .keys()
        .map(|key| key.as_str().expect("a name").to_owned())
        .collect()
}

#[test]
fn the_table_of_properties_names_exactly_the_known_ones() {
    let partition = Partition::parse("aws").expect("a partition");
    let refusal = Desired::parse(&json!({ "#": "" }), &partition).expect_err("a refusal");
    let refusal = refusal.to_string();
    let (_, known) = refusal.split_once("known are").expect("the known names");
    assert_eq!(names("| Property |"), codes(known).collect());
}

#[test]
fn the_tables_of_parameters_and_outputs_are_those_of_the_template() {
    assert_eq!(names("| Parameter |"), section("Parameters"));
    assert_eq!(names("| Output |"), section("Outputs"));
}

#[test]
fn every_sample_event_is_listed_and_every_listed_one_exists() {
    let rows = table("| Kind |");
    let listed: BTreeSet<String> = rows.iter().flat_map(|row| codes(&row[1])).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("events");
    let samples = |below: &str| {
        let entries = fs::read_dir(folder.join(below)).expect("samples");
        let entries = entries.map(|entry| entry.expect("an entry"));
        let files = entries.filter(|entry| entry.path().is_file());
        let name = |file: fs::DirEntry| format!("{below}{}", file.file_name().to_string_lossy());
        files.map(name).collect::<BTreeSet<_>>()
    };
    let files = &samples("") | &samples("rotation/");
    assert_eq!(listed, files);
}

#[test]
fn as_many_buckets_fit_as_the_table_says_and_not_one_more() {
    let rows = table("| Length of a bucket's name |");
    for row in rows {
        let numbers: Vec<usize> = row.iter().map(|cell| cell.parse().expect(cell)).collect();
        let [length, whole, same, other] = numbers[..] else {
            panic!("{row:?}")
        };
        let bucket = |at: usize| format!("{at:0>length$}");
        let cases: [(usize, &dyn Fn(usize) -> String); 3] = [
            (whole, &|at| bucket(at)),
            (same, &|at| format!("s3://{}/cohort-a/", bucket(at))),
            (other, &|at| format!("s3://{}/{at:0>8}/", bucket(at))),
        ];
        for (most, entry) in cases {
            assert!(fits((0..most).map(entry)), "{} × {most}", entry(0));
            assert!(!fits((0..=most).map(entry)), "{} × {most} + 1", entry(0));
        }
    }
}

fn fits(entries: impl Iterator<Item = String>) -> bool {
    let entries = entries.map(|entry| BucketUri::parse(&entry).expect("a bucket"));
    let buckets = Buckets::new(entries).expect("an entry");
    let partition = Partition::parse("aws").expect("a partition");
    let document = policy::document(&buckets, &[], &partition, "amazonaws.com");
    document.fits().is_ok()
}

#[test]
fn every_message_under_troubleshooting_is_one_that_the_code_gives() {
    let code = source(Path::new("src"));
    let unknown: Vec<String> = table("| It says |")
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

/// All Rust files below a folder, with the text of literals that go over several lines joined as the compiler does it.
fn source(folder: &Path) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut all = String::new();
    for entry in fs::read_dir(path).expect("a folder") {
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

#[test]
fn blocks_of_json_are_json_and_policies_are_of_a_version_that_exists() {
    let readme = text("README.md");
    let blocks: Vec<&str> = readme
        .split("\n```json\n")
        .skip(1)
        .map(|rest| rest.split("\n```").next().unwrap_or_default())
        .collect();
    assert!(blocks.len() > 2, "only {} blocks", blocks.len());
    let files = ["docs/deployer-policy.json"].map(text);
    for block in blocks.into_iter().chain(files.iter().map(String::as_str)) {
        let value: Value = serde_json::from_str(block).expect(block);
        let version = value
            .get("Version")
            .filter(|_| value.get("Statement").is_some());
        assert!(
            version.is_none_or(|version| version == "2012-10-17"),
            "{block}"
        );
    }
}

#[test]
fn the_statements_for_a_buckets_owner_are_those_that_the_log_gives() {
    let readme = text("README.md");
    let block = |rest: &str| rest.split("\n```").next().map(str::to_owned);
    let blocks = readme.split("\n```json\n").skip(1).filter_map(block);
    let shown = blocks.filter(|block| block.contains("partner-genomics"));
    let shown: Vec<Value> = shown
        .map(|block| serde_json::from_str(&block).expect("JSON"))
        .collect();
    let bucket = BucketUri::parse("partner-genomics").expect("a bucket");
    let user = "arn:aws:iam::111122223333:user/publisher-connectors";
    let statements = policy::statements_for_owner(&bucket, user);
    assert_eq!(statements.as_ref(), Some(&shown[0]["Statement"]));
}

#[test]
fn links_into_the_repository_and_into_the_page_lead_somewhere() {
    let readme = text("README.md");
    let headings: BTreeSet<String> = readme
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| anchor(line.trim_start_matches('#').trim()))
        .collect();
    let links = readme.split("](").skip(1);
    let links = links.filter_map(|rest| rest.split_once(')').map(|(link, _)| link));
    for link in links.filter(|link| !link.starts_with("https://")) {
        let found = match link.strip_prefix('#') {
            Some(heading) => headings.contains(heading),
            None => Path::new(env!("CARGO_MANIFEST_DIR")).join(link).exists(),
        };
        assert!(found, "{link}");
    }
}

/// A heading's anchor, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}
