//! Panics as errors: a defect is answered like any other failure.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

/// The code panicked. What it said is not shown: it may hold anything that was at hand.
#[derive(Debug, thiserror::Error)]
#[error("the function has a defect: it panicked, and its log says where; please report it")]
pub(crate) struct PanicError;

/// Runs a future and turns a panic, also one while it is dropped, into an error.
pub(crate) async fn catch_panic<T>(future: impl Future<Output = T>) -> Result<T, PanicError> {
    AssertUnwindSafe(future)
        .catch_unwind()
        .await
        .map_err(|_| PanicError)
}
