//! What is observed.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::buckets::BucketName;
use crate::cloud::{
    Attachment, Cloud, CloudError, Key, LastUse, Result, Secret, StackOperation, TagMap, User,
    Version, VersionId,
};
use crate::confirm::Confirmation;
use crate::names::{PolicyName, UserName};
use crate::ownership::{Owner, Ownership};
use crate::run::Run;
use crate::secret::{AccessKeyId, Label, StoredKey};

/// Everything that a plan is made from.
#[derive(Debug)]
pub struct Observed {
    pub now: SystemTime,
    /// Whether CloudFormation confirms the request.
    pub confirmation: Confirmation,
    /// Whether the stack goes forward or rolls back.
    pub operation: StackOperation,
    pub stack_tags: TagMap,
    /// The buckets' regions, as far as they were asked for.
    pub regions: BTreeMap<BucketName, BucketRegion>,
    pub pair: Pair,
}

impl Observed {
    /// A pair, without asking CloudFormation.
    pub fn unasked<C: Cloud>(run: &Run<'_, C>, pair: Pair) -> Self {
        Self {
            now: run.cloud.now(),
            confirmation: Confirmation::Confirmed,
            operation: StackOperation::Forward,
            stack_tags: TagMap::new(),
            regions: BTreeMap::new(),
            pair,
        }
    }
}

/// The region of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BucketRegion {
    In(String),
    /// There is no such bucket.
    NoSuchBucket,
    /// The region could not be found; holds why.
    Unknown(String),
}

impl BucketRegion {
    /// Whether the bucket was found.
    pub fn is_known(&self) -> bool {
        matches!(self, Self::In(_))
    }
}

impl Observed {
    /// The bucket's region, or the stack's if it could not be found.
    pub fn region<'a>(&'a self, owner: &'a Owner, bucket: &BucketName) -> &'a str {
        match self.regions.get(bucket) {
            Some(BucketRegion::In(region)) => region,
            Some(BucketRegion::NoSuchBucket | BucketRegion::Unknown(_)) | None => {
                owner.stack.region()
            }
        }
    }
}

/// When a key was last used; `None` if IAM knows no use of it.
pub type KeyUse = Result<Option<LastUse>>;

/// One user and its secret, which live and die together.
#[derive(Debug)]
pub struct Pair {
    /// The user's name, which gives the secret's.
    pub name: UserName,
    pub user: Option<ObservedUser>,
    pub secret: Option<ObservedSecret>,
    /// If somebody renamed the user: its new name, found by the secret's current key.
    pub renamed_to: Option<String>,
}

/// A user and what is attached to it.
#[derive(Debug)]
pub struct ObservedUser {
    pub user: User,
    pub ownership: Ownership,
    /// Its inline policies: name to document.
    pub policies: BTreeMap<PolicyName, String>,
    pub keys: Vec<Key>,
    /// What else is attached to it, read only for a removal.
    pub attachments: Vec<Attachment>,
    /// The last uses of its keys, read only if they matter.
    pub last_used: BTreeMap<AccessKeyId, KeyUse>,
}

/// A secret and what its labelled versions hold.
#[derive(Clone, Debug)]
pub struct ObservedSecret {
    pub secret: Secret,
    pub ownership: Ownership,
    /// All its versions, including deprecated ones.
    pub versions: Vec<Version>,
    /// What the labelled versions hold; `None` if the value is not ours. Leaves out versions without a value, which
    /// Secrets Manager makes at the start of a rotation.
    pub stored: BTreeMap<VersionId, Option<StoredKey>>,
    /// Why the versions could not be read. Nothing is known of any key then, so none may count as an orphan.
    pub unreadable: Option<CloudError>,
}

impl Pair {
    pub fn unreadable(&self) -> Option<&CloudError> {
        self.secret.as_ref()?.unreadable.as_ref()
    }
}

impl ObservedSecret {
    /// The version that holds this label.
    pub fn labelled(&self, label: Label) -> Option<&VersionId> {
        let holds = |labels: &std::collections::BTreeSet<String>| labels.contains(label.as_str());
        self.secret
            .labels
            .iter()
            .find(|(_, labels)| holds(labels))
            .map(|(version, _)| version)
    }

    /// The key that a version holds, if it is readable.
    pub fn key_of(&self, version: &VersionId) -> Option<&StoredKey> {
        self.stored.get(version).and_then(Option::as_ref)
    }

    /// When a version was stored.
    pub fn stored_at(&self, version: &VersionId) -> Option<SystemTime> {
        self.versions
            .iter()
            .find(|known| known.id == *version)
            .map(|known| known.created)
    }

    /// Whether any labelled version names a key of this user.
    pub fn names_a_key_of(&self, user: &ObservedUser) -> bool {
        let on_user = |stored: &StoredKey| user.keys.iter().any(|key| key.id == stored.id);
        self.stored.values().flatten().any(on_user)
    }
}
