//! Observe: reads what exists, side by side, before anything is decided.

mod check;
mod pair;
mod read;
mod rotation;

pub use check::{AtWork, for_check};
pub use pair::{KeyUse, ObservedSecret, ObservedUser, Pair};
pub use read::pair;
pub use rotation::{for_rotation, last_uses};

use std::collections::BTreeMap;
use std::time::SystemTime;

use futures_util::future::{join, join_all, join3};
use tracing::warn;

use self::read::pair_with_attachments;
use crate::buckets::{BucketName, Buckets};
use crate::cloud::{Cloud, Result, StackOperation, StackView, TagMap};
use crate::confirm::{Confirmation, Question};
use crate::names::{UserName, Verification};
use crate::run::{Confirmed, Found, Run};

/// Everything that a plan is made from.
#[derive(Debug)]
pub struct Observed {
    pub now: SystemTime,
    /// Whether CloudFormation confirms the request.
    pub confirmation: Confirmation,
    /// Whether the stack goes forward or rolls back.
    pub operation: StackOperation,
    pub stack_tags: TagMap,
    /// The buckets' regions, as far as they were asked for.
    pub regions: BTreeMap<BucketName, BucketRegion>,
    pub pair: Pair,
}

impl Observed {
    /// A pair, without asking CloudFormation.
    pub fn unasked<C: Cloud>(run: &Run<'_, C>, pair: Pair) -> Self {
        Self {
            now: run.cloud.now(),
            confirmation: Confirmation::Confirmed,
            operation: StackOperation::Forward,
            stack_tags: TagMap::new(),
            regions: BTreeMap::new(),
            pair,
        }
    }
}

/// The region of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BucketRegion {
    In(String),
    /// There is no such bucket.
    NoSuchBucket,
    /// The region could not be found; holds why.
    Unknown(String),
}

impl BucketRegion {
    /// Whether the bucket was found.
    pub fn is_known(&self) -> bool {
        matches!(self, Self::In(_))
    }
}

/// Observes what a Create or Update needs. If CloudFormation had to be asked again, observes everything again, because
/// time has passed.
///
/// At most two rounds of calls: first those that need nothing, side by side, then those that need the first answers.
pub async fn for_provision<C: Cloud>(
    run: &Run<'_, C>,
    name: &UserName,
    buckets: &[&BucketName],
) -> Result<Observed> {
    loop {
        let (view, regions, pair) = join3(run.look(), regions(run, buckets), pair(run, name)).await;
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
        } = run.confirm(view, Question::Change).await;
        if !waited {
            return Ok(Observed {
                now: run.cloud.now(),
                confirmation,
                operation: run.operation(),
                stack_tags: tags_of(view),
                regions,
                pair,
            });
        }
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

/// Observes what a Delete needs: whether CloudFormation confirms it, and the pair.
pub async fn for_deletion<C: Cloud>(run: &Run<'_, C>, name: &UserName) -> Result<Observed> {
    loop {
        let (view, observed) = join(run.look(), for_removal(run, name)).await;
        let confirmed = run.confirm(view, Question::Removal(name)).await;
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

async fn region<C: Cloud>(run: &Run<'_, C>, bucket: &BucketName) -> BucketRegion {
    match run.cloud.bucket_region(bucket).await {
        Ok(Some(region)) => BucketRegion::In(region),
        Ok(None) => BucketRegion::NoSuchBucket,
        Err(error) => BucketRegion::Unknown(error.to_string()),
    }
}
