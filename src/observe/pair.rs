//! One user and its secret, which live and die together.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use backon::Retryable;
use futures_util::future::{join, join_all, join3, try_join_all};
use tracing::warn;

use super::{Invocation, Ownership, Progress};
use crate::cloud::{
    AccessKeyId, Attachment, AttachmentKind, Cloud, CloudError, ErrorKind, Key, Label, LastUse,
    Result, Secret, SecretState, StoredKey, User, Version, VersionId,
};
use crate::request::names::{PolicyName, UserName};
use crate::waits::while_iam_lags;

/// The most versions without a label that are read.
const UNLABELLED_READ: usize = 20;

/// When a key was last used; `None` if IAM knows no use of it.
pub type KeyUse = Result<Option<LastUse>>;

#[derive(Debug)]
pub struct Pair {
    /// The user's name, which gives the secret's.
    pub name: UserName,
    pub user: Option<ObservedUser>,
    pub secret: Option<ObservedSecret>,
    /// If somebody renamed the user: its new name, found by a key that the secret holds.
    pub renamed_to: Option<String>,
}

#[derive(Debug)]
pub struct ObservedUser {
    pub user: User,
    pub ownership: Ownership,
    /// Its inline policies: name to document.
    pub policies: BTreeMap<PolicyName, String>,
    pub keys: Vec<Key>,
    /// What else is attached to it, as far as it was asked for.
    pub attachments: Vec<Attachment>,
    /// The last uses of its keys, as far as they matter.
    pub last_used: BTreeMap<AccessKeyId, KeyUse>,
}

#[derive(Clone, Debug)]
pub struct ObservedSecret {
    pub secret: Secret,
    pub ownership: Ownership,
    /// All its versions, including deprecated ones.
    pub versions: Vec<Version>,
    /// What the versions hold that were read; `None` if the value is not ours. Leaves out versions without a value, which
    /// Secrets Manager makes at the start of a rotation.
    pub stored: BTreeMap<VersionId, Option<StoredKey>>,
    /// Whether a version without a label may hold a key of the user, because it was not read.
    pub unread: bool,
    /// Why a labelled version could not be read. Nothing is known of any key then.
    pub unreadable: Option<CloudError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    Always,
    /// Only if the user's own tags do not say that it is ours.
    IfUserIsNotOurs,
}

impl Pair {
    /// Reads the pair, with what of these kinds is attached to the user.
    pub(super) async fn read<C: Cloud>(
        invocation: &Invocation<'_, C>,
        progress: &Progress,
        name: &UserName,
        kinds: &[AttachmentKind],
        values: Values,
    ) -> Result<Self> {
        let read = async || {
            let (user, secret) = join(
                user(invocation, name, kinds),
                secret(invocation, progress, name, values),
            )
            .await;
            let mut pair = Self {
                name: name.clone(),
                user: user?,
                secret: secret?,
                renamed_to: None,
            };
            pair.complete(invocation, progress, values).await?;
            Ok(pair)
        };
        invocation.while_denied(progress, read).await
    }

    pub fn unreadable(&self) -> Option<&CloudError> {
        self.secret.as_ref()?.unreadable.as_ref()
    }

    /// Reads what only both halves together say is needed.
    async fn complete<C: Cloud>(
        &mut self,
        invocation: &Invocation<'_, C>,
        progress: &Progress,
        values: Values,
    ) -> Result<()> {
        let user_is_ours = self
            .user
            .as_ref()
            .is_some_and(|user| user.ownership == Ownership::Ours);
        let Some(secret) = &mut self.secret else {
            return Ok(());
        };
        if values == Values::IfUserIsNotOurs && !user_is_ours && secret.may_be_read() {
            secret.read_labelled(invocation, progress).await?;
        }
        if let Some(user) = &self.user {
            secret.read_unlabelled(invocation, user).await;
        }
        self.find_renamed(invocation).await
    }

    /// Before a key counts as gone, checks whether a user of another name has it. Renaming a user moves its keys and policies
    /// too.
    async fn find_renamed<C: Cloud>(&mut self, invocation: &Invocation<'_, C>) -> Result<()> {
        let (user, Some(secret)) = (&self.user, &self.secret) else {
            return Ok(());
        };
        let is_ours = |user: &ObservedUser| user.ownership == Ownership::Ours;
        if secret.ownership != Ownership::Ours || user.as_ref().is_some_and(is_ours) {
            return Ok(());
        }
        let listed = |id: &AccessKeyId| {
            user.iter()
                .flat_map(|user| &user.keys)
                .any(|key| key.id == *id)
        };
        for key in secret.stored.values().flatten() {
            if listed(&key.id) {
                continue;
            }
            let owner = invocation.cloud.key_owner(&key.id).await?;
            self.renamed_to = owner.filter(|owner| owner != self.name.as_str());
            if self.renamed_to.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Looks up the last use of the keys that no label names.
    pub(super) async fn look_at_unlabelled_keys<C: Cloud>(
        &mut self,
        invocation: &Invocation<'_, C>,
    ) {
        let (Some(user), Some(secret)) = (&mut self.user, &self.secret) else {
            return;
        };
        let labelled = |key: &&Key| {
            let stored = secret.secret.labels.keys().filter_map(|v| secret.key_of(v));
            stored.into_iter().any(|stored| stored.id == key.id)
        };
        let unlabelled = user.keys.iter().filter(|key| !labelled(key));
        user.last_used = last_uses(invocation, unlabelled).await;
    }
}

async fn user<C: Cloud>(
    invocation: &Invocation<'_, C>,
    name: &UserName,
    kinds: &[AttachmentKind],
) -> Result<Option<ObservedUser>> {
    let cloud = invocation.cloud;
    let lists = join3(
        cloud.list_policies(name),
        cloud.list_keys(name),
        try_join_all(kinds.iter().map(|kind| cloud.list_attachments(name, *kind))),
    );
    let (found, (policies, keys, attachments)) = join(cloud.find_user(name), lists).await;
    // The lists, and their errors, mean something only if the user exists.
    let Some(user) = found? else { return Ok(None) };
    let document = async |policy: PolicyName| {
        let document = cloud.get_policy(name, &policy).await?;
        // It may have gone away since it was listed.
        Ok::<_, CloudError>(document.map(|document| (policy, document)))
    };
    let policies = try_join_all(policies?.into_iter().map(document)).await?;
    Ok(Some(ObservedUser {
        ownership: Ownership::of(invocation.owner, &user.tags),
        user,
        policies: policies.into_iter().flatten().collect(),
        keys: keys?,
        attachments: attachments?.into_iter().flatten().collect(),
        last_used: BTreeMap::new(),
    }))
}

async fn secret<C: Cloud>(
    invocation: &Invocation<'_, C>,
    progress: &Progress,
    name: &UserName,
    values: Values,
) -> Result<Option<ObservedSecret>> {
    let (cloud, name) = (invocation.cloud, name.secret_name());
    let (found, versions) = join(cloud.find_secret(&name), cloud.list_versions(&name)).await;
    let Some(secret) = found? else {
        return Ok(None);
    };
    // A secret that is pending deletion may refuse to list its versions. It is restored first.
    let versions = match secret.state {
        SecretState::Live => versions?,
        SecretState::PendingDeletion => Vec::new(),
    };
    let mut secret = ObservedSecret::new(invocation, secret, versions);
    if values == Values::Always && secret.may_be_read() {
        secret.read_labelled(invocation, progress).await?;
    }
    Ok(Some(secret))
}

/// The last use of each of these keys, or why it cannot be read.
pub async fn last_uses<C: Cloud>(
    invocation: &Invocation<'_, C>,
    keys: impl IntoIterator<Item = &Key>,
) -> BTreeMap<AccessKeyId, KeyUse> {
    let use_of = async |key: &Key| (key.id.clone(), invocation.cloud.last_used(&key.id).await);
    let uses = join_all(keys.into_iter().map(use_of));
    uses.await.into_iter().collect()
}

/// What can give a user more power than its own policies. What the role may not look at is left out.
pub(super) async fn added_power<C: Cloud>(
    invocation: &Invocation<'_, C>,
    name: &UserName,
) -> Vec<Attachment> {
    let kinds = [
        AttachmentKind::ManagedPolicy,
        AttachmentKind::Group,
        AttachmentKind::LoginProfile,
    ];
    let list = async |kind| invocation.cloud.list_attachments(name, kind).await;
    let mut found = Vec::new();
    for listed in join_all(kinds.map(list)).await {
        match listed {
            Ok(attachments) => found.extend(attachments),
            Err(error) => warn!(%error, "what was added to the user is unknown"),
        }
    }
    found
}

impl ObservedSecret {
    fn new<C>(invocation: &Invocation<'_, C>, secret: Secret, versions: Vec<Version>) -> Self {
        Self {
            ownership: Ownership::of(invocation.owner, &secret.tags),
            secret,
            versions,
            stored: BTreeMap::new(),
            unread: false,
            unreadable: None,
        }
    }

    /// Whether its values may be read. A stranger's never are.
    fn may_be_read(&self) -> bool {
        let ours = matches!(self.ownership, Ownership::Ours | Ownership::PreviousStack);
        ours && self.secret.state == SecretState::Live
    }

    /// Reads what the labelled versions hold. A secret whose KMS key is disabled, denied or gone cannot be read, however
    /// often one tries.
    async fn read_labelled<C: Cloud>(
        &mut self,
        invocation: &Invocation<'_, C>,
        progress: &Progress,
    ) -> Result<()> {
        let refused =
            |error: &CloudError| matches!(error.kind, ErrorKind::Denied | ErrorKind::Rejected);
        let read = async || {
            let values = self.secret.labels.keys();
            try_join_all(values.map(|version| self.read(invocation, version))).await
        };
        let read = (|| read())
            .retry(while_iam_lags())
            .when(|error| refused(error) && progress.is_lagging())
            .await;
        match read {
            Ok(values) => self.stored = values.into_iter().flatten().collect(),
            Err(error) if refused(&error) => {
                warn!(%error, "the secret cannot be read, so it does not show whose the keys are");
                self.unreadable = Some(error);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn read<C: Cloud>(
        &self,
        invocation: &Invocation<'_, C>,
        version: &VersionId,
    ) -> Result<Option<(VersionId, Option<StoredKey>)>> {
        let value = invocation
            .cloud
            .read_version(&self.secret.arn, version)
            .await?;
        Ok(value.map(|value| (version.clone(), StoredKey::from_value(&value))))
    }

    /// If the user has keys that no version holds that was read, reads versions without a label, newest first, until every
    /// key is found.
    async fn read_unlabelled<C: Cloud>(
        &mut self,
        invocation: &Invocation<'_, C>,
        user: &ObservedUser,
    ) {
        let labelled = &self.secret.labels;
        let mut others: Vec<_> = self
            .versions
            .iter()
            .filter(|version| !labelled.contains_key(&version.id))
            .cloned()
            .collect();
        if self.stored.is_empty() || self.holds_all_keys_of(user) || others.is_empty() {
            return;
        }
        others.sort_by_key(|version| std::cmp::Reverse(version.created));
        let mut missed = others.len() > UNLABELLED_READ;
        for version in others.into_iter().take(UNLABELLED_READ) {
            match self.read(invocation, &version.id).await {
                Ok(read) => self.stored.extend(read),
                Err(error) => {
                    warn!(version = %version.id, %error, "a version without a label cannot be read");
                    missed = true;
                }
            }
            if self.holds_all_keys_of(user) {
                return;
            }
        }
        self.unread = missed;
    }

    fn holds_all_keys_of(&self, user: &ObservedUser) -> bool {
        user.keys.iter().all(|key| self.holds(&key.id))
    }

    /// Whether a version that was read holds this key.
    pub fn holds(&self, id: &AccessKeyId) -> bool {
        self.stored
            .values()
            .flatten()
            .any(|stored| stored.id == *id)
    }

    pub fn labelled(&self, label: Label) -> Option<&VersionId> {
        let has = |labels: &BTreeSet<String>| labels.contains(label.as_str());
        let mut versions = self.secret.labels.iter();
        let (version, _) = versions.find(|(_, labels)| has(labels))?;
        Some(version)
    }

    /// The key that a version holds, if it was read.
    pub fn key_of(&self, version: &VersionId) -> Option<&StoredKey> {
        self.stored.get(version).and_then(Option::as_ref)
    }

    pub fn key_under(&self, label: Label) -> Option<&StoredKey> {
        self.key_of(self.labelled(label)?)
    }

    pub fn stored_at(&self, version: &VersionId) -> Option<SystemTime> {
        let mut known = self.versions.iter();
        known
            .find(|known| known.id == *version)
            .map(|known| known.created)
    }
}
