//! Decides which key stays, which goes, and whether to make a new one. This is the hard decision, because it crosses
//! two services: a key counts only if the user has it *and* the secret holds it.

mod guard;
mod readiness;

pub use guard::{HeldUp, Protection};
pub(super) use readiness::{Readiness, readiness};

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::{NewKey, Step};
use crate::cloud::{Key, KeyStatus, VersionId};
use crate::names::{KeySerial, SecretName, UserName};
use crate::observe::{KeyUse, ObservedSecret, Pair};
use crate::secret::{AccessKeyId, Label, StoredKey};
use crate::waits::{IAM_LAG, ROTATION_WINDOW};

/// IAM's limit of keys for a user, which cannot be raised. Inactive keys count.
const KEYS_PER_USER: usize = 2;

/// What becomes of the keys.
#[derive(Debug)]
pub(super) struct KeyPlan {
    /// The steps that delete orphans and failed attempts. They go first.
    pub(super) clearing: Vec<Step>,
    /// Notes for a person.
    pub(super) notes: Vec<String>,
    /// What happens to the current key.
    pub(super) decision: KeyDecision,
}

/// What happens to the current key.
#[derive(Debug)]
pub(super) enum KeyDecision {
    Keep(StoredKey),
    /// A new key becomes current. The steps in `room` go first, and `replaces` holds `AWSCURRENT` until the end. `keeps`
    /// stays the previous version.
    Make {
        new: NewKey,
        replaces: Option<VersionId>,
        keeps: Option<VersionId>,
        room: Vec<Step>,
    },
    /// A candidate that an earlier run stored becomes current.
    Adopt {
        candidate: VersionId,
        key: StoredKey,
        replaces: VersionId,
    },
    /// Somebody edited the secret: `AWSCURRENT` goes back to a version whose key lives.
    MoveBack {
        from: VersionId,
        to: VersionId,
        key: AccessKeyId,
    },
    /// IAM's list may not show a new key yet.
    Wait,
    /// Secrets Manager is rotating right now.
    Rotating(VersionId),
}

/// The keys, seen across both services.
struct Keys<'a> {
    user: &'a UserName,
    listed: &'a [Key],
    last_used: Option<&'a BTreeMap<AccessKeyId, KeyUse>>,
    secret: Option<&'a ObservedSecret>,
    now: SystemTime,
}

/// Decides what happens to the keys.
pub(super) fn keys(pair: &Pair, desired: KeySerial, now: SystemTime) -> KeyPlan {
    let keys = Keys::of(pair, now);
    let decision = keys.decision(&pair.name.secret_name(), desired.get());
    // An apparent orphan may be the key that a rotation is about to store, and the rotation's version can hold no
    // other.
    let mut clearing = if keys.awaits_a_key() {
        Vec::new()
    } else {
        keys.delete_orphans()
    };
    clearing.extend(keys.failed_attempts(&decision));
    clearing.extend(keys.stray_pending_label(&decision));
    KeyPlan {
        clearing,
        notes: keys.notes(desired.get()),
        decision,
    }
}

/// The version that keeps `AWSPREVIOUS` when `current` loses `AWSCURRENT`; `None` if `current` itself becomes the previous
/// one.
pub(super) fn kept_previous(
    pair: &Pair,
    current: &VersionId,
    now: SystemTime,
) -> Option<VersionId> {
    Keys::of(pair, now).kept_previous(current)
}

impl<'a> Keys<'a> {
    fn of(pair: &'a Pair, now: SystemTime) -> Self {
        Self {
            user: &pair.name,
            listed: pair.user.as_ref().map_or(&[], |user| &user.keys),
            last_used: pair.user.as_ref().map(|user| &user.last_used),
            secret: pair.secret.as_ref(),
            now,
        }
    }

    fn labelled(&self, label: Label) -> Option<&'a VersionId> {
        self.secret?.labelled(label)
    }

    fn key_in(&self, version: &VersionId) -> Option<&'a StoredKey> {
        self.secret?.key_of(version)
    }

    fn status(&self, id: &AccessKeyId) -> Option<KeyStatus> {
        self.listed
            .iter()
            .find(|key| key.id == *id)
            .map(|key| key.status)
    }

    /// The version's key, if it is this user's and works.
    fn living(&self, version: &VersionId) -> Option<&'a StoredKey> {
        let key = self.key_in(version)?;
        (key.user == self.user.as_str() && self.status(&key.id) == Some(KeyStatus::Active))
            .then_some(key)
    }

    /// Whether the version was stored so recently that IAM's list may not show its key yet.
    fn may_be_unlisted(&self, version: &VersionId) -> bool {
        let unlisted = self
            .key_in(version)
            .is_some_and(|key| self.status(&key.id).is_none());
        unlisted && self.younger(version, IAM_LAG)
    }

    /// Whether the version was stored less than `age` ago. One that the list of versions lacks was stored after the list was
    /// read, and counts as young.
    fn younger(&self, version: &VersionId, age: Duration) -> bool {
        let stored = self.secret.and_then(|secret| secret.stored_at(version));
        stored.is_none_or(|stored| self.now.duration_since(stored).unwrap_or_default() < age)
    }

    /// The version under `label`, unless it is the current one.
    fn beside_current(&self, label: Label) -> Option<&'a VersionId> {
        self.labelled(label)
            .filter(|version| Some(*version) != self.labelled(Label::Current))
    }

    /// The version of a rotation by Secrets Manager that has not ended. After a rotation has ended, its label [may
    /// stay](https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html) on its version. That
    /// version is then current, or previous if the stack has made a key since.
    fn rotating(&self) -> Option<&'a VersionId> {
        self.beside_current(Label::Pending)
            .filter(|version| Some(*version) != self.labelled(Label::Previous))
    }

    /// Whether a rotation is about to make its key.
    fn awaits_a_key(&self) -> bool {
        let (Some(secret), Some(version)) = (self.secret, self.rotating()) else {
            return false;
        };
        self.younger(version, ROTATION_WINDOW) && !secret.stored.contains_key(version)
    }

    fn decision(&self, name: &SecretName, desired: u64) -> KeyDecision {
        let Some(current) = self.labelled(Label::Current) else {
            return KeyDecision::Make {
                new: self.new_key(name, Label::Current, desired),
                replaces: None,
                keeps: None,
                room: self.room_for_one(),
            };
        };
        if self.may_be_unlisted(current)
            || self
                .beside_current(Label::Candidate)
                .is_some_and(|version| self.may_be_unlisted(version))
        {
            return KeyDecision::Wait;
        }
        if let Some(key) = self.living(current)
            && key.serial >= desired
        {
            return KeyDecision::Keep(key.clone());
        }
        if let Some((to, key)) = self.way_back(current) {
            return KeyDecision::MoveBack {
                from: current.clone(),
                to: to.clone(),
                key: key.id.clone(),
            };
        }
        // The serial never falls, so a number that was reached before, such as before a rollback, makes no second key.
        let serial = desired.max(self.highest_serial());
        let replaces = current.clone();
        if let Some(candidate) = self.beside_current(Label::Candidate)
            && let Some(key) = self.living(candidate)
            && key.serial >= serial
        {
            return KeyDecision::Adopt {
                candidate: candidate.clone(),
                key: key.clone(),
                replaces,
            };
        }
        match self.rotating() {
            Some(pending) if self.younger(pending, ROTATION_WINDOW) => {
                KeyDecision::Rotating(pending.clone())
            }
            _ => KeyDecision::Make {
                new: self.new_key(name, Label::Candidate, serial),
                replaces: Some(replaces),
                keeps: self.kept_previous(current),
                room: self.room_for_one(),
            },
        }
    }

    /// The previous version, if its key exists and the current one is gone, or if its key is active and the current one is
    /// not. Secrets Manager moves `AWSPREVIOUS` to the version that loses `AWSCURRENT`. The previous key would then have no label and would be deleted
    /// as an orphan, although Publisher may read with it.
    fn kept_previous(&self, current: &VersionId) -> Option<VersionId> {
        let previous = self.labelled(Label::Previous)?;
        let status = |version| self.status(&self.key_in(version)?.id);
        let kept = match status(current) {
            None => status(previous).is_some(),
            Some(KeyStatus::Inactive) => status(previous) == Some(KeyStatus::Active),
            Some(KeyStatus::Active) => false,
        };
        kept.then(|| previous.clone())
    }

    /// The version to move `AWSCURRENT` back to, if somebody edited the secret, so that its value is not ours or its key
    /// does not exist. A key that still exists, active or not, gives way to a new one instead.
    fn way_back(&self, current: &VersionId) -> Option<(&'a VersionId, &'a StoredKey)> {
        let still_there = self
            .key_in(current)
            .is_some_and(|key| key.user == self.user.as_str() && self.status(&key.id).is_some());
        if still_there {
            return None;
        }
        let unproved = [self.labelled(Label::Candidate), self.rotating()];
        let previous = self.labelled(Label::Previous).into_iter();
        let others = self.secret?.secret.labels.keys();
        previous
            .chain(others)
            .filter(|version| !unproved.contains(&Some(*version)))
            .find_map(|version| Some((version, self.living(version)?)))
    }

    fn highest_serial(&self) -> u64 {
        let unproved = [self.beside_current(Label::Candidate), self.rotating()];
        let stored = self.secret.into_iter().flat_map(|secret| &secret.stored);
        let proved = stored.filter(|(version, _)| !unproved.contains(&Some(*version)));
        proved
            .filter_map(|(_, key)| key.as_ref())
            .map(|key| key.serial)
            .max()
            .unwrap_or_default()
    }

    /// Derives the version's id from the secret's name and from which versions exist. Two
    /// runs that see the same state derive the same id, and Secrets Manager lets only one of them store a value there.
    /// A failed attempt leaves a deprecated version behind, so the next attempt gets another id.
    fn new_key(&self, name: &SecretName, label: Label, serial: u64) -> NewKey {
        let mut existing: Vec<&str> = self
            .secret
            .into_iter()
            .flat_map(|secret| {
                secret
                    .versions
                    .iter()
                    .map(|version| &version.id)
                    .chain(secret.secret.labels.keys())
            })
            .map(|version| version.0.as_str())
            .collect();
        existing.sort_unstable();
        existing.dedup();
        let state = format!("{name}\n{}", existing.join("\n"));
        let version = VersionId(Uuid::new_v5(&Uuid::NAMESPACE_OID, state.as_bytes()).to_string());
        NewKey {
            version,
            label,
            serial,
        }
    }

    fn notes(&self, desired: u64) -> Vec<String> {
        let highest = self.highest_serial();
        let below =
            format!("KeySerial {desired} is below {highest}, which was reached before: no new key");
        if desired < highest {
            vec![below]
        } else {
            Vec::new()
        }
    }

    /// Orphans: keys that no labelled version holds, left by a crash.
    fn orphans(&self) -> impl Iterator<Item = &'a Key> {
        let held = |id: &AccessKeyId| {
            let mut stored = self
                .secret
                .into_iter()
                .flat_map(|secret| secret.stored.values().flatten());
            stored.any(|key| key.id == *id)
        };
        self.listed.iter().filter(move |key| !held(&key.id))
    }

    /// Deletes the orphans.
    fn delete_orphans(&self) -> Vec<Step> {
        self.orphans()
            .map(|key| Step::DeleteKey(key.id.clone()))
            .collect()
    }

    /// Clears candidates and rotations that failed: first the key, then the label.
    fn failed_attempts(&self, decision: &KeyDecision) -> Vec<Step> {
        let candidate = self
            .labelled(Label::Candidate)
            .map(|version| (Label::Candidate, version))
            .filter(|(_, version)| match decision {
                KeyDecision::Adopt { candidate, .. } => candidate != *version,
                KeyDecision::Wait | KeyDecision::MoveBack { .. } | KeyDecision::Rotating(_) => {
                    false
                }
                KeyDecision::Keep(_) | KeyDecision::Make { .. } => true,
            });
        let pending = self
            .rotating()
            .filter(|version| !self.younger(version, ROTATION_WINDOW))
            .map(|version| (Label::Pending, version));
        candidate
            .into_iter()
            .chain(pending)
            .flat_map(|(label, version)| self.abandon(label, version))
            .collect()
    }

    /// Removes the label of a rotation that has ended, if its version is no longer current, or soon will not be.
    /// Secrets Manager would take the label for a rotation under way, and would begin no other.
    fn stray_pending_label(&self, decision: &KeyDecision) -> Option<Step> {
        let version = self.labelled(Label::Pending)?;
        let current = self.labelled(Label::Current);
        let replaced = match decision {
            KeyDecision::Make { replaces, .. } => replaces.as_ref(),
            KeyDecision::Adopt { replaces, .. } => Some(replaces),
            KeyDecision::Keep(_)
            | KeyDecision::MoveBack { .. }
            | KeyDecision::Wait
            | KeyDecision::Rotating(_) => None,
        };
        let is_previous = self.labelled(Label::Previous) == Some(version);
        let stray = replaced == Some(version) || (is_previous && current != Some(version));
        stray.then(|| Step::DropLabel {
            label: Label::Pending,
            version: version.clone(),
        })
    }

    /// Removes the label. Removes the key too, unless it is current and only the label was left behind.
    fn abandon(&self, label: Label, version: &VersionId) -> Vec<Step> {
        let in_use = self.labelled(Label::Current) == Some(version);
        let key = self
            .key_in(version)
            .filter(|key| !in_use && self.status(&key.id).is_some());
        let delete = key.map(|key| Step::DeleteKey(key.id.clone()));
        delete
            .into_iter()
            .chain([Step::DropLabel {
                label,
                version: version.clone(),
            }])
            .collect()
    }

    /// Makes room if the user has two keys: deletes a dead key rather than the previous one, and never a current key
    /// that works.
    fn room_for_one(&self) -> Vec<Step> {
        self.surplus()
            .into_iter()
            .map(|key| Step::DeleteKey(key.id.clone()))
            .collect()
    }

    /// The keys to delete to make room.
    fn surplus(&self) -> Vec<&'a Key> {
        let mut going: Vec<&Key> = self.listed.iter().collect();
        let current = self
            .labelled(Label::Current)
            .and_then(|version| self.key_in(version));
        going.sort_by_key(|key| {
            let in_use = current.is_some_and(|current| current.id == key.id);
            (key.status == KeyStatus::Active, in_use)
        });
        let surplus = (going.len() + 1).saturating_sub(KEYS_PER_USER);
        going.truncate(surplus);
        going
    }
}
