//! The steps that are more than one call, because a key must not be left alone between two of them.

use backon::Retryable;
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use super::{ApplyError, Effect, Execution};
use crate::cloud::{Cloud, CloudError, CreatedKey, ErrorKind, PutVersion, VersionId};
use crate::names::UserName;
use crate::plan::{KeyUnderTest, NewKey, OnFailure, Proof, Step};
use crate::secret::{AccessKeyId, Label, StoredKey};
use crate::verify;
use crate::waits::{IAM_LAG, KEY_BUDGET, until_visible};

/// Makes a key and stores it at once: no fallible step stands between the two. If storing is refused, the key is deleted
/// at once, because nobody will ever know its secret half. Without a clear answer it is left alone: a version holds its
/// value for ever, and one with a dead key could not be used for another.
pub(super) async fn make_key<C: Cloud>(
    cloud: &C,
    new: &NewKey,
    execution: &Execution<'_>,
    step: &Step,
) -> Result<Effect, ApplyError> {
    let failed = |error| ApplyError::Failed {
        step: step.to_string(),
        error,
    };
    let secret = execution.secret().map_err(failed)?;
    if execution.deadline.saturating_duration_since(Instant::now()) < KEY_BUDGET {
        return Err(ApplyError::OutOfTime);
    }
    let minted = match mint(cloud, execution).await {
        Ok(CreatedKey::Created { id, secret }) => StoredKey {
            id,
            secret,
            user: execution.name.to_string(),
            serial: new.serial,
        },
        Ok(CreatedKey::LimitReached) => {
            return Ok(Effect::Again("the user has two keys already".into()));
        }
        // A key may exist now that nobody knows. IAM's list shows it late; then observing again finds it as an orphan.
        Err(error) if error.kind == ErrorKind::Indeterminate => {
            sleep(IAM_LAG).await;
            return Ok(Effect::Again(error.to_string()));
        }
        Err(error) => return Err(failed(error)),
    };
    match cloud
        .store_version(secret, &new.version, &minted.to_value(), new.label)
        .await
    {
        Ok(PutVersion::Stored) => {
            info!(key = %minted.id, version = %new.version, "key made and stored");
            Ok(Effect::Key(minted))
        }
        Ok(PutVersion::TokenTaken) => {
            discard(cloud, execution.name, &minted).await;
            Ok(Effect::Again("another run was first to store a key".into()))
        }
        // The version may hold the key by now: observing again tells, and finds it as an orphan if not.
        Err(error) if error.kind == ErrorKind::Indeterminate => {
            Ok(Effect::Again(error.to_string()))
        }
        Err(error) => {
            discard(cloud, execution.name, &minted).await;
            Err(failed(error))
        }
    }
}

/// `CreateAccessKey`, again only where AWS said that nothing happened: it throttles, or the user may not be visible yet.
async fn mint<C: Cloud>(cloud: &C, execution: &Execution<'_>) -> Result<CreatedKey, CloudError> {
    (|| cloud.create_key(execution.name))
        .retry(until_visible())
        .when(|error| error.kind == ErrorKind::Throttled || execution.may_lag(error))
        .await
}

/// Moves `AWSCURRENT`, and back again if the key there was deleted meanwhile: another run took it for one that nobody
/// wants any more, and may have ended before it could see that it was taken into use.
pub(super) async fn promote<C: Cloud>(
    cloud: &C,
    execution: &Execution<'_>,
    from: &VersionId,
    to: &VersionId,
    key: Option<&AccessKeyId>,
) -> Result<Effect, CloudError> {
    let secret = execution.secret()?;
    let label = Label::Current.as_str();
    cloud
        .move_label(secret, label, Some(from), Some(to))
        .await?;
    let key = key.or(execution.made.as_ref().map(|made| &made.id));
    let listed = cloud.list_keys(execution.name).await?;
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
    execution: &Execution<'_>,
) -> Result<(), ApplyError> {
    let Proof {
        key_under_test,
        on_failure,
    } = proof;
    let key = match key_under_test {
        KeyUnderTest::Made(_) => execution.made.as_ref(),
        KeyUnderTest::Candidate(_, key)
        | KeyUnderTest::Pending(key)
        | KeyUnderTest::Current(key) => Some(key),
    };
    let Some(key) = key else { return Ok(()) };
    let Execution {
        name,
        targets,
        timeouts,
        deadline,
        ..
    } = execution;
    let Err(unproven) = verify::prove(cloud, name, key, targets, *timeouts, *deadline).await else {
        return Ok(());
    };
    match on_failure {
        OnFailure::Log => {
            warn!(%unproven, "the proof failed; the stack is rolling back, so it does not count");
            Ok(())
        }
        OnFailure::Fail => {
            withdraw(cloud, key_under_test, key, execution).await;
            Err(ApplyError::ProofError(unproven.to_string()))
        }
    }
}

/// Removes a key that failed its proof, and its candidate label. `AWSCURRENT` cannot be taken off: on a Create it then
/// names a dead key, and the Delete that follows removes it.
async fn withdraw<C: Cloud>(
    cloud: &C,
    key_under_test: &KeyUnderTest,
    key: &StoredKey,
    execution: &Execution<'_>,
) {
    let candidate = match key_under_test {
        KeyUnderTest::Made(new) if new.label == Label::Candidate => Some(&new.version),
        KeyUnderTest::Candidate(version, _) => Some(version),
        KeyUnderTest::Made(_) => None,
        KeyUnderTest::Pending(_) | KeyUnderTest::Current(_) => return,
    };
    discard(cloud, execution.name, key).await;
    if let (Some(version), Some(secret)) = (candidate, &execution.secret)
        && let Err(error) = cloud
            .move_label(secret, Label::Candidate.as_str(), Some(version), None)
            .await
    {
        error!(%error, "the candidate's label could not be taken off; the next event does it");
    }
}
