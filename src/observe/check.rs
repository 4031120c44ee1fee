//! What a daily check observes.

use futures_util::future::join3;

use super::{Observed, last_uses, pair, regions};
use crate::buckets::BucketName;
use crate::cloud::{Cloud, Result, StackResource, StackView};
use crate::confirm::look;
use crate::names::UserName;
use crate::run::Run;

/// Whether CloudFormation is changing the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtWork {
    /// It is, so what exists may be half finished.
    Yes,
    /// It is at rest.
    No,
}

/// Observes once what a check needs: what an update needs, except a confirmation, and the last use of each key.
pub async fn for_check<C: Cloud>(
    run: &Run<'_, C>,
    name: &UserName,
    buckets: &[&BucketName],
) -> Result<(AtWork, Observed)> {
    let at_work = run.patiently(async || at_work(run).await);
    let (at_work, regions, pair) = join3(at_work, regions(run, buckets), pair(run, name)).await;
    let mut pair = pair?;
    if let Some(user) = &mut pair.user {
        user.last_used = last_uses(run, &user.keys).await;
    }
    let observed = Observed {
        regions,
        ..Observed::unasked(run, pair)
    };
    Ok((at_work?, observed))
}

async fn at_work<C: Cloud>(run: &Run<'_, C>) -> Result<AtWork> {
    let StackView { resource, stack } = look(run).await;
    let works = |status: &str| status.ends_with("_IN_PROGRESS");
    let stack = stack?.is_none_or(|stack| stack.status.is_in_progress());
    let resource = match resource? {
        StackResource::Custom { status, .. } => works(&status.0),
        StackResource::Missing(_) | StackResource::OtherType(_) => false,
    };
    Ok(if stack || resource {
        AtWork::Yes
    } else {
        AtWork::No
    })
}
