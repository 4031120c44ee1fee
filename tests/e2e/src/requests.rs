//! How the functions' requests fit AWS's own service models, as found by `tests/e2e/tools/service_models.py`.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::{
    account::{text, texts_of},
    emulator::REQUESTS,
    report::Notes,
    workplace::Workplace,
};

/// The fewest kinds that a whole run sends. Fewer mean that the recording missed some.
const OPERATIONS: usize = 30;

/// # Errors
/// If a request does not fit, or a run of `everything` sent too few kinds.
pub(crate) fn judge(
    workplace: &Workplace,
    everything: bool,
    notes: &mut Notes,
) -> anyhow::Result<()> {
    let spoilt = workplace
        .repository()
        .join("tests/e2e/tools/spoilt_requests.py");
    let noticed = workplace.tool("python").arg("-B").arg(spoilt).succeed()?;
    let log = workplace.logs().join(REQUESTS);
    let log = fs::read_to_string(&log).with_context(|| log.display().to_string())?;
    let (mut operations, mut problems) = (BTreeMap::<String, usize>::new(), Vec::new());
    for line in log.lines() {
        let request: Value = serde_json::from_str(line)?;
        let operation = text(&request["operation"])?;
        let found = texts_of(&request["problems"]).into_iter();
        problems.extend(found.map(|problem| format!("{operation}{problem}")));
        *operations.entry(operation).or_default() += 1;
    }
    problems.sort();
    problems.dedup();
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    let (total, kinds) = (operations.values().sum::<usize>(), operations.len());
    ensure!(
        !everything || kinds >= OPERATIONS,
        "only {kinds} operations were seen: {operations:?}"
    );
    notes.add(format!(
        "{total} requests of {kinds} operations fit; {}",
        noticed.stdout.trim()
    ));
    Ok(())
}
