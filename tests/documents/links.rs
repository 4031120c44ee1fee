//! Links between the pages and into the repository.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::pages::{Page, codes, file, pages, text};

/// A link of a page to something in the repository.
struct Link {
    /// The page and the line.
    place: String,
    /// The file or folder, from the repository's root.
    path: String,
    anchor: Option<String>,
}

/// Links other than to the web. Empty descriptions of pictures are found too.
fn links(page: &Page) -> Vec<Link> {
    let mut links = Vec::new();
    for (at, line) in page.prose() {
        let place = format!("{}:{at}", page.path);
        assert!(!line.contains("![]("), "{place}: a picture without words");
        let targets = line.split("](").skip(1);
        let targets = targets.filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
        for target in targets.filter(|target| !target.starts_with("https://")) {
            let (path, anchor) = match target.split_once('#') {
                Some((path, anchor)) => (path, Some(anchor.to_owned())),
                None => (target, None),
            };
            let path = match path {
                "" => page.path.clone(),
                path => resolved(&page.path, path),
            };
            let place = place.clone();
            links.push(Link {
                place,
                path,
                anchor,
            });
        }
    }
    links
}

/// A relative link's target, from the repository's root.
fn resolved(page: &str, target: &str) -> String {
    let mut path = PathBuf::new();
    for component in Path::new(page)
        .parent()
        .expect("a folder")
        .join(target)
        .components()
    {
        match component {
            Component::ParentDir => assert!(path.pop(), "{page}: {target} leaves the repository"),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => path.push(name),
        }
    }
    path.to_string_lossy().into_owned()
}

#[test]
fn links_lead_to_files_and_headings_that_exist() {
    let mut broken = Vec::new();
    let mut count = 0;
    for page in pages() {
        for Link {
            place,
            path,
            anchor,
        } in links(&page)
        {
            count += 1;
            let found = match &anchor {
                None => file(&path).exists(),
                Some(anchor) => {
                    let text = text(&path);
                    Page {
                        path: path.clone(),
                        text,
                    }
                    .anchors()
                    .contains(anchor)
                }
            };
            if !found {
                broken.push(format!("{place}: {path} {}", anchor.unwrap_or_default()));
            }
        }
    }
    println!("{count} links within the repository");
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_index_leads_to_every_page() {
    let pages = pages();
    let index = pages.iter().find(|page| page.path == "docs/index.md");
    let reached: Vec<String> = links(index.expect("an index"))
        .into_iter()
        .map(|link| link.path)
        .collect();
    let missed: Vec<&str> = pages
        .iter()
        .map(|page| page.path.as_str())
        .filter(|path| !path.starts_with("examples/") && *path != "docs/index.md")
        .filter(|path| !reached.iter().any(|reached| reached == path))
        .collect();
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn files_of_the_repository_that_are_named_exist() {
    let folders = [
        ".cargo/",
        ".ci/",
        ".github/",
        "bench/",
        "docs/",
        "events/",
        "examples/",
        "src/",
        "tests/",
        "tools/",
    ];
    let mut missed = Vec::new();
    for page in pages() {
        for (at, line) in page.prose() {
            let named = codes(line).filter(|code| {
                folders.iter().any(|folder| code.starts_with(folder))
                    && !code.contains([' ', '…', '*'])
            });
            let module =
                |path: &str| path.starts_with("src/") && file(&format!("{path}.rs")).exists();
            // A scanner's finding names a resource behind its file.
            let within = |path: &str| {
                let (whole, _) = path.rsplit_once('/').unwrap_or_default();
                file(whole).is_file()
            };
            let missing =
                named.filter(|path| !file(path).exists() && !module(path) && !within(path));
            missed.extend(missing.map(|path| format!("{}:{at}: {path}", page.path)));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn the_page_lists_exactly_the_tests_of_what_a_forger_can_do() {
    let tests = text("tests/flow/forged_at_work.rs");
    let (_, tests) = tests.split_once("#[tokio::test").expect("tests");
    let tests = tests
        .lines()
        .filter_map(|line| line.strip_prefix("async fn "));
    let tests: BTreeSet<String> = tests
        .filter_map(|rest| rest.split_once("()").map(|(name, _)| name.to_owned()))
        .collect();
    let page = text("docs/security.md");
    let (_, section) = page
        .split_once("### What a forged event can do")
        .expect("the section");
    let (section, _) = section.split_once("\n## ").expect("its end");
    let named = section.lines().flat_map(codes);
    let named: BTreeSet<String> = named
        .filter(|code| code.contains('_') && !code.contains(['/', ':']))
        .collect();
    assert_eq!(named, tests);
}
