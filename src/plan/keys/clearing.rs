//! Which keys and labels to remove.

use super::{KEYS_PER_USER, KeyDecision, Keys};
use crate::cloud::{Key, KeyStatus, VersionId};
use crate::plan::Step;
use crate::secret::{AccessKeyId, Label};
use crate::waits::ROTATION_WINDOW;

impl<'a> Keys<'a> {
    /// Keys that no labelled version holds.
    pub(super) fn unstored(&self) -> impl Iterator<Item = &'a Key> {
        let held = |id: &AccessKeyId| {
            let mut stored = self
                .secret
                .into_iter()
                .flat_map(|secret| secret.stored.values().flatten());
            stored.any(|key| key.id == *id)
        };
        self.listed.iter().filter(move |key| !held(&key.id))
    }

    /// Deletes orphans: keys that no labelled version holds, left by a crash.
    pub(super) fn orphans(&self) -> Vec<Step> {
        self.unstored()
            .map(|key| Step::DeleteKey(key.id.clone()))
            .collect()
    }

    /// Clears candidates and rotations that failed: first the key, then the label.
    pub(super) fn failed_attempts(&self, decision: &KeyDecision) -> Vec<Step> {
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
    pub(super) fn stray_pending_label(&self, decision: &KeyDecision) -> Option<Step> {
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
    pub(super) fn abandon(&self, label: Label, version: &VersionId) -> Vec<Step> {
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
    pub(super) fn room_for_one(&self) -> Vec<Step> {
        self.surplus()
            .into_iter()
            .map(|key| Step::DeleteKey(key.id.clone()))
            .collect()
    }

    /// The keys to delete to make room.
    pub(super) fn surplus(&self) -> Vec<&'a Key> {
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
