//! What the pages describe and the next merge brings. Each entry fails its test as soon as it is there.

use crate::pages::{file, text};

pub(crate) const PARAMETERS: [&str; 2] = ["MaxKeyAgeDays", "NotificationTopicArn"];
pub(crate) const OUTPUTS: [&str; 1] = ["Release"];
pub(crate) const DEFAULTS: [&str; 0] = [];
pub(crate) const TARGETS: [&str; 4] = ["check-release", "publish", "release", "status"];
pub(crate) const FILES: [&str; 3] = ["CHANGELOG.md", "examples", "tools"];

#[test]
fn nothing_is_announced_that_is_there_already() {
    let template = text("template.yaml");
    let makefile = text("Makefile");
    let parameters = PARAMETERS.iter().chain(&OUTPUTS);
    let defined = parameters.filter(|name| template.contains(&format!("\n  {name}:\n")));
    let targets = TARGETS
        .iter()
        .filter(|name| makefile.contains(&format!("\n{name}:")));
    let files = FILES.iter().filter(|path| file(path).exists());
    let there: Vec<_> = defined.chain(targets).chain(files).collect();
    assert!(there.is_empty(), "take off the list: {there:?}");
}
