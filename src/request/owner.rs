//! The resource that a request is for: one logical id of one stack.

use std::fmt;

use super::names::{Arn, Partition, TagMap};

pub const STACK_ID_TAG: &str = "publisher-s3-access:stack-id";
pub const LOGICAL_ID_TAG: &str = "publisher-s3-access:logical-id";

/// A stack's id: `arn:PARTITION:cloudformation:REGION:ACCOUNT:stack/NAME/GUID`, each part of letters, digits and hyphens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackId {
    text: String,
    partition: Partition,
    region: String,
    account: String,
    name: String,
}

impl StackId {
    /// Reads a stack id; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let Arn {
            partition,
            service: "cloudformation",
            region,
            account,
            resource,
        } = Arn::split(text)?
        else {
            return None;
        };
        let path: Vec<&str> = resource.split('/').collect();
        let ["stack", name, guid] = path[..] else {
            return None;
        };
        let well_formed = |part: &&str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        [region, account, name, guid]
            .iter()
            .all(well_formed)
            .then_some(())?;
        Some(Self {
            text: text.to_owned(),
            partition: Partition::parse(partition).ok()?,
            region: region.to_owned(),
            account: account.to_owned(),
            name: name.to_owned(),
        })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The partition, such as `aws` or `aws-cn`.
    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    pub fn region(&self) -> &str {
        &self.region
    }

    pub fn account(&self) -> &str {
        &self.account
    }

    /// The stack's name, which is unique among living stacks of an account and region.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the other id is of a stack with the same name, account and region, created at another time.
    pub fn is_another_life_of(&self, other: &Self) -> bool {
        self.partition == other.partition
            && self.region == other.region
            && self.account == other.account
            && self.name == other.name
            && self.text != other.text
    }
}

impl fmt::Display for StackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub stack: StackId,
    pub logical_id: String,
}

impl Owner {
    /// The two tags that claim a thing for this resource.
    pub fn tags(&self) -> TagMap {
        TagMap::from([
            (STACK_ID_TAG.to_owned(), self.stack.as_str().to_owned()),
            (LOGICAL_ID_TAG.to_owned(), self.logical_id.clone()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_stack_arns_are_stack_ids() {
        for text in [
            "",
            "publisher",
            "arn:aws:cloudformation:r:1:stack/n",
            "arn:aws:iam::1:stack/n/g",
            "arn:aws:cloudformation::1:stack/n/g",
            "arn:aws:cloudformation:r:1:stack/n m/g",
            "arn:aws:cloudformation:r:1:stack/n/g\u{202e}",
        ] {
            assert_eq!(StackId::parse(text), None, "{text}");
        }
    }
}
