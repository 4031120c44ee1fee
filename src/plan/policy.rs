//! The user's inline policy: it allows reading the buckets, decrypting their objects, and nothing else.

mod bucket_owner;

pub use bucket_owner::statements_for_owner;

use std::collections::BTreeMap;
use std::fmt::Display;

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
#[must_use]
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
    /// A refusal if it is longer than IAM allows.
    pub fn of(
        desired: &Desired,
        partition: &Partition,
        url_suffix: &str,
    ) -> Result<Self, PropertyError> {
        let document = document(
            &desired.buckets,
            &desired.bucket_kms_keys,
            partition,
            url_suffix,
        );
        document.fits()?;
        Ok(document)
    }

    /// The JSON, as `PutUserPolicy` takes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    #[must_use]
    pub fn length(&self) -> usize {
        counted_length(&self.0)
    }

    /// Requires the policy to be within [`INLINE_POLICY_LIMIT`] when it is the user's only one.
    ///
    /// # Errors
    /// A refusal of `Buckets` that names the length, the limit and the way out.
    pub fn fits(&self) -> Result<(), PropertyError> {
        self.fits_beside::<&str>(&[])
    }

    /// Requires the policy and the user's `other` inline policies, each with its name and [`counted_length`], to be
    /// within [`INLINE_POLICY_LIMIT`] together.
    ///
    /// # Errors
    /// As [`PolicyDocument::fits`]; it names the other policies too.
    pub fn fits_beside<N: Display>(&self, others: &[(N, usize)]) -> Result<(), PropertyError> {
        let length = self.length();
        let taken: usize = others.iter().map(|(_, length)| length).sum();
        if length + taken <= INLINE_POLICY_LIMIT {
            return Ok(());
        }
        let names: Vec<String> = others
            .iter()
            .map(|(name, length)| format!("`{name}` ({length})"))
            .collect();
        let (beside, cure) = if others.is_empty() {
            (String::new(), "")
        } else {
            (
                format!(
                    " and its other inline policies {taken}: {}",
                    names.join(", ")
                ),
                "remove those, ",
            )
        };
        Err(PropertyError::of(
            "Buckets",
            format!(
                "makes a policy of {length} characters{beside}, but IAM allows a user {INLINE_POLICY_LIMIT}; {cure}\
                 give fewer entries, wider prefixes, or a second resource with another `UserName`"
            ),
        ))
    }
}

/// The length of a policy as IAM counts it for its quota, without white space.
#[must_use]
pub fn counted_length(policy: &str) -> usize {
    policy.chars().filter(|c| !c.is_ascii_whitespace()).count()
}

/// Whether an observed policy (JSON, percent-decoded) grants what `wanted` does, as far as its form shows. The order of
/// statements and lists, lists of one, repetitions and statement ids do not matter. Text that is not JSON counts as
/// different.
#[must_use]
pub fn same_meaning(wanted: &PolicyDocument, observed: &str) -> bool {
    match (
        serde_json::from_str(&wanted.0),
        serde_json::from_str(observed),
    ) {
        (Ok(wanted), Ok(observed)) => normal(wanted) == normal(observed),
        _ => false,
    }
}

/// Normalizes a policy: names sorted, every value in a list, lists sorted without repetitions, no `Sid`.
fn normal(policy: Value) -> Value {
    match policy {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(name, _)| name != "Sid");
            let sorted: BTreeMap<_, _> = kept
                .map(|(name, value)| (name, listed(normal(value))))
                .collect();
            Value::Object(sorted.into_iter().collect())
        }
        Value::Array(values) => {
            let mut values: Vec<Value> = values.into_iter().map(normal).collect();
            values.sort_by_key(Value::to_string);
            values.dedup();
            Value::Array(values)
        }
        scalar @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => scalar,
    }
}

fn listed(value: Value) -> Value {
    if value.is_array() {
        value
    } else {
        Value::Array(vec![value])
    }
}
