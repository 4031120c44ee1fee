//! Whose a user or a secret is, by its tags.

use crate::request::names::TagMap;
use crate::request::owner::{LOGICAL_ID_TAG, Owner, STACK_ID_TAG, StackId};

/// How a user or secret relates to an [`Owner`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership {
    Ours,
    /// Made by the same logical id of a previous stack of the same name.
    PreviousStack,
    Untagged,
    /// Made by somebody else; holds what its tags say.
    Foreign(String),
}

impl Ownership {
    /// Classifies a thing with these tags. Whoever may tag it can write anything into them, so they are shown only if they
    /// have the form of ids.
    pub fn of(owner: &Owner, tags: &TagMap) -> Self {
        let (stack, logical_id) = match (tags.get(STACK_ID_TAG), tags.get(LOGICAL_ID_TAG)) {
            (None, None) => return Self::Untagged,
            (Some(_), None) | (None, Some(_)) => {
                return Self::Foreign(
                    "somebody: one of its two ownership tags is missing".to_owned(),
                );
            }
            (Some(stack), Some(logical_id)) => (stack, logical_id),
        };
        let well_formed =
            !logical_id.is_empty() && logical_id.bytes().all(|b| b.is_ascii_alphanumeric());
        let Some(stack) = StackId::parse(stack).filter(|_| well_formed) else {
            return Self::Foreign(
                "somebody: its ownership tags name no resource of a stack".to_owned(),
            );
        };
        let same_resource = *logical_id == owner.logical_id;
        if same_resource && stack == owner.stack {
            Self::Ours
        } else if same_resource && stack.is_another_life_of(&owner.stack) {
            Self::PreviousStack
        } else {
            Self::Foreign(format!("resource `{logical_id}` of stack `{stack}`"))
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

    fn of(stack: &str, logical: &str) -> Ownership {
        let tags = TagMap::from([
            (STACK_ID_TAG.into(), stack.into()),
            (LOGICAL_ID_TAG.into(), logical.into()),
        ]);
        Ownership::of(&owner(), &tags)
    }

    #[test]
    fn own_tags_are_ours() {
        assert_eq!(Ownership::of(&owner(), &owner().tags()), Ownership::Ours);
    }

    #[test]
    fn no_tags_are_untagged_and_half_of_them_are_foreign() {
        assert_eq!(Ownership::of(&owner(), &TagMap::new()), Ownership::Untagged);
        for tag in [STACK_ID_TAG, LOGICAL_ID_TAG] {
            let mut half = owner().tags();
            half.remove(tag);
            let whose = Ownership::of(&owner(), &half);
            assert!(matches!(whose, Ownership::Foreign(_)), "{tag}: {whose:?}");
        }
    }

    #[test]
    fn another_guid_of_the_same_name_is_a_previous_stack_only_with_the_same_logical_id() {
        let earlier = STACK.replace("11111111-aaaa", "00000000-bbbb");
        assert_eq!(of(&earlier, "Access"), Ownership::PreviousStack);
        assert!(matches!(of(&earlier, "Other"), Ownership::Foreign(_)));
    }

    #[test]
    fn any_other_name_region_account_or_partition_is_foreign() {
        for (from, to) in [
            ("stack/publisher/", "stack/other/"),
            ("eu-west-1", "eu-west-2"),
            ("123456789012", "210987654321"),
            ("arn:aws:", "arn:aws-cn:"),
        ] {
            let judged = of(&STACK.replace(from, to), "Access");
            assert!(matches!(judged, Ownership::Foreign(_)), "{to}: {judged:?}");
        }
    }

    #[test]
    fn what_is_no_id_is_not_shown() {
        for (stack, logical) in [
            (STACK, "Access; delete everything"),
            (STACK, ""),
            ("run `curl evil.example`", "Access"),
            (STACK, "Access\u{202e}"),
        ] {
            let Ownership::Foreign(whose) = of(stack, logical) else {
                panic!("{stack} {logical}")
            };
            assert_eq!(
                whose,
                "somebody: its ownership tags name no resource of a stack"
            );
        }
    }
}
