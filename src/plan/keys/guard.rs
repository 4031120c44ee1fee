//! The guard of a scheduled rotation, which must not end a key that is in use. It never holds up what a person asks
//! for: `KeySerial`, a repair or a deletion.

use std::time::Duration;

use super::{Holder, Keys};
use crate::cloud::{Key, KeyStatus, LastUse, VersionId};
use crate::observe::Refusal;
use crate::plan::dates;
use crate::waits::{DAY, TRIED_ONLY_AFTER};

const SECOND: Duration = Duration::from_secs(1);

impl Keys<'_> {
    /// Why this rotation may not end this key, unless it has gone unused for `window`.
    pub(super) fn guard(
        &self,
        key: &Key,
        rotation: &VersionId,
        window: Duration,
    ) -> Option<Refusal> {
        // Nobody can use an inactive key, nor one that a crash of this rotation has lost.
        if key.status == KeyStatus::Inactive || self.was_lost_by(rotation, key) {
            return None;
        }
        let id = &key.id;
        let uses = self.pair.user.as_ref().map(|user| &user.last_used);
        match uses.and_then(|uses| uses.get(id)) {
            Some(Ok(last)) if self.was_only_tried(key, last.as_ref()) => None,
            Some(Ok(Some(last))) => (self.since(last.date) <= window).then(|| {
                Refusal::HeldUp(format!(
                    "it would end key `{id}`, which was {}",
                    dates::used(last)
                ))
            }),
            Some(Ok(None)) => (self.since(key.created) < window).then(|| {
                Refusal::HeldUp(format!(
                    "it would end key `{id}`, which was made on {} and never used as far as AWS knows, so someone may be about to \
                     use it",
                    dates::date(key.created)
                ))
            }),
            unread => {
                let error = unread.and_then(|unread| unread.as_ref().err());
                let why = error.map_or("it was not asked".to_owned(), ToString::to_string);
                Some(Refusal::UseUnknown(format!(
                    "it would end key `{id}`, whose last use cannot be read ({why})"
                )))
            }
        }
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
