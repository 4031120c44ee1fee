//! The user's inline policy: it allows reading the buckets, decrypting their objects, and nothing else.

use serde_json::{Value, json};

use crate::request::buckets::{BucketName, Buckets, Prefix};
use crate::request::names::{KmsKeyArn, Partition};
use crate::request::properties::Desired;
use crate::request::property_error::PropertyError;

/// IAM's limit on the sum of a user's inline policies, in characters without white space. It cannot be raised.
pub const INLINE_POLICY_LIMIT: usize = 2048;

/// A policy document as compact JSON. Equal inputs give equal text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyDocument(String);

/// Writes the policy for reading `buckets`, whose objects the `kms` keys encrypt.
///
/// IAM checks `s3:ListBucket` against the bucket and `s3:GetObject` against the object, so each has its own resources.
/// `url_suffix` is the partition's DNS suffix (`AWS::URLSuffix`); `kms:ViaService` ends in it.
pub fn document(
    buckets: &Buckets,
    kms: &[KmsKeyArn],
    partition: &Partition,
    url_suffix: &str,
) -> PolicyDocument {
    let mut statements = list_statements(buckets, partition);
    statements.push(get_statement(buckets, partition));
    statements.extend(decrypt_statements(kms, url_suffix));
    PolicyDocument(json!({ "Version": "2012-10-17", "Statement": statements }).to_string())
}

/// One statement for all whole buckets, and one for each set of folders. A condition holds for its whole statement, so
/// buckets share a statement only if their folders are the same.
fn list_statements(buckets: &Buckets, partition: &Partition) -> Vec<Value> {
    let mut by_folders: Vec<(Vec<&Prefix>, Vec<String>)> = Vec::new();
    for grant in buckets.grants() {
        let mut folders = grant.folders;
        folders.sort_unstable();
        let arn = bucket_arn(grant.bucket, partition);
        match by_folders.iter_mut().find(|(others, _)| *others == folders) {
            Some((_, arns)) => arns.push(arn),
            None => by_folders.push((folders, vec![arn])),
        }
    }
    let statement = |(folders, arns): (Vec<&Prefix>, Vec<String>)| {
        let mut statement = allow("s3:ListBucket", &arns);
        if !folders.is_empty() {
            let patterns: Vec<String> = folders
                .iter()
                .flat_map(|p| [p.to_string(), format!("{p}*")])
                .collect();
            statement["Condition"] = json!({ "StringLike": { "s3:prefix": patterns } });
        }
        statement
    };
    by_folders.into_iter().map(statement).collect()
}

/// An object's ARN contains its folder, so one statement covers all objects.
fn get_statement(buckets: &Buckets, partition: &Partition) -> Value {
    let mut arns = Vec::new();
    for grant in buckets.grants() {
        let bucket = bucket_arn(grant.bucket, partition);
        if grant.folders.is_empty() {
            arns.push(format!("{bucket}/*"));
        }
        arns.extend(
            grant
                .folders
                .iter()
                .map(|folder| format!("{bucket}/{folder}*")),
        );
    }
    allow("s3:GetObject", &arns)
}

/// One statement for each region, because a key decrypts only for S3 in its own region.
fn decrypt_statements(kms: &[KmsKeyArn], url_suffix: &str) -> Vec<Value> {
    let mut by_region: Vec<(&str, Vec<String>)> = Vec::new();
    for key in kms {
        let arn = key.to_string();
        match by_region
            .iter_mut()
            .find(|(region, _)| *region == key.region())
        {
            Some((_, arns)) if arns.contains(&arn) => {}
            Some((_, arns)) => arns.push(arn),
            None => by_region.push((key.region(), vec![arn])),
        }
    }
    let statement = |(region, arns): (&str, Vec<String>)| {
        let mut statement = allow("kms:Decrypt", &arns);
        statement["Condition"] =
            json!({ "StringEquals": { "kms:ViaService": via_s3(region, url_suffix) } });
        statement
    };
    by_region.into_iter().map(statement).collect()
}

/// The names by which KMS knows S3 in a region. AWS documents the ending only for the partition `aws`, so other
/// partitions get both endings.
fn via_s3(region: &str, url_suffix: &str) -> Value {
    const COMMON: &str = "amazonaws.com";
    let service = |suffix: &str| format!("s3.{region}.{suffix}");
    if url_suffix == COMMON {
        json!(service(COMMON))
    } else {
        json!([service(url_suffix), service(COMMON)])
    }
}

fn allow(action: &str, resources: &[String]) -> Value {
    let resource = match resources {
        [only] => json!(only),
        several => json!(several),
    };
    json!({ "Effect": "Allow", "Action": action, "Resource": resource })
}

fn bucket_arn(bucket: &BucketName, partition: &Partition) -> String {
    format!("arn:{partition}:s3:::{bucket}")
}

impl PolicyDocument {
    /// The policy that grants what is desired. `url_suffix` is `AWS::URLSuffix`.
    ///
    /// # Errors
    /// It is longer than IAM allows: the length, the limit, and how many of the entries fit.
    pub fn of(
        desired: &Desired,
        partition: &Partition,
        url_suffix: &str,
    ) -> Result<Self, PropertyError> {
        let kms = &desired.bucket_kms_keys;
        let whole = document(&desired.buckets, kms, partition, url_suffix);
        if whole.length() <= INLINE_POLICY_LIMIT {
            return Ok(whole);
        }
        let fits = |count: &usize| {
            let first = Buckets::new(desired.buckets.iter().take(*count).cloned());
            first.is_some_and(|first| {
                document(&first, kms, partition, url_suffix).length() <= INLINE_POLICY_LIMIT
            })
        };
        let fitting = (1..).take_while(fits).count();
        Err(PropertyError::of(
            "Buckets",
            format!(
                "makes a policy of {} characters, but IAM allows a user {INLINE_POLICY_LIMIT}; the first {fitting} entries fit: \
                 put the others into a second stack with another `UserName`, or name a folder above several of them",
                whole.length()
            ),
        ))
    }

    /// The JSON, as `PutUserPolicy` takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn length(&self) -> usize {
        counted_length(&self.0)
    }

    /// Whether an observed policy (JSON, percent-decoded) is this one, but for white space and the order of members.
    pub fn equals(&self, observed: &str) -> bool {
        let value = |text| serde_json::from_str::<Value>(text).ok();
        value(&self.0) == value(observed)
    }
}

/// The length of a policy as IAM counts it for its quota, without white space.
pub fn counted_length(policy: &str) -> usize {
    policy.chars().filter(|c| !c.is_ascii_whitespace()).count()
}
