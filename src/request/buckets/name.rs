//! Bucket names, by S3's rules for general purpose buckets.

use std::net::Ipv4Addr;

use crate::request::names::{Printable, Rule, text_newtype};

/// Endings that S3 reserves for things that are not buckets to IAM's `s3:ListBucket` and `s3:GetObject`, and what they
/// are. From "General purpose bucket naming rules" of the S3 User Guide and "access points for Outposts".
const RESERVED_ENDINGS: [(&str, &str); 6] = [
    (
        "-s3alias",
        "an access point's alias; name the bucket behind it",
    ),
    (
        "--ol-s3",
        "an Object Lambda access point's alias; name the bucket behind it",
    ),
    (
        "--op-s3",
        "an Outposts access point's alias, which Publisher cannot read",
    ),
    (
        ".mrap",
        "a Multi-Region Access Point; name the buckets behind it",
    ),
    (
        "--x-s3",
        "a directory bucket, which grants no `s3:GetObject`; use a general purpose bucket",
    ),
    (
        "--table-s3",
        "a table bucket, which holds tables and not objects; use a general purpose bucket",
    ),
];

/// Prefixes that S3 reserves for itself.
const RESERVED_BEGINNINGS: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];

text_newtype! {
    /// The name of a general purpose bucket: 3 to 63 lower-case letters, digits, `.` and `-`.
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
        let stray = |c: &char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(*c));
        if let Some(stray) = text.chars().find(stray) {
            let stray = Printable(stray);
            return Err(format!("`{stray}` is not allowed in a bucket's name; use lower-case letters, digits, `.` and \
                                `-`").into());
        }
        if !(3..=63).contains(&text.len()) {
            return Err(format!(
                "a bucket's name has 3 to 63 characters, this one {}",
                text.len()
            )
            .into());
        }
        if text.starts_with(['.', '-']) || text.ends_with(['.', '-']) {
            return Err("a bucket's name begins and ends with a letter or digit".into());
        }
        if text.contains("..") {
            return Err("a bucket's name never has two dots in a row".into());
        }
        if text.parse::<Ipv4Addr>().is_ok() {
            return Err("is an IP address, which S3 does not allow as a bucket's name".into());
        }
        if let Some((ending, what)) = RESERVED_ENDINGS
            .iter()
            .find(|(ending, _)| text.ends_with(ending))
        {
            return Err(format!("ends in `{ending}`: {what}").into());
        }
        if let Some(beginning) = RESERVED_BEGINNINGS
            .iter()
            .find(|beginning| text.starts_with(**beginning))
        {
            return Err(format!(
                "begins with `{beginning}`, which S3 reserves; no customer's bucket has such a name"
            )
            .into());
        }
        Ok(Self(text.to_owned()))
    }
}
