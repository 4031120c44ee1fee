//! The states, built from a settled one by changing one thing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::super::policy::PolicyDocument;
use super::super::{Change, Goal, Plan, Rotating, RotationStep, provision, removal, rotation};
use crate::cloud::{
    AccessKeyId, Key, KeyStatus, Label, LastUse, Rotation, Secret, SecretArn, SecretState,
    StackOperation, StoredKey, TagMap, User, Version, VersionId,
};
use crate::observe::{
    AtWork, BucketRegion, Observed, ObservedSecret, ObservedUser, Ownership, Pair, Progress,
    Refusal,
};
use crate::request::names::{KeySerial, RecoveryWindow};
use crate::request::owner::{Owner, StackId};
use crate::request::properties::{Desired, Previous};
use crate::waits::Deadline;

pub(super) const STACK: &str = "arn:aws:cloudformation:eu-west-1:123456789012:stack/publisher/1111";

/// The world and the template before anything is changed by hand: one user, one key, one secret, all as wanted.
pub(super) struct World {
    pub(super) owner: Owner,
    pub(super) old: Value,
    pub(super) new: Value,
    /// The release that the template was made for.
    pub(super) release: Option<&'static str>,
    /// When the request was sent.
    pub(super) sent: SystemTime,
    pub(super) observed: Observed,
}

/// How long a key must have been unused before a rotation ends it.
pub(super) const WINDOW: Duration = Duration::from_secs(10 * 24 * 3600);

pub(super) fn id(name: &str) -> AccessKeyId {
    AccessKeyId::parse(&format!("AKIA{name:0>16}")).unwrap()
}

pub(super) fn version(name: &str) -> VersionId {
    VersionId(name.into())
}

pub(super) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

pub(super) fn stored(key: &str, serial: u64) -> StoredKey {
    StoredKey {
        id: id(key),
        secret: "canary".into(),
        user: "publisher-connectors".into(),
        serial: KeySerial::stored(serial),
    }
}

fn settled_user(owner: &Owner) -> ObservedUser {
    ObservedUser {
        user: User {
            name: "publisher-connectors".into(),
            arn: "arn:aws:iam::123456789012:user/publisher-connectors".into(),
            tags: owner.tags(),
            boundary: None,
        },
        ownership: Ownership::Ours,
        policies: BTreeMap::new(),
        keys: Vec::new(),
        attachments: Vec::new(),
        last_used: BTreeMap::new(),
    }
}

fn settled_secret(owner: &Owner) -> ObservedSecret {
    ObservedSecret {
        secret: Secret {
            arn: SecretArn("arn:of:secret".into()),
            tags: owner.tags(),
            description: "Access key of IAM user publisher-connectors for DNAstack Publisher. \
                          Bucket: s3://cohort/. Region: eu-west-1."
                .into(),
            kms_key: None,
            changed: now() - Duration::from_secs(3600),
            state: SecretState::Live,
            labels: BTreeMap::new(),
            replicas: Vec::new(),
            primary_region: None,
            rotation: Rotation::Off,
            next_rotation: None,
        },
        ownership: Ownership::Ours,
        versions: Vec::new(),
        stored: BTreeMap::new(),
        unread: false,
        unreadable: None,
    }
}

impl World {
    pub(super) fn settled() -> Self {
        let owner = Owner {
            stack: StackId::parse(STACK).unwrap(),
            logical_id: "Access".into(),
        };
        let properties = json!({ "Buckets": "cohort" });
        let desired = Desired::parse(&properties, owner.stack.partition()).unwrap();
        let pair = Pair {
            name: desired.user.clone(),
            user: Some(settled_user(&owner)),
            secret: Some(settled_secret(&owner)),
            renamed_to: None,
        };
        let observed = Observed {
            now: now(),
            operation: StackOperation::Forward,
            stack_tags: TagMap::new(),
            regions: BTreeMap::from([(
                desired.buckets.first().bucket.clone(),
                BucketRegion::In("eu-west-1".into()),
            )]),
            pair,
        };
        let mut world = Self {
            owner,
            old: properties.clone(),
            new: properties,
            release: None,
            sent: now() - Duration::from_secs(2),
            observed,
        };
        world.put_policy(&desired);
        world.store("v1", Label::Current, stored("K1", 1));
        world
    }

    /// Gives the user the policy that these properties ask for.
    pub(super) fn put_policy(&mut self, desired: &Desired) {
        let document = PolicyDocument::of(desired, self.owner.stack.partition(), "amazonaws.com");
        let document = document.unwrap().as_str().to_owned();
        self.user()
            .policies
            .insert(desired.policy.clone(), document);
    }

    pub(super) fn user(&mut self) -> &mut ObservedUser {
        self.observed.pair.user.as_mut().unwrap()
    }

    pub(super) fn secret(&mut self) -> &mut ObservedSecret {
        self.observed.pair.secret.as_mut().unwrap()
    }

    /// Stores a key in a version under a label, and gives the user that key.
    pub(super) fn store(&mut self, name: &str, label: Label, key: StoredKey) {
        self.list(&key.id, KeyStatus::Active);
        let secret = self.secret();
        secret.versions.push(Version {
            id: version(name),
            created: now() - Duration::from_secs(3600),
        });
        secret
            .secret
            .labels
            .insert(version(name), BTreeSet::from([label.as_str().to_owned()]));
        secret.stored.insert(version(name), Some(key));
    }

    pub(super) fn list(&mut self, id: &AccessKeyId, status: KeyStatus) {
        self.user().keys.push(Key {
            id: id.clone(),
            status,
            created: now() - Duration::from_secs(3600),
        });
    }

    /// When a key was last used; `None` if IAM knows no use of it.
    pub(super) fn used(&mut self, key: &str, ago: Option<Duration>) {
        let last = ago.map(|ago| LastUse {
            date: now() - ago,
            service: "s3".into(),
            region: "eu-west-1".into(),
        });
        self.user().last_used.insert(id(key), Ok(last));
    }

    /// How long ago a key was made.
    pub(super) fn made(&mut self, key: &str, ago: Duration) {
        let key = id(key);
        for listed in self
            .user()
            .keys
            .iter_mut()
            .filter(|listed| listed.id == key)
        {
            listed.created = now() - ago;
        }
    }

    /// The world after one rotation: K2 is current, K1 is previous.
    pub(super) fn rotated() -> Self {
        let mut world = Self::settled();
        world.secret().secret.labels.clear();
        world
            .secret()
            .secret
            .labels
            .insert(version("v1"), BTreeSet::from(["AWSPREVIOUS".to_owned()]));
        world.store("v2", Label::Current, stored("K2", 2));
        world.old["KeySerial"] = json!(2);
        world.new["KeySerial"] = json!(2);
        world
    }

    pub(super) fn stored_ago(&mut self, name: &str, age: Duration) {
        for version in &mut self.secret().versions {
            if version.id.0 == name {
                version.created = now() - age;
            }
        }
    }

    /// The plan of an Update, as it is logged, with version ids of new keys shortened; or which refusal it is.
    pub(super) fn plan(&self) -> String {
        shown(self.update())
    }

    pub(super) fn plan_fresh(&self) -> String {
        shown(self.fresh())
    }

    /// The plan of an Update.
    pub(super) fn update(&self) -> Result<Plan, Refusal> {
        let desired = Desired::parse(&self.new, self.owner.stack.partition()).unwrap();
        self.planned(&desired, Change::InPlace(&Previous::read(&self.old)))
    }

    /// The plan of a Create.
    pub(super) fn fresh(&self) -> Result<Plan, Refusal> {
        let desired = Desired::parse(&self.new, self.owner.stack.partition()).unwrap();
        self.planned(&desired, Change::Fresh)
    }

    /// The warnings of an Update.
    pub(super) fn warnings(&self) -> Vec<String> {
        let warnings = self.update().unwrap().warnings;
        warnings.into_iter().map(|warning| warning.text).collect()
    }

    /// Has a version without a label hold a key.
    pub(super) fn keep_in(&mut self, name: &str, key: StoredKey) {
        let secret = self.secret();
        secret.versions.push(Version {
            id: version(name),
            created: now() - Duration::from_secs(7200),
        });
        secret.stored.insert(version(name), Some(key));
    }

    fn planned(&self, desired: &Desired, change: Change<'_>) -> Result<Plan, Refusal> {
        let partition = self.owner.stack.partition();
        let goal = Goal {
            document: &PolicyDocument::of(desired, partition, "amazonaws.com")?,
            owner: &self.owner,
            desired,
            change,
            release: self.release,
            sent: Some(self.sent),
        };
        let progress = Progress::new(Deadline::after(Duration::from_secs(60)));
        provision(&goal, &self.observed, &progress)
    }

    /// Begins a rotation: a version without a value.
    pub(super) fn await_rotation(&mut self, name: &str) {
        let label = Label::Pending.as_str().to_owned();
        let labels = &mut self.secret().secret.labels;
        labels.insert(version(name), BTreeSet::from([label]));
        self.secret().versions.push(Version {
            id: version(name),
            created: now() - Duration::from_secs(60),
        });
    }

    pub(super) fn rotation(&self, step: RotationStep) -> String {
        let rotating = Rotating {
            owner: &self.owner,
            token: &version("v3"),
            serial: KeySerial::default(),
            targets: &[],
            window: WINDOW,
            at_work: AtWork::No,
        };
        shown(rotation(step, rotating, &self.observed))
    }

    pub(super) fn removal(&self) -> String {
        shown(self.removed())
    }

    /// The plan of a removal, with its warnings.
    pub(super) fn removed(&self) -> Result<Plan, Refusal> {
        let pair = &self.observed.pair;
        removal(&self.owner, pair, RecoveryWindow::None, now())
    }
}

fn shown(planned: Result<Plan, Refusal>) -> String {
    match planned {
        Ok(plan) => shorten(&plan.to_string()),
        Err(refusal) => {
            let name = format!("{refusal:?}");
            let name = name.split(|c: char| !c.is_ascii_alphanumeric()).next();
            format!("refused: {}", name.unwrap_or_default())
        }
    }
}

/// Version ids are hashes: their first part tells them apart.
pub(super) fn shorten(plan: &str) -> String {
    let words = plan.split(' ').map(|word| {
        let version = word.trim_end_matches(';');
        let hash = version.len() == 36 && version.matches('-').count() == 4;
        if hash {
            word.replace(&version[8..], "")
        } else {
            word.to_owned()
        }
    });
    words.collect::<Vec<_>>().join(" ")
}
