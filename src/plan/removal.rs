//! The plans that remove a pair, or what one request made of it, as far as it is ours.

use std::time::SystemTime;

use super::provision::unreadable;
use super::strangers::{refuse_changed_tags, refuse_renamed};
use super::{End, Plan, Step, Warning, Weight};
use crate::cloud::{Attachment, AttachmentKind, Label, SecretState};
use crate::observe::{ObservedSecret, ObservedUser, Ownership, Pair, Refusal};
use crate::request::names::{RecoveryWindow, UserName};
use crate::request::owner::Owner;
use crate::request::visible;
use crate::waits::IAM_LAG;

/// Plans the removal of what is ours of the pair. What is not ours stays, and the plan says so.
///
/// Keys go first, so that a removal that stops half-way leaves no credential. Next go the user's attachments and,
/// beside them, the secret. The user goes last.
///
/// # Errors
/// The reason, if a person has to act first. Nothing is changed then.
pub fn removal(
    owner: &Owner,
    pair: &Pair,
    recovery: RecoveryWindow,
    now: SystemTime,
) -> Result<Plan, Refusal> {
    let Pair {
        name, user, secret, ..
    } = pair;
    refuse_renamed(pair)?;
    let user = spelt_so(name, user.as_ref(), secret.as_ref())?;
    if user.is_some() {
        refuse_changed_tags(owner, pair)?;
        refuse_unclear(pair)?;
    }
    let mut warnings = Vec::new();
    let (ours, our_secret) = ours(user, secret.as_ref(), &mut warnings);
    if let Some(secret) = our_secret
        && user.is_none()
        && is_young(secret, now)
    {
        return Ok(may_be_unseen());
    }
    Ok(Plan {
        warnings,
        ..remove(name, ours, our_secret, recovery)
    })
}

/// What a request has made of a pair, to be removed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    User,
    Secret,
    Both,
}

/// Plans the removal of what one request has made of the pair, unless another one has taken it into use: the secret holds a
/// key of the user then.
pub fn withdrawal(pair: &Pair, made: Made, recovery: RecoveryWindow, now: SystemTime) -> Plan {
    let Pair {
        name, user, secret, ..
    } = pair;
    let ours = |ownership: &Ownership| *ownership == Ownership::Ours;
    let (user, secret) = (
        user.as_ref().filter(|user| ours(&user.ownership)),
        secret.as_ref().filter(|secret| ours(&secret.ownership)),
    );
    let key = secret.and_then(|secret| secret.key_under(Label::Current));
    let in_use = key.is_some_and(|key| {
        let mut listed = user.iter().flat_map(|user| &user.keys);
        listed.any(|listed| listed.id == key.id)
    });
    if in_use {
        return Plan::nothing(End::Done);
    }
    if let Some(secret) = secret
        && user.is_none()
        && made != Made::Secret
        && is_young(secret, now)
    {
        return may_be_unseen();
    }
    let (user, secret) = match made {
        Made::User => (user, None),
        Made::Secret => (None, secret),
        Made::Both => (user, secret),
    };
    remove(name, user, secret, recovery)
}

/// Whether the secret was changed so recently that a user made beside it may not be visible yet.
fn is_young(ObservedSecret { secret, .. }: &ObservedSecret, now: SystemTime) -> bool {
    now.duration_since(secret.changed).unwrap_or_default() < IAM_LAG
}

/// The secret is visible as soon as it is made. Its user may have been made beside it and not be visible yet.
fn may_be_unseen() -> Plan {
    Plan::nothing(End::ObserveAgain(
        "the user may not be visible yet".to_owned(),
    ))
}

/// Refuses to leave a user whose tags are not ours and whose key our secret may hold, if nobody can read that.
fn refuse_unclear(pair: &Pair) -> Result<(), Refusal> {
    let ours = |user: &ObservedUser| match user.ownership {
        Ownership::Ours | Ownership::PreviousStack => true,
        Ownership::Untagged | Ownership::Foreign(_) => false,
    };
    match (&pair.user, pair.unreadable()) {
        (Some(user), Some(error)) if !ours(user) => Err(unreadable(pair.name.secret_name(), error)),
        (Some(_) | None, _) => Ok(()),
    }
}

fn remove(
    name: &UserName,
    user: Option<&ObservedUser>,
    secret: Option<&ObservedSecret>,
    recovery: RecoveryWindow,
) -> Plan {
    let (mut before, mut beside, mut last) = (Vec::new(), Vec::new(), Vec::new());
    let mut end = End::Done;
    if let Some(user) = user {
        before.extend(user.keys.iter().map(|key| Step::DeleteKey(key.id.clone())));
        beside.extend(user.policies.keys().cloned().map(Step::DeletePolicy));
        let is_group = |attachment: &&Attachment| attachment.kind == AttachmentKind::Group;
        let (groups, others): (Vec<_>, Vec<_>) = user.attachments.iter().partition(is_group);
        beside.extend(others.into_iter().cloned().map(Step::Detach));
        if groups.is_empty() {
            last.push(Step::DeleteUser);
        } else {
            let commands = groups.iter().map(|group| {
                let group = visible(&group.id);
                format!("`aws iam remove-user-from-group --group-name {group} --user-name {name}`")
            });
            end = End::Refuse(Refusal::UserInGroup {
                name: name.clone(),
                commands: commands.collect::<Vec<_>>().join(" and "),
            });
        }
    }
    if let Some(ObservedSecret { secret, .. }) = secret
        && secret.state == SecretState::Live
    {
        if !secret.replicas.is_empty() {
            before.push(Step::RemoveReplicas {
                secret: secret.arn.clone(),
                regions: secret.replicas.clone(),
            });
        }
        beside.push(Step::DeleteSecret {
            secret: secret.arn.clone(),
            recovery_days: match recovery {
                RecoveryWindow::None => None,
                RecoveryWindow::Days(days) => Some(days),
            },
        });
    }
    Plan::of(vec![before, beside, last], end)
}

/// The user, if it has exactly this name. IAM finds it in any letter case, but Secrets Manager does not, so another
/// spelling means another pair. An update to that spelling was refused, and its rollback must not remove this pair.
///
/// # Errors
/// The reason, if somebody renamed the user. The secret still has the old name then.
fn spelt_so<'a>(
    name: &UserName,
    user: Option<&'a ObservedUser>,
    secret: Option<&ObservedSecret>,
) -> Result<Option<&'a ObservedUser>, Refusal> {
    let Some(found) = user.filter(|user| user.user.name != name.as_str()) else {
        return Ok(user);
    };
    let renamed = found.ownership == Ownership::Ours
        && secret.is_some_and(|secret| secret.ownership == Ownership::Ours);
    if renamed {
        return Err(Refusal::UserRenamed {
            name: name.clone(),
            renamed: found.user.name.clone(),
        });
    }
    Ok(None)
}

/// The parts of the pair that are ours to remove. A pair that a Create began to take over from a previous stack is ours
/// as a whole once either half carries our tags.
fn ours<'a>(
    user: Option<&'a ObservedUser>,
    secret: Option<&'a ObservedSecret>,
    warnings: &mut Vec<Warning>,
) -> (Option<&'a ObservedUser>, Option<&'a ObservedSecret>) {
    let one_is_ours = user.is_some_and(|user| user.ownership == Ownership::Ours)
        || secret.is_some_and(|secret| secret.ownership == Ownership::Ours);
    let mut removable = |what: &str, ownership: &Ownership| {
        let removable = match ownership {
            Ownership::Ours => true,
            Ownership::PreviousStack => one_is_ours,
            Ownership::Untagged | Ownership::Foreign(_) => false,
        };
        if !removable {
            let text =
                format!("the {what} is not this resource's ({ownership:?}) and stays as it is");
            warnings.push(Warning::new(Weight::LeftOut, text));
        }
        removable
    };
    (
        user.filter(|user| removable("user", &user.ownership)),
        secret.filter(|secret| removable("secret", &secret.ownership)),
    )
}
