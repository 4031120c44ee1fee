//! The buckets and folders to read, and the grants that they amount to.

mod name;
mod prefix;

pub use name::BucketName;
pub use prefix::Prefix;

use std::fmt;

use crate::request::names::{Arn, Rule};

/// One entry of `Buckets`: a whole bucket or one folder of it. Prints as `s3://bucket/` or `s3://bucket/prefix/`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BucketUri {
    pub bucket: BucketName,
    /// The folder; `None` means the whole bucket.
    pub prefix: Option<Prefix>,
}

impl BucketUri {
    /// Parses `bucket`, `s3://bucket`, `s3://bucket/prefix/` or `arn:PARTITION:s3:::bucket/prefix/`, the trailing `/`
    /// being optional. The caller checks the partition of an ARN ([`Partition::admits`]).
    pub fn parse(text: &str) -> Result<Self, Rule> {
        let path = if let Some(path) = text.strip_prefix("s3://") {
            path
        } else if text.starts_with("arn:") {
            Self::path_of_arn(text)?
        } else if text.contains("://") {
            return Err("is not an S3 address; write `BUCKET` or `s3://BUCKET/PREFIX/`".into());
        } else if text.contains('/') {
            return Err("contains a `/` without `s3://`; write `s3://BUCKET/PREFIX/`".into());
        } else {
            text
        };
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        let bucket = BucketName::parse(bucket)?;
        let prefix = match prefix {
            "" => None,
            prefix => Some(Prefix::parse(prefix)?),
        };
        Ok(Self { bucket, prefix })
    }

    /// The `bucket/prefix` of a bucket's ARN, which has no region and no account.
    fn path_of_arn(text: &str) -> Result<&str, Rule> {
        match Arn::split(text) {
            Some(arn) if arn.resource.starts_with("accesspoint") => Err(
                "is an access point; name the bucket behind it, because IAM checks the bucket"
                    .into(),
            ),
            Some(Arn {
                service: "s3",
                region: "",
                account: "",
                resource,
                ..
            }) => Ok(resource),
            Some(_) | None => {
                Err("is not the ARN of a bucket, which looks like `arn:aws:s3:::BUCKET`".into())
            }
        }
    }

    /// Whether everything under `other` is under this one as well.
    fn covers(&self, other: &Self) -> bool {
        self.bucket == other.bucket
            && match (&self.prefix, &other.prefix) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(outer), Some(inner)) => inner.as_str().starts_with(outer.as_str()),
            }
    }
}

impl fmt::Display for BucketUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = self.prefix.as_ref().map_or("", Prefix::as_str);
        write!(f, "s3://{}/{prefix}", self.bucket)
    }
}

/// The entries of `Buckets` in the order given, without duplicates; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buckets(Vec<BucketUri>);

impl Buckets {
    /// Takes entries in order, dropping repeated ones. `None` if there is no entry.
    pub fn new(entries: impl IntoIterator<Item = BucketUri>) -> Option<Self> {
        let mut unique: Vec<BucketUri> = Vec::new();
        for entry in entries {
            if !unique.contains(&entry) {
                unique.push(entry);
            }
        }
        (!unique.is_empty()).then_some(Self(unique))
    }

    /// The first entry: its region and address are the resource's attributes.
    pub fn first(&self) -> &BucketUri {
        &self.0[0]
    }

    pub fn iter(&self) -> std::slice::Iter<'_, BucketUri> {
        self.0.iter()
    }

    /// What the entries amount to, bucket by bucket in order of first appearance. An entry inside a whole bucket or
    /// inside a shorter prefix adds nothing.
    pub fn grants(&self) -> Vec<Grant<'_>> {
        let mut grants: Vec<Grant<'_>> = Vec::new();
        for entry in &self.0 {
            let swallowed = self
                .0
                .iter()
                .any(|other| other != entry && other.covers(entry));
            if swallowed {
                continue;
            }
            let folder = entry.prefix.iter();
            match grants
                .iter_mut()
                .find(|grant| *grant.bucket == entry.bucket)
            {
                Some(grant) => grant.folders.extend(folder),
                None => grants.push(Grant {
                    bucket: &entry.bucket,
                    folders: folder.collect(),
                }),
            }
        }
        grants
    }
}

/// What may be read of one bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant<'a> {
    pub bucket: &'a BucketName,
    /// The folders, none inside another. Empty grants the whole bucket.
    pub folders: Vec<&'a Prefix>,
}
