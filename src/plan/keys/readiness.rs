//! Decides what to clear before a rotation by Secrets Manager makes its key, and when it has to wait for others.

use std::time::{Duration, SystemTime};

use super::Keys;
use super::guard::Unused;
use crate::cloud::Key;
use crate::observe::Pair;
use crate::plan::{RotationBlocked, Step};
use crate::secret::Label;
use crate::waits::{KEY_IN_FLIGHT, ROTATION_WINDOW};

/// What to do before a rotation makes its key.
pub(in crate::plan) enum Readiness {
    /// Delete orphans and an update's failed attempt, then observe again.
    ClearFirst(Vec<Step>),
    /// Delete the previous key or a dead one to make room; empty if there is room.
    Ready(Vec<Step>),
}

/// Decides what to delete: never a current key that works, and never a key that was used within `window`.
pub(in crate::plan) fn readiness(
    pair: &Pair,
    now: SystemTime,
    window: Duration,
) -> Result<Readiness, RotationBlocked> {
    let keys = Keys::of(pair, now);
    let current = keys.labelled(Label::Current);
    if current.is_some_and(|version| keys.may_be_unlisted(version)) {
        return Err(RotationBlocked::Transient(
            "IAM does not list the current key yet".to_owned(),
        ));
    }
    let candidate = keys.beside_current(Label::Candidate);
    if let Some(version) = candidate
        && keys.younger(version, ROTATION_WINDOW)
    {
        return Err(RotationBlocked::Permanent(format!(
            "an update of the stack is making a key (version `{version}` is {}): rotate again when it has ended",
            Label::Candidate
        )));
    }
    let young = |key: &&Key| now.duration_since(key.created).unwrap_or_default() < KEY_IN_FLIGHT;
    if let Some(key) = keys.orphans().find(young) {
        return Err(RotationBlocked::Transient(format!(
            "key `{}` was made a moment ago and is not stored yet: an update of the stack may be under way",
            key.id
        )));
    }
    keys.guard(keys.orphans(), Unused::IsOrphan, window)?;
    let mut clutter = keys.delete_orphans();
    clutter.extend(
        candidate
            .into_iter()
            .flat_map(|version| keys.abandon(Label::Candidate, version)),
    );
    if !clutter.is_empty() {
        return Ok(Readiness::ClearFirst(clutter));
    }
    keys.guard(keys.surplus(), Unused::MayBeAwaited, window)?;
    Ok(Readiness::Ready(keys.room_for_one()))
}
