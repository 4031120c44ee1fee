//! Who owns a user or a secret. Only its tags say so.

use std::fmt;

use crate::cloud::TagMap;
use crate::names::{Arn, Partition};

/// The tag that names the stack.
pub const STACK_ID_TAG: &str = "publisher-s3-access:stack-id";
/// The tag that names the resource within the stack.
pub const LOGICAL_ID_TAG: &str = "publisher-s3-access:logical-id";

/// A stack's id: `arn:PARTITION:cloudformation:REGION:ACCOUNT:stack/NAME/GUID`.
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
        let complete = [region, account, name, guid]
            .iter()
            .all(|part| !part.is_empty());
        complete.then_some(())?;
        Some(Self {
            text: text.to_owned(),
            partition: Partition::parse(partition).ok()?,
            region: region.to_owned(),
            account: account.to_owned(),
            name: name.to_owned(),
        })
    }

    /// The whole ARN.
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
    fn is_previous_stack_of(&self, other: &Self) -> bool {
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

/// The resource of a request: one logical id of one stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub stack: StackId,
    /// Its logical id in the stack's template.
    pub logical_id: String,
}

/// How a user or secret relates to an [`Owner`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// Made by this resource.
    Ours,
    /// Made by the same logical id of a previous stack of the same name.
    PreviousStack,
    /// Carries no ownership tags.
    Untagged,
    /// Made by somebody else; holds what its tags say.
    Foreign(String),
}

impl Owner {
    /// The resource that these tags name; `None` if they name none, or only half of one.
    pub fn of_tags(tags: &TagMap) -> Option<Self> {
        Some(Self {
            stack: StackId::parse(tags.get(STACK_ID_TAG)?)?,
            logical_id: tags.get(LOGICAL_ID_TAG)?.clone(),
        })
    }

    /// The two tags that claim a thing for this resource.
    pub fn tags(&self) -> TagMap {
        TagMap::from([
            (STACK_ID_TAG.to_owned(), self.stack.as_str().to_owned()),
            (LOGICAL_ID_TAG.to_owned(), self.logical_id.clone()),
        ])
    }

    /// Classifies a thing with these tags.
    pub fn classify(&self, tags: &TagMap) -> Ownership {
        let (stack, logical_id) = (tags.get(STACK_ID_TAG), tags.get(LOGICAL_ID_TAG));
        let (Some(stack), Some(logical_id)) = (stack, logical_id) else {
            return match stack.or(logical_id) {
                None => Ownership::Untagged,
                Some(half) => Ownership::Foreign(format!("half of its ownership tags (`{half}`)")),
            };
        };
        let same_resource = *logical_id == self.logical_id;
        if same_resource && stack == self.stack.as_str() {
            return Ownership::Ours;
        }
        match StackId::parse(stack) {
            Some(other) if same_resource && other.is_previous_stack_of(&self.stack) => {
                Ownership::PreviousStack
            }
            _ => Ownership::Foreign(format!("resource `{logical_id}` of stack `{stack}`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STACK: &str =
        "arn:aws:cloudformation:eu-west-1:123456789012:stack/publisher/11111111-aaaa";

    fn owner() -> Owner {
        Owner {
            stack: StackId::parse(STACK).unwrap(),
            logical_id: "Access".into(),
        }
    }

    fn tags(stack: &str, logical: &str) -> TagMap {
        TagMap::from([
            (STACK_ID_TAG.into(), stack.into()),
            (LOGICAL_ID_TAG.into(), logical.into()),
        ])
    }

    #[test]
    fn own_tags_are_ours() {
        assert_eq!(owner().classify(&owner().tags()), Ownership::Ours);
    }

    #[test]
    fn only_a_whole_pair_of_tags_names_an_owner() {
        assert_eq!(Owner::of_tags(&owner().tags()), Some(owner()));
        assert_eq!(Owner::of_tags(&tags("no ARN", "Access")), None);
        for tag in [STACK_ID_TAG, LOGICAL_ID_TAG] {
            let mut half = owner().tags();
            half.remove(tag);
            assert_eq!(Owner::of_tags(&half), None, "{tag}");
        }
    }

    #[test]
    fn no_tags_are_untagged_and_half_of_them_are_foreign() {
        assert_eq!(owner().classify(&TagMap::new()), Ownership::Untagged);
        let mut half = owner().tags();
        half.remove(LOGICAL_ID_TAG);
        assert!(matches!(owner().classify(&half), Ownership::Foreign(_)));
    }

    #[test]
    fn another_guid_of_the_same_name_is_a_previous_stack_only_with_the_same_logical_id() {
        let earlier = STACK.replace("11111111-aaaa", "00000000-bbbb");
        assert_eq!(
            owner().classify(&tags(&earlier, "Access")),
            Ownership::PreviousStack
        );
        assert!(matches!(
            owner().classify(&tags(&earlier, "Other")),
            Ownership::Foreign(_)
        ));
    }

    #[test]
    fn any_other_name_region_account_or_partition_is_foreign() {
        for (from, to) in [
            ("stack/publisher/", "stack/other/"),
            ("eu-west-1", "eu-west-2"),
            ("123456789012", "210987654321"),
            ("arn:aws:", "arn:aws-cn:"),
        ] {
            let judged = owner().classify(&tags(&STACK.replace(from, to), "Access"));
            assert!(matches!(judged, Ownership::Foreign(_)), "{to}: {judged:?}");
        }
    }

    #[test]
    fn only_whole_stack_arns_are_stack_ids() {
        for text in [
            "",
            "publisher",
            "arn:aws:cloudformation:r:1:stack/n",
            "arn:aws:iam::1:stack/n/g",
            "arn:aws:cloudformation::1:stack/n/g",
        ] {
            assert_eq!(StackId::parse(text), None, "{text}");
        }
    }
}
