//! Why a property was refused, for the stack's event list.

use serde_json::Value;

use super::visible;
use crate::request::names::Rule;

/// How much of a refused value is shown, in characters.
const SHOWN: usize = 60;

/// A property that cannot be accepted. Prints as one line that names the property, its value and the rule it breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("property `{property}`{value} {rule}")]
pub struct PropertyError {
    property: String,
    /// A clause that shows the value; empty if the property itself is at fault: missing, unknown, or too long in total.
    value: String,
    rule: Rule,
}

impl PropertyError {
    /// Refuses a property without showing a value. `rule` follows "property `Name` ".
    pub fn of(property: &str, rule: impl Into<Rule>) -> Self {
        Self {
            property: cut(property),
            value: String::new(),
            rule: rule.into(),
        }
    }

    /// Refuses one value, `property` being the path to it such as `Tags[0].Key`.
    pub fn of_value(property: &str, value: &Value, rule: impl Into<Rule>) -> Self {
        let shown = value.as_str().map_or_else(|| cut(&value.to_string()), cut);
        Self {
            value: format!(": value `{shown}` refused:"),
            ..Self::of(property, rule)
        }
    }

    /// The path of the refused property, such as `Buckets[2]`.
    pub fn property(&self) -> &str {
        &self.property
    }
}

/// A text cut and made visible, so that it can neither break nor flood the line.
fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", visible(&text[..end])),
        None => visible(text),
    }
}
