//! Room for a new key: which keys go, and when none may.

use std::time::{Duration, SystemTime};

use super::{Holder, Keys};
use crate::cloud::{Key, KeyStatus, VersionId};
use crate::observe::{Pair, Refusal};
use crate::plan::dates;
use crate::waits::{KEY_IN_FLIGHT, ROTATION_WINDOW};

/// IAM's limit of keys for a user, which cannot be raised. Inactive keys count.
const KEYS_PER_USER: usize = 2;

/// What making room takes.
pub(in crate::plan) enum Room {
    /// These keys go; none if there is room.
    Made(Vec<Key>),
    /// Another observation may show more. Holds why.
    Wait(String),
}

impl Keys<'_> {
    /// The keys that have to go, judged by their ids: inactive ones first. An active one that `AWSCURRENT` holds comes last, and
    /// one key always stays.
    ///
    /// # Errors
    /// The key of a rotation under way would have to go.
    pub(super) fn room(&self) -> Result<Room, Refusal> {
        let active = |key: &Key| key.status == KeyStatus::Active;
        let mut going: Vec<&Key> = self.listed.iter().collect();
        going.sort_by_key(|key| (active(key), self.holder(&key.id), key.created));
        going.truncate((self.listed.len() + 1).saturating_sub(KEYS_PER_USER));
        for key in &going {
            match (self.holder(&key.id), self.rotating()) {
                (Holder::Rotation, Some(version)) if active(key) => {
                    let stored = self.secret.and_then(|secret| secret.stored_at(version));
                    let until = stored.unwrap_or(self.now) + ROTATION_WINDOW;
                    return Err(Refusal::RotationUnderWay {
                        version: version.clone(),
                        until: dates::date(until),
                    });
                }
                (Holder::Lost, _) if active(key) && self.since(key.created) < KEY_IN_FLIGHT => {
                    return Ok(Room::Wait(format!(
                        "key `{}` was made a moment ago, and another request may be about to store it",
                        key.id
                    )));
                }
                (_, _) => {}
            }
        }
        Ok(Room::Made(going.into_iter().cloned().collect()))
    }
}

/// The keys that go before a rotation by Secrets Manager makes its own: no key that was used within `window`.
///
/// # Errors
/// The rotation would end a key in use.
pub(in crate::plan) fn room_for_rotation(
    pair: &Pair,
    rotation: &VersionId,
    now: SystemTime,
    window: Duration,
) -> Result<Room, Refusal> {
    let keys = Keys::of(pair, now);
    let mut versions = keys.versions_read();
    if versions.any(|version| keys.may_be_unlisted(version)) {
        return Ok(Room::Wait("IAM does not list a new key yet".to_owned()));
    }
    let room = keys.room()?;
    if let Room::Made(going) = &room
        && let Some(held_up) = going
            .iter()
            .find_map(|key| keys.guard(key, rotation, window))
    {
        return Err(held_up);
    }
    Ok(room)
}
