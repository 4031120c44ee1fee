//! Prefixes: folders of a bucket.

use crate::request::names::{Rule, text_newtype};
use crate::request::visible;

text_newtype! {
    /// A folder: a key prefix that ends in `/`, without a leading one; at most 1,024 bytes, S3's limit for keys.
    ///
    /// The `/` at the end keeps `team` from meaning `team-secret` too.
    Prefix
}

impl Prefix {
    const MAX_BYTES: usize = 1024;

    /// Parses a prefix and adds a missing trailing `/`.
    /// `*`, `?` and `${` are refused: in a policy they are wildcards and variables. IAM
    /// accepts no character beyond U+00FF in a policy.
    pub fn parse(text: &str) -> Result<Self, Rule> {
        if text.is_empty() {
            return Err("is an empty prefix; leave it out for the whole bucket".into());
        }
        if text.starts_with('/') {
            return Err("has a prefix that begins with `/`; write `s3://BUCKET/PREFIX/`".into());
        }
        if text.contains(['*', '?']) || text.contains("${") {
            return Err("contains `*`, `?` or `${` in the prefix, which would widen the grant; a prefix is a plain folder".into());
        }
        if text.contains("s3://") {
            return Err("contains `s3://` twice; give several buckets as a list".into());
        }
        if let Some(control) = text.chars().find(|c| c.is_control()) {
            let control = visible(&control.to_string());
            return Err(format!("contains the control character `{control}` in the prefix").into());
        }
        if let Some(foreign) = text.chars().find(|&c| c > '\u{ff}') {
            let foreign = visible(&foreign.to_string());
            return Err(format!("contains `{foreign}` in the prefix; IAM policies allow no character beyond U+00FF, so \
                                grant a folder above it").into());
        }
        let folder = if text.ends_with('/') {
            text.to_owned()
        } else {
            format!("{text}/")
        };
        if folder.len() > Self::MAX_BYTES {
            return Err(format!(
                "has a prefix of {} bytes; S3's keys have at most {}",
                folder.len(),
                Self::MAX_BYTES
            )
            .into());
        }
        Ok(Self(folder))
    }
}
