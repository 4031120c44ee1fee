//! The guard of a scheduled rotation, which must not end a key that is in use. It never holds up what a person asks
//! for: `KeySerial`, a repair or a deletion.

use std::fmt;
use std::time::{Duration, SystemTime};

use super::{Holder, Keys};
use crate::cloud::{AccessKeyId, CloudError, ErrorKind, Key, KeyStatus, LastUse, VersionId};
use crate::plan::dates;
use crate::waits::{DAY, TRIED_ONLY_AFTER};

const SECOND: Duration = Duration::from_secs(1);

/// A key that holds up a rotation, because the rotation would end it. Prints as a clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldUp {
    pub key: AccessKeyId,
    pub why: Protection,
}

/// Why a rotation may not end a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protection {
    /// It was used recently.
    Used(LastUse),
    /// IAM knows no use of it, and it is young. Holds when it was made.
    Young(SystemTime),
    /// Its last use cannot be read.
    Unreadable(Box<CloudError>),
}

impl fmt::Display for HeldUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, why } = self;
        match why {
            Protection::Used(last) => {
                write!(
                    f,
                    "it would end key `{key}`, which was {}",
                    dates::used(last)
                )
            }
            Protection::Young(created) => write!(
                f,
                "it would end key `{key}`, which was made on {} and never used as far as AWS knows, so someone may be about \
                 to use it",
                dates::date(*created)
            ),
            Protection::Unreadable(error) => {
                write!(
                    f,
                    "it would end key `{key}`, whose last use cannot be read ({error})"
                )
            }
        }
    }
}

impl Keys<'_> {
    /// Why this rotation may not end this key, unless it has gone unused for `window`.
    pub(super) fn guard(
        &self,
        key: &Key,
        rotation: &VersionId,
        window: Duration,
    ) -> Option<HeldUp> {
        // Nobody can use an inactive key, nor one that a crash of this rotation has lost.
        if key.status == KeyStatus::Inactive || self.was_lost_by(rotation, key) {
            return None;
        }
        let uses = self.pair.user.as_ref().map(|user| &user.last_used);
        let why = match uses.and_then(|uses| uses.get(&key.id)) {
            Some(Ok(last)) if self.was_only_tried(key, last.as_ref()) => return None,
            Some(Ok(Some(last))) => {
                (self.since(last.date) <= window).then(|| Protection::Used(last.clone()))
            }
            Some(Ok(None)) => {
                (self.since(key.created) < window).then_some(Protection::Young(key.created))
            }
            Some(Err(error)) => Some(Protection::Unreadable(Box::new(error.clone()))),
            None => Some(Protection::Unreadable(Box::new(CloudError::unanswered(
                "iam:GetAccessKeyLastUsed",
                ErrorKind::Indeterminate,
                "it was not asked",
            )))),
        };
        let key = key.id.clone();
        why.map(|why| HeldUp { key, why })
    }

    /// Whether no version holds the key, and it was made after this rotation began. IAM's dates are whole seconds.
    fn was_lost_by(&self, rotation: &VersionId, key: &Key) -> bool {
        let begun = self.secret.and_then(|secret| secret.stored_at(rotation));
        self.holder(&key.id) == Holder::Lost
            && begun.is_some_and(|begun| key.created + SECOND > begun)
    }

    /// Whether the key was only ever tried: no label names it, it is older than two days, and it was not used after its first
    /// day.
    fn was_only_tried(&self, key: &Key, last: Option<&LastUse>) -> bool {
        let unlabelled = match self.holder(&key.id) {
            Holder::Lost | Holder::Old => true,
            Holder::Previous | Holder::Rotation | Holder::Current => false,
        };
        unlabelled
            && self.since(key.created) > TRIED_ONLY_AFTER
            && last.is_none_or(|last| last.date <= key.created + DAY)
    }
}
