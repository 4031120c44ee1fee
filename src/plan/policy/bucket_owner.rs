//! What the owner of a bucket in another account has to allow.

use serde_json::{Value, json};

use crate::request::buckets::BucketUri;

/// The statements that let `user` (its ARN) read the bucket, for the bucket's policy. They name the user's account and
/// limit it to the user by a condition, because S3 refuses a principal that names a user before it exists, and such a
/// principal dies with the user. `None` if the ARN is not an IAM user's.
#[must_use]
pub fn statements_for_owner(bucket: &BucketUri, user: &str) -> Option<Value> {
    let mut parts = user.split(':');
    let (partition, account) = (parts.nth(1)?, parts.nth(2)?);
    let arn = format!("arn:{partition}:s3:::{}", bucket.bucket);
    let folder = bucket.prefix.as_ref().map(ToString::to_string);
    let statement = |sid: &str, action: &str, resource: &str| {
        json!({
            "Sid": sid,
            "Effect": "Allow",
            "Principal": { "AWS": format!("arn:{partition}:iam::{account}:root") },
            "Action": action,
            "Resource": resource,
            "Condition": { "ArnEquals": { "aws:PrincipalArn": user } },
        })
    };
    let mut lists = statement("PublisherLists", "s3:ListBucket", &arn);
    if let Some(folder) = &folder {
        let folders = json!({ "s3:prefix": [folder, format!("{folder}*")] });
        lists["Condition"]["StringLike"] = folders;
    }
    let objects = format!("{arn}/{}*", folder.unwrap_or_default());
    let gets = statement("PublisherGets", "s3:GetObject", &objects);
    Some(json!([lists, gets]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_listed_under_its_name_and_read_below_it_in_the_users_partition() {
        let bucket = BucketUri::parse("s3://partner-genomics/cohort/").unwrap();
        let user = "arn:aws-cn:iam::111122223333:user/publisher-connectors";
        let statements = statements_for_owner(&bucket, user).unwrap();
        assert_eq!(
            statements[0]["Principal"]["AWS"],
            "arn:aws-cn:iam::111122223333:root"
        );
        assert_eq!(
            statements[0]["Resource"],
            "arn:aws-cn:s3:::partner-genomics"
        );
        let listing = json!({
            "ArnEquals": { "aws:PrincipalArn": user },
            "StringLike": { "s3:prefix": ["cohort/", "cohort/*"] },
        });
        assert_eq!(statements[0]["Condition"], listing);
        assert_eq!(
            statements[1]["Resource"],
            "arn:aws-cn:s3:::partner-genomics/cohort/*"
        );
    }

    #[test]
    fn an_arn_without_an_account_gives_no_statements() {
        let bucket = BucketUri::parse("partner-genomics").unwrap();
        assert_eq!(statements_for_owner(&bucket, "arn:aws"), None);
    }
}
