//! Panics as errors, so that a defect is answered like any other failure.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

/// The code panicked. Its message is not shown, because it may contain anything, including a secret.
#[derive(Debug, thiserror::Error)]
#[error("the function has a defect: it panicked, and its log says where; please report it")]
pub(crate) struct PanicError;

/// Runs a future, and turns a panic into an error, even a panic while the future is dropped.
pub(crate) async fn catch_panic<T>(future: impl Future<Output = T>) -> Result<T, PanicError> {
    AssertUnwindSafe(future)
        .catch_unwind()
        .await
        .map_err(|_| PanicError)
}
