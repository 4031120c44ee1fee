//! Everything that a stack could have made or changed under some names, to compare later.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::ensure;
use serde_json::Value;

use super::Account;
use crate::process::join;

/// Users and secrets with everything attached to them, by kind and name, without secret values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State(BTreeMap<String, Value>);

impl State {
    /// # Errors
    /// If anything was made, changed or removed since; the error says what.
    pub(crate) fn assert_unchanged(&self, later: &Self) -> anyhow::Result<()> {
        let names: BTreeSet<_> = self.0.keys().chain(later.0.keys()).collect();
        let changed =
            names
                .into_iter()
                .filter_map(|name| match (self.0.get(name), later.0.get(name)) {
                    (before, after) if before == after => None,
                    (None, _) => Some(format!("{name} was made")),
                    (_, None) => Some(format!("{name} was removed")),
                    (Some(before), Some(after)) => Some(format!("{name}: {before} became {after}")),
                });
        let changed: Vec<_> = changed.collect();
        ensure!(changed.is_empty(), "{}", changed.join("; "));
        Ok(())
    }
}

impl Account {
    /// The state of all users whose name begins with this, and of their secrets `publisher/…`.
    pub(crate) fn state_of(&self, prefix: &str) -> anyhow::Result<State> {
        let details = [
            "iam",
            "get-account-authorization-details",
            "--filter",
            "User",
        ];
        let secrets = [
            "secretsmanager",
            "list-secrets",
            "--include-planned-deletion",
        ];
        let (mut users, mut secrets) = join(|| self.json(details), || self.json(secrets))?;
        let mut state = BTreeMap::new();
        for user in list(&mut users["UserDetailList"]) {
            let name = user["UserName"].as_str().unwrap_or_default().to_owned();
            if name.starts_with(prefix) {
                let keys = self.json(["iam", "list-access-keys", "--user-name", &name])?;
                state.insert(format!("keys of {name}"), keys);
                state.insert(format!("user {name}"), user);
            }
        }
        for mut secret in list(&mut secrets["SecretList"]) {
            let name = secret["Name"].as_str().unwrap_or_default().to_owned();
            if name.starts_with(&format!("publisher/{prefix}")) {
                // Reading does not count as a change.
                secret["LastAccessedDate"].take();
                state.insert(format!("secret {name}"), secret);
            }
        }
        Ok(State(state))
    }
}

fn list(value: &mut Value) -> Vec<Value> {
    value.as_array_mut().map(std::mem::take).unwrap_or_default()
}
