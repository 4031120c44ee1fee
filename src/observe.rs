//! Observe: reads what exists, side by side, before anything is decided.

mod check;
mod observed;
mod rotation;

pub use check::{AtWork, for_check};
pub use observed::{BucketRegion, KeyUse, Observed, ObservedSecret, ObservedUser, Pair};
pub use rotation::{for_rotation, last_uses};

use std::collections::BTreeMap;

use backon::Retryable;
use futures_util::future::{join, join_all, join3, try_join_all};
use tracing::warn;

use crate::buckets::{BucketName, Buckets};
use crate::cloud::{
    AttachmentKind, Cloud, CloudError, ErrorKind, Result, Secret, SecretState, StackView, TagMap,
    VersionId,
};
use crate::confirm::{Confirmed, Question, confirm, look, operation};
use crate::names::{PolicyName, UserName, Verification};
use crate::ownership::Ownership;
use crate::run::{Found, Run};
use crate::secret::{Label, StoredKey};
use crate::waits::while_iam_lags;

/// Observes what a Create or Update needs. If CloudFormation had to be asked again, observes everything again, because
/// time has passed.
///
/// First come the calls that need nothing, side by side, then those that need their answers. A missing user costs one
/// more ([`find_renamed`]).
pub async fn for_provision<C: Cloud>(
    run: &Run<'_, C>,
    name: &UserName,
    buckets: &[&BucketName],
) -> Result<Observed> {
    loop {
        let (view, regions, pair) = join3(look(run), regions(run, buckets), pair(run, name)).await;
        let pair = pair?;
        if run.made.found.get().is_none() {
            run.made.found.set(Some(match (&pair.user, &pair.secret) {
                (None, None) => Found::Nothing,
                (_, _) => Found::Something,
            }));
        }
        let Confirmed {
            view,
            confirmation,
            waited,
        } = confirm(run, view, Question::Change).await;
        if !waited {
            return Ok(Observed {
                now: run.cloud.now(),
                confirmation,
                operation: operation(run),
                stack_tags: tags_of(view),
                regions,
                pair,
            });
        }
    }
}

/// Observes what a confirmed removal needs: CloudFormation's word, and the pair.
pub async fn for_deletion<C: Cloud>(run: &Run<'_, C>, name: &UserName) -> Result<Observed> {
    loop {
        let (view, observed) = join(look(run), for_removal(run, name)).await;
        let confirmed = confirm(run, view, Question::Removal(name)).await;
        if !confirmed.waited {
            return Ok(Observed {
                confirmation: confirmed.confirmation,
                ..observed?
            });
        }
    }
}

/// Observes what a removal needs: the pair with everything that is attached to the user.
pub async fn for_removal<C: Cloud>(run: &Run<'_, C>, name: &UserName) -> Result<Observed> {
    let pair = pair_with_attachments(run, name).await?;
    Ok(Observed::unasked(run, pair))
}

/// The pair with what its secret holds.
pub async fn pair<C: Cloud>(run: &Run<'_, C>, name: &UserName) -> Result<Pair> {
    run.patiently(async || {
        let (user, secret) = join(user(run, name, &[]), secret_with_values(run, name)).await;
        let mut pair = Pair {
            name: name.clone(),
            user: user?,
            secret: secret?,
            renamed_to: None,
        };
        find_renamed(run, &mut pair).await?;
        Ok(pair)
    })
    .await
}

/// The pair with everything that is attached to the user. Reads the secret's values only if the user's own tags do not
/// say whose it is.
async fn pair_with_attachments<C: Cloud>(run: &Run<'_, C>, name: &UserName) -> Result<Pair> {
    run.patiently(async || {
        let (user, secret) = join(user(run, name, &AttachmentKind::ALL), secret(run, name)).await;
        let mut pair = Pair {
            name: name.clone(),
            user: user?,
            secret: secret?,
            renamed_to: None,
        };
        let user_unclear = pair
            .user
            .as_ref()
            .is_none_or(|user| user.ownership == Ownership::Untagged);
        if let Some(secret) = &mut pair.secret
            && user_unclear
            && secret.ownership == Ownership::Ours
            && secret.secret.state == SecretState::Live
        {
            read_values(run, secret).await?;
        }
        find_renamed(run, &mut pair).await?;
        Ok(pair)
    })
    .await
}

/// Before a user counts as gone, checks whether a user of another name has its key. Renaming a user moves its keys and
/// policies too.
async fn find_renamed<C: Cloud>(run: &Run<'_, C>, pair: &mut Pair) -> Result<()> {
    if let Pair {
        user: None,
        secret: Some(secret),
        ..
    } = &*pair
        && secret.ownership == Ownership::Ours
        && let Some(key) = secret
            .labelled(Label::Current)
            .and_then(|version| secret.key_of(version))
    {
        let owner = run.cloud.key_owner(&key.id).await?;
        pair.renamed_to = owner.filter(|owner| owner != pair.name.as_str());
    }
    Ok(())
}

async fn user<C: Cloud>(
    run: &Run<'_, C>,
    name: &UserName,
    kinds: &[AttachmentKind],
) -> Result<Option<ObservedUser>> {
    let cloud = run.cloud;
    let lists = join3(
        cloud.list_policies(name),
        cloud.list_keys(name),
        try_join_all(kinds.iter().map(|kind| cloud.list_attachments(name, *kind))),
    );
    let (found, (policies, keys, attachments)) = join(cloud.find_user(name), lists).await;
    // The lists, and their errors, mean something only if the user exists.
    let Some(user) = found? else { return Ok(None) };
    let documents = policies?
        .into_iter()
        .map(|policy| document(cloud, name, policy));
    let policies = try_join_all(documents)
        .await?
        .into_iter()
        .flatten()
        .collect();
    let attachments = attachments?.into_iter().flatten().collect();
    let ownership = run.owner.classify(&user.tags);
    Ok(Some(ObservedUser {
        user,
        ownership,
        policies,
        keys: keys?,
        attachments,
        last_used: BTreeMap::new(),
    }))
}

/// A policy and its document; `None` if it went away since it was listed.
async fn document<C: Cloud>(
    cloud: &C,
    user: &UserName,
    policy: PolicyName,
) -> Result<Option<(PolicyName, String)>> {
    Ok(cloud
        .get_policy(user, &policy)
        .await?
        .map(|document| (policy, document)))
}

/// The secret without its values.
async fn secret<C: Cloud>(run: &Run<'_, C>, name: &UserName) -> Result<Option<ObservedSecret>> {
    let name = name.secret_name();
    let (found, versions) =
        join(run.cloud.find_secret(&name), run.cloud.list_versions(&name)).await;
    let Some(secret) = found? else {
        return Ok(None);
    };
    // A secret that is pending deletion may refuse to list its versions. It is restored first.
    let versions = match secret.state {
        SecretState::Live => versions?,
        SecretState::PendingDeletion => Vec::new(),
    };
    let ownership = run.owner.classify(&secret.tags);
    Ok(Some(ObservedSecret {
        secret,
        ownership,
        versions,
        stored: BTreeMap::new(),
        unreadable: None,
    }))
}

/// The secret with what its labelled versions hold. Never reads a stranger's.
async fn secret_with_values<C: Cloud>(
    run: &Run<'_, C>,
    name: &UserName,
) -> Result<Option<ObservedSecret>> {
    let mut observed = secret(run, name).await?;
    if let Some(observed) = &mut observed
        && matches!(
            observed.ownership,
            Ownership::Ours | Ownership::PreviousStack
        )
        && observed.secret.state == SecretState::Live
    {
        read_values(run, observed).await?;
    }
    Ok(observed)
}

/// Reads what the labelled versions hold. A secret whose KMS key is disabled, denied or gone cannot be read, however
/// often one tries. Nothing is then known of its keys.
async fn read_values<C: Cloud>(run: &Run<'_, C>, secret: &mut ObservedSecret) -> Result<()> {
    let refused =
        |error: &CloudError| matches!(error.kind, ErrorKind::Denied | ErrorKind::Rejected);
    let read = (|| stored(run.cloud, &secret.secret))
        .retry(while_iam_lags())
        .when(|error| refused(error) && run.is_lagging());
    match read.await {
        Ok(stored) => secret.stored = stored,
        Err(error) if refused(&error) => {
            warn!(%error, "the secret cannot be read, so it does not show whose the keys are");
            secret.unreadable = Some(error);
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

async fn stored<C: Cloud>(
    cloud: &C,
    secret: &Secret,
) -> Result<BTreeMap<VersionId, Option<StoredKey>>> {
    let read = async |version: &VersionId| {
        let value = cloud.read_version(&secret.arn, version).await?;
        let key = |value| (version.clone(), StoredKey::from_value(&value));
        Ok::<_, CloudError>(value.map(key))
    };
    Ok(try_join_all(secret.labels.keys().map(read))
        .await?
        .into_iter()
        .flatten()
        .collect())
}

/// The buckets whose region a Create or Update needs: the first for the answer, all for a proof.
pub fn buckets_to_find(buckets: &Buckets, verification: Verification) -> Vec<&BucketName> {
    let mut wanted = vec![&buckets.first().bucket];
    if verification == Verification::Prove {
        for entry in buckets.iter() {
            if !wanted.contains(&&entry.bucket) {
                wanted.push(&entry.bucket);
            }
        }
    }
    wanted
}

/// The region of each bucket.
pub async fn regions<C: Cloud>(
    run: &Run<'_, C>,
    buckets: &[&BucketName],
) -> BTreeMap<BucketName, BucketRegion> {
    let found = join_all(buckets.iter().map(|bucket| region(run, bucket))).await;
    let names = buckets.iter().map(|bucket| (*bucket).clone());
    names.zip(found).collect()
}

async fn region<C: Cloud>(run: &Run<'_, C>, bucket: &BucketName) -> BucketRegion {
    match run.cloud.bucket_region(bucket).await {
        Ok(Some(region)) => BucketRegion::In(region),
        Ok(None) => BucketRegion::NoSuchBucket,
        Err(error) => BucketRegion::Unknown(error.to_string()),
    }
}

fn tags_of(view: StackView) -> TagMap {
    match view.stack {
        Ok(Some(stack)) => stack.tags,
        Ok(None) => TagMap::new(),
        Err(error) => {
            warn!(%error, "CloudFormation does not describe the stack; its tags are left out");
            TagMap::new()
        }
    }
}
