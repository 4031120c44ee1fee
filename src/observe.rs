//! Observe: reads what exists, side by side, before anything is decided.

mod invocation;
mod ownership;
mod pair;
mod refusal;
mod verdict;

pub use invocation::{Access, Done, Invocation, Progress};
pub use ownership::Ownership;
pub use pair::{KeyUse, ObservedSecret, ObservedUser, Pair, Values, last_uses};
pub use refusal::{Refusal, catch_panic, within};
pub use verdict::{Answer, Conversation, Question, Verdict, View, look};

use std::collections::BTreeMap;
use std::time::SystemTime;

use futures_util::future::{join, join_all, join3};

use crate::cloud::{
    AttachmentKind, Cloud, ErrorKind, Result, Stack, StackOperation, StackResource,
};
use crate::request::buckets::{BucketName, Buckets};
use crate::request::names::{TagMap, UserName, Verification};
use crate::request::owner::Owner;

/// Everything that a plan is made from.
#[derive(Debug)]
pub struct Observed {
    pub now: SystemTime,
    /// Whether the stack goes forward or rolls back.
    pub operation: StackOperation,
    pub stack_tags: TagMap,
    /// The buckets' regions, as far as they were asked for.
    pub regions: BTreeMap<BucketName, BucketRegion>,
    pub pair: Pair,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BucketRegion {
    In(String),
    NoSuchBucket,
    /// The region could not be found; holds why.
    Unknown(String),
}

impl Observed {
    /// A pair alone, of a stack that goes forward.
    pub fn of<C: Cloud>(invocation: &Invocation<'_, C>, pair: Pair) -> Self {
        Self {
            now: invocation.cloud.now(),
            operation: StackOperation::Forward,
            stack_tags: TagMap::new(),
            regions: BTreeMap::new(),
            pair,
        }
    }

    /// The bucket's region, or the stack's if it could not be found.
    pub fn region<'a>(&'a self, owner: &'a Owner, bucket: &BucketName) -> &'a str {
        match self.regions.get(bucket) {
            Some(BucketRegion::In(region)) => region,
            Some(BucketRegion::NoSuchBucket | BucketRegion::Unknown(_)) | None => {
                owner.stack.region()
            }
        }
    }

    /// Why the region of a bucket that was asked for is not known.
    pub fn why_region_is_unknown(&self, bucket: &BucketName) -> Option<String> {
        match self.regions.get(bucket) {
            Some(BucketRegion::In(_)) | None => None,
            Some(BucketRegion::NoSuchBucket) => Some("there is no such bucket".to_owned()),
            Some(BucketRegion::Unknown(why)) => Some(why.clone()),
        }
    }
}

/// Observes what a Create or Update needs. A missing user costs one call more, and so does a key that no label names.
pub async fn for_provision<C: Cloud>(
    invocation: &Invocation<'_, C>,
    progress: &mut Progress,
    name: &UserName,
    buckets: &[&BucketName],
) -> std::result::Result<Observed, Refusal> {
    let read = async |progress: &Progress| {
        let pair = Pair::read(invocation, progress, name, &[], Values::Always);
        let (regions, pair) = join(regions(invocation, buckets), pair).await;
        Ok((regions, pair?))
    };
    let asked = confirmed(invocation, progress, name, Question::Change, read);
    let ((regions, mut pair), stack) = asked.await?;
    pair.look_at_unlabelled_keys(invocation).await;
    Ok(Observed {
        operation: progress.conversation.operation(),
        stack_tags: stack.map(|stack| stack.tags).unwrap_or_default(),
        regions,
        ..Observed::of(invocation, pair)
    })
}

/// Observes what a removal that CloudFormation has to confirm needs: its word, and the pair.
pub async fn for_deletion<C: Cloud>(
    invocation: &Invocation<'_, C>,
    progress: &mut Progress,
    name: &UserName,
) -> std::result::Result<Observed, Refusal> {
    let values = Values::IfUserIsNotOurs;
    let read = async |progress: &Progress| for_removal(invocation, progress, name, values).await;
    let asked = confirmed(invocation, progress, name, Question::Removal(name), read);
    Ok(asked.await?.0)
}

/// Reads and asks CloudFormation, side by side. If it had to be asked again, reads everything again, because time has passed.
async fn confirmed<C: Cloud, T>(
    invocation: &Invocation<'_, C>,
    progress: &mut Progress,
    name: &UserName,
    question: Question<'_>,
    read: impl AsyncFn(&Progress) -> Result<T>,
) -> std::result::Result<(T, Option<Stack>), Refusal> {
    let owner = invocation.owner;
    loop {
        let looking = look(invocation.cloud, owner);
        let (view, seen) = join(looking, read(progress)).await;
        let conversation = progress.conversation;
        let answer = conversation.go_on(invocation, view, question).await;
        progress.conversation = answer.conversation;
        match (answer.waited, answer.verdict) {
            (true, _) => {}
            (false, Verdict::GoOn) => {
                let stack = answer.view.and_then(|view| view.stack);
                return match seen {
                    Ok(seen) => Ok((seen, stack)),
                    // A role's permissions end where somebody moves the user under a path.
                    Err(error)
                        if error.operation == "iam:GetUser" && error.kind == ErrorKind::Denied =>
                    {
                        Err(Refusal::UserHidden {
                            name: name.clone(),
                            error: Box::new(error),
                        })
                    }
                    Err(error) => Err(error.into()),
                };
            }
            (false, verdict) => {
                return Err(Refusal::NotWaitedFor {
                    verdict: Box::new(verdict),
                    logical_id: owner.logical_id.clone(),
                });
            }
        }
    }
}

/// Observes what a removal needs: the pair with everything that is attached to the user.
pub async fn for_removal<C: Cloud>(
    invocation: &Invocation<'_, C>,
    progress: &Progress,
    name: &UserName,
    values: Values,
) -> Result<Observed> {
    let kinds = &AttachmentKind::ALL;
    let pair = Pair::read(invocation, progress, name, kinds, values).await?;
    Ok(Observed::of(invocation, pair))
}

/// Whether CloudFormation is changing the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtWork {
    /// It is, so what exists may be half finished.
    Yes,
    No,
}

/// Observes what a rotation needs: what an update needs, except CloudFormation's word, and the last use of each key.
pub async fn for_rotation<C: Cloud>(
    invocation: &Invocation<'_, C>,
    progress: &Progress,
    name: &UserName,
    buckets: &[&BucketName],
) -> Result<Observed> {
    let pair = Pair::read(invocation, progress, name, &[], Values::Always);
    let (regions, pair) = join(regions(invocation, buckets), pair).await;
    let mut pair = pair?;
    if let Some(user) = &mut pair.user {
        user.last_used = last_uses(invocation, &user.keys).await;
    }
    Ok(Observed {
        regions,
        ..Observed::of(invocation, pair)
    })
}

/// Observes what a check needs: the same, what was added to the user, and whether the stack is at work.
pub async fn for_check<C: Cloud>(
    invocation: &Invocation<'_, C>,
    progress: &Progress,
    name: &UserName,
    buckets: &[&BucketName],
) -> Result<(AtWork, Observed)> {
    let (at_work, observed, added) = join3(
        at_work(invocation, progress),
        for_rotation(invocation, progress, name, buckets),
        pair::added_power(invocation, name),
    )
    .await;
    let mut observed = observed?;
    if let Some(user) = &mut observed.pair.user {
        user.attachments = added;
    }
    Ok((at_work?, observed))
}

/// Whether CloudFormation is changing the stack or the resource.
pub async fn at_work<C: Cloud>(
    invocation: &Invocation<'_, C>,
    progress: &Progress,
) -> Result<AtWork> {
    let Invocation { cloud, owner, .. } = invocation;
    let view = invocation.while_denied(progress, async || look(*cloud, owner).await);
    let View { resource, stack } = view.await?;
    let works = |status: &str| status.ends_with("_IN_PROGRESS");
    let stack = stack.is_none_or(|stack| stack.status.is_in_progress());
    let resource = match resource {
        StackResource::Custom(resource) => works(&resource.status),
        StackResource::Missing(_) | StackResource::OtherType(_) => false,
    };
    Ok(if stack || resource {
        AtWork::Yes
    } else {
        AtWork::No
    })
}

/// The buckets whose region a Create or Update needs: the first for the answer, all for a proof.
pub fn buckets_to_find(buckets: &Buckets, verification: Verification) -> Vec<&BucketName> {
    let entries = buckets.iter().map(|entry| &entry.bucket);
    let count = match verification {
        Verification::Prove | Verification::AllowEmpty => usize::MAX,
        Verification::Skip => 1,
    };
    let mut wanted: Vec<&BucketName> = Vec::new();
    for bucket in entries.take(count) {
        if !wanted.contains(&bucket) {
            wanted.push(bucket);
        }
    }
    wanted
}

pub async fn regions<C: Cloud>(
    invocation: &Invocation<'_, C>,
    buckets: &[&BucketName],
) -> BTreeMap<BucketName, BucketRegion> {
    let region = async |bucket: &BucketName| match invocation.cloud.bucket_region(bucket).await {
        Ok(Some(region)) => BucketRegion::In(region),
        Ok(None) => BucketRegion::NoSuchBucket,
        Err(error) => BucketRegion::Unknown(error.to_string()),
    };
    let found = join_all(buckets.iter().map(|bucket| region(bucket))).await;
    let names = buckets.iter().map(|bucket| (*bucket).clone());
    names.zip(found).collect()
}
