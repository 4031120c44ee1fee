//! What the pages describe already and the next merge brings. An entry fails its test as soon as it exists.

use crate::pages::text;
use crate::reference::default_of;

pub(crate) const PARAMETERS: [&str; 0] = [];
/// Parameters whose default changes, with the new one as the pages write it.
pub(crate) const DEFAULTS: [(&str, &str); 0] = [];
pub(crate) const TARGETS: [&str; 0] = [];

#[test]
fn no_page_announces_what_exists_already() {
    let template = text("template.yaml");
    let makefile = text("Makefile");
    let defined = |name: &&&str| template.contains(&format!("\n  {name}:\n"));
    let runs = |name: &&&str| makefile.contains(&format!("\n{name}:"));
    let changed = DEFAULTS
        .iter()
        .filter(|(name, default)| default_of(name) == *default);
    let there: Vec<_> = PARAMETERS
        .iter()
        .filter(defined)
        .chain(TARGETS.iter().filter(runs))
        .chain(changed.map(|(name, _)| name))
        .collect();
    assert!(there.is_empty(), "take off the list: {there:?}");
}
