//! Bucket names.

use crate::request::names::{Rule, only, text_newtype};

/// Endings of what is not a bucket to IAM's `s3:ListBucket` and `s3:GetObject`, and what it is. From "General purpose bucket
/// naming rules" of the S3 User Guide and "access points for Outposts".
const NO_BUCKETS: [(&str, &str); 6] = [
    ("-s3alias", "an access point's alias"),
    ("--ol-s3", "an Object Lambda access point's alias"),
    ("--op-s3", "an Outposts access point's alias"),
    (".mrap", "a Multi-Region Access Point"),
    ("--x-s3", "a directory bucket"),
    ("--table-s3", "a table bucket"),
];

text_newtype! {
    /// The name of a general purpose bucket: 3 to 255 of `[A-Za-z0-9._-]`. Since 2018 S3 takes less, but a bucket cannot be
    /// renamed.
    BucketName
}

impl BucketName {
    /// Parses a bucket's name.
    pub fn parse(text: &str) -> Result<Self, Rule> {
        if text.is_empty() {
            return Err("names no bucket".into());
        }
        if text.contains(['*', '?']) || text.contains("${") {
            return Err(
                "contains a wildcard or variable, which would widen the grant; name every bucket"
                    .into(),
            );
        }
        if text.contains(',') {
            return Err(
                "contains a `,`; give several buckets as a list (`Fn::Split` makes one of a string)"
                    .into(),
            );
        }
        only(text, "letters, digits, `.`, `_` and `-`", |c| {
            c.is_ascii_alphanumeric() || "._-".contains(c)
        })?;
        if !(3..=255).contains(&text.len()) {
            let length = text.len();
            return Err(
                format!("a bucket's name has 3 to 255 characters, this one {length}").into(),
            );
        }
        match NO_BUCKETS.iter().find(|(end, _)| text.ends_with(end)) {
            Some((end, what)) => Err(format!(
                "ends in `{end}`, so it is {what}, which IAM does not take for a bucket; name a general purpose bucket"
            )
            .into()),
            None => Ok(Self(text.to_owned())),
        }
    }
}
