//! The proof: shows that the key reads the buckets.
//!
//! It signs with the key itself. AWS must know the key as our user's, and the key must list and read every bucket, all
//! side by side. Access has to be allowed; there need not be anything to read.

use backon::Retryable;
use futures_util::future::{join, join_all};
use tokio::time::Instant;
use tracing::warn;

use crate::cloud::{
    Cloud, CloudError, Denial, Denied, ErrorKind, ListedObject, ObjectRead, PolicyKind, Result,
};
use crate::names::UserName;
use crate::plan::Target;
use crate::policy::statements_for_owner;
use crate::run::Run;
use crate::secret::StoredKey;
use crate::waits::{LONGEST_PROOF_PAUSE, ProofTimeouts, WITHDRAW, while_a_proof_waits};

/// Why a proof failed, and what to do: one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The key cannot read what it should. Says what to change.
    #[error("{0}")]
    Refuted(String),
    /// AWS did not answer: nothing is known of the key.
    #[error("{0}")]
    Unanswered(String),
}

impl ProofError {
    fn because(error: &CloudError, reason: String) -> Self {
        match error.kind {
            ErrorKind::Throttled | ErrorKind::Indeterminate => Self::Unanswered(reason),
            ErrorKind::NotFound
            | ErrorKind::Denied
            | ErrorKind::UnknownKey
            | ErrorKind::Conflict
            | ErrorKind::LimitExceeded
            | ErrorKind::Rejected => Self::Refuted(reason),
        }
    }
}

/// Proves the key on every target.
///
/// # Errors
/// What the key could not read, AWS's own words, and what to change.
pub async fn prove<C: Cloud>(
    run: &Run<'_, C>,
    user: &UserName,
    key: &StoredKey,
    targets: &[Target],
) -> std::result::Result<(), ProofError> {
    let attempt = Attempt {
        run,
        key,
        started: Instant::now(),
    };
    let identity = attempt.until_accepted(async || run.cloud.caller_of(key).await);
    let reads = join_all(targets.iter().map(|target| attempt.read(target)));
    let (arn, reads) = join(identity, reads).await;
    let arn = arn.map_err(|error| {
        let reason = format!("the key of user `{user}` is not accepted: {error}");
        ProofError::because(&error, reason)
    })?;
    if !arn.ends_with(&format!("/{user}")) {
        return Err(ProofError::Refuted(format!(
            "the secret's key is not of user `{user}` but of `{arn}`: raise `KeySerial`"
        )));
    }
    for (target, read) in targets.iter().zip(reads) {
        match read {
            Ok(Decryption::Proved) => {}
            Ok(Decryption::Unproved) => {
                warn!(bucket = %target.bucket, "decryption was not proved: there are only empty or archived objects, or none");
            }
            Err(Unread { what, error }) => {
                if error.kind == ErrorKind::Denied {
                    tell_owner(target, &arn);
                }
                return Err(explain(target, what, &error));
            }
        }
    }
    Ok(())
}

/// Whether reading showed that the key decrypts.
enum Decryption {
    Proved,
    Unproved,
}

/// What could not be done in a bucket.
struct Unread {
    what: &'static str,
    error: CloudError,
}

/// One proof under way.
struct Attempt<'a, C> {
    run: &'a Run<'a, C>,
    key: &'a StoredKey,
    started: Instant,
}

impl<C: Cloud> Attempt<'_, C> {
    /// Lists the bucket, and reads the first object that proves something. If that turns out to be archived or gone,
    /// reads the next one.
    async fn read(&self, target: &Target) -> std::result::Result<Decryption, Unread> {
        let Target { bucket, region } = target;
        let (cloud, key) = (self.run.cloud, self.key);
        let objects = self
            .until_accepted(async || cloud.list_objects(key, region, bucket).await)
            .await
            .map_err(|error| Unread {
                what: "list",
                error,
            })?;
        let telling = |object: &&ListedObject| object.size > 0 && !object.archived;
        let (telling, others): (Vec<_>, Vec<_>) = objects.iter().partition(telling);
        // If no object can prove decryption, another one still shows that reading is allowed.
        let fallback = if telling.is_empty() {
            others.first()
        } else {
            None
        };
        for object in telling.iter().chain(fallback) {
            let read = self
                .until_accepted(async || {
                    cloud
                        .read_byte(key, region, &bucket.bucket, &object.key)
                        .await
                })
                .await
                .map_err(|error| Unread {
                    what: "read an object",
                    error,
                })?;
            match read {
                ObjectRead::Read | ObjectRead::CustomerKey => return Ok(Decryption::Proved),
                ObjectRead::Empty | ObjectRead::Archived | ObjectRead::Gone => {}
            }
            if self.is_over() {
                break;
            }
        }
        Ok(Decryption::Unproved)
    }

    /// Makes a call with the key, and repeats it while AWS may not know the key or its policies everywhere.
    async fn until_accepted<T>(&self, call: impl AsyncFn() -> Result<T>) -> Result<T> {
        (|| call())
            .retry(while_a_proof_waits())
            .when(|error| self.may_pass(error))
            .await
    }

    /// Whether waiting may help. The key, the user's own policy and its boundary become visible slowly. The policies of
    /// others are visible at once or not at all.
    fn may_pass(&self, error: &CloudError) -> bool {
        let ProofTimeouts {
            known,
            allowed,
            allowed_by_others,
        } = self.run.proof_timeouts;
        let patience = match error.kind {
            ErrorKind::UnknownKey => known,
            ErrorKind::Denied => match error.denial.as_ref().map(|denial| denial.by) {
                Some(PolicyKind::Resource | PolicyKind::Organization) => allowed_by_others,
                Some(PolicyKind::Identity | PolicyKind::Boundary | PolicyKind::Unsaid) | None => {
                    allowed
                }
            },
            ErrorKind::NotFound
            | ErrorKind::Throttled
            | ErrorKind::Conflict
            | ErrorKind::LimitExceeded
            | ErrorKind::Rejected
            | ErrorKind::Indeterminate => return false,
        };
        self.started.elapsed() < patience && !self.is_over()
    }

    /// Whether the remaining time is needed to remove a key that failed its proof.
    fn is_over(&self) -> bool {
        self.run
            .deadline
            .of_work()
            .saturating_duration_since(Instant::now())
            < WITHDRAW + LONGEST_PROOF_PAUSE
    }
}

/// Logs what the bucket's owner has to allow, if the bucket is in another account. The answer has no room for that.
fn tell_owner(Target { bucket, .. }: &Target, user_arn: &str) {
    if let Some(statements) = statements_for_owner(bucket, user_arn) {
        warn!(
            %bucket,
            %statements,
            "if this bucket belongs to another account, its owner has to add these statements to the bucket's policy"
        );
    }
}

/// Says what the key could not do, and what to change.
fn explain(target: &Target, what: &str, error: &CloudError) -> ProofError {
    let bucket = &target.bucket;
    let name = &bucket.bucket;
    let cure = match (&error.denial, error.kind) {
        (Some(denial), _) => cure_of(denial),
        (None, ErrorKind::NotFound) => {
            format!("there is no bucket `{name}`: correct `Buckets` or create it")
        }
        // STS has accepted the key by now.
        (None, ErrorKind::UnknownKey) => format!(
            "the key is good, but S3 in `{}` does not know it: that is an opt-in region which this account has not enabled; \
             enable it in the account's settings, or set `VerifyAccess: false`",
            target.region
        ),
        (None, _) => "it is safe to try again".to_owned(),
    };
    let reason = format!("the key cannot {what} in `{bucket}`: {cure} ({error})");
    ProofError::because(error, reason)
}

/// What to change, if a policy stood in the way.
fn cure_of(denial: &Denial) -> String {
    let Denial { by, explicit, of } = denial;
    if let Denied::KmsKey(key) = of {
        let key = key.as_ref().map_or_else(
            || " (the object's properties show which)".to_owned(),
            |key| format!(" `{key}`"),
        );
        return format!(
            "the objects are encrypted with KMS key{key}: name it in `BucketKmsKeyArns`, and if it is named already, its \
             key policy has to let the user decrypt"
        );
    }
    match by {
        PolicyKind::Organization => {
            "a policy of your AWS organization denies it: ask its administrator for an exception for this user"
        }
        PolicyKind::Boundary => {
            "the user's permissions boundary does not allow this bucket: widen `ReadableBuckets` or the boundary"
        }
        PolicyKind::Resource if *explicit => {
            "the bucket's policy denies it: allow the user there; if it denies by source address or VPC endpoint, which \
             differ for this function and for Publisher, set `VerifyAccess: false`"
        }
        PolicyKind::Identity | PolicyKind::Resource | PolicyKind::Unsaid => {
            "if the bucket belongs to another account, its policy has to allow this user `s3:ListBucket` and \
             `s3:GetObject` (the log has the statements); if it denies by source address or VPC endpoint, set `VerifyAccess: false`; also check the \
             prefix, the permissions boundary and your organization's policies"
        }
    }
    .to_owned()
}
