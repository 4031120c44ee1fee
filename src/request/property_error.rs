//! Why a property was refused, for the stack's event list.

use std::fmt;

use serde_json::Value;

use crate::request::names::{Printable, Rule};

/// How much of a refused value is shown, in characters.
const SHOWN: usize = 60;

/// A property that cannot be accepted. Prints as one line that names the property, its value and the rule it breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("property `{property}`{value} {rule}")]
pub struct PropertyError {
    property: String,
    value: Shown,
    rule: Rule,
}

/// A value cut and escaped, so that it can neither break nor flood the line.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shown {
    /// The property itself is at fault: missing, unknown, or too long in total.
    Nothing,
    /// This value of it is at fault.
    Value(String),
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => Ok(()),
            Self::Value(value) => write!(f, ": value `{value}` refused:"),
        }
    }
}

impl PropertyError {
    /// Refuses a property without showing a value. `rule` follows "property `Name` ".
    #[must_use]
    pub fn of(property: &str, rule: impl Into<Rule>) -> Self {
        Self {
            property: cut(property),
            value: Shown::Nothing,
            rule: rule.into(),
        }
    }

    /// Refuses one value, `property` being the path to it such as `Tags[0].Key`.
    #[must_use]
    pub fn of_value(property: &str, value: &Value, rule: impl Into<Rule>) -> Self {
        let shown = value.as_str().map_or_else(|| cut(&value.to_string()), cut);
        Self {
            property: cut(property),
            value: Shown::Value(shown),
            rule: rule.into(),
        }
    }

    pub(crate) fn missing(property: &str, cure: &str) -> Self {
        Self::of(property, format!("is missing; {cure}"))
    }

    /// The path of the refused property, such as `Buckets[2]`.
    #[must_use]
    pub fn property(&self) -> &str {
        &self.property
    }
}

fn cut(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(SHOWN)
        .map(|c| Printable(c).to_string())
        .collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}
