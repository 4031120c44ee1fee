//! What is in the way of a plan because it is not ours, or does not look so any more.

use crate::cloud::{KeyStatus, SecretState};
use crate::observe::{ObservedSecret, Ownership, Pair, Refusal};
use crate::request::names::SecretName;
use crate::request::owner::Owner;

/// Refuses to change what belongs neither to this resource nor to a previous stack of its name, and a user that somebody
/// renamed or moved.
pub(super) fn refuse_strangers(owner: &Owner, pair: &Pair) -> Result<(), Refusal> {
    let Pair {
        name,
        user,
        secret,
        renamed_to: _,
    } = pair;
    refuse_renamed(pair)?;
    if let Some(user) = user {
        if user.user.name != name.as_str() {
            return Err(Refusal::LetterCaseTaken {
                name: name.clone(),
                found: user.user.name.clone(),
            });
        }
        refuse_changed_tags(owner, pair)?;
        match &user.ownership {
            Ownership::Ours | Ownership::PreviousStack => {}
            Ownership::Untagged => return Err(Refusal::UserUntagged(name.clone())),
            Ownership::Foreign(whose) => {
                return Err(Refusal::UserForeign {
                    name: name.clone(),
                    whose: whose.clone(),
                });
            }
        }
    }
    let Some(secret) = secret else {
        return Ok(());
    };
    let alone = user.is_none() && secret.secret.state == SecretState::Live;
    match &secret.ownership {
        Ownership::Ours => Ok(()),
        Ownership::PreviousStack if alone => Err(Refusal::SecretAlone(name.secret_name())),
        Ownership::PreviousStack => Ok(()),
        Ownership::Untagged | Ownership::Foreign(_) => {
            let user = user.as_ref().map(|user| &user.ownership);
            Err(of_stranger(owner, name.secret_name(), secret, user))
        }
    }
}

/// Why a secret of this name that is not ours is in the way.
fn of_stranger(
    owner: &Owner,
    name: SecretName,
    secret: &ObservedSecret,
    user: Option<&Ownership>,
) -> Refusal {
    let here = owner.stack.region();
    match (&secret.secret.primary_region, &secret.ownership) {
        (Some(region), _) if region != here => Refusal::SecretIsReplica {
            name,
            region: region.clone(),
            here: here.to_owned(),
        },
        (_, _) if secret.secret.state == SecretState::PendingDeletion => {
            Refusal::SecretBeingDeleted(name)
        }
        (_, _) if user == Some(&Ownership::Ours) => Refusal::TagsChanged {
            what: format!(
                "secret `{name}` does not carry this stack's ownership tags, though its user does"
            ),
            command: format!(
                "aws secretsmanager tag-resource --secret-id {name} --tags {}",
                as_arguments(owner)
            ),
        },
        (_, Ownership::Foreign(whose)) => Refusal::SecretForeign {
            name,
            whose: whose.clone(),
        },
        (_, Ownership::Untagged | Ownership::Ours | Ownership::PreviousStack) => {
            Refusal::SecretUntagged(name)
        }
    }
}

/// Refuses to treat a user that somebody renamed as gone.
pub(super) fn refuse_renamed(pair: &Pair) -> Result<(), Refusal> {
    match &pair.renamed_to {
        Some(renamed) => Err(Refusal::UserRenamed {
            name: pair.name.clone(),
            renamed: renamed.clone(),
        }),
        None => Ok(()),
    }
}

/// Our secret holds an active key of a user whose tags do not say that it is ours: somebody changed them, and only a person
/// can say that this was wrong.
pub(super) fn refuse_changed_tags(owner: &Owner, pair: &Pair) -> Result<(), Refusal> {
    let (Some(user), Some(secret)) = (&pair.user, &pair.secret) else {
        return Ok(());
    };
    let changed = match user.ownership {
        Ownership::Untagged | Ownership::Foreign(_) => secret.ownership == Ownership::Ours,
        Ownership::Ours | Ownership::PreviousStack => false,
    };
    let mut active = user
        .keys
        .iter()
        .filter(|key| key.status == KeyStatus::Active);
    if !changed || !active.any(|key| secret.holds(&key.id)) {
        return Ok(());
    }
    let (name, tags) = (&pair.name, as_arguments(owner));
    Err(Refusal::TagsChanged {
        what: format!("user `{name}` has lost its ownership tags, though its secret holds its key"),
        command: format!("aws iam tag-user --user-name {name} --tags {tags}"),
    })
}

/// The ownership tags, as the AWS CLI takes them.
fn as_arguments(owner: &Owner) -> String {
    let tags = owner.tags();
    let arguments = tags
        .iter()
        .map(|(key, value)| format!("Key={key},Value={value}"));
    arguments.collect::<Vec<_>>().join(" ")
}
