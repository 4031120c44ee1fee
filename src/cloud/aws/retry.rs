//! When the SDK gives up, and when it tries again.

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use serde::Deserialize;

use crate::waits::{ATTEMPT, CALL, CONNECT, READ};

/// The SDK waits forever by default. AWS's control plane answers within a second or two. A call that takes longer than
/// this is lost, and another attempt is the better use of the time. All attempts of one operation together stay well
/// within the function's time for work.
pub(super) fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .read_timeout(READ)
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(CALL)
        .build()
}

/// Exponential backoff with jitter, and at most four attempts: some seconds in all, enough for a burst of throttling.
pub(super) fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(4)
}

/// With these two codes IAM asks for a retry, but the SDK takes them as final.
#[derive(Debug)]
pub(super) struct RetryIamConflicts;

impl ClassifyRetry for RetryIamConflicts {
    fn name(&self) -> &'static str {
        "IAM asks to repeat"
    }

    fn classify_retry(&self, ctx: &InterceptorContext) -> RetryAction {
        let codes = [
            "<Code>ConcurrentModification</Code>",
            "<Code>EntityTemporarilyUnmodifiable</Code>",
        ];
        let answer = String::from_utf8_lossy(answer(ctx));
        if codes.iter().any(|code| answer.contains(code)) {
            RetryAction::server_error()
        } else {
            RetryAction::NoActionIndicated
        }
    }
}

/// Secrets Manager names its quotas `LimitExceededException`, which elsewhere means throttling. The SDK would retry
/// what cannot succeed.
#[derive(Debug)]
pub(super) struct NoRetryOnQuota;

#[derive(Deserialize)]
struct JsonError {
    #[serde(rename = "__type")]
    code: String,
}

impl ClassifyRetry for NoRetryOnQuota {
    fn name(&self) -> &'static str {
        "Secrets Manager's quota is final"
    }

    fn classify_retry(&self, ctx: &InterceptorContext) -> RetryAction {
        match serde_json::from_slice(answer(ctx)) {
            // The code can follow its namespace: `com.amazonaws.secretsmanager#LimitExceededException`.
            Ok(JsonError { code }) if code.ends_with("LimitExceededException") => {
                RetryAction::RetryForbidden
            }
            _ => RetryAction::NoActionIndicated,
        }
    }
}

fn answer(ctx: &InterceptorContext) -> &[u8] {
    ctx.response()
        .and_then(|response| response.body().bytes())
        .unwrap_or_default()
}
