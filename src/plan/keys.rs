//! Decides which key stays and whether a new one is made. A key is kept, gone back to, made, or waited for, and nothing
//! else. A request that needs no new key ends none.
//!
//! This is the hard decision, because it crosses two services: a key counts only if the user has it *and* the secret
//! holds it. Whose a key is, is judged by its id and not by labels, because a saved secret moves labels.

mod guard;
mod room;

pub(super) use room::{Room, room_for_rotation};

use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::warning::{Warning, Weight};
use super::{Step, dates};
use crate::cloud::{AccessKeyId, Key, KeyStatus, Label, StoredKey, VersionId};
use crate::observe::{KeyUse, ObservedSecret, Pair, Refusal};
use crate::request::names::{KeySerial, UserName};
use crate::waits::{DAY, IAM_LAG, ROTATION_WINDOW};

/// What a request asks of the keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) serial: KeySerial,
    /// The number in the previous properties; `None` if there are none.
    pub(super) before: Option<KeySerial>,
    /// When the request was sent; `None` if that is unknown.
    pub(super) sent: Option<SystemTime>,
    /// Whether the secret was restored from a previous stack's deletion. It gets a new key.
    pub(super) restored: bool,
}

/// What becomes of the keys.
#[derive(Debug)]
pub(super) struct KeyPlan {
    pub(super) decision: KeyDecision,
    /// The labels to take off, because they say nothing any more. No key goes with them.
    pub(super) stale_labels: Vec<Step>,
    /// The keys that a crash of this request has left. They go once its own key is current.
    pub(super) lost: Vec<AccessKeyId>,
    pub(super) warnings: Vec<Warning>,
}

#[derive(Debug)]
pub(super) enum KeyDecision {
    Keep(StoredKey),
    /// `AWSCURRENT` holds no key of the user, and goes back to a version that does.
    GoBack {
        from: VersionId,
        to: VersionId,
    },
    Make(Make),
    /// Another observation may show more. Holds why.
    Wait(String),
}

#[derive(Debug)]
pub(super) struct Make {
    pub(super) version: VersionId,
    pub(super) serial: KeySerial,
    /// The keys that go first, because a user has two at most.
    pub(super) room: Vec<Key>,
    /// The current key, if it works and another active key has to go for the new one. It is tried first: what it cannot
    /// read, the new one cannot read either.
    pub(super) tried_first: Option<StoredKey>,
}

/// What holds a key, in the order in which active keys go to make room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Holder {
    /// No version: a crash's, another run's, or made by hand.
    Lost,
    /// Only a version without a label, or perhaps one that was not read.
    Old,
    Previous,
    /// A rotation by Secrets Manager that is under way.
    Rotation,
    Current,
}

/// The keys, seen across both services.
struct Keys<'a> {
    pair: &'a Pair,
    user: &'a UserName,
    listed: &'a [Key],
    secret: Option<&'a ObservedSecret>,
    now: SystemTime,
}

/// Decides what happens to the keys.
///
/// # Errors
/// A rotation is under way, and its key would have to go.
pub(super) fn keys(pair: &Pair, wanted: Wanted, now: SystemTime) -> Result<KeyPlan, Refusal> {
    let keys = Keys::of(pair, now);
    let decision = keys.decision(wanted)?;
    let room: &[Key] = match &decision {
        KeyDecision::Make(make) => &make.room,
        KeyDecision::Keep(_) | KeyDecision::GoBack { .. } | KeyDecision::Wait(_) => &[],
    };
    let mut lost = keys.lost_since(wanted.sent, &decision);
    lost.retain(|id| room.iter().all(|key| key.id != *id));
    let stays = |key: &Key| !room.contains(key) && !lost.contains(&key.id);
    let left = keys.left().filter(|left| stays(left.key));
    let left = left.map(|left| Warning::new(Weight::Key, left.sentence));
    let warnings = keys
        .no_new_key(wanted, &decision)
        .into_iter()
        .chain(left)
        .collect();
    Ok(KeyPlan {
        stale_labels: keys.stale_labels(&decision),
        lost,
        warnings,
        decision,
    })
}

/// A key that no label names, and what to do about it.
pub struct LeftKey<'a> {
    pub key: &'a Key,
    /// What it is, when it was used, and the command that ends it: one sentence without a full stop.
    pub sentence: String,
}

/// The keys that stay until room is needed, though no label names them.
pub fn left_keys(pair: &Pair, now: SystemTime) -> Vec<LeftKey<'_>> {
    Keys::of(pair, now).left().collect()
}

impl<'a> Keys<'a> {
    fn of(pair: &'a Pair, now: SystemTime) -> Self {
        Self {
            pair,
            user: &pair.name,
            listed: pair.user.as_ref().map_or(&[], |user| &user.keys),
            secret: pair.secret.as_ref(),
            now,
        }
    }

    fn labelled(&self, label: Label) -> Option<&'a VersionId> {
        self.secret?.labelled(label)
    }

    /// The version's key, if it names this user.
    fn own_key_in(&self, version: &VersionId) -> Option<&'a StoredKey> {
        let key = self.secret?.key_of(version)?;
        (key.user == self.user.as_str()).then_some(key)
    }

    fn status(&self, id: &AccessKeyId) -> Option<KeyStatus> {
        let listed = self.listed.iter().find(|key| key.id == *id);
        listed.map(|key| key.status)
    }

    fn is_active(&self, key: &StoredKey) -> bool {
        self.status(&key.id) == Some(KeyStatus::Active)
    }

    /// How long ago; a date in the future means that the clocks differ, and counts as now.
    fn since(&self, date: SystemTime) -> Duration {
        self.now.duration_since(date).unwrap_or_default()
    }

    /// Whether the version was stored less than `age` ago. One that the list of versions lacks was stored after the list
    /// was read, and counts as young.
    fn younger(&self, version: &VersionId, age: Duration) -> bool {
        let stored = self.secret.and_then(|secret| secret.stored_at(version));
        stored.is_none_or(|stored| self.since(stored) < age)
    }

    /// Whether the version was stored so recently that IAM's list may not show its key yet.
    fn may_be_unlisted(&self, version: &VersionId) -> bool {
        let key = self.own_key_in(version);
        key.is_some_and(|key| self.status(&key.id).is_none()) && self.younger(version, IAM_LAG)
    }

    /// The version of a rotation by Secrets Manager that is under way. On the current version, which nobody asks about here,
    /// the label is left from a rotation that
    /// [has ended](https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html).
    fn rotating(&self) -> Option<&'a VersionId> {
        let pending = self.labelled(Label::Pending);
        pending.filter(|version| self.younger(version, ROTATION_WINDOW))
    }

    fn holder(&self, id: &AccessKeyId) -> Holder {
        let Some(secret) = self.secret else {
            return Holder::Lost;
        };
        let holds = |version: Option<&VersionId>| {
            let key = version.and_then(|version| secret.key_of(version));
            key.is_some_and(|key| key.id == *id)
        };
        if holds(self.labelled(Label::Current)) {
            Holder::Current
        } else if holds(self.rotating()) {
            Holder::Rotation
        } else if holds(self.labelled(Label::Previous)) {
            Holder::Previous
        } else if secret.holds(id) || secret.unread {
            Holder::Old
        } else {
            Holder::Lost
        }
    }

    fn decision(&self, wanted: Wanted) -> Result<KeyDecision, Refusal> {
        let Some(current) = self.labelled(Label::Current) else {
            return self.make(wanted.serial);
        };
        let own = self.own_key_in(current);
        match own.and_then(|key| Some((key, self.status(&key.id)?))) {
            Some((key, KeyStatus::Active)) if !self.asks_for_a_new_key(wanted) => {
                Ok(KeyDecision::Keep(key.clone()))
            }
            Some((_, KeyStatus::Active | KeyStatus::Inactive)) => self.make(wanted.serial),
            None if self
                .versions_read()
                .any(|version| self.may_be_unlisted(version)) =>
            {
                Ok(KeyDecision::Wait(
                    "IAM may not list a new key yet".to_owned(),
                ))
            }
            None => match self.way_back(current) {
                Some(to) => Ok(KeyDecision::GoBack {
                    from: current.clone(),
                    to: to.clone(),
                }),
                None => self.make(wanted.serial),
            },
        }
    }

    /// The serial never falls, so a number that was reached before, such as before a rollback, asks for nothing.
    fn asks_for_a_new_key(&self, wanted: Wanted) -> bool {
        let raised = wanted.before.is_none_or(|before| wanted.serial > before);
        let highest = self.highest();
        wanted.restored || raised && highest.is_none_or(|(highest, _)| wanted.serial > highest)
    }

    fn versions_read(&self) -> impl Iterator<Item = &'a VersionId> {
        let secret = self.secret.into_iter();
        secret.flat_map(|secret| secret.stored.keys())
    }

    /// The highest number that was read, and the version with it.
    fn highest(&self) -> Option<(KeySerial, &'a VersionId)> {
        let secret = self.secret?;
        let numbered = secret
            .stored
            .iter()
            .filter_map(|(version, key)| Some((key.as_ref()?.serial?, version)));
        numbered.max()
    }

    /// Where `AWSCURRENT` goes back to: `AWSPREVIOUS` if that holds an active key of the user, else the newest other version
    /// that does. What only a rotation under way holds was never in use.
    fn way_back(&self, current: &VersionId) -> Option<&'a VersionId> {
        let works = |version: &&VersionId| {
            let key = self.own_key_in(version);
            key.is_some_and(|key| self.is_active(key))
                && *version != current
                && Some(*version) != self.rotating()
        };
        let previous = self.labelled(Label::Previous).filter(works);
        previous.or_else(|| {
            let others = self.versions_read().filter(works);
            others.max_by_key(|version| self.secret.and_then(|secret| secret.stored_at(version)))
        })
    }

    fn make(&self, serial: KeySerial) -> Result<KeyDecision, Refusal> {
        let room = match self.room()? {
            Room::Made(going) => going,
            Room::Wait(why) => return Ok(KeyDecision::Wait(why)),
        };
        let ends_a_working_key = room.iter().any(|key| key.status == KeyStatus::Active);
        let current = self.labelled(Label::Current);
        let tried_first = current
            .and_then(|version| self.own_key_in(version))
            .filter(|key| ends_a_working_key && self.is_active(key));
        let highest = self.highest().map(|(highest, _)| highest);
        Ok(KeyDecision::Make(Make {
            version: self.new_version(),
            serial: highest.map_or(serial, |highest| highest.max(serial)),
            tried_first: tried_first.cloned(),
            room,
        }))
    }

    /// Derives the version's id from the secret's name and from which versions exist. Two runs that see the same state
    /// derive the same id, and Secrets Manager lets only one of them store a value there.
    fn new_version(&self) -> VersionId {
        let versions = self.secret.into_iter().flat_map(|secret| {
            let listed = secret.versions.iter().map(|version| &version.id);
            listed.chain(secret.secret.labels.keys())
        });
        let mut existing: Vec<&str> = versions.map(|version| version.0.as_str()).collect();
        existing.sort_unstable();
        existing.dedup();
        let state = format!("{}\n{}", self.user.secret_name(), existing.join("\n"));
        VersionId(Uuid::new_v5(&Uuid::NAMESPACE_OID, state.as_bytes()).to_string())
    }

    /// The label of a rotation that failed or whose version soon is not current any more, because Secrets Manager would take
    /// it for a rotation under way, and begin no other; and release 0.2.0's label.
    fn stale_labels(&self, decision: &KeyDecision) -> Vec<Step> {
        let pending = self.labelled(Label::Pending).filter(|version| {
            if Some(*version) != self.labelled(Label::Current) {
                return self.rotating().is_none();
            }
            match decision {
                KeyDecision::Make(_) | KeyDecision::GoBack { .. } => true,
                KeyDecision::Keep(_) | KeyDecision::Wait(_) => false,
            }
        });
        [
            (Label::Pending, pending),
            (Label::Candidate, self.labelled(Label::Candidate)),
        ]
        .into_iter()
        .filter_map(|(label, version)| {
            let (from, to) = (version?.clone(), None);
            Some(Step::MoveLabel { label, from, to })
        })
        .collect()
    }

    /// The lost keys that are younger than the request, if its own key is current, or is about to be. Nothing else ends a
    /// lost key but room and deletion.
    fn lost_since(&self, sent: Option<SystemTime>, decision: &KeyDecision) -> Vec<AccessKeyId> {
        let since = |key: &&Key| sent.is_some_and(|sent| key.created > sent);
        let own_key_is_current = match decision {
            KeyDecision::Keep(current) => {
                let mut listed = self.listed.iter();
                listed.any(|key| key.id == current.id && since(&key))
            }
            KeyDecision::Make(_) => true,
            KeyDecision::GoBack { .. } | KeyDecision::Wait(_) => false,
        };
        self.listed
            .iter()
            .filter(|key| own_key_is_current && self.holder(&key.id) == Holder::Lost)
            .filter(since)
            .map(|key| key.id.clone())
            .collect()
    }

    /// What to say to a request that asks for a new key and gets none, because its number was reached before. The key that
    /// another attempt of this request has made is the one that it asks for.
    fn no_new_key(&self, wanted: Wanted, decision: &KeyDecision) -> Option<Warning> {
        let KeyDecision::Keep(_) = decision else {
            return None;
        };
        let (highest, version) = self.highest()?;
        let raised = wanted.before.is_some_and(|before| wanted.serial > before);
        let stored = self.secret?.stored_at(version);
        let own = stored
            .zip(wanted.sent)
            .is_some_and(|(stored, sent)| stored > sent);
        if !raised || own {
            return None;
        }
        let cure = match highest.next() {
            Some(next) => format!("for a new key, set `KeySerial` to {next}"),
            None => "there is no higher number: for a new key, replace `UserName`".to_owned(),
        };
        let text = format!(
            "no new key was made, because `KeySerial` {highest} was reached before: {cure}"
        );
        Some(Warning::new(Weight::NoNewKey, text))
    }

    fn left(&self) -> impl Iterator<Item = LeftKey<'a>> {
        let uses = self.pair.user.as_ref().map(|user| &user.last_used);
        self.listed.iter().filter_map(move |key| {
            let what = match self.holder(&key.id) {
                Holder::Lost => "in no version of the secret",
                Holder::Old => "only in an old version of the secret",
                Holder::Previous | Holder::Rotation | Holder::Current => return None,
            };
            let (id, user) = (&key.id, self.user);
            let used = used(uses.and_then(|uses| uses.get(id)));
            let days = self.since(key.created).as_secs() / DAY.as_secs();
            let sentence = format!(
                "key `{id}` is {what}; it is {days} days old, {used}, and stays until a new key needs room: if nobody uses it, \
                 run `aws iam delete-access-key --user-name {user} --access-key-id {id}`"
            );
            Some(LeftKey { key, sentence })
        })
    }
}

/// When a key was last used, as a clause.
fn used(last: Option<&KeyUse>) -> String {
    match last {
        Some(Ok(Some(last))) => format!("was last used on {}", dates::date(last.date)),
        Some(Ok(None)) => "was never used as far as AWS knows".to_owned(),
        Some(Err(_)) | None => "and its last use is unknown".to_owned(),
    }
}
