//! Secrets Manager: secrets, their versions and the labels on them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use publisher_s3_access::cloud::{
    Creation, ErrorKind, NewSecret, PutVersion, Rotation, Secret, SecretArn, SecretState, TagMap,
    Version, VersionId,
};
use publisher_s3_access::cloud::{Label, StoredKey};
use tokio::time::Instant;

use super::{ACCOUNT, At, Effect, REGION, Refusal, check_tags, denied, refusal};

/// Secrets Manager of the account's region.
#[derive(Clone, Default)]
pub struct Secrets {
    by_name: BTreeMap<String, StoredSecret>,
    /// KMS keys that cannot be used to encrypt a secret.
    pub broken_kms_keys: BTreeSet<String>,
    /// Whether the secrets' own policies deny reading them.
    pub reading_denied: bool,
    /// Whether the organization forbids deleting a secret at once.
    pub forced_deletion_denied: bool,
}

/// A secret.
#[derive(Clone)]
pub struct StoredSecret {
    pub name: String,
    pub arn: SecretArn,
    pub tags: TagMap,
    pub description: String,
    pub kms_key: Option<String>,
    /// Until when it can be restored, once it was deleted.
    pub deleted_until: Option<Instant>,
    pub versions: BTreeMap<VersionId, StoredVersion>,
    pub replicas: Vec<String>,
    /// The region of the secret that it is a replica of.
    pub primary_region: Option<String>,
    pub rotation: Rotation,
    pub next_rotation: Option<SystemTime>,
    pub tags_set: Instant,
    pub changed: Instant,
}

/// A version, labelled or deprecated.
#[derive(Clone)]
pub struct StoredVersion {
    /// `None` until somebody stores one: a rotation begins with a version that has none.
    pub value: Option<String>,
    pub created: SystemTime,
    pub labels: BTreeSet<String>,
}

impl Secrets {
    /// The secret of this name, live or pending deletion.
    pub fn named(&self, name: &str) -> Option<&StoredSecret> {
        self.by_name.get(name)
    }

    /// The same, to change it.
    pub fn named_mut(&mut self, name: &str) -> Option<&mut StoredSecret> {
        self.by_name.get_mut(name)
    }

    /// The secret of this full ARN.
    pub fn with_arn(&self, arn: &SecretArn) -> Option<&StoredSecret> {
        self.all().find(|secret| secret.arn == *arn)
    }

    /// The same, to change it.
    pub fn with_arn_mut(&mut self, arn: &SecretArn) -> Option<&mut StoredSecret> {
        let secret = self
            .by_name
            .values_mut()
            .find(|secret| secret.arn == *arn)?;
        secret.changed = Instant::now();
        Some(secret)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &StoredSecret> {
        self.by_name.values()
    }

    /// Removes the secret at once.
    pub fn remove(&mut self, name: &str) -> Option<StoredSecret> {
        self.by_name.remove(name)
    }

    /// Forgets what can no longer be restored.
    pub fn purge(&mut self, at: At) {
        self.by_name
            .retain(|_, secret| secret.deleted_until.is_none_or(|until| at.now < until));
    }

    pub fn create(&mut self, new: &NewSecret, number: u64, at: At) -> Effect<Creation<SecretArn>> {
        let name = new.name.as_str();
        if self.by_name.contains_key(name) {
            return Ok(Creation::AlreadyExists);
        }
        let kms_key = new.kms_key.as_ref().map(|key| key.as_str().to_owned());
        self.check_kms_key(kms_key.as_deref())?;
        check_tags(&new.tags, "InvalidParameterException")?;
        let arn = SecretArn(format!(
            "arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-{}",
            suffix(number)
        ));
        let secret = StoredSecret {
            name: name.to_owned(),
            arn: arn.clone(),
            tags: new.tags.clone(),
            description: new.description.clone(),
            kms_key,
            deleted_until: None,
            versions: BTreeMap::new(),
            replicas: Vec::new(),
            primary_region: None,
            rotation: Rotation::Unsaid,
            next_rotation: None,
            tags_set: at.now,
            changed: at.now,
        };
        self.by_name.insert(name.to_owned(), secret);
        Ok(Creation::Created(arn))
    }

    /// A key is tried when it is set, not when a value is stored.
    pub fn check_kms_key(&self, key: Option<&str>) -> Effect<()> {
        match key {
            Some(key) if self.broken_kms_keys.contains(key) => Err(refusal(
                ErrorKind::Rejected,
                "EncryptionFailure",
                format!(
                    "Secrets Manager can't encrypt the protected secret text using the KMS key {key}"
                ),
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// A value is decrypted each time it is read.
    pub fn check_reading(&self, key: Option<&str>) -> Effect<()> {
        if self.reading_denied {
            let why = "with an explicit deny in a resource-based policy";
            return Err(denied("secretsmanager:GetSecretValue", why));
        }
        match key {
            Some(key) if self.broken_kms_keys.contains(key) => Err(refusal(
                ErrorKind::Rejected,
                "DecryptionFailure",
                "Secrets Manager can't decrypt the secret value",
            )),
            Some(_) | None => Ok(()),
        }
    }

    pub fn delete(&mut self, arn: &SecretArn, recovery_days: Option<u8>, at: At) -> Effect<()> {
        if recovery_days.is_none() && self.forced_deletion_denied {
            let why = "with an explicit deny in a service control policy";
            return Err(denied("secretsmanager:DeleteSecret", why));
        }
        let Some(secret) = self.with_arn_mut(arn) else {
            return Ok(());
        };
        if !secret.replicas.is_empty() {
            let message = format!(
                "You can't delete secret {} that still has replica regions",
                secret.name
            );
            return Err(refusal(
                ErrorKind::Conflict,
                "InvalidParameterException",
                message,
            ));
        }
        match recovery_days {
            None => {
                let name = secret.name.clone();
                self.remove(&name);
            }
            Some(days @ 7..=30) => {
                let until = at.now + Duration::from_secs(u64::from(days) * 86_400);
                secret.deleted_until.get_or_insert(until);
            }
            Some(days) => {
                return Err(invalid_parameter(format!(
                    "{days} days is no recovery window"
                )));
            }
        }
        Ok(())
    }
}

/// Six characters as Secrets Manager appends them to a name.
fn suffix(number: u64) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let scattered = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (0..6)
        .map(|place| char::from(LETTERS[(scattered >> (place * 10)) as usize % LETTERS.len()]))
        .collect()
}

fn invalid_parameter(message: impl Into<String>) -> Refusal {
    refusal(ErrorKind::Rejected, "InvalidParameterException", message)
}

/// The error for a call on a missing secret.
pub fn no_such_secret() -> Refusal {
    refusal(
        ErrorKind::NotFound,
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret.",
    )
}

impl StoredSecret {
    pub fn as_seen(&self, at: At) -> Secret {
        let labelled = self
            .versions
            .iter()
            .filter(|(_, version)| !version.labels.is_empty());
        let state = match self.deleted_until {
            Some(_) => SecretState::PendingDeletion,
            None => SecretState::Live,
        };
        Secret {
            arn: self.arn.clone(),
            tags: self.tags.clone(),
            description: self.description.clone(),
            kms_key: self.kms_key.clone(),
            changed: at.time - (at.now - self.changed),
            state,
            labels: labelled
                .map(|(id, version)| (id.clone(), version.labels.clone()))
                .collect(),
            replicas: self.replicas.clone(),
            primary_region: self.primary_region.clone(),
            rotation: self.rotation,
            next_rotation: self.next_rotation,
        }
    }

    pub fn list_versions(&self) -> Vec<Version> {
        let seen = |(id, version): (&VersionId, &StoredVersion)| Version {
            id: id.clone(),
            created: version.created,
        };
        self.versions.iter().map(seen).collect()
    }

    /// Fails if the secret is pending deletion, as nearly every call does. The port calls that a conflict.
    pub fn must_live(&self) -> Effect<()> {
        match self.deleted_until {
            Some(_) => Err(refusal(
                ErrorKind::Conflict,
                "InvalidRequestException",
                "You can't perform this operation on the secret because it was marked for deletion.",
            )),
            None => Ok(()),
        }
    }

    /// Who holds this label.
    pub fn holder(&self, label: &str) -> Option<&VersionId> {
        self.versions
            .iter()
            .find(|(_, version)| version.labels.contains(label))
            .map(|(id, _)| id)
    }

    pub fn store(
        &mut self,
        id: &VersionId,
        value: &str,
        label: Label,
        at: At,
    ) -> Effect<PutVersion> {
        if !(32..=64).contains(&id.0.len()) {
            return Err(invalid_parameter(
                "ClientRequestToken must have 32 to 64 characters",
            ));
        }
        if let Some(held) = self
            .versions
            .get(id)
            .and_then(|version| version.value.as_ref())
        {
            // An equal repeat is ignored: it does not even move the label back.
            let same = held == value;
            return Ok(if same {
                PutVersion::Stored
            } else {
                PutVersion::TokenTaken
            });
        }
        let first = self.versions.is_empty();
        self.make_version(id, at).value = Some(value.to_owned());
        self.attach(label.as_str(), id);
        if first {
            self.attach(Label::Current.as_str(), id);
        }
        Ok(PutVersion::Stored)
    }

    /// The version with this id; an empty one if there is none.
    pub fn make_version(&mut self, id: &VersionId, at: At) -> &mut StoredVersion {
        self.versions.entry(id.clone()).or_insert(StoredVersion {
            value: None,
            created: at.time,
            labels: BTreeSet::new(),
        })
    }

    /// The key in the version with this label.
    pub fn key_under(&self, label: Label) -> Option<StoredKey> {
        let value = self.versions[self.holder(label.as_str())?].value.clone()?;
        StoredKey::from_value(&value.into())
    }

    /// Moves a label to a version. The old holder of `AWSCURRENT` becomes `AWSPREVIOUS`.
    pub fn attach(&mut self, label: &str, to: &VersionId) {
        let from = self.holder(label).cloned();
        if from.as_ref() == Some(to) {
            return;
        }
        for version in self.versions.values_mut() {
            version.labels.remove(label);
        }
        if let Some(version) = self.versions.get_mut(to) {
            version.labels.insert(label.to_owned());
        }
        if let (Some(from), true) = (from, label == Label::Current.as_str()) {
            self.attach(Label::Previous.as_str(), &from);
        }
    }

    pub fn move_label(
        &mut self,
        label: &str,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
    ) -> Effect<()> {
        let holder = self.holder(label).cloned();
        if from.is_none() && to.is_none() {
            return Err(invalid_parameter(
                "MoveToVersionId or RemoveFromVersionId is required",
            ));
        }
        if from.is_some() && from != holder.as_ref() {
            return Err(invalid_parameter(format!(
                "The version is not associated with staging label {label}."
            )));
        }
        let Some(to) = to else {
            if label == Label::Current.as_str() {
                let message = "You can only move staging label AWSCURRENT to a different secret version. \
                               It can't be completely removed.";
                return Err(invalid_parameter(message));
            }
            if let Some(version) = holder.and_then(|id| self.versions.get_mut(&id)) {
                version.labels.remove(label);
            }
            return Ok(());
        };
        if !self.versions.contains_key(to) {
            return Err(no_such_secret());
        }
        if from.is_none() && holder.as_ref().is_some_and(|holder| holder != to) {
            let message = format!(
                "The staging label {label} is currently attached to another version, so you must explicitly \
                 reference that version in RemoveFromVersionId."
            );
            return Err(invalid_parameter(message));
        }
        self.attach(label, to);
        Ok(())
    }
}
