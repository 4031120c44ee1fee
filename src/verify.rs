//! The proof: the key was seen to read the bucket.
//!
//! With the new key itself: wait until AWS knows it, see that it is our user's, then list and read every bucket side by
//! side. What counts is that access is allowed, not that there is something to read.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use futures_util::future::try_join_all;
use tokio::time::Instant;
use tracing::warn;

use crate::buckets::BucketUri;
use crate::cloud::{Cloud, CloudError, ErrorKind};
use crate::names::UserName;
use crate::policy::statements_for_owner;
use crate::secret::StoredKey;
use crate::waits::ProofTimeouts;

/// What is left before the deadline when a proof gives up: to remove a key that failed it.
const RESERVE: Duration = Duration::from_secs(10);

/// A bucket to be read and where it is.
#[derive(Clone, Debug)]
pub struct Target {
    /// The entry of `Buckets`.
    pub bucket: BucketUri,
    /// Its region.
    pub region: String,
}

/// Why the key does not read what it should, and what to change.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ProofError(String);

/// Proves the key on every target.
///
/// # Errors
/// What could not be read, AWS's own words, and what to change.
pub async fn prove<C: Cloud>(
    cloud: &C,
    user: &UserName,
    key: &StoredKey,
    targets: &[Target],
    timeouts: ProofTimeouts,
    deadline: Instant,
) -> Result<(), ProofError> {
    let started = Instant::now();
    let left = |until: Duration| {
        let end = (started + until).min(deadline.checked_sub(RESERVE).unwrap_or(started));
        end.saturating_duration_since(Instant::now())
    };
    let arn = (|| cloud.caller_of(key))
        .retry(back_off(left(timeouts.known)))
        .when(|error| error.kind == ErrorKind::UnknownKey)
        .await
        .map_err(|error| {
            ProofError(format!("the key of user `{user}` is not accepted: {error}"))
        })?;
    if !arn.ends_with(&format!("/{user}")) {
        return Err(ProofError(format!(
            "the secret's key is not of user `{user}` but of `{arn}`: raise `KeySerial`"
        )));
    }
    // Known to STS is not yet known to S3, and a policy takes its own time.
    let not_yet = |error: &CloudError| match error.kind {
        ErrorKind::UnknownKey => true,
        ErrorKind::Denied => !is_final(error) && !left(timeouts.allowed).is_zero(),
        ErrorKind::NotFound
        | ErrorKind::Throttled
        | ErrorKind::Conflict
        | ErrorKind::LimitExceeded
        | ErrorKind::Rejected
        | ErrorKind::Indeterminate => false,
    };
    let proofs = targets.iter().map(async |target| {
        let list = || cloud.first_object(key, &target.region, &target.bucket);
        let object = list
            .retry(back_off(left(timeouts.known)))
            .when(not_yet)
            .await;
        let refused = |what, error: &CloudError| {
            if error.kind == ErrorKind::Denied {
                tell_owner(target, &arn);
            }
            explain(target, what, error)
        };
        let object = object.map_err(|error| refused("list", &error))?;
        let Some(object) = object else { return Ok(()) };
        let read = || cloud.first_byte(key, &target.region, &target.bucket.bucket, &object);
        let read = read
            .retry(back_off(left(timeouts.known)))
            .when(not_yet)
            .await;
        match read {
            Err(error) if !is_allowed(&error) => Err(refused("read an object", &error)),
            Ok(()) | Err(_) => Ok(()),
        }
    });
    try_join_all(proofs).await.map(|_| ())
}

fn back_off(total: Duration) -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(250))
        .with_max_delay(Duration::from_secs(3))
        .with_total_delay(Some(total))
        .without_max_times()
        .with_jitter()
}

/// The bucket may be of another account, which then has to allow the user too. The answer has no room for how.
fn tell_owner(Target { bucket, .. }: &Target, user_arn: &str) {
    if let Some(statements) = statements_for_owner(bucket, user_arn) {
        warn!(
            %bucket,
            %statements,
            "if this bucket belongs to another account, its owner has to add these statements to the bucket's policy"
        );
    }
}

/// A policy that denies outright is not one that has not arrived yet.
fn is_final(error: &CloudError) -> bool {
    error.message.contains("explicit deny")
}

/// Answers of S3 that come only after access was allowed: an empty object has no first byte, an archived one has none
/// now, one under the customer's own key needs that key, and one that has just been deleted was there to be listed.
fn is_allowed(error: &CloudError) -> bool {
    matches!(
        error.code.as_deref(),
        Some("InvalidRange" | "InvalidObjectState" | "InvalidRequest" | "NoSuchKey")
    )
}

/// Says what could not be done and what to change.
fn explain(target: &Target, what: &str, error: &CloudError) -> ProofError {
    let bucket = &target.bucket;
    let name = &bucket.bucket;
    let message = error.message.as_str();
    let cure = if error.code.as_deref() == Some("NoSuchBucket") {
        format!("there is no bucket `{name}`: correct `Buckets` or create it")
    } else if message.contains("kms:")
        || error
            .code
            .as_deref()
            .is_some_and(|code| code.starts_with("KMS."))
    {
        let key = kms_key(message).map_or_else(
            || " (the object's properties show which)".to_owned(),
            |key| format!(" `{key}`"),
        );
        format!(
            "the objects are encrypted with KMS key{key}: name it in `BucketKmsKeyArns`, and if it is named already, its \
             key policy has to let the user decrypt"
        )
    } else if message.contains("service control policy")
        || message.contains("resource control policy")
    {
        "a policy of your AWS organization denies it: ask its administrator for an exception for this user".to_owned()
    } else if message.contains("permissions boundary") {
        "the user's permissions boundary does not allow this bucket: widen `ReadableBuckets` or the boundary".to_owned()
    } else if is_final(error) {
        "the bucket's policy denies it: allow the user there; if it denies by source address or VPC endpoint, which \
         differ for this function and for Publisher, set `VerifyAccess: false`"
            .to_owned()
    } else if error.kind == ErrorKind::Denied {
        "if the bucket belongs to another account, its policy has to allow this user `s3:ListBucket` and \
         `s3:GetObject` (the log has the statements); if it denies by source address or VPC endpoint, set `VerifyAccess: false`; also check the \
         prefix, the permissions boundary and your organization's policies"
            .to_owned()
    } else {
        "it is safe to try again".to_owned()
    };
    ProofError(format!(
        "the key cannot {what} in `{bucket}`: {cure} ({error})"
    ))
}

/// The KMS key that S3's message names.
fn kms_key(message: &str) -> Option<&str> {
    let mut words = message.split(|c: char| c.is_whitespace() || "\"'`,()".contains(c));
    words.find(|word| word.starts_with("arn:") && word.contains(":kms:"))
}
