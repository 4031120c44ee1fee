//! The customer's tags, valid for IAM and Secrets Manager alike.

use std::collections::BTreeMap;

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use super::{Rule, length_within, only, text_newtype};

pub type TagMap = BTreeMap<String, String>;

/// What both services allow: `[\p{L}\p{Z}\p{N}_.:/=+\-@]`, letters, spaces and numbers of any script. The vowel signs of
/// Thai or Hindi are marks, which IAM refuses.
fn tag_character(c: char) -> bool {
    matches!(
        c.general_category_group(),
        GeneralCategoryGroup::Letter
            | GeneralCategoryGroup::Separator
            | GeneralCategoryGroup::Number
    ) || "_.:/=+-@".contains(c)
}

const TAG_CHARACTERS: &str = "letters, digits, spaces and `_.:/=+-@`";

/// AWS reserves this prefix in any letter case, for keys and for values.
fn not_reserved(text: &str) -> Result<(), Rule> {
    if text.to_lowercase().starts_with("aws:") {
        return Err("begins with `aws:`, which AWS reserves".into());
    }
    Ok(())
}

text_newtype! {
    /// A tag's key: 1 to 128 characters.
    TagKey
}

impl TagKey {
    /// The prefix of this resource's own ownership tags.
    pub const OWN_PREFIX: &str = "publisher-s3-access:";

    /// Parses a customer's tag key.
    /// The prefixes `aws:` and `publisher-s3-access:` are refused in any case, because IAM
    /// takes keys that differ only in case for the same.
    pub fn parse(text: &str) -> Result<Self, Rule> {
        length_within(text, 128)?;
        not_reserved(text)?;
        if text.to_lowercase().starts_with(Self::OWN_PREFIX) {
            return Err(
                "begins with `publisher-s3-access:`, which marks what the stack owns".into(),
            );
        }
        only(text, TAG_CHARACTERS, tag_character)?;
        Ok(Self(text.to_owned()))
    }

    pub fn eq_ignore_case(&self, other: &Self) -> bool {
        self.0.to_lowercase() == other.0.to_lowercase()
    }
}

text_newtype! {
    /// A tag's value: 0 to 256 characters.
    TagValue
}

impl TagValue {
    pub fn parse(text: &str) -> Result<Self, Rule> {
        if !text.is_empty() {
            length_within(text, 256)?;
        }
        not_reserved(text)?;
        only(text, TAG_CHARACTERS, tag_character)?;
        Ok(Self(text.to_owned()))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    pub key: TagKey,
    pub value: TagValue,
}
