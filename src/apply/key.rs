//! The steps that are more than one call, because a key must not be left alone between two of them.

use backon::Retryable;
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use super::{Effect, Ground, Stopped};
use crate::cloud::{Cloud, CloudError, ErrorKind, Minting, Storing, VersionId};
use crate::names::UserName;
use crate::plan::{Bearer, Demand, NewKey, Proof, Step};
use crate::secret::{AccessKeyId, Label, StoredKey};
use crate::verify;
use crate::waits::{IAM_LAG, KEY_BUDGET, until_visible};

/// Makes a key and stores it at once: no fallible step stands between the two. If storing is refused, the key is deleted
/// at once, because nobody will ever know its secret half. Without a clear answer it is left alone: a version holds its
/// value for ever, and one with a dead key could not be used for another.
pub(super) async fn make_key<C: Cloud>(
    cloud: &C,
    new: &NewKey,
    ground: &Ground<'_>,
    step: &Step,
) -> Result<Effect, Stopped> {
    let failed = |error| Stopped::Failed {
        step: step.to_string(),
        error,
    };
    let secret = ground.secret().map_err(failed)?;
    if ground.deadline.saturating_duration_since(Instant::now()) < KEY_BUDGET {
        return Err(Stopped::OutOfTime);
    }
    let minted = match mint(cloud, ground).await {
        Ok(Minting::Minted { id, secret }) => StoredKey {
            id,
            secret,
            user: ground.name.to_string(),
            serial: new.serial,
        },
        Ok(Minting::LimitReached) => {
            return Ok(Effect::Again("the user has two keys already".into()));
        }
        // A key may exist now that nobody knows. IAM's list shows it late; then observing again finds it as an orphan.
        Err(error) if error.kind == ErrorKind::Unclear => {
            sleep(IAM_LAG).await;
            return Ok(Effect::Again(error.to_string()));
        }
        Err(error) => return Err(failed(error)),
    };
    match cloud
        .store_version(secret, &new.version, &minted.to_value(), new.label)
        .await
    {
        Ok(Storing::Stored) => {
            info!(key = %minted.id, version = %new.version, "key made and stored");
            Ok(Effect::Key(minted))
        }
        Ok(Storing::TokenTaken) => {
            discard(cloud, ground.name, &minted).await;
            Ok(Effect::Again("another run was first to store a key".into()))
        }
        // The version may hold the key by now: observing again tells, and finds it as an orphan if not.
        Err(error) if error.kind == ErrorKind::Unclear => Ok(Effect::Again(error.to_string())),
        Err(error) => {
            discard(cloud, ground.name, &minted).await;
            Err(failed(error))
        }
    }
}

/// `CreateAccessKey`, again only where AWS said that nothing happened: it throttles, or the user may not be visible yet.
async fn mint<C: Cloud>(cloud: &C, ground: &Ground<'_>) -> Result<Minting, CloudError> {
    (|| cloud.create_key(ground.name))
        .retry(until_visible())
        .when(|error| error.kind == ErrorKind::Throttled || ground.may_lag(error))
        .await
}

/// Moves `AWSCURRENT`, and back again if the key there was deleted meanwhile: another run took it for one that nobody
/// wants any more, and may have ended before it could see that it was taken into use.
pub(super) async fn promote<C: Cloud>(
    cloud: &C,
    ground: &Ground<'_>,
    from: &VersionId,
    to: &VersionId,
    key: Option<&AccessKeyId>,
) -> Result<Effect, CloudError> {
    let secret = ground.secret()?;
    let label = Label::Current.as_str();
    cloud
        .move_label(secret, label, Some(from), Some(to))
        .await?;
    let key = key.or(ground.made.as_ref().map(|made| &made.id));
    let listed = cloud.list_keys(ground.name).await?;
    if key.is_none_or(|key| listed.iter().any(|listed| listed.id == *key)) {
        return Ok(Effect::None);
    }
    cloud
        .move_label(secret, label, Some(to), Some(from))
        .await?;
    Ok(Effect::Again("the new key was deleted meanwhile".into()))
}

/// Deletes a key that shall not live. If that fails too, the next observation finds it as an orphan.
async fn discard<C: Cloud>(cloud: &C, user: &UserName, key: &StoredKey) {
    match cloud.delete_key(user, &key.id).await {
        Ok(()) => info!(key = %key.id, "new key deleted again"),
        Err(error) => {
            error!(key = %key.id, %error, "a new key could not be deleted again; the next event does it");
        }
    }
}

/// Makes a proof. Where it fails and counts, what was made for it is removed before the answer.
pub(super) async fn prove<C: Cloud>(
    cloud: &C,
    proof: &Proof,
    ground: &Ground<'_>,
) -> Result<(), Stopped> {
    let Proof { bearer, demand } = proof;
    let key = match bearer {
        Bearer::Made(_) => ground.made.as_ref(),
        Bearer::Candidate(_, key) | Bearer::Pending(key) | Bearer::Current(key) => Some(key),
    };
    let Some(key) = key else { return Ok(()) };
    let Ground {
        name,
        targets,
        patience,
        deadline,
        ..
    } = ground;
    let Err(unproven) = verify::prove(cloud, name, key, targets, *patience, *deadline).await else {
        return Ok(());
    };
    match demand {
        Demand::Advisory => {
            warn!(%unproven, "the proof failed; the stack is rolling back, so it does not count");
            Ok(())
        }
        Demand::Required => {
            withdraw(cloud, bearer, key, ground).await;
            Err(Stopped::Unproven(unproven.to_string()))
        }
    }
}

/// Removes a key that failed its proof, and its candidate label. `AWSCURRENT` cannot be taken off: on a Create it then
/// names a dead key, and the Delete that follows removes it.
async fn withdraw<C: Cloud>(cloud: &C, bearer: &Bearer, key: &StoredKey, ground: &Ground<'_>) {
    let candidate = match bearer {
        Bearer::Made(new) if new.label == Label::Candidate => Some(&new.version),
        Bearer::Candidate(version, _) => Some(version),
        Bearer::Made(_) => None,
        Bearer::Pending(_) | Bearer::Current(_) => return,
    };
    discard(cloud, ground.name, key).await;
    if let (Some(version), Some(secret)) = (candidate, &ground.secret)
        && let Err(error) = cloud
            .move_label(secret, Label::Candidate.as_str(), Some(version), None)
            .await
    {
        error!(%error, "the candidate's label could not be taken off; the next event does it");
    }
}
