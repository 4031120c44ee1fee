//! What must hold: at every instant, and when all runs are over.

use std::collections::BTreeMap;
use std::fmt::Write;

use publisher_s3_access::cloud::{KeyStatus, SecretArn};
use publisher_s3_access::cloud::{Label, StoredKey};
use publisher_s3_access::request::names::UserName;

use super::iam::{IamKey, IamUser, no_such_user};
use super::secrets::{StoredSecret, no_such_secret};
use super::{Account, At, Effect, Owner, State, denied};

impl State {
    /// Whether the user can be changed now; records it if it is not the actor's.
    pub fn may_change_user(
        &mut self,
        operation: &'static str,
        user: &UserName,
        actor: Option<&Owner>,
        at: At,
    ) -> Effect<()> {
        let Some(found) = self.iam.find(user.as_str(), at) else {
            return Err(no_such_user(user.as_str()));
        };
        if actor.is_some_and(|actor| !actor.owns(&found.tags)) {
            self.violations.push(format!(
                "{operation} on user {user}, which is not the stack's"
            ));
        }
        let fresh = at.now < found.tags_set + at.lags.tags;
        if fresh {
            Err(denied(
                operation,
                "because no identity-based policy allows it",
            ))
        } else {
            Ok(())
        }
    }

    /// The same for a secret.
    pub fn may_change_secret(
        &mut self,
        operation: &'static str,
        secret: &SecretArn,
        actor: Option<&Owner>,
        at: At,
    ) -> Effect<()> {
        let Some(found) = self.secrets.with_arn(secret) else {
            return Err(no_such_secret());
        };
        if actor.is_some_and(|actor| !actor.owns(&found.tags)) {
            self.violations.push(format!(
                "{operation} on secret {secret}, which is not the stack's"
            ));
        }
        let fresh = at.now < found.tags_set + at.lags.tags;
        if fresh {
            Err(denied(
                operation,
                "because no identity-based policy allows it",
            ))
        } else {
            Ok(())
        }
    }

    /// Records it if the key that must always work does not.
    pub(super) fn check_watched(&mut self) {
        let Some(name) = self.watched.clone() else {
            return;
        };
        let user = self.iam.user(name.as_str());
        let secret = self.secrets.named(name.secret_name().as_str());
        let fault = match (user, secret) {
            (Some(user), Some(secret)) => current_key_lives(user, secret).err(),
            (_, _) => Some(format!("{name} or its secret is gone")),
        };
        if let Some(fault) = fault {
            let call = self.log.last().cloned().unwrap_or_default();
            self.violations.push(format!("{fault}, after {call}"));
        }
    }

    /// The living keys of the user that no labelled version of any secret holds.
    pub fn unstored<'s>(&'s self, user: &'s IamUser) -> impl Iterator<Item = &'s IamKey> {
        user.living_keys().filter(|key| {
            let labelled = self
                .secrets
                .all()
                .flat_map(|secret| secret.versions.values());
            !labelled
                .filter(|version| !version.labels.is_empty())
                .filter_map(|version| version.value.as_ref())
                .any(|value| value.contains(key.id.as_str()))
        })
    }

    /// The living keys of the user that no version of any secret holds, and that no person made.
    fn lost<'s>(&'s self, user: &'s IamUser) -> impl Iterator<Item = &'s IamKey> {
        let held = |key: &IamKey| {
            let mut versions = self
                .secrets
                .all()
                .flat_map(|secret| secret.versions.values());
            versions.any(|version| {
                let value = version.value.as_ref();
                value.is_some_and(|value| value.contains(key.id.as_str()))
            })
        };
        user.living_keys()
            .filter(move |key| !key.persons && !held(key))
    }

    /// What is wrong with the user and its secret as a finished pair, of which this many keys may be lost.
    fn faults_of_pair(&self, user: &UserName, owner: &Owner, lost: usize) -> Vec<String> {
        let name = user.as_str();
        let Some(found) = self.iam.user(name) else {
            return vec![format!("user {name} is missing")];
        };
        let secret_name = user.secret_name();
        let Some(secret) = self.secrets.named(secret_name.as_str()) else {
            return vec![format!("secret {secret_name} is missing")];
        };
        let mut faults = Vec::new();
        let mut must = |holds: bool, fault: String| {
            if !holds {
                faults.push(fault);
            }
        };
        must(
            owner.owns(&found.tags),
            format!("user {name} is not tagged as the stack's"),
        );
        must(
            owner.owns(&secret.tags),
            format!("secret {secret_name} is not tagged as the stack's"),
        );
        must(
            secret.deleted_until.is_none(),
            format!("secret {secret_name} is pending deletion"),
        );
        must(
            !found.policies.is_empty(),
            format!("user {name} has no inline policy"),
        );
        must(
            found.living_keys().count() <= 2,
            format!("user {name} has more than two keys"),
        );
        for key in self.lost(found).skip(lost) {
            must(false, format!("key {} is in no version", key.id));
        }
        if let Err(fault) = current_key_lives(found, secret) {
            must(false, fault);
        }
        faults
    }
}

/// `AWSCURRENT` must name a living, active key of the user, with its true secret half.
fn current_key_lives(user: &IamUser, secret: &StoredSecret) -> Result<(), String> {
    let current = secret
        .holder(Label::Current.as_str())
        .ok_or("no version is AWSCURRENT")?;
    let value = secret.versions[current].value.clone().unwrap_or_default();
    let stored =
        StoredKey::from_value(&value.clone().into()).ok_or("AWSCURRENT holds no key of ours")?;
    let key = user.living_keys().find(|key| key.id == stored.id);
    let key = key.ok_or_else(|| format!("AWSCURRENT names {}, which is gone", stored.id))?;
    if key.status != KeyStatus::Active {
        return Err(format!("AWSCURRENT names {}, which is inactive", stored.id));
    }
    if !value_holds(&value, &key.secret) {
        return Err(format!(
            "AWSCURRENT does not hold the secret half of {}",
            stored.id
        ));
    }
    Ok(())
}

fn value_holds(value: &str, secret_half: &str) -> bool {
    let value: serde_json::Value = serde_json::from_str(value).unwrap_or_default();
    value["SecretAccessKey"] == secret_half
}

impl Account {
    /// From now on, the current key has to work after every single call.
    pub fn watch(&self, user: &str) {
        self.state().watched = Some(UserName::parse(user).expect("a user name"));
    }

    /// The stack is deleted now: keys may go.
    pub fn watch_no_more(&self) {
        self.state().watched = None;
    }

    /// Fails the test if the user and its secret are not a finished pair of this owner: tagged, with a policy, no
    /// lost key, and an `AWSCURRENT` that works.
    #[track_caller]
    pub fn assert_in_order(&self, user: &str, owner: &Owner) {
        self.assert_in_order_but(user, owner, 0);
    }

    /// The same after a request that made no key, which may leave this many lost keys of one that was cut off.
    #[track_caller]
    pub fn assert_in_order_but(&self, user: &str, owner: &Owner, lost: usize) {
        let name = UserName::parse(user).expect("a user name");
        let faults = self.state().faults_of_pair(&name, owner, lost);
        self.assert_no(&faults);
    }

    /// Fails the test if the user, or its secret other than pending deletion, is still there.
    #[track_caller]
    pub fn assert_gone(&self, user: &str) {
        let name = UserName::parse(user).expect("a user name");
        let state = self.state();
        let mut faults = Vec::new();
        if state.iam.user(user).is_some() {
            faults.push(format!("user {user} is left"));
        }
        if state
            .secrets
            .named(name.secret_name().as_str())
            .is_some_and(|secret| secret.deleted_until.is_none())
        {
            faults.push(format!("secret {} is left", name.secret_name()));
        }
        drop(state);
        self.assert_no(&faults);
    }

    /// Fails the test if anything of this owner is left, under any name. Secrets pending deletion count as gone.
    #[track_caller]
    pub fn assert_nothing_of(&self, owner: &Owner) {
        let state = self.state();
        let users = state.iam.users().filter(|user| owner.owns(&user.tags));
        let mut faults: Vec<_> = users
            .map(|user| format!("user {} is left", user.name))
            .collect();
        let live = state
            .secrets
            .all()
            .filter(|secret| secret.deleted_until.is_none() && owner.owns(&secret.tags));
        faults.extend(live.map(|secret| format!("secret {} is left", secret.name)));
        drop(state);
        self.assert_no(&faults);
    }

    /// Records every key that no secret holds and that no person made or orphaned.
    pub fn check_all_stored(&self) {
        let mut state = self.state();
        let orphans: Vec<_> = (state.iam.users())
            .flat_map(|user| state.unstored(user).map(move |key| (key, &user.name)))
            .filter(|(key, _)| !key.persons)
            .map(|(key, user)| format!("key {} of {user} is left to nobody", key.id))
            .collect();
        state.violations.extend(orphans);
    }

    /// Everything that is not this owner's, to compare with a later look.
    pub fn foreign_to(&self, owner: &Owner) -> BTreeMap<String, String> {
        let state = self.state();
        let users = state.iam.users().filter(|user| !owner.owns(&user.tags));
        let secrets = state
            .secrets
            .all()
            .filter(|secret| !owner.owns(&secret.tags));
        let users = users.map(|user| (user.arn(), fingerprint_of_user(user)));
        users
            .chain(secrets.map(|secret| (secret.arn.0.clone(), fingerprint_of_secret(secret))))
            .collect()
    }

    /// Fails the test if an invariant was broken at any instant so far.
    #[track_caller]
    pub fn verify(&self) {
        let violations = self.take_violations();
        self.assert_no(&violations);
    }

    /// The invariants broken so far, and forgets them: for tests of the account itself.
    pub fn take_violations(&self) -> Vec<String> {
        std::mem::take(&mut self.state().violations)
    }

    /// Records a broken rule of the world around the account, such as an answer that CloudFormation would not take.
    pub fn violated(&self, rule: impl Into<String>) {
        self.state().violations.push(rule.into());
    }

    #[track_caller]
    fn assert_no(&self, faults: &[String]) {
        assert!(
            faults.is_empty(),
            "{}\nafter\n  {}",
            faults.join("\n"),
            self.log().join("\n  ")
        );
    }
}

/// A test that forgot to look must not pass.
impl Drop for State {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(
                self.violations.is_empty(),
                "{}\nafter\n  {}",
                self.violations.join("\n"),
                self.log.join("\n  ")
            );
        }
    }
}

fn fingerprint_of_user(user: &IamUser) -> String {
    let IamUser {
        name,
        tags,
        boundary,
        policies,
        keys: _,
        attachments,
        made: _,
        tags_set: _,
    } = user;
    let mut text = format!("{name} {tags:?} {boundary:?} {attachments:?}");
    for (name, policy) in policies {
        let _ = write!(text, " {name}={}", policy.document);
    }
    for key in user.living_keys() {
        let _ = write!(text, " {}={:?}", key.id, key.status);
    }
    text
}

fn fingerprint_of_secret(secret: &StoredSecret) -> String {
    let StoredSecret {
        name,
        arn,
        tags,
        description,
        kms_key,
        deleted_until,
        versions,
        replicas,
        primary_region: _,
        rotation,
        tags_set: _,
        changed: _,
        next_rotation: _,
    } = secret;
    let mut text = format!(
        "{name} {arn} {tags:?} {description} {kms_key:?} {deleted_until:?} {replicas:?} {rotation:?}"
    );
    for (id, version) in versions {
        let _ = write!(text, " {id}={:?} {:?}", version.value, version.labels);
    }
    text
}
