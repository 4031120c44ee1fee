//! What a person does behind the stack's back, and ways to look at the account.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use publisher_s3_access::cloud::{AccessKeyId, Label, StoredKey};
use publisher_s3_access::cloud::{
    Attachment, AttachmentKind, KeyStatus, Rotation, TagMap, VersionId,
};
use publisher_s3_access::request::buckets::BucketUri;

use publisher_s3_access::request::names::KeySerial;

use super::iam::IamUser;
use super::secrets::StoredSecret;
use super::{Account, At, State};

/// A person with all rights. Nothing they do is held against a run.
pub struct Person<'a>(&'a Account);

/// A key of a user, as a test looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyView {
    pub id: String,
    pub status: KeyStatus,
}

impl Account {
    /// What a person does.
    pub fn by_hand(&self) -> Person<'_> {
        Person(self)
    }

    /// The living keys of the user, oldest first.
    pub fn keys(&self, user: &str) -> Vec<KeyView> {
        let state = self.state();
        let keys = state
            .iam
            .user(user)
            .into_iter()
            .flat_map(IamUser::living_keys);
        keys.map(|key| KeyView {
            id: key.id.to_string(),
            status: key.status,
        })
        .collect()
    }

    /// The key that `AWSCURRENT` of this secret holds, as Publisher gets it.
    pub fn stored_key(&self, secret: &str) -> Option<StoredKey> {
        let state = self.state();
        state.secrets.named(secret)?.key_under(Label::Current)
    }

    /// A key with its secret half, as its maker has it.
    pub fn whole_key(&self, id: &str) -> Option<StoredKey> {
        let state = self.state();
        let (user, key) = state.iam.key(id)?;
        Some(StoredKey {
            id: key.id.clone(),
            secret: key.secret.as_str().into(),
            user: user.name.clone(),
            serial: KeySerial::stored(1),
        })
    }

    /// The id of the key that `AWSCURRENT` of this secret names, if it names one.
    pub fn current_key(&self, secret: &str) -> Option<String> {
        self.key_under(secret, Label::Current)
    }

    /// The id of the key in the version with this label.
    pub fn key_under(&self, secret: &str, label: Label) -> Option<String> {
        let state = self.state();
        let key = state.secrets.named(secret)?.key_under(label)?;
        Some(key.id.to_string())
    }

    /// The value in the version with this label.
    pub fn value_under(&self, secret: &str, label: Label) -> Option<String> {
        let state = self.state();
        let secret = state.secrets.named(secret)?;
        secret.versions[secret.holder(label.as_str())?]
            .value
            .clone()
    }

    /// The versions of the secret that hold this key: their labels, and when each was made.
    pub fn versions_with(&self, secret: &str, key: &str) -> Vec<(BTreeSet<String>, SystemTime)> {
        let state = self.state();
        let versions = state.secrets.named(secret).into_iter();
        let versions = versions.flat_map(|secret| secret.versions.values());
        let holds =
            |value: &Option<String>| value.as_ref().is_some_and(|value| value.contains(key));
        versions
            .filter(|version| holds(&version.value))
            .map(|version| (version.labels.clone(), version.created))
            .collect()
    }

    /// How many versions the secret has, labelled and deprecated.
    pub fn versions(&self, secret: &str) -> usize {
        self.state()
            .secrets
            .named(secret)
            .map_or(0, |secret| secret.versions.len())
    }

    /// The inline policies of the user.
    pub fn policies(&self, user: &str) -> BTreeMap<String, String> {
        let state = self.state();
        let policies = state
            .iam
            .user(user)
            .into_iter()
            .flat_map(|user| &user.policies);
        policies
            .map(|(name, policy)| (name.clone(), policy.document.clone()))
            .collect()
    }

    /// What is attached to the user apart from policies and keys.
    pub fn attachments(&self, user: &str) -> Vec<Attachment> {
        let state = self.state();
        state
            .iam
            .user(user)
            .into_iter()
            .flat_map(|user| user.attachments.clone())
            .collect()
    }

    /// The tags of the user; `None` if it is missing.
    pub fn user_tags(&self, user: &str) -> Option<TagMap> {
        self.state().iam.user(user).map(|user| user.tags.clone())
    }

    /// The tags of the secret; `None` if it is missing.
    pub fn secret_tags(&self, secret: &str) -> Option<TagMap> {
        self.state()
            .secrets
            .named(secret)
            .map(|secret| secret.tags.clone())
    }

    /// Whether the secret has replicas.
    pub fn is_replicated(&self, secret: &str) -> bool {
        self.state()
            .secrets
            .named(secret)
            .is_some_and(|secret| !secret.replicas.is_empty())
    }

    /// Whether the secret waits for its deletion.
    pub fn is_pending_deletion(&self, secret: &str) -> bool {
        self.state()
            .secrets
            .named(secret)
            .is_some_and(|secret| secret.deleted_until.is_some())
    }

    /// The boundary of the user.
    pub fn boundary(&self, user: &str) -> Option<String> {
        self.state()
            .iam
            .user(user)
            .and_then(|user| user.boundary.clone())
    }

    /// The description of the secret.
    pub fn description(&self, secret: &str) -> String {
        self.state()
            .secrets
            .named(secret)
            .map(|secret| secret.description.clone())
            .unwrap_or_default()
    }
}

impl Person<'_> {
    /// Makes a managed policy, which can then be a boundary.
    pub fn make_managed_policy(&self, arn: &str) {
        self.act(format!("make managed policy {arn}"), |state, _| {
            state.iam.managed.insert(arn.to_owned());
        });
    }

    /// Deletes a managed policy: it can no longer be made a boundary.
    pub fn delete_managed_policy(&self, arn: &str) {
        self.act(format!("delete managed policy {arn}"), |state, _| {
            state.iam.managed.remove(arn);
        });
    }

    /// Makes a user as the documented commands do: no tags, no boundary, a policy and a key.
    pub fn make_user(&self, user: &str) {
        self.act(format!("make user {user}"), |state, at| {
            state
                .iam
                .insert(IamUser::new(user, TagMap::new(), None, at.now));
        });
        self.add_key(user);
    }

    /// Deletes the user with everything attached to it.
    pub fn delete_user(&self, user: &str) {
        self.act(format!("delete user {user}"), |state, _| {
            state.iam.remove(user);
        });
    }

    /// Gives the user another name.
    pub fn rename_user(&self, user: &str, to: &str) {
        self.act(format!("rename user {user} to {to}"), |state, _| {
            let mut found = state.iam.remove(user).expect("the user is there");
            found.name = to.to_owned();
            state.iam.insert(found);
        });
    }

    /// Moves the user under a path, or back to `/`.
    pub fn move_user(&self, user: &str, path: &str) {
        self.act(format!("move user {user} to {path}"), |state, _| {
            match path {
                "/" => state.iam.moved.remove(user),
                _ => state.iam.moved.insert(user.to_owned()),
            };
        });
    }

    /// Gives the user a key that nobody stores.
    pub fn add_key(&self, user: &str) -> String {
        self.act(format!("add key to {user}"), |state, at| {
            let number = state.next();
            let user = state.iam.user_mut(user).expect("the user is there");
            user.make_key(number, at)
                .expect("less than two keys")
                .id
                .to_string()
        })
    }

    /// Deletes a key.
    pub fn delete_key(&self, user: &str, key: &str) {
        let key = AccessKeyId::parse(key).expect("a key id");
        self.user(format!("delete key {key}"), user, |user, at| {
            user.delete_key(&key, at);
        });
    }

    /// Deactivates a key.
    pub fn deactivate_key(&self, user: &str, key: &str) {
        self.user(format!("deactivate key {key}"), user, |user, _| {
            let key = user
                .keys
                .iter_mut()
                .find(|held| held.id.as_str() == key)
                .expect("the key is there");
            key.status = KeyStatus::Inactive;
        });
    }

    /// Adds or edits an inline policy.
    pub fn put_policy(&self, user: &str, policy: &str, document: &str) {
        self.user(format!("put policy {policy}"), user, |user, at| {
            user.put_policy(policy, document, at)
                .expect("IAM takes the policy");
        });
    }

    /// Removes an inline policy.
    pub fn remove_policy(&self, user: &str, policy: &str) {
        self.user(format!("remove policy {policy}"), user, |user, _| {
            user.policies.remove(policy).expect("the policy is there");
        });
    }

    /// Attaches something to the user.
    pub fn attach(&self, user: &str, kind: AttachmentKind, id: &str) {
        self.user(format!("attach {kind:?} {id}"), user, |user, _| {
            user.attachments.insert(Attachment {
                kind,
                id: id.to_owned(),
            });
        });
    }

    /// Detaches it again.
    pub fn detach(&self, user: &str, kind: AttachmentKind, id: &str) {
        self.user(format!("detach {kind:?} {id}"), user, |user, _| {
            user.attachments.remove(&Attachment {
                kind,
                id: id.to_owned(),
            });
        });
    }

    /// Adds this many small inline policies.
    pub fn add_policies(&self, user: &str, count: usize) {
        let small = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"s3:PutObject","Resource":"*"}}"#;
        for number in 0..count {
            self.put_policy(user, &format!("ByHand{number}"), small);
        }
    }

    /// What AWS itself does when it finds the key in public.
    pub fn quarantine(&self, user: &str) {
        self.attach(
            user,
            AttachmentKind::ManagedPolicy,
            "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3",
        );
    }

    /// Sets another boundary.
    pub fn set_boundary(&self, user: &str, boundary: Option<&str>) {
        self.user(format!("set boundary {boundary:?}"), user, |user, _| {
            user.boundary = boundary.map(str::to_owned);
        });
    }

    /// Sets a tag of the user.
    pub fn tag_user(&self, user: &str, key: &str, value: &str) {
        self.user(format!("tag {key}={value}"), user, |user, _| {
            user.tags.insert(key.to_owned(), value.to_owned());
        });
    }

    /// Removes a tag of the user.
    pub fn drop_user_tag(&self, user: &str, key: &str) {
        self.user(format!("drop tag {key}"), user, |user, _| {
            user.tags.remove(key);
        });
    }

    /// Removes all tags of the user.
    pub fn strip_user_tags(&self, user: &str) {
        self.user("strip tags".to_owned(), user, |user, _| user.tags.clear());
    }

    /// Makes a secret of somebody else.
    pub fn make_secret(&self, secret: &str) {
        self.act(format!("make secret {secret}"), |state, at| {
            state.make_secret(secret, at);
        });
    }

    /// Writes another value under `AWSCURRENT`.
    pub fn edit_secret(&self, secret: &str, value: &str) {
        let number = self.0.state().next();
        self.secret("edit".to_owned(), secret, |secret, at| {
            let id = VersionId(format!("{number:0>36}"));
            secret
                .store(&id, value, Label::Current, at)
                .expect("the version is new");
        });
    }

    /// Deletes the secret, at once or restorable for this many days.
    pub fn delete_secret(&self, secret: &str, recovery_days: Option<u8>) {
        self.act(
            format!("delete secret {secret} {recovery_days:?}"),
            |state, at| {
                let arn = state
                    .secrets
                    .named(secret)
                    .expect("the secret is there")
                    .arn
                    .clone();
                state
                    .secrets
                    .delete(&arn, recovery_days, at)
                    .expect("it has no replicas");
            },
        );
    }

    /// Replicates the secret.
    pub fn replicate(&self, secret: &str, region: &str) {
        self.secret(format!("replicate to {region}"), secret, |secret, _| {
            secret.replicas.push(region.to_owned());
        });
    }

    /// Has Secrets Manager rotate the secret.
    pub fn enable_rotation(&self, secret: &str) {
        self.secret("enable rotation".to_owned(), secret, |secret, _| {
            secret.rotation = Rotation::Enabled;
        });
    }

    /// Stops Secrets Manager's rotation of the secret.
    pub fn disable_rotation(&self, secret: &str) {
        self.secret("disable rotation".to_owned(), secret, |secret, _| {
            secret.rotation = Rotation::Off;
        });
    }

    /// Sets when Secrets Manager says that it rotates the secret next.
    pub fn schedule_rotation(&self, secret: &str, next: Option<SystemTime>) {
        self.secret("schedule rotation".to_owned(), secret, |secret, _| {
            secret.next_rotation = next;
        });
    }

    /// Whether reading with a key works, as for Publisher.
    pub fn reads(&self, key: &StoredKey, bucket: &BucketUri) -> bool {
        let reads = self.0.can_list(key, bucket);
        if reads {
            let mut state = self.0.state();
            let at = state.at();
            state.iam.record_use(&key.id, "s3", at);
        }
        reads
    }

    /// Makes the secret's description leave out whether it is rotated.
    pub fn leave_rotation_unsaid(&self, secret: &str) {
        self.secret("rotation unsaid".to_owned(), secret, |secret, _| {
            secret.rotation = Rotation::Unsaid;
        });
    }

    /// Moves or removes a label.
    pub fn move_label(&self, secret: &str, label: &str, to: Option<&VersionId>) {
        self.secret(format!("move {label}"), secret, |secret, _| {
            let from = secret.holder(label).cloned();
            secret
                .move_label(label, from.as_ref(), to)
                .expect("the label can be moved");
        });
    }

    /// Sets a tag of the secret.
    pub fn tag_secret(&self, secret: &str, key: &str, value: &str) {
        self.secret(format!("tag {key}={value}"), secret, |secret, _| {
            secret.tags.insert(key.to_owned(), value.to_owned());
        });
    }

    /// Removes all tags of the secret.
    pub fn strip_secret_tags(&self, secret: &str) {
        self.secret("strip tags".to_owned(), secret, |secret, _| {
            secret.tags.clear();
        });
    }

    /// Takes a KMS key out of use.
    pub fn break_kms_key(&self, key: &str) {
        self.act(format!("disable {key}"), |state, _| {
            state.secrets.broken_kms_keys.insert(key.to_owned());
        });
    }

    /// Puts a KMS key into use again.
    pub fn mend_kms_key(&self, key: &str) {
        self.act(format!("enable {key}"), |state, _| {
            state.secrets.broken_kms_keys.remove(key);
        });
    }

    /// Has the secrets' own policies deny reading them, or no longer.
    pub fn deny_reading_secrets(&self, denied: bool) {
        self.act(format!("deny reading: {denied}"), |state, _| {
            state.secrets.reading_denied = denied;
        });
    }

    /// Makes the secret the replica of another region's.
    pub fn make_replica_of(&self, secret: &str, region: &str) {
        self.secret(format!("replica of {region}"), secret, |secret, _| {
            secret.primary_region = Some(region.to_owned());
        });
    }

    /// Makes the organization forbid deleting a secret at once.
    pub fn deny_forced_deletion(&self) {
        self.act("deny forced deletion".to_owned(), |state, _| {
            state.secrets.forced_deletion_denied = true;
        });
    }

    fn user<T>(&self, what: String, name: &str, change: impl FnOnce(&mut IamUser, At) -> T) -> T {
        self.act(format!("{what} of user {name}"), |state, at| {
            change(state.iam.user_mut(name).expect("the user is there"), at)
        })
    }

    fn secret<T>(
        &self,
        what: String,
        name: &str,
        change: impl FnOnce(&mut StoredSecret, At) -> T,
    ) -> T {
        self.act(format!("{what} of secret {name}"), |state, at| {
            change(
                state.secrets.named_mut(name).expect("the secret is there"),
                at,
            )
        })
    }

    /// Does it, and excuses every key that is unstored afterwards.
    fn act<T>(&self, what: String, change: impl FnOnce(&mut State, At) -> T) -> T {
        let mut state = self.0.state();
        state.log.push(format!("by hand: {what}"));
        let at = state.at();
        let done = change(&mut state, at);
        state.blame_person();
        done
    }
}

impl State {
    fn make_secret(&mut self, name: &str, at: At) {
        let number = self.next();
        let new = publisher_s3_access::cloud::NewSecret {
            name: publisher_s3_access::request::names::SecretName::parse(name)
                .expect("a secret's name"),
            description: "somebody else's".to_owned(),
            kms_key: None,
            tags: TagMap::new(),
        };
        self.secrets
            .create(&new, number, at)
            .expect("the name is free");
        let secret = self.secrets.named_mut(name).expect("made just now");
        let id = VersionId(format!("{number:0>36}"));
        secret
            .store(&id, "{\"password\":\"hunter2\"}", Label::Current, at)
            .expect("the version is new");
    }

    fn blame_person(&mut self) {
        let unstored: Vec<_> = self
            .iam
            .users()
            .flat_map(|user| {
                self.unstored(user)
                    .map(|key| (user.name.clone(), key.id.clone()))
            })
            .collect();
        for (user, id) in unstored {
            let user = self.iam.user_mut(&user).expect("listed just now");
            for key in user.keys.iter_mut().filter(|key| key.id == id) {
                key.persons = true;
            }
        }
    }
}
