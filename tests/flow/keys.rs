//! The keys of a user as the account itself knows them, and which of them the contract lets a request end.

use std::time::{Duration, SystemTime};

use kit::account::Account;
use kit::rotation::DAY;
use publisher_s3_access::cloud::{AccessKeys, KeyStatus, LastUse};
use publisher_s3_access::request::names::UserName;

/// What holds a key, in the order in which active keys go for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Holder {
    Lost,
    Old,
    Previous,
    Rotation,
    Current,
}

/// A key as the account knows it.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) active: bool,
    pub(crate) holder: Holder,
    created: SystemTime,
    last_use: Option<LastUse>,
}

impl Key {
    /// Whether a rotation on schedule may not end it, because it was used within `window`, or may be about to be.
    fn is_protected(&self, now: SystemTime, window: Duration) -> bool {
        let since = |date: SystemTime| now.duration_since(date).unwrap_or_default();
        let last = self.last_use.as_ref().map(|last| last.date);
        let only_tried = self.holder <= Holder::Old
            && since(self.created) > DAY * 2
            && last.is_none_or(|last| last <= self.created + DAY);
        let used_lately = match last {
            Some(last) => since(last) <= window,
            None => since(self.created) < window,
        };
        self.active && !only_tried && used_lately
    }
}

/// The keys of the user, judged by the account itself.
pub(crate) async fn keys(account: &Account, user: &str) -> Vec<Key> {
    let user = UserName::parse(user).expect("a user name");
    let secret = user.secret_name().to_string();
    let mut keys = Vec::new();
    for key in account.list_keys(&user).await.expect("listed") {
        let under = |label: &str, within: Option<Duration>| {
            let now = account.time();
            let mut versions = account.versions_with(&secret, key.id.as_str()).into_iter();
            versions.any(|(labels, made)| {
                let young = within
                    .is_none_or(|within| now.duration_since(made).unwrap_or_default() < within);
                labels.contains(label) && young
            })
        };
        let holder = if under("AWSCURRENT", None) {
            Holder::Current
        } else if under("AWSPENDING", Some(Duration::from_secs(15 * 60))) {
            Holder::Rotation
        } else if under("AWSPREVIOUS", None) {
            Holder::Previous
        } else if account.versions_with(&secret, key.id.as_str()).is_empty() {
            Holder::Lost
        } else {
            Holder::Old
        };
        keys.push(Key {
            id: key.id.to_string(),
            active: key.status == KeyStatus::Active,
            holder,
            created: key.created,
            last_use: account.last_used(&key.id).await.expect("it is there"),
        });
    }
    keys
}

/// The key that would have to go for another one.
fn next_to_go(keys: &[Key]) -> Option<&Key> {
    let mut going: Vec<&Key> = keys
        .iter()
        .filter(|key| key.holder != Holder::Current || !key.active)
        .collect();
    going.sort_by_key(|key| (key.active, key.holder, key.created));
    going.into_iter().next().filter(|_| keys.len() >= 2)
}

/// The key that a rotation on schedule would have to end and may not end now.
pub(crate) async fn protected(account: &Account, user: &str, window: Duration) -> Option<String> {
    let keys = keys(account, user).await;
    let going = next_to_go(&keys).filter(|key| key.is_protected(account.time(), window));
    going.map(|key| key.id.clone())
}

/// Fails the test if a key was ended that the contract keeps.
#[track_caller]
pub(crate) fn assert_kept(before: &[Key], after: &[Key]) {
    let stays = |key: &&Key| after.iter().any(|left| left.id == key.id && left.active);
    let ended: Vec<_> = before
        .iter()
        .filter(|key| key.active && !stays(key))
        .collect();
    if ended.is_empty() {
        return;
    }
    let made = after
        .iter()
        .any(|key| before.iter().all(|old| old.id != key.id));
    assert!(made, "{ended:?} ended for no new key");
    let going = next_to_go(before).expect("there was room");
    assert!(
        going.holder < Holder::Rotation,
        "{ended:?} of {before:?} ended"
    );
    // Where no key is current, the request first goes back to one of its choice.
    let has_current = before
        .iter()
        .any(|key| key.active && key.holder == Holder::Current);
    let right = |key: &Key| key.id == going.id || !has_current && key.holder == going.holder;
    assert!(
        ended.len() == 1 && right(ended[0]),
        "{ended:?} of {before:?} ended, and not {going:?}"
    );
}
