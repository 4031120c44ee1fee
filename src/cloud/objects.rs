//! Buckets and objects, as the user's own key sees them.

use super::{Result, StoredKey};
use crate::request::buckets::{BucketName, BucketUri};

/// The calls to S3 and STS. None is made with the function's own credentials.
pub trait Objects {
    /// The bucket's region, by an unsigned `HEAD` (`x-amz-bucket-region` comes with 200, 301 and 403 alike); `None` if
    /// there is no such bucket.
    async fn bucket_region(&self, bucket: &BucketName) -> Result<Option<String>>;
    /// `sts:GetCallerIdentity` with this key: the ARN of its user.
    async fn caller_of(&self, key: &StoredKey) -> Result<String>;
    /// `s3:ListObjectsV2` with this key: one page of up to 1,000 objects under the prefix, in S3's order. `page` is what the
    /// page before it gave as [`Page::next`].
    async fn list_objects(
        &self,
        key: &StoredKey,
        region: &str,
        bucket: &BucketUri,
        page: Option<&str>,
    ) -> Result<Page>;
    /// `s3:GetObject` of the object's first byte with this key. The body is dropped.
    async fn read_byte(
        &self,
        key: &StoredKey,
        region: &str,
        bucket: &BucketName,
        object: &str,
    ) -> Result<ObjectRead>;
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub objects: Vec<ListedObject>,
    /// Where the next page begins; `None` if this is the last one.
    pub next: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedObject {
    pub key: String,
    pub size: u64,
    /// Whether its storage class has to be restored before it can be read.
    pub archived: bool,
}

/// The result of reading an object's first byte, once access was allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectRead {
    /// The byte was read, and decrypted where the object is encrypted.
    Read,
    /// The object is empty: it has no first byte.
    Empty,
    /// The object is archived and has to be restored first.
    Archived,
    Gone,
    /// The object is encrypted under a key that its owner sends with each request (SSE-C).
    CustomerKey,
}
