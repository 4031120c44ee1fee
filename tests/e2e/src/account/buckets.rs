//! Buckets and objects, as the administrator sees them.

use std::{fs, path::Path};

use serde_json::json;

use super::{Account, path_text};
use crate::{process::Finished, workplace::Workplace};

/// Enough bytes of an object to recognize it.
pub(crate) const RANGE: &str = "bytes=0-65535";

impl Account {
    /// Makes a bucket in the account's region.
    pub(crate) fn create_bucket(&self, name: &str) -> anyhow::Result<()> {
        self.create_bucket_in(name, self.region())
    }

    /// Makes a bucket in `region`.
    pub(crate) fn create_bucket_in(&self, name: &str, region: &str) -> anyhow::Result<()> {
        let command = [
            "s3api",
            "create-bucket",
            "--bucket",
            name,
            "--region",
            region,
        ];
        let constraint = format!("LocationConstraint={region}");
        let elsewhere = ["--create-bucket-configuration", &constraint];
        // S3's oldest region is named by leaving the constraint out.
        let elsewhere = elsewhere.iter().filter(|_| region != "us-east-1");
        self.json(command.into_iter().chain(elsewhere.copied()))?;
        Ok(())
    }

    /// Copies a folder with everything below it.
    pub(crate) fn upload(&self, folder: &Path, to: &str) -> anyhow::Result<Finished> {
        self.aws([
            "s3",
            "cp",
            "--recursive",
            "--no-progress",
            path_text(folder)?,
            to,
        ])
        .succeed()
    }

    /// The first key below `bucket` in S3's order, `None` in an empty bucket.
    pub(crate) fn first_key(&self, bucket: &str) -> anyhow::Result<Option<String>> {
        let command = [
            "s3api",
            "list-objects-v2",
            "--bucket",
            bucket,
            "--max-items",
            "1",
        ];
        let list = self.json(command)?;
        Ok(list["Contents"][0]["Key"].as_str().map(str::to_owned))
    }

    /// The first bytes of an object.
    pub(crate) fn first_bytes(
        &self,
        workplace: &Workplace,
        bucket: &str,
        key: &str,
    ) -> anyhow::Result<Vec<u8>> {
        let file = workplace.scratch().join("first-bytes");
        let command = [
            "s3api",
            "get-object",
            "--bucket",
            bucket,
            "--key",
            key,
            "--range",
            RANGE,
        ];
        self.aws(command).arg(&file).succeed()?;
        Ok(fs::read(file)?)
    }

    /// Puts a bucket policy that denies reading to everybody but the administrator.
    pub(crate) fn deny_reading(&self, bucket: &str) -> anyhow::Result<()> {
        let policy = json!({"Version": "2012-10-17", "Statement": {
            "Effect": "Deny",
            "Principal": "*",
            "Action": ["s3:GetObject", "s3:ListBucket"],
            "Resource": [format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")],
        }});
        let policy = policy.to_string();
        let command = ["s3api", "put-bucket-policy", "--bucket", bucket];
        self.json(command.into_iter().chain(["--policy", &policy]))?;
        Ok(())
    }

    /// Removes the policy of a bucket.
    pub(crate) fn remove_bucket_policy(&self, bucket: &str) -> anyhow::Result<()> {
        self.json(["s3api", "delete-bucket-policy", "--bucket", bucket])?;
        Ok(())
    }

    /// Removes a bucket with everything in it.
    pub(crate) fn remove_bucket(&self, name: &str) -> anyhow::Result<()> {
        self.aws(["s3", "rb", "--force", &format!("s3://{name}")])
            .succeed()?;
        Ok(())
    }
}
