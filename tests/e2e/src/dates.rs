//! What time has brought, as the emulator is to answer it: `tests/e2e/tools/dates.py` reads it.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_smithy_types::{DateTime, date_time::Format};
use serde_json::{Value, json};

use crate::{emulator::DATES, workplace::Workplace};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);

/// The event of the daily check, as EventBridge sends it at this time.
pub(crate) fn daily_check(time: SystemTime) -> anyhow::Result<Value> {
    let time = DateTime::from_secs(DateTime::from(time).secs()).fmt(Format::DateTime)?;
    Ok(json!({"check": {"time": time}}))
}

pub(crate) fn ago(time: Duration) -> SystemTime {
    SystemTime::now() - time
}

/// What one test says.
#[derive(Debug)]
pub(crate) struct Dates {
    file: PathBuf,
    said: Value,
}

impl Dates {
    pub(crate) fn of(workplace: &Workplace, test: &str) -> anyhow::Result<Self> {
        let folder = workplace.scratch().join(DATES);
        fs::create_dir_all(&folder)?;
        Ok(Self {
            file: folder.join(format!("{test}.json")),
            said: json!({}),
        })
    }

    /// Says a date of a key, a secret or a rule.
    pub(crate) fn set(&mut self, name: &str, field: &str, date: SystemTime) -> anyhow::Result<()> {
        self.said[name][field] = json!(date.duration_since(UNIX_EPOCH)?.as_secs());
        // The emulator never reads half a file.
        let whole = self.file.with_extension("new");
        fs::write(&whole, self.said.to_string())?;
        Ok(fs::rename(whole, &self.file)?)
    }
}
