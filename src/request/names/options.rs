//! The numbers and the switch among the properties.

use std::fmt;

use super::Rule;

/// Digits only: no sign, no point, no exponent, no white space.
fn digits(text: &str) -> Option<u64> {
    text.bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecoveryWindow {
    /// It is deleted at once and for good. The access key is dead by then.
    #[default]
    None,
    /// It can be restored for 7 to 30 days, which are Secrets Manager's limits.
    Days(u8),
}

impl RecoveryWindow {
    /// The longest window: what a Delete takes when it cannot read the property.
    pub const LONGEST: Self = Self::Days(30);

    pub fn parse(text: &str) -> Result<Self, Rule> {
        match digits(text).and_then(|days| u8::try_from(days).ok()) {
            Some(0) => Ok(Self::None),
            Some(days @ 7..=30) => Ok(Self::Days(days)),
            Some(_) | None => Err("must be `0` (deleted at once) or `7` to `30` days".into()),
        }
    }
}

/// The number to raise for a new access key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeySerial(u64);

impl KeySerial {
    /// The largest that the template's parameter takes.
    pub const MAX: u64 = 999_999_999;

    pub fn parse(text: &str) -> Result<Self, Rule> {
        match digits(text) {
            Some(serial @ 1..=Self::MAX) => Ok(Self(serial)),
            Some(_) | None => Err("must be a whole number from `1` to `999999999`".into()),
        }
    }

    /// The number that a version of the secret holds; `None` if it is out of range, because nobody asked for it.
    pub fn stored(number: u64) -> Option<Self> {
        (1..=Self::MAX).contains(&number).then_some(Self(number))
    }

    pub fn get(self) -> u64 {
        self.0
    }

    /// The number to raise it to for a new key; `None` if there is none left.
    pub fn next(self) -> Option<Self> {
        Self::stored(self.0 + 1)
    }
}

impl Default for KeySerial {
    fn default() -> Self {
        Self(1)
    }
}

impl fmt::Display for KeySerial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether a key is proved on every bucket before the answer is SUCCESS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verification {
    /// List and read with the key before the stack turns green.
    #[default]
    Prove,
    /// The same, except that there may be nothing to read.
    AllowEmpty,
    Skip,
}

impl Verification {
    /// Parses `true`, `allow-empty` or `false`, in any case, because some tools print `True`.
    pub fn parse(text: &str) -> Result<Self, Rule> {
        match text.to_ascii_lowercase().as_str() {
            "true" => Ok(Self::Prove),
            "allow-empty" => Ok(Self::AllowEmpty),
            "false" => Ok(Self::Skip),
            _ => Err("must be `true`, `allow-empty` or `false`".into()),
        }
    }
}
