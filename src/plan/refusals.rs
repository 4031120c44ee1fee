//! What stands in the way and is not ours to change: the reasons, with what to do.

use super::goal::Goal;
use super::{OnFailure, Plan, Step};
use crate::names::UserName;
use crate::observe::{BucketRegion, Observed, ObservedSecret, ObservedUser, Pair};
use crate::ownership::{Owner, Ownership};

/// What carries other tags than ours, or none, is never changed.
pub(super) fn refuse_strangers(goal: &Goal<'_>, pair: &Pair) -> Result<(), String> {
    let Pair {
        name,
        user,
        secret,
        renamed_to,
    } = pair;
    let secret_name = name.secret_name();
    if let Some(renamed) = renamed_to {
        return Err(renamed_user(name, renamed));
    }
    if let Some(user) = user {
        if user.user.name != name.as_str() {
            return Err(format!(
                "user `{}` exists, and IAM takes `{name}` for the same name because only the letter case differs: \
                 choose another `UserName`",
                user.user.name
            ));
        }
        if let Some(secret) = secret {
            refuse_stripped_tags(goal.owner, name, user, secret)?;
        }
        match &user.ownership {
            Ownership::Ours | Ownership::PreviousStack => {}
            Ownership::Untagged => {
                return Err(format!(
                    "user `{name}` exists and was not made by this stack, so it stays untouched: deploy with another \
                     `UserName`, paste the new key into Publisher, then delete the old user"
                ));
            }
            Ownership::Foreign(whose) => {
                return Err(format!(
                    "user `{name}` exists and belongs to {whose}: IAM user names are account-wide over all regions, so \
                     every stack needs a `UserName` of its own"
                ));
            }
        }
    }
    match secret.as_ref().map(|secret| &secret.ownership) {
        None | Some(Ownership::Ours | Ownership::PreviousStack) => Ok(()),
        Some(Ownership::Untagged) => Err(format!(
            "secret `{secret_name}` exists and was not made by this stack, so it stays untouched: deploy with another \
             `UserName`, or delete that secret"
        )),
        Some(Ownership::Foreign(whose)) => Err(format!(
            "secret `{secret_name}` exists and belongs to {whose}: every stack needs a `UserName` of its own"
        )),
    }
}

/// Our secret names a key of a user without tags: somebody stripped them, and only a person can say that this was wrong.
pub(super) fn refuse_stripped_tags(
    owner: &Owner,
    name: &UserName,
    user: &ObservedUser,
    secret: &ObservedSecret,
) -> Result<(), String> {
    let stripped = user.ownership == Ownership::Untagged
        && secret.ownership == Ownership::Ours
        && secret.names_a_key_of(user);
    if !stripped {
        return Ok(());
    }
    let tags = owner.tags();
    let tags: Vec<String> = tags
        .iter()
        .map(|(key, value)| format!("Key={key},Value={value}"))
        .collect();
    Err(format!(
        "user `{name}` has lost its ownership tags, though its secret holds its key; nothing was changed: if it is this \
         stack's, run `aws iam tag-user --user-name {name} --tags {}` and try again (a rollback: `aws cloudformation \
         continue-update-rollback`)",
        tags.join(" ")
    ))
}

/// Renaming moves keys and policies along; what was ours goes on living under another name.
pub(super) fn renamed_user(name: &UserName, renamed: &str) -> String {
    format!(
        "user `{name}` was renamed to `{renamed}`, which has its key; nothing was changed: run `aws iam update-user \
         --user-name {renamed} --new-user-name {name}` and try again"
    )
}

/// A proof on a bucket that is not there can only fail: better before anything is made. In a rollback the old bucket may
/// be gone, and that must not stop it.
pub(super) fn refuse_missing_buckets(plan: &Plan, observed: &Observed) -> Result<(), String> {
    let required =
        |step: &Step| matches!(step, Step::Prove(proof) if proof.on_failure == OnFailure::Fail);
    if !plan.stages.iter().flatten().any(required) {
        return Ok(());
    }
    match observed
        .regions
        .iter()
        .find(|(_, region)| **region == BucketRegion::NoSuchBucket)
    {
        Some((bucket, _)) => Err(format!(
            "there is no bucket `{bucket}`: correct `Buckets`, create the bucket, or set `VerifyAccess: false`"
        )),
        None => Ok(()),
    }
}
