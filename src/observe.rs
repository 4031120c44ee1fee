//! Observe: what there is, read side by side, before anything is decided.

mod pair;
mod rotation;

pub use pair::{ObservedSecret, ObservedUser, Pair};
pub use rotation::for_rotation;

use std::collections::BTreeMap;
use std::time::SystemTime;

use futures_util::future::{join, join3, join4, try_join_all};
use tracing::warn;

use crate::buckets::BucketName;
use crate::cloud::{
    AttachmentKind, Cloud, CloudError, Direction, ErrorKind, Result, Secret, SecretState, Standing,
    VersionId,
};
use crate::names::{PolicyName, UserName};
use crate::ownership::{Owner, Ownership};
use crate::secret::{Label, StoredKey};

/// Everything that a plan is made from.
#[derive(Debug)]
pub struct Observed {
    /// When it was observed.
    pub now: SystemTime,
    /// Whether CloudFormation still waits for this request.
    pub standing: Standing,
    /// Which way the stack goes.
    pub direction: Direction,
    /// Where the buckets are, as far as it was asked.
    pub regions: BTreeMap<BucketName, BucketRegion>,
    /// The pair.
    pub pair: Pair,
}

/// Where a bucket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BucketRegion {
    /// In this region.
    In(String),
    /// There is no such bucket.
    NoSuchBucket,
    /// It could not be found out; holds why.
    Unknown(String),
}

impl BucketRegion {
    /// Whether the bucket was found.
    pub fn is_known(&self) -> bool {
        matches!(self, Self::In(_))
    }
}

/// What is looked at besides the pair, for a Create or Update.
#[derive(Debug)]
pub struct Scope<'a> {
    /// Who asks.
    pub owner: &'a Owner,
    /// The pair's name.
    pub name: &'a UserName,
    /// The buckets whose region is wanted.
    pub buckets: Vec<&'a BucketName>,
}

/// Observes what a Create or Update has to know.
///
/// Two rounds of calls at most: what needs nothing, side by side; then what the first answers name.
pub async fn for_presence<C: Cloud>(cloud: &C, scope: &Scope<'_>) -> Result<Observed> {
    let Scope {
        owner,
        name,
        buckets,
    } = scope;
    let (standing, direction, regions, (user, secret)) = join4(
        standing(cloud, owner),
        direction(cloud, owner),
        futures_util::future::join_all(buckets.iter().map(|bucket| region(cloud, bucket))),
        join(
            user(cloud, owner, name, &[]),
            secret_with_values(cloud, owner, name),
        ),
    )
    .await;
    let mut pair = Pair {
        name: (*name).clone(),
        user: user?,
        secret: secret?,
        renamed_to: None,
    };
    find_renamed(cloud, &mut pair).await?;
    Ok(Observed {
        now: cloud.now(),
        standing,
        direction,
        regions: buckets
            .iter()
            .map(|bucket| (*bucket).clone())
            .zip(regions)
            .collect(),
        pair,
    })
}

/// Observes what a removal has to know: the pair with everything that hangs on the user. The secret's values are read
/// only where the user's own tags do not tell whose it is.
pub async fn for_removal<C: Cloud>(cloud: &C, owner: &Owner, name: &UserName) -> Result<Pair> {
    let (user, secret) = join(
        user(cloud, owner, name, &AttachmentKind::ALL),
        secret(cloud, owner, name),
    )
    .await;
    let mut pair = Pair {
        name: name.clone(),
        user: user?,
        secret: secret?,
        renamed_to: None,
    };
    let unclear = pair
        .user
        .as_ref()
        .is_none_or(|user| user.ownership == Ownership::Untagged);
    if let Some(secret) = &mut pair.secret
        && unclear
        && secret.ownership == Ownership::Ours
        && secret.secret.state == SecretState::Live
    {
        secret.stored = match stored(cloud, &secret.secret).await {
            Ok(stored) => stored,
            // The KMS key may be gone for good: then the secret is no evidence, and must not block the removal.
            Err(error)
                if matches!(
                    error.kind,
                    ErrorKind::Denied | ErrorKind::Rejected | ErrorKind::NotFound
                ) =>
            {
                warn!(%error, "the secret cannot be read and gives no evidence");
                BTreeMap::new()
            }
            Err(error) => return Err(error),
        };
    }
    find_renamed(cloud, &mut pair).await?;
    Ok(pair)
}

/// How CloudFormation sees the resource now. Without a clear answer the work goes on: this look is a fence against late
/// requests, not a condition.
pub async fn standing<C: Cloud>(cloud: &C, owner: &Owner) -> Standing {
    cloud
        .standing(owner.stack.as_str(), &owner.logical_id)
        .await
        .unwrap_or_else(|error| {
            warn!(%error, "CloudFormation gives no clear answer; going on");
            Standing::Wanted
        })
}

async fn direction<C: Cloud>(cloud: &C, owner: &Owner) -> Direction {
    cloud
        .direction(owner.stack.as_str())
        .await
        .unwrap_or_else(|error| {
            warn!(%error, "CloudFormation does not say which way the stack goes; taken as forward");
            Direction::Forward
        })
}

async fn region<C: Cloud>(cloud: &C, bucket: &BucketName) -> BucketRegion {
    match cloud.bucket_region(bucket).await {
        Ok(Some(region)) => BucketRegion::In(region),
        Ok(None) => BucketRegion::NoSuchBucket,
        Err(error) => BucketRegion::Unknown(error.to_string()),
    }
}

async fn user<C: Cloud>(
    cloud: &C,
    owner: &Owner,
    name: &UserName,
    kinds: &[AttachmentKind],
) -> Result<Option<ObservedUser>> {
    let lists = join3(
        cloud.list_policies(name),
        cloud.list_keys(name),
        try_join_all(kinds.iter().map(|kind| cloud.list_attachments(name, *kind))),
    );
    let (found, (policies, keys, attachments)) = join(cloud.find_user(name), lists).await;
    // The lists mean something only for a user that is there; without one their errors mean nothing either.
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
    let ownership = owner.classify(&user.tags);
    Ok(Some(ObservedUser {
        user,
        ownership,
        policies,
        keys: keys?,
        attachments,
    }))
}

/// The secret without its values.
async fn secret<C: Cloud>(
    cloud: &C,
    owner: &Owner,
    name: &UserName,
) -> Result<Option<ObservedSecret>> {
    let name = name.secret_name();
    let (found, versions) = join(cloud.find_secret(&name), cloud.list_versions(&name)).await;
    let Some(secret) = found? else {
        return Ok(None);
    };
    // A secret that is pending deletion may refuse to list its versions; it is restored first.
    let versions = match secret.state {
        SecretState::Live => versions?,
        SecretState::PendingDeletion => Vec::new(),
    };
    let ownership = owner.classify(&secret.tags);
    Ok(Some(ObservedSecret {
        secret,
        ownership,
        versions,
        stored: BTreeMap::new(),
    }))
}

/// The secret with what its labelled versions hold. A stranger's is never read.
async fn secret_with_values<C: Cloud>(
    cloud: &C,
    owner: &Owner,
    name: &UserName,
) -> Result<Option<ObservedSecret>> {
    let mut observed = secret(cloud, owner, name).await?;
    if let Some(observed) = &mut observed
        && matches!(
            observed.ownership,
            Ownership::Ours | Ownership::PreviousStack
        )
        && observed.secret.state == SecretState::Live
    {
        observed.stored = stored(cloud, &observed.secret).await?;
    }
    Ok(observed)
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

/// Before a user counts as gone: is its key on a user of another name? Renaming moves keys and policies along.
async fn find_renamed<C: Cloud>(cloud: &C, pair: &mut Pair) -> Result<()> {
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
        let owner = cloud.key_owner(&key.id).await?;
        pair.renamed_to = owner.filter(|owner| owner != pair.name.as_str());
    }
    Ok(())
}
