//! The SDK adapter against answers in the wire formats that AWS uses: IAM's and CloudFormation's XML, Secrets Manager's
//! JSON, S3's XML. Time is tokio's and paused, so waiting costs nothing.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod buckets;
mod errors;
mod iam;
mod keys;
mod removal;
mod repetition;
mod secrets;
mod stack;
mod topics;
mod versions;
mod wire;

use publisher_s3_access::cloud::{AccessKeyId, StoredKey};
use publisher_s3_access::cloud::{SecretArn, TagMap, VersionId};
use publisher_s3_access::request::buckets::{BucketName, BucketUri};
use publisher_s3_access::request::names::{KeySerial, PolicyName, SecretName, UserName};

/// A secret key as long as IAM's. No message may contain it, or a part that gives it away.
const CANARY: &str = "CANARY+wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXA";

/// The part of [`CANARY`] that the tests look for.
const TELLTALE: &str = "CANARY";

fn user() -> UserName {
    UserName::parse("publisher-connectors").unwrap()
}

fn policy() -> PolicyName {
    PolicyName::parse("S3AccessPolicy").unwrap()
}

fn key_id() -> AccessKeyId {
    AccessKeyId::parse("AKIAIOSFODNN7EXAMPLE").unwrap()
}

fn stored_key() -> StoredKey {
    StoredKey {
        id: key_id(),
        secret: CANARY.into(),
        user: user().as_str().to_owned(),
        serial: KeySerial::stored(1),
    }
}

fn secret_name() -> SecretName {
    user().secret_name()
}

fn secret_arn() -> SecretArn {
    SecretArn("arn:aws:secretsmanager:eu-west-1:111122223333:secret:publisher/publisher-connectors-AbCdEf".to_owned())
}

fn version() -> VersionId {
    VersionId("6fa459ea-ee8a-3ca4-894e-db77e160355e".to_owned())
}

fn bucket() -> BucketName {
    BucketName::parse("genomes.example.org").unwrap()
}

fn folder() -> BucketUri {
    BucketUri::parse("s3://genomes.example.org/run 1/").unwrap()
}

fn tags() -> TagMap {
    TagMap::from([(
        "publisher-s3-access:logical-id".to_owned(),
        "Access".to_owned(),
    )])
}
