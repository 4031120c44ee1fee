//! Functions, invoked by the administrator.

use std::fs;

use serde_json::Value;

use super::{Account, path_text};
use crate::workplace::Workplace;

/// What came of an invocation.
#[derive(Debug)]
pub(crate) struct Invoked {
    pub(crate) answer: Value,
    /// Whether the function ended with an error, which is the answer then.
    pub(crate) failed: bool,
}

impl Account {
    /// Invokes a function and waits for its end.
    pub(crate) fn invoke(
        &self,
        workplace: &Workplace,
        function: &str,
        event: &Value,
    ) -> anyhow::Result<Invoked> {
        let folder = tempfile::tempdir_in(workplace.scratch())?;
        let (payload, output) = (
            folder.path().join("event.json"),
            folder.path().join("answer.json"),
        );
        fs::write(&payload, event.to_string())?;
        let payload = format!("file://{}", path_text(&payload)?);
        let command = ["lambda", "invoke", "--function-name", function];
        let options = ["--payload", &payload, path_text(&output)?];
        let said = self.json(command.into_iter().chain(options))?;
        Ok(Invoked {
            answer: serde_json::from_str(&fs::read_to_string(&output)?)?,
            failed: said["FunctionError"].is_string(),
        })
    }
}
