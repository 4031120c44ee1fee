//! Names, ARNs and settings as types that hold only valid values.
//!
//! Each type is parsed once, at the edge, by its `parse`. The error is a [`Rule`]: the rule that the text breaks, in
//! words a person can act on. Code behind the edge never checks a name again.

mod iam;
mod kms;
mod options;
mod tags;

pub use iam::{Partition, PhysicalId, PolicyArn, PolicyName, SecretName, UserName};
pub use kms::{KmsKeyArn, SecretKmsKey};
pub use options::{KeySerial, RecoveryWindow, Verification};
pub use tags::{Tag, TagKey, TagMap, TagValue};

use std::borrow::Cow;

use super::visible;

/// The rule that a refused value breaks: one line without a full stop, to follow "refused: ".
pub type Rule = Cow<'static, str>;

/// Declares a newtype over text with the traits that every name here has. Each writes its own `parse`.
macro_rules! text_newtype {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
pub(crate) use text_newtype;

fn length_within(text: &str, limit: usize) -> Result<(), Rule> {
    match text.chars().count() {
        0 => Err("must not be empty".into()),
        length if length > limit => {
            Err(format!("has {length} characters; at most {limit} are allowed").into())
        }
        _ => Ok(()),
    }
}

/// Requires every character to be `allowed`; `what` lists the allowed ones for the reader.
pub(crate) fn only(text: &str, what: &str, allowed: impl Fn(char) -> bool) -> Result<(), Rule> {
    match text.chars().find(|&c| !allowed(c)) {
        None => Ok(()),
        Some(stray) => {
            let stray = visible(&stray.to_string());
            Err(format!("`{stray}` is not allowed; use {what}").into())
        }
    }
}

/// The six parts of an ARN, `arn:partition:service:region:account:resource`; the last may hold colons itself.
pub(crate) struct Arn<'a> {
    pub(crate) partition: &'a str,
    pub(crate) service: &'a str,
    pub(crate) region: &'a str,
    pub(crate) account: &'a str,
    pub(crate) resource: &'a str,
}

impl<'a> Arn<'a> {
    /// `None` if the text is not an ARN or its partition is not one of AWS's.
    pub(crate) fn split(text: &'a str) -> Option<Self> {
        let mut parts = text.strip_prefix("arn:")?.splitn(5, ':');
        let mut next = || parts.next();
        let arn = Self {
            partition: next()?,
            service: next()?,
            region: next()?,
            account: next()?,
            resource: next()?,
        };
        Partition::parse(arn.partition).is_ok().then_some(arn)
    }

    fn account_is_number(&self) -> bool {
        self.account.len() == 12 && self.account.bytes().all(|b| b.is_ascii_digit())
    }

    /// Whether it names something of this service in a region and an account.
    fn is_of_account(&self, service: &str) -> bool {
        let of_a_region = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        self.service == service
            && self.account_is_number()
            && (1..=32).contains(&self.region.len())
            && self.region.bytes().all(of_a_region)
    }
}
