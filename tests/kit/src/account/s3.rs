//! S3 and STS, as seen with the user's key.

use std::collections::{BTreeMap, BTreeSet};

use publisher_s3_access::cloud::StoredKey;
use publisher_s3_access::cloud::{ErrorKind, KeyStatus, ListedObject, ObjectRead, Page};
use publisher_s3_access::request::buckets::BucketUri;
use secrecy::ExposeSecret;

use super::iam::IamUser;
use super::{Account, At, Effect, Refusal, State, denied, refusal};
use crate::policy_check::{Decision, Request};

/// How many objects a page of a listing has.
const PAGE: usize = 1000;

/// All buckets of the world, by name.
#[derive(Clone, Default)]
pub struct Buckets {
    by_name: BTreeMap<String, Bucket>,
    /// Opt-in regions that the account has not enabled: its keys are not known there.
    not_enabled: BTreeSet<String>,
}

/// A bucket.
#[derive(Clone)]
pub struct Bucket {
    region: String,
    objects: BTreeMap<String, Object>,
    policy: BucketPolicy,
}

/// What reading an object's first byte gives.
#[derive(Clone, Debug)]
pub enum Object {
    /// It has bytes.
    Plain,
    /// It is empty: the range cannot be satisfied.
    Empty,
    /// It lies in an archive.
    Archived,
    /// It is encrypted with a key that the reader would have to send.
    CustomerKey,
    /// It lies in an archive, but its class does not show that, as with intelligent tiering.
    ArchivedAfterAll,
    /// It is deleted right after it was listed.
    GoneMeanwhile,
    /// It is encrypted under this KMS key.
    Kms(String),
    /// S3 refuses to give it, with this code and in these words.
    Refused(&'static str, &'static str),
}

/// What the bucket's own policy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketPolicy {
    /// Nothing.
    Silent,
    /// Nobody may list it.
    DeniesList,
    /// Nobody may read its objects.
    DeniesGet,
    /// S3 refuses to list it, with this code and in these words, whatever the reason.
    Refuses(&'static str, &'static str),
}

impl Account {
    /// Makes or replaces a bucket.
    pub fn bucket(&self, name: &str, region: &str, objects: &[(&str, Object)]) {
        let objects = objects
            .iter()
            .map(|(key, object)| ((*key).to_owned(), object.clone()))
            .collect();
        let bucket = Bucket {
            region: region.to_owned(),
            objects,
            policy: BucketPolicy::Silent,
        };
        let buckets = &mut self.state().buckets;
        buckets.by_name.insert(name.to_owned(), bucket);
    }

    /// Makes the region one that the account has not enabled.
    pub fn region_is_not_enabled(&self, region: &str) {
        let buckets = &mut self.state().buckets;
        buckets.not_enabled.insert(region.to_owned());
    }

    /// Sets what the bucket's own policy says.
    pub fn bucket_policy(&self, name: &str, policy: BucketPolicy) {
        self.state()
            .buckets
            .by_name
            .get_mut(name)
            .expect("the bucket is there")
            .policy = policy;
    }
}

/// A refusal as S3 words it.
fn worded(code: &'static str, message: &'static str) -> Refusal {
    refusal(ErrorKind::of_code(code, 403), code, message)
}

impl State {
    pub fn bucket_region(&self, bucket: &str) -> Option<String> {
        self.buckets
            .by_name
            .get(bucket)
            .map(|bucket| bucket.region.clone())
    }

    /// Whose key this is.
    pub fn authenticate(&self, key: &StoredKey, unknown: &'static str, at: At) -> Effect<&IamUser> {
        let known = self.iam.key(key.id.as_str()).filter(|(_, held)| {
            held.status == KeyStatus::Active && at.now >= held.made + at.lags.key
        });
        let Some((user, held)) = known else {
            let message = "The AWS Access Key Id you provided does not exist in our records.";
            return Err(refusal(ErrorKind::UnknownKey, unknown, message));
        };
        if held.secret != key.secret.expose_secret() {
            let message =
                "The request signature we calculated does not match the signature you provided.";
            return Err(refusal(
                ErrorKind::Rejected,
                "SignatureDoesNotMatch",
                message,
            ));
        }
        Ok(user)
    }

    pub fn list_objects(
        &self,
        key: &StoredKey,
        region: &str,
        bucket: &str,
        prefix: &str,
        page: Option<&str>,
        at: At,
    ) -> Effect<Page> {
        let user = self.authenticate_in(region, key, at)?;
        let there = self.reach(bucket, region)?;
        match there.policy {
            BucketPolicy::Silent | BucketPolicy::DeniesGet => {}
            BucketPolicy::DeniesList => {
                return Err(denied(
                    "s3:ListBucket",
                    "with an explicit deny in a resource-based policy",
                ));
            }
            BucketPolicy::Refuses(code, message) => return Err(worded(code, message)),
        }
        let arn = format!("arn:aws:s3:::{bucket}");
        let request = Request::new("s3:ListBucket", &arn).with("s3:prefix", prefix);
        self.authorize(user, &request, at)?;
        let listed = |(key, object): (&String, &Object)| ListedObject {
            key: key.clone(),
            size: u64::from(!matches!(object, Object::Empty)),
            archived: matches!(object, Object::Archived),
        };
        let objects = there.objects.iter();
        let after = |key: &str| page.is_none_or(|page| key > page);
        let mut rest = objects.filter(|(key, _)| key.starts_with(prefix) && after(key));
        let objects: Vec<_> = rest.by_ref().take(PAGE).map(listed).collect();
        let last = objects.last().map(|object| object.key.clone());
        Ok(Page {
            next: rest.next().and(last),
            objects,
        })
    }

    pub fn read_byte(
        &self,
        key: &StoredKey,
        region: &str,
        bucket: &str,
        object: &str,
        at: At,
    ) -> Effect<ObjectRead> {
        let user = self.authenticate_in(region, key, at)?;
        let there = self.reach(bucket, region)?;
        if there.policy == BucketPolicy::DeniesGet {
            return Err(denied(
                "s3:GetObject",
                "with an explicit deny in a resource-based policy",
            ));
        }
        let arn = format!("arn:aws:s3:::{bucket}/{object}");
        self.authorize(user, &Request::new("s3:GetObject", &arn), at)?;
        let service = format!("s3.{region}.amazonaws.com");
        Ok(match there.objects.get(object) {
            None | Some(Object::GoneMeanwhile) => ObjectRead::Gone,
            Some(Object::Plain) => ObjectRead::Read,
            Some(Object::Empty) => ObjectRead::Empty,
            Some(Object::Archived | Object::ArchivedAfterAll) => ObjectRead::Archived,
            Some(Object::CustomerKey) => ObjectRead::CustomerKey,
            Some(Object::Refused(code, message)) => return Err(worded(code, message)),
            Some(Object::Kms(kms_key)) => {
                let request = Request::new("kms:Decrypt", kms_key).with("kms:ViaService", &service);
                self.authorize(user, &request, at)?;
                ObjectRead::Read
            }
        })
    }

    /// Whose key this is, as S3 in a region knows it.
    fn authenticate_in(&self, region: &str, key: &StoredKey, at: At) -> Effect<&IamUser> {
        if self.buckets.not_enabled.contains(region) {
            let message = "The AWS Access Key Id you provided does not exist in our records.";
            return Err(refusal(
                ErrorKind::UnknownKey,
                "InvalidAccessKeyId",
                message,
            ));
        }
        self.authenticate(key, "InvalidAccessKeyId", at)
    }

    fn reach(&self, bucket: &str, region: &str) -> Effect<&Bucket> {
        let Some(there) = self.buckets.by_name.get(bucket) else {
            return Err(refusal(
                ErrorKind::NotFound,
                "NoSuchBucket",
                "The specified bucket does not exist",
            ));
        };
        if there.region == region {
            return Ok(there);
        }
        let message = "The bucket you are attempting to access must be addressed using the specified endpoint.";
        Err(refusal(ErrorKind::Rejected, "PermanentRedirect", message))
    }

    /// Judges a request by the user's inline policies, as IAM would.
    fn authorize(&self, user: &IamUser, request: &Request<'_>, at: At) -> Effect<()> {
        let why = match request.judged_by(user.effective_policies(at)) {
            Decision::Allowed => return Ok(()),
            Decision::Denied => "with an explicit deny in an identity-based policy",
            Decision::NotAllowed => "because no identity-based policy allows it",
        };
        Err(denied(
            request.action,
            &format!("on resource: {} {why}", request.resource),
        ))
    }
}

impl Account {
    /// Whether this key can list the bucket where it is.
    pub fn can_list(&self, key: &StoredKey, bucket: &BucketUri) -> bool {
        let state = self.state();
        let at = state.at();
        let region = state
            .bucket_region(bucket.bucket.as_str())
            .unwrap_or_default();
        let prefix = bucket.prefix.as_ref().map_or("", |prefix| prefix.as_str());
        state
            .list_objects(key, &region, bucket.bucket.as_str(), prefix, None, at)
            .is_ok()
    }
}
