//! IAM: users with their policies, keys and attachments.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use publisher_s3_access::cloud::AccessKeyId;
use publisher_s3_access::cloud::{
    Attachment, AttachmentKind, Creation, ErrorKind, Key, KeyStatus, LastUse, NewUser, TagMap, User,
};
use serde_json::Value;
use tokio::time::Instant;

use super::{ACCOUNT, At, Effect, Missing, check_tags, denied, refusal};

/// IAM's limit on the sum of a user's inline policies, white space not counted.
const INLINE_QUOTA: usize = 2048;

/// IAM of the account.
#[derive(Clone, Default)]
pub struct Iam {
    /// By name in lower case: names are unique ignoring case.
    users: BTreeMap<String, IamUser>,
    /// The ARNs of the managed policies that exist.
    pub managed: BTreeSet<String>,
    /// The users that are under a path, where the role does not reach them.
    pub moved: BTreeSet<String>,
}

/// A user.
#[derive(Clone)]
pub struct IamUser {
    pub name: String,
    pub tags: TagMap,
    pub boundary: Option<String>,
    pub policies: BTreeMap<String, InlinePolicy>,
    /// All keys, with the deleted ones, which a lagging list still shows.
    pub keys: Vec<IamKey>,
    pub attachments: BTreeSet<Attachment>,
    pub made: Instant,
    pub tags_set: Instant,
}

/// An inline policy, with the document from before the last change.
#[derive(Clone)]
pub struct InlinePolicy {
    pub document: String,
    pub before: Option<String>,
    pub put: Instant,
}

/// An access key.
#[derive(Clone)]
pub struct IamKey {
    pub id: AccessKeyId,
    pub secret: String,
    pub status: KeyStatus,
    pub created: SystemTime,
    pub made: Instant,
    pub deleted: Option<Instant>,
    /// Its uses, as IAM has recorded them.
    pub uses: Vec<Used>,
    /// Made or orphaned by a person, so no run is blamed for a key that is unstored.
    pub persons: bool,
}

/// A use of a key.
#[derive(Clone)]
pub struct Used {
    /// When it can be seen.
    pub shown: Instant,
    pub last: LastUse,
}

impl Iam {
    /// The user of this name, ignoring case, whatever the lags.
    pub fn user(&self, name: &str) -> Option<&IamUser> {
        self.users.get(&name.to_lowercase())
    }

    /// The same, to change it.
    pub fn user_mut(&mut self, name: &str) -> Option<&mut IamUser> {
        self.users.get_mut(&name.to_lowercase())
    }

    /// All users.
    pub fn users(&self) -> impl Iterator<Item = &IamUser> {
        self.users.values()
    }

    /// Puts a user into the account as it is.
    pub fn insert(&mut self, user: IamUser) {
        self.users.insert(user.name.to_lowercase(), user);
    }

    /// Takes a user out of the account, with everything attached to it.
    pub fn remove(&mut self, name: &str) -> Option<IamUser> {
        self.users.remove(&name.to_lowercase())
    }

    /// The user as far as it can be seen now.
    pub fn find(&self, name: &str, at: At) -> Option<&IamUser> {
        self.user(name)
            .filter(|user| at.now >= user.made + at.lags.user)
    }

    pub fn create(&mut self, new: &NewUser, at: At) -> Effect<Creation<User>> {
        if self.user(new.name.as_str()).is_some() {
            return Ok(Creation::AlreadyExists);
        }
        check_user_tags(&TagMap::new(), &new.tags)?;
        let boundary = new.boundary.as_ref().map(|arn| arn.as_str().to_owned());
        self.check_boundary(boundary.as_deref())?;
        let user = IamUser::new(new.name.as_str(), new.tags.clone(), boundary, at.now);
        let made = user.as_seen();
        self.insert(user);
        Ok(Creation::Created(made))
    }

    /// A missing boundary answers `NoSuchEntity`, which says nothing about the user.
    pub fn check_boundary(&self, arn: Option<&str>) -> Effect<()> {
        match arn {
            Some(arn) if !self.managed.contains(arn) => Err(refusal(
                ErrorKind::NotFound,
                "NoSuchEntity",
                format!("Scope ARN: {arn} does not exist or is not attachable."),
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// Deletes a user that nothing is attached to; the port has removing what is missing succeed.
    pub fn delete(&mut self, name: &str) -> Effect<()> {
        let Some(user) = self.user(name) else {
            return Ok(());
        };
        let conflict = |what: &str| {
            let message = format!("Cannot delete entity, must {what} first.");
            Err(refusal(ErrorKind::Conflict, "DeleteConflict", message))
        };
        if user.living_keys().next().is_some() {
            return conflict("delete access keys");
        }
        if !user.policies.is_empty() {
            return conflict("delete policies");
        }
        if let Some(attachment) = user.attachments.first() {
            return conflict(match attachment.kind {
                AttachmentKind::ManagedPolicy => "detach all policies",
                AttachmentKind::LoginProfile => "delete login profile",
                AttachmentKind::SshKey => "delete SSH public keys",
                AttachmentKind::SigningCertificate => "delete signing certificates",
                AttachmentKind::ServiceCredential => "delete service specific credentials",
                AttachmentKind::MfaDevice => "deactivate MFA device",
                AttachmentKind::Group => "remove users from group",
            });
        }
        self.remove(name);
        Ok(())
    }

    /// Records the use of a key that works.
    pub fn record_use(&mut self, id: &AccessKeyId, service: &str, at: At) {
        let keys = self.users.values_mut().flat_map(|user| &mut user.keys);
        for key in keys.filter(|key| key.id == *id) {
            // Only the latest of those that can be seen is ever shown.
            let seen = key.uses.iter().filter(|used| used.shown <= at.now).count();
            key.uses.drain(..seen.saturating_sub(1));
            key.uses.push(Used {
                shown: at.now + at.lags.last_use,
                last: LastUse {
                    date: at.time,
                    service: service.to_owned(),
                    region: super::REGION.to_owned(),
                },
            });
        }
    }

    /// The user and the key with this id, unless it is deleted.
    pub fn key(&self, id: &str) -> Option<(&IamUser, &IamKey)> {
        self.users().find_map(|user| {
            let key = user.living_keys().find(|key| key.id.as_str() == id)?;
            Some((user, key))
        })
    }
}

/// The error for a call on a missing user.
pub fn no_such_user(name: &str) -> super::Refusal {
    refusal(
        ErrorKind::NotFound,
        "NoSuchEntity",
        format!("The user with name {name} cannot be found."),
    )
}

/// The answer to a removing call on a missing user.
pub fn removing_missing(operation: &str, at: At) -> Effect<()> {
    match at.lags.missing {
        Missing::IsGone => Ok(()),
        Missing::IsDenied => Err(denied(
            operation,
            "because no identity-based policy allows it",
        )),
    }
}

/// Adds tags as IAM does: keys are equal ignoring case, and the new spelling stays.
pub fn check_user_tags(present: &TagMap, added: &TagMap) -> Effect<TagMap> {
    let mut all = present.clone();
    let lower: BTreeSet<_> = added.keys().map(|key| key.to_lowercase()).collect();
    if lower.len() < added.len() {
        let message = "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
        return Err(refusal(ErrorKind::Rejected, "InvalidInput", message));
    }
    all.retain(|key, _| !lower.contains(&key.to_lowercase()));
    all.extend(added.clone());
    check_tags(&all, "InvalidInput")?;
    Ok(all)
}

impl IamKey {
    /// The latest use that IAM shows.
    pub fn last_used(&self, at: At) -> Option<LastUse> {
        let mut shown = self.uses.iter().rev().filter(|used| used.shown <= at.now);
        shown.next().map(|used| used.last.clone())
    }
}

impl IamUser {
    pub fn new(name: &str, tags: TagMap, boundary: Option<String>, now: Instant) -> Self {
        Self {
            name: name.to_owned(),
            tags,
            boundary,
            policies: BTreeMap::new(),
            keys: Vec::new(),
            attachments: BTreeSet::new(),
            made: now,
            tags_set: now,
        }
    }

    pub fn arn(&self) -> String {
        format!("arn:aws:iam::{ACCOUNT}:user/{}", self.name)
    }

    pub fn as_seen(&self) -> User {
        let Self {
            name,
            tags,
            boundary,
            ..
        } = self;
        User {
            name: name.clone(),
            arn: self.arn(),
            tags: tags.clone(),
            boundary: boundary.clone(),
        }
    }

    pub fn living_keys(&self) -> impl Iterator<Item = &IamKey> {
        self.keys.iter().filter(|key| key.deleted.is_none())
    }

    /// `ListAccessKeys`, which lags.
    pub fn list_keys(&self, at: At) -> Vec<Key> {
        let listed = |key: &&IamKey| match key.deleted {
            Some(deleted) => at.now < deleted + at.lags.key_list,
            None => at.now >= key.made + at.lags.key_list,
        };
        let seen = |key: &IamKey| Key {
            id: key.id.clone(),
            status: key.status,
            created: key.created,
        };
        self.keys.iter().filter(listed).map(seen).collect()
    }

    /// Makes a key from this number; `None` if the user has two already.
    pub fn make_key(&mut self, number: u64, at: At) -> Option<&mut IamKey> {
        if self.living_keys().count() >= 2 {
            return None;
        }
        self.keys.push(IamKey {
            id: AccessKeyId::parse(&format!("AKIATEST{number:012}")).expect("well-formed"),
            secret: format!("s3cr3t/+{number:032}"),
            status: KeyStatus::Active,
            created: at.time,
            made: at.now,
            deleted: None,
            uses: Vec::new(),
            persons: false,
        });
        self.keys.last_mut()
    }

    pub fn delete_key(&mut self, id: &AccessKeyId, at: At) {
        let key = self
            .keys
            .iter_mut()
            .find(|key| key.id == *id && key.deleted.is_none());
        if let Some(key) = key {
            key.deleted = Some(at.now);
        }
    }

    pub fn put_policy(&mut self, name: &str, document: &str, at: At) -> Effect<()> {
        check_document(document)?;
        let size = |document: &str| document.chars().filter(|c| !c.is_whitespace()).count();
        let others = self.policies.iter().filter(|(other, _)| *other != name);
        let sum = size(document)
            + others
                .map(|(_, policy)| size(&policy.document))
                .sum::<usize>();
        if sum > INLINE_QUOTA {
            let message = format!(
                "Maximum policy size of 2048 bytes exceeded for user {}",
                self.name
            );
            return Err(refusal(ErrorKind::LimitExceeded, "LimitExceeded", message));
        }
        let before = self
            .policies
            .get(name)
            .map(|policy| policy.document.clone());
        let policy = InlinePolicy {
            document: document.to_owned(),
            before,
            put: at.now,
        };
        self.policies.insert(name.to_owned(), policy);
        Ok(())
    }

    /// The policy documents that count now.
    pub fn effective_policies(&self, at: At) -> impl Iterator<Item = &str> {
        self.policies.values().filter_map(move |policy| {
            let counts = at.now >= policy.put + at.lags.policy;
            if counts {
                Some(policy.document.as_str())
            } else {
                policy.before.as_deref()
            }
        })
    }
}

/// IAM's grammar, as far as we could break it.
fn check_document(document: &str) -> Effect<()> {
    let malformed = |message: &str| {
        Err(refusal(
            ErrorKind::Rejected,
            "MalformedPolicyDocument",
            message,
        ))
    };
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{ff}');
    let Ok(Value::Object(policy)) = serde_json::from_str(document) else {
        return malformed("Syntax errors in policy.");
    };
    if !document.chars().all(allowed)
        || policy
            .keys()
            .any(|key| key != "Version" && key != "Statement")
    {
        return malformed("Syntax errors in policy.");
    }
    if policy.get("Version").and_then(Value::as_str) != Some("2012-10-17") {
        return malformed("Policy document must be version 2012-10-17 or greater.");
    }
    let statements = match policy.get("Statement") {
        Some(Value::Array(statements)) => statements.clone(),
        Some(statement) => vec![statement.clone()],
        None => return malformed("Syntax errors in policy."),
    };
    let mut sids = BTreeSet::new();
    for statement in &statements {
        if statement.get("Principal").is_some() || statement.get("Effect").is_none() {
            return malformed("Syntax errors in policy.");
        }
        if statement.get("Action").is_none() {
            return malformed("Policy statement must contain actions.");
        }
        if statement.get("Resource").is_none() {
            return malformed("Policy statement must contain resources.");
        }
        if let Some(sid) = statement.get("Sid").and_then(Value::as_str)
            && !(sid.chars().all(|c| c.is_ascii_alphanumeric()) && sids.insert(sid.to_owned()))
        {
            return malformed("Statement IDs (SID) in a single policy must be unique.");
        }
    }
    Ok(())
}
