//! The guard of a scheduled rotation, which must not end a key that is in use. It never holds up what a person asks
//! for: `KeySerial`, a repair or a deletion.

use std::time::{Duration, SystemTime};

use super::Keys;
use crate::cloud::{CloudError, ErrorKind, Key, KeyStatus, LastUse};
use crate::secret::AccessKeyId;

/// A key that holds up a rotation, because the rotation would end it.
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

/// How to judge a key of which IAM knows no use.
#[derive(Clone, Copy)]
pub(super) enum Unused {
    /// It was given to somebody, who may be about to use it.
    MayBeAwaited,
    /// No version ever held it: it is an orphan unless somebody uses it.
    IsOrphan,
}

impl Keys<'_> {
    /// Refuses to end these keys unless each has gone unused for `window`.
    pub(super) fn guard<'k>(
        &self,
        going: impl IntoIterator<Item = &'k Key>,
        unused: Unused,
        window: Duration,
    ) -> Result<(), HeldUp> {
        for key in going {
            // Nobody can use an inactive key.
            let protection = match key.status {
                KeyStatus::Active => self.protection(key, unused, window),
                KeyStatus::Inactive => None,
            };
            if let Some(why) = protection {
                let key = key.id.clone();
                return Err(HeldUp { key, why });
            }
        }
        Ok(())
    }

    fn protection(&self, key: &Key, unused: Unused, window: Duration) -> Option<Protection> {
        // A date in the future means that the clocks differ, and counts as now.
        let since = |date: SystemTime| self.now.duration_since(date).unwrap_or_default();
        match (self.last_used.and_then(|uses| uses.get(&key.id)), unused) {
            (Some(Ok(Some(last))), _) => {
                (since(last.date) <= window).then(|| Protection::Used(last.clone()))
            }
            (Some(Ok(None)), Unused::MayBeAwaited) => {
                (since(key.created) < window).then_some(Protection::Young(key.created))
            }
            (Some(Ok(None)), Unused::IsOrphan) => None,
            (Some(Err(error)), _) => Some(Protection::Unreadable(Box::new(error.clone()))),
            (None, _) => Some(Protection::Unreadable(Box::new(CloudError::unanswered(
                "iam:GetAccessKeyLastUsed",
                ErrorKind::Indeterminate,
                "it was not asked",
            )))),
        }
    }
}
