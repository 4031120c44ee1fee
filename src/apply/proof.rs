//! The proof: shows what the key reads.
//!
//! It signs with the key itself. AWS must know the key as our user's; then every entry of `Buckets` is tried, all side by
//! side: listed, and three of its objects read, a byte each.

mod advice;

use std::time::Duration;

use backon::Retryable;
use futures_util::future::{join, join_all};
use tokio::time::Instant;
use tracing::warn;

use crate::cloud::{
    Cloud, CloudError, ErrorKind, ListedObject, ObjectRead, Page, PolicyKind, Result, StoredKey,
};
use crate::observe::Refusal;
use crate::plan::{OnFailure, Target, Warning, Weight};
use crate::request::names::UserName;
use crate::waits::{LONGEST_PROOF_PAUSE, OTHERS_ALLOW, POLICY_ALLOWS, while_a_proof_waits};

/// How many pages of a listing are read to find an object that can prove something.
const PAGES: usize = 5;

/// How many objects of a page are read: the first, the middle and the last.
const SAMPLES: usize = 3;

/// How many reads an entry may take, with those that give way to the next object.
const READS: usize = 20;

/// How many failing entries a reason has room for.
const TOLD: usize = 2;

#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How long the key may be unknown.
    pub known: Duration,
    /// When it has to end, whatever it waits for.
    pub end: Instant,
}

#[derive(Debug)]
pub struct Proved {
    /// Why AWS does not know the key as this user's.
    not_accepted: Option<Shown>,
    entries: Vec<(Target, Found)>,
}

/// What was found under one entry of `Buckets`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A byte of every object that was tried.
    Read,
    /// A byte of some; this one was refused.
    ReadInPart {
        object: String,
        error: CloudError,
    },
    /// Only what proves that the key may read, and not that it decrypts: empty or archived objects, or customer-provided keys.
    NotDecrypted {
        /// Whether more pages were there than were looked at.
        unseen: bool,
    },
    Nothing,
    NotListed(CloudError),
    /// No object could be read.
    NotRead {
        object: String,
        error: CloudError,
    },
}

pub async fn prove<C: Cloud>(
    cloud: &C,
    user: &UserName,
    key: &StoredKey,
    targets: &[Target],
    patience: Patience,
) -> Proved {
    let attempt = Attempt {
        cloud,
        key,
        patience,
        started: Instant::now(),
    };
    let identity = attempt.until_accepted(async || cloud.caller_of(key).await);
    let entries = join_all(targets.iter().map(|target| attempt.try_entry(target)));
    let (arn, found) = join(identity, entries).await;
    let not_accepted = match arn {
        Ok(arn) if arn.ends_with(&format!("/{user}")) => None,
        Ok(arn) => {
            let sentence = format!(
                "the secret's key is not of user `{user}` but of `{arn}`: raise `KeySerial`"
            );
            Some((sentence, Shows::Failure))
        }
        Err(error) => Some((advice::of_identity(user, &error), Shows::of(&error))),
    };
    Proved {
        not_accepted: not_accepted.map(|(sentence, weight)| Shown {
            entry: None,
            sentence,
            weight,
        }),
        entries: targets.iter().cloned().zip(found).collect(),
    }
}

/// One sentence of what a proof has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The entry, as `s3://…/`; `None` if it is about the key itself.
    pub entry: Option<String>,
    pub sentence: String,
    pub weight: Shows,
}

/// How much a sentence says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    Failure,
    /// AWS did not answer: nothing is known.
    Unanswered,
    /// The key reads, with a reservation.
    Reservation,
    /// The same, which is no reason to alarm anybody between deployments.
    Note,
}

impl Shows {
    fn of(error: &CloudError) -> Self {
        match error.kind {
            ErrorKind::Throttled | ErrorKind::Indeterminate => Self::Unanswered,
            ErrorKind::NotFound
            | ErrorKind::Denied
            | ErrorKind::UnknownKey
            | ErrorKind::Conflict
            | ErrorKind::LimitExceeded
            | ErrorKind::Rejected => Self::Failure,
        }
    }
}

impl Proved {
    /// Everything that a person should know, entry by entry. Without an identity, what the buckets answered says nothing more.
    pub fn shown(&self) -> Vec<Shown> {
        if let Some(not_accepted) = &self.not_accepted {
            return vec![not_accepted.clone()];
        }
        let entries = self.entries.iter().filter_map(|(target, found)| {
            let (sentence, weight) = advice::of_entry(target, found)?;
            Some(Shown {
                entry: Some(target.bucket.to_string()),
                sentence,
                weight,
            })
        });
        entries.collect()
    }

    /// What it means for a request: warnings, or a refusal.
    ///
    /// # Errors
    /// The first entries that fail, and how many more.
    pub fn judge(&self, on_failure: OnFailure) -> std::result::Result<Vec<Warning>, Refusal> {
        if let (OnFailure::FailIfAccepted, Some(Shows::Failure)) = (
            on_failure,
            self.not_accepted.as_ref().map(|shown| shown.weight),
        ) {
            return Ok(Vec::new());
        }
        let (failures, rest): (Vec<Shown>, Vec<Shown>) = self
            .shown()
            .into_iter()
            .partition(|shown| matches!(shown.weight, Shows::Failure | Shows::Unanswered));
        let warning = |shown: Shown| Warning::new(Weight::Access, shown.sentence);
        if failures.is_empty() || on_failure == OnFailure::Warn {
            return Ok(failures.into_iter().chain(rest).map(warning).collect());
        }
        for failure in &failures {
            warn!(entry = failure.entry, "{}", failure.sentence);
        }
        let told: Vec<&str> = failures
            .iter()
            .take(TOLD)
            .map(|failure| failure.sentence.as_str())
            .collect();
        let more = match failures.len().saturating_sub(TOLD) {
            0 => String::new(),
            1 => "; and 1 more entry of `Buckets` fails".to_owned(),
            more => format!("; and {more} more entries of `Buckets` fail"),
        };
        Err(Refusal::Unproven(format!("{}{more}", told.join("; "))))
    }

    /// Requires AWS to know the key as this user's.
    pub fn accepted(&self) -> std::result::Result<(), Refusal> {
        match &self.not_accepted {
            Some(not) => Err(Refusal::Unproven(not.sentence.clone())),
            None => Ok(()),
        }
    }
}

struct Attempt<'a, C> {
    cloud: &'a C,
    key: &'a StoredKey,
    patience: Patience,
    started: Instant,
}

impl<C: Cloud> Attempt<'_, C> {
    /// Lists the entry until a page has candidates: objects that by the listing are neither empty nor archived. Reads three of
    /// them or, if there are none, one of the others, which still shows that reading is allowed.
    async fn try_entry(&self, target: &Target) -> Found {
        let (mut other, mut page) = (None, None);
        for _ in 0..PAGES {
            let listed = self.until_accepted(async || self.list(target, page.as_deref()).await);
            let Page { objects, next } = match listed.await {
                Ok(page) => page,
                Err(error) => return Found::NotListed(error),
            };
            let is_candidate = |object: &ListedObject| object.size > 0 && !object.archived;
            let (candidates, others): (Vec<_>, Vec<_>) =
                objects.into_iter().partition(is_candidate);
            if !candidates.is_empty() {
                return self.read_samples(target, &candidates).await;
            }
            other = other.or(others.into_iter().next());
            page = next;
            if page.is_none() {
                break;
            }
        }
        let unseen = page.is_some();
        match other {
            Some(object) => match self.read(target, &object.key).await {
                Ok(ObjectRead::Read) => Found::Read,
                Ok(_) => Found::NotDecrypted { unseen },
                Err(error) => Found::NotRead {
                    object: object.key,
                    error,
                },
            },
            None if unseen => Found::NotDecrypted { unseen },
            None => Found::Nothing,
        }
    }

    /// Reads the first, the middle and the last candidate, a byte each. One that turns out to prove nothing gives way to the
    /// next that nobody has tried.
    async fn read_samples(&self, target: &Target, candidates: &[ListedObject]) -> Found {
        let last = candidates.len() - 1;
        let mut samples = vec![0, last / 2, last];
        samples.dedup();
        let mut untried = (0..=last)
            .filter(|at| !samples.contains(at))
            .collect::<Vec<_>>();
        untried.truncate(READS - SAMPLES);
        let mut untried = untried.into_iter();
        let (mut read, mut refused) = (false, None);
        while !samples.is_empty() {
            let reads = samples
                .iter()
                .map(|at| self.read(target, &candidates[*at].key));
            let mut next = Vec::new();
            for (at, outcome) in samples.iter().zip(join_all(reads).await) {
                match outcome {
                    Ok(ObjectRead::Read) => read = true,
                    Ok(
                        ObjectRead::Empty
                        | ObjectRead::Archived
                        | ObjectRead::Gone
                        | ObjectRead::CustomerKey,
                    ) => next.extend(untried.next()),
                    Err(error) => {
                        let object = candidates[*at].key.clone();
                        refused = refused.or(Some((object, error)));
                    }
                }
            }
            samples = if self.is_over() { Vec::new() } else { next };
        }
        match (read, refused) {
            (true, None) => Found::Read,
            (true, Some((object, error))) => Found::ReadInPart { object, error },
            (false, Some((object, error))) => Found::NotRead { object, error },
            (false, None) => Found::NotDecrypted { unseen: false },
        }
    }

    async fn list(&self, target: &Target, page: Option<&str>) -> Result<Page> {
        let Target { bucket, region, .. } = target;
        self.cloud
            .list_objects(self.key, region, bucket, page)
            .await
    }

    async fn read(&self, target: &Target, object: &str) -> Result<ObjectRead> {
        let Target { bucket, region, .. } = target;
        let read = async || {
            let bucket = &bucket.bucket;
            self.cloud.read_byte(self.key, region, bucket, object).await
        };
        self.until_accepted(read).await
    }

    /// Makes a call with the key, and repeats it while AWS may not know the key or its policies everywhere.
    async fn until_accepted<T>(&self, call: impl AsyncFn() -> Result<T>) -> Result<T> {
        (|| call())
            .retry(while_a_proof_waits())
            .when(|error| self.may_pass(error))
            .await
    }

    /// Whether waiting may help. The key, the user's own policy and its boundary become visible slowly. The policies of
    /// others are visible at once or not at all, and an explicit deny by one of the user's own does not go away.
    fn may_pass(&self, error: &CloudError) -> bool {
        let denial = error.denial.as_ref();
        let patience = match error.kind {
            ErrorKind::UnknownKey => self.patience.known,
            ErrorKind::Denied => match denial.map(|denial| (denial.by, denial.explicit)) {
                Some((PolicyKind::Identity, true)) => return false,
                Some((PolicyKind::Identity | PolicyKind::Boundary | PolicyKind::Unsaid, _))
                | None => POLICY_ALLOWS,
                Some((_, _)) => OTHERS_ALLOW,
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

    /// Whether the remaining time is needed for something else.
    fn is_over(&self) -> bool {
        Instant::now() + LONGEST_PROOF_PAUSE > self.patience.end
    }
}
