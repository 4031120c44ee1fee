//! The id by which CloudFormation knows a resource.

use std::fmt;

use super::{SecretName, UserName};

/// A resource's id: what the answer to its Create said, or what CloudFormation invented without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PhysicalId {
    /// Made here: the secret's name.
    Ours(SecretName),
    /// Not made here. Nothing is known to exist under it.
    Foreign(String),
}

impl PhysicalId {
    /// Reads an id. Any text is one.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        SecretName::parse(text).map_or_else(|_| Self::Foreign(text.to_owned()), Self::Ours)
    }

    /// The user that the id names; `None` for a foreign one.
    #[must_use]
    pub fn user(&self) -> Option<UserName> {
        match self {
            Self::Ours(name) => Some(name.user()),
            Self::Foreign(_) => None,
        }
    }

    /// The id as CloudFormation has it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Ours(name) => name.as_str(),
            Self::Foreign(text) => text,
        }
    }
}

impl fmt::Display for PhysicalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
