//! Warnings: what a person should look at though the stack is green.

/// One sentence without its full stop.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// The weightier first.
    pub weight: Weight,
    pub text: String,
}

/// How much a warning weighs: the first weighs most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// The key cannot read what it should, or that was not seen.
    Access,
    NoNewKey,
    /// The secret is not as the template says.
    Secret,
    /// A key is left that nobody may need.
    Key,
    LeftOut,
}

impl Warning {
    pub fn new(weight: Weight, text: impl Into<String>) -> Self {
        Self {
            weight,
            text: text.into(),
        }
    }
}

/// The texts of all warnings, each once, in the order of their weight.
pub fn in_order(mut warnings: Vec<Warning>) -> Vec<String> {
    warnings.sort();
    warnings.dedup();
    warnings.into_iter().map(|warning| warning.text).collect()
}
