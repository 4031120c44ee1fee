//! The one loop: observe, plan and apply, until a round needs no other.

use std::time::Duration;

use tokio::time::sleep;
use tracing::info;

use crate::apply::{Applied, ApplyError, Round, apply};
use crate::cloud::{Cloud, CloudError};
use crate::confirm::Confirmation;
use crate::observe::Observed;
use crate::plan::{HeldUp, Plan, Refusal};
use crate::run::Run;

/// Why a request did not reach its goal.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Something stands in the way that is not ours to change.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A rotation cannot go on until a person or a later event acts.
    #[error("{0}")]
    Blocked(String),
    /// A scheduled rotation would end a key that is in use.
    #[error("key `{}` is in use, and a rotation would end it", .0.key)]
    HeldUp(Box<HeldUp>),
    /// CloudFormation's word is not "go on".
    #[error("CloudFormation did not confirm this request")]
    Unconfirmed(Box<Confirmation>),
    /// The observation failed.
    #[error("could not look at what is there: {0}")]
    Unobserved(#[from] CloudError),
    /// A plan stopped.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The rounds ran out. Holds why the last one was not enough.
    #[error("it did not settle: {0}; it is safe to try again")]
    Unsettled(String),
}

/// Observes, plans and applies, with these pauses between the rounds, until a plan is applied to its end.
///
/// # Errors
/// The first error that observing again does not cure.
pub async fn settle<C: Cloud>(
    run: &Run<'_, C>,
    mut pauses: impl Iterator<Item = Duration>,
    mut observe: impl AsyncFnMut() -> Result<Observed, RunError>,
    mut plan: impl FnMut(&Observed) -> Result<Plan, RunError>,
) -> Result<(Observed, Applied), RunError> {
    loop {
        // On the heap, because its type, nested in its callers, would be too deep for the compiler.
        let observed = Box::pin(observe()).await?;
        let plan = plan(&observed)?;
        let round = Box::pin(apply(run, plan, &observed.pair)).await?;
        let why = match round {
            Round::Done(applied) => return Ok((observed, applied)),
            Round::Again(why) => why,
        };
        info!(why, "observing again");
        match pauses.next() {
            Some(pause) => sleep(pause).await,
            None => return Err(RunError::Unsettled(why)),
        }
    }
}
