//! [Conditions](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html)
//! of strings: with negations, `…IfExists`, `ForAllValues:`, `ForAnyValue:` and `Null`.

use serde_json::Value;

use super::{Context, texts, wildcard};

/// How a value is compared with a pattern.
#[derive(Clone, Copy)]
enum Comparison {
    Like,
    Equals,
    EqualsIgnoringCase,
}

/// Which of a key's values must satisfy the condition.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quantity {
    /// The key has one value.
    One,
    All,
    Any,
}

impl Context<'_> {
    /// Whether all conditions hold; `None` if one is not understood.
    pub(super) fn meets(&self, conditions: &Value) -> Option<bool> {
        if conditions.is_null() {
            return Some(true);
        }
        let mut all = true;
        for (operator, keys) in conditions.as_object()? {
            for (key, patterns) in keys.as_object()? {
                all &= self.holds(operator, key, &texts(patterns))?;
            }
        }
        Some(all)
    }

    fn holds(&self, operator: &str, key: &str, patterns: &[String]) -> Option<bool> {
        let values = self.0.get(&key.to_lowercase());
        if operator == "Null" {
            let absent = values.is_none().to_string();
            return Some(patterns.contains(&absent));
        }
        let (quantity, operator) = match operator.split_once(':') {
            Some(("ForAllValues", operator)) => (Quantity::All, operator),
            Some(("ForAnyValue", operator)) => (Quantity::Any, operator),
            Some(_) => return None,
            None => (Quantity::One, operator),
        };
        let (operator, if_exists) = match operator.strip_suffix("IfExists") {
            Some(operator) => (operator, true),
            None => (operator, false),
        };
        let (comparison, negated) = match operator {
            "StringLike" => (Comparison::Like, false),
            "StringNotLike" => (Comparison::Like, true),
            "StringEquals" => (Comparison::Equals, false),
            "StringNotEquals" => (Comparison::Equals, true),
            "StringEqualsIgnoreCase" | "Bool" => (Comparison::EqualsIgnoringCase, false),
            "StringNotEqualsIgnoreCase" => (Comparison::EqualsIgnoringCase, true),
            _ => return None,
        };
        let Some(values) = values else {
            // A negated comparison is true of a missing key.
            let vacuous = quantity == Quantity::All || negated && quantity == Quantity::One;
            return Some(if_exists || vacuous);
        };
        let satisfies = |value: &&str| {
            let found = patterns
                .iter()
                .any(|pattern| comparison.matches(pattern, value));
            found != negated
        };
        match (quantity, &values[..]) {
            (Quantity::One, [value]) => Some(satisfies(value)),
            // Several values without a set operator: IAM's answer is not documented.
            (Quantity::One, _) => None,
            (Quantity::All, values) => Some(values.iter().all(satisfies)),
            (Quantity::Any, values) => Some(values.iter().any(satisfies)),
        }
    }
}

impl Comparison {
    fn matches(self, pattern: &str, value: &str) -> bool {
        match self {
            Self::Like => wildcard(pattern, value),
            Self::Equals => pattern == value,
            Self::EqualsIgnoringCase => pattern.to_lowercase() == value.to_lowercase(),
        }
    }
}
