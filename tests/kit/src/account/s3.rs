//! S3 and STS as a holder of the user's key meets them.

use std::collections::BTreeMap;

use publisher_s3_access::buckets::BucketUri;
use publisher_s3_access::cloud::{ErrorKind, KeyStatus};
use publisher_s3_access::secret::StoredKey;
use secrecy::ExposeSecret;

use super::iam::IamUser;
use super::{Account, At, Effect, State, denied, refusal};
use crate::policy_check::{Decision, Request};

/// All buckets of the world, by name.
#[derive(Clone, Default)]
pub struct Buckets(pub BTreeMap<String, Bucket>);

/// A bucket.
#[derive(Clone)]
pub struct Bucket {
    region: String,
    objects: BTreeMap<String, Object>,
    policy: BucketPolicy,
}

/// What an object is to somebody who reads its first byte.
#[derive(Clone, Debug)]
pub enum Object {
    /// It has bytes.
    Plain,
    /// It has none: the range cannot be satisfied.
    Empty,
    /// It lies in an archive.
    Archived,
    /// It is encrypted with a key that the reader would have to send.
    CustomerKey,
    /// It is encrypted under this KMS key.
    Kms(String),
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
        self.state().buckets.0.insert(name.to_owned(), bucket);
    }

    /// Sets what the bucket's own policy says.
    pub fn bucket_policy(&self, name: &str, policy: BucketPolicy) {
        self.state()
            .buckets
            .0
            .get_mut(name)
            .expect("the bucket is there")
            .policy = policy;
    }
}

impl State {
    pub fn bucket_region(&self, bucket: &str) -> Option<String> {
        self.buckets
            .0
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

    pub fn first_object(
        &self,
        key: &StoredKey,
        region: &str,
        bucket: &str,
        prefix: &str,
        at: At,
    ) -> Effect<Option<String>> {
        let user = self.authenticate(key, "InvalidAccessKeyId", at)?;
        let there = self.reach(bucket, region)?;
        if there.policy == BucketPolicy::DeniesList {
            return Err(denied(
                "s3:ListBucket",
                "with an explicit deny in a resource-based policy",
            ));
        }
        let arn = format!("arn:aws:s3:::{bucket}");
        let request = Request::new("s3:ListBucket", &arn).with("s3:prefix", prefix);
        self.authorize(user, &request, at)?;
        Ok(there
            .objects
            .keys()
            .find(|object| object.starts_with(prefix))
            .cloned())
    }

    pub fn first_byte(
        &self,
        key: &StoredKey,
        region: &str,
        bucket: &str,
        object: &str,
        at: At,
    ) -> Effect<()> {
        let user = self.authenticate(key, "InvalidAccessKeyId", at)?;
        let there = self.reach(bucket, region)?;
        if there.policy == BucketPolicy::DeniesGet {
            return Err(denied(
                "s3:GetObject",
                "with an explicit deny in a resource-based policy",
            ));
        }
        let arn = format!("arn:aws:s3:::{bucket}/{object}");
        self.authorize(user, &Request::new("s3:GetObject", &arn), at)?;
        match there.objects.get(object) {
            None => Err(refusal(
                ErrorKind::NotFound,
                "NoSuchKey",
                "The specified key does not exist.",
            )),
            Some(Object::Plain) => Ok(()),
            Some(Object::Empty) => Err(refusal(
                ErrorKind::Rejected,
                "InvalidRange",
                "The requested range is not satisfiable",
            )),
            Some(Object::Archived) => {
                let message = "The operation is not valid for the object's storage class";
                Err(refusal(ErrorKind::Rejected, "InvalidObjectState", message))
            }
            Some(Object::CustomerKey) => {
                let message = "The object was stored using a form of Server Side Encryption. The correct parameters \
                               must be provided to retrieve the object.";
                Err(refusal(ErrorKind::Rejected, "InvalidRequest", message))
            }
            Some(Object::Kms(kms_key)) => {
                let service = format!("s3.{region}.amazonaws.com");
                let request = Request::new("kms:Decrypt", kms_key).with("kms:ViaService", &service);
                self.authorize(user, &request, at)
            }
        }
    }

    fn reach(&self, bucket: &str, region: &str) -> Effect<&Bucket> {
        let Some(there) = self.buckets.0.get(bucket) else {
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

    /// Judges a request by the user's inline policies, for real.
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
            .first_object(key, &region, bucket.bucket.as_str(), prefix, at)
            .is_ok()
    }
}
