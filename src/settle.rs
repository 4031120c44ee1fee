//! Rounds of observe, plan and apply, until one leaves nothing to look at again.

use std::time::Duration;

use tokio::time::sleep;
use tracing::info;

/// How a round ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Round<T> {
    /// All is as wanted.
    Done(T),
    /// The world is not as planned for, or not settled: observe again. Holds why.
    Again(String),
}

/// The rounds did not come to an end; holds why the last one was not it.
#[derive(Debug, thiserror::Error)]
#[error("it did not settle: {0}; it is safe to try again")]
pub(crate) struct SettleError(String);

/// Runs rounds with these pauses between them until one is done.
pub(crate) async fn settle<T, E: From<SettleError>>(
    mut pauses: impl Iterator<Item = Duration>,
    mut round: impl AsyncFnMut() -> Result<Round<T>, E>,
) -> Result<T, E> {
    loop {
        // On the heap: nested in its callers, its type would be too deep for the compiler.
        let why = match Box::pin(round()).await? {
            Round::Done(value) => return Ok(value),
            Round::Again(why) => why,
        };
        info!(why, "observing again");
        match pauses.next() {
            Some(pause) => sleep(pause).await,
            None => return Err(SettleError(why).into()),
        }
    }
}
