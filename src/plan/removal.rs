//! The plan that removes a pair, as far as it is ours.

use std::time::SystemTime;

use super::provision::refuse_renamed;
use super::refusals::refuse_stripped_tags;
use super::{Access, End, Plan, Refusal, Step};
use crate::cloud::{Attachment, AttachmentKind, Secret, SecretState};
use crate::names::{RecoveryWindow, UserName};
use crate::observe::{ObservedSecret, ObservedUser, Pair};
use crate::ownership::{Owner, Ownership};
use crate::waits::IAM_LAG;

/// Plans the removal of what is ours of the pair. What is not ours stays, and a note says so.
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
        name,
        user,
        secret,
        renamed_to: _,
    } = pair;
    refuse_renamed(pair)?;
    let user = spelt_so(name, user.as_ref(), secret.as_ref())?;
    if let (Some(user), Some(secret)) = (user, secret) {
        refuse_stripped_tags(owner, name, user, secret)?;
    }
    let mut plan = Plan {
        notes: Vec::new(),
        stages: Vec::new(),
        access: Access::Changed,
        end: End::Done,
    };
    let there = user.is_some();
    let (user, secret) = ours(user, secret.as_ref(), &mut plan.notes);
    if let (false, Some(secret)) = (there, secret)
        && now
            .duration_since(secret.secret.changed)
            .unwrap_or_default()
            < IAM_LAG
    {
        // The secret is visible as soon as it is made. Its user may have been made beside it and not be visible yet.
        plan.end = End::ObserveAgain("the user may not be visible yet".to_owned());
        return Ok(plan);
    }
    let mut stages = Stages::default();
    if let Some(user) = user {
        plan.end = stages.remove_user(name, user);
    }
    if let Some(secret) = secret
        && secret.secret.state == SecretState::Live
    {
        stages.remove_secret(&secret.secret, recovery);
    }
    let Stages {
        before,
        beside,
        last,
    } = stages;
    plan.stages = [before, beside, last]
        .into_iter()
        .filter(|stage| !stage.is_empty())
        .collect();
    Ok(plan)
}

/// The stages of a removal: what goes first, what goes side by side, and what goes last.
#[derive(Default)]
struct Stages {
    before: Vec<Step>,
    beside: Vec<Step>,
    last: Vec<Step>,
}

impl Stages {
    /// Adds the removal of the user and of what is attached to it, and says how the plan ends.
    fn remove_user(&mut self, name: &UserName, user: &ObservedUser) -> End {
        let ObservedUser {
            user: _,
            ownership: _,
            policies,
            keys,
            attachments,
            last_used: _,
        } = user;
        let keys = keys.iter().map(|key| Step::DeleteKey(key.id.clone()));
        self.before.extend(keys);
        let policies = policies.keys();
        self.beside
            .extend(policies.map(|policy| Step::DeletePolicy(policy.clone())));
        let is_group = |attachment: &&Attachment| attachment.kind == AttachmentKind::Group;
        let (groups, detachable): (Vec<_>, Vec<_>) = attachments.iter().partition(is_group);
        let detachable = detachable.into_iter();
        self.beside
            .extend(detachable.map(|attachment| Step::Detach(attachment.clone())));
        if groups.is_empty() {
            self.last.push(Step::DeleteUser);
            return End::Done;
        }
        let commands = groups.iter().map(|group| {
            format!(
                "`aws iam remove-user-from-group --group-name {} --user-name {name}`",
                group.id
            )
        });
        End::Refuse(Refusal::UserInGroup {
            name: name.clone(),
            commands: commands.collect::<Vec<_>>().join(" and "),
        })
    }

    /// Adds the removal of the secret and its replicas.
    fn remove_secret(&mut self, secret: &Secret, recovery: RecoveryWindow) {
        if !secret.replicas.is_empty() {
            self.before.push(Step::RemoveReplicas {
                secret: secret.arn.clone(),
                regions: secret.replicas.clone(),
            });
        }
        let recovery_days = match recovery {
            RecoveryWindow::None => None,
            RecoveryWindow::Days(days) => Some(days),
        };
        self.beside.push(Step::DeleteSecret {
            secret: secret.arn.clone(),
            recovery_days,
        });
    }
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
    notes: &mut Vec<String>,
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
            notes.push(format!(
                "the {what} is not this resource's ({ownership:?}) and stays as it is"
            ));
        }
        removable
    };
    (
        user.filter(|user| removable("user", &user.ownership)),
        secret.filter(|secret| removable("secret", &secret.ownership)),
    )
}
