//! KMS keys: those that encrypt the objects, and the one that encrypts the secret.

use uuid::Uuid;

use super::{Arn, Rule, length_within, only, text_newtype};

/// KMS key ids are UUIDs, or `mrk-` and 32 hexadecimal digits for multi-Region keys.
fn is_key_id(text: &str) -> bool {
    let (id, length) = match text.strip_prefix("mrk-") {
        Some(digits) => (digits, 32),
        None => (text, 36),
    };
    id.len() == length && Uuid::try_parse(id).is_ok()
}

text_newtype! {
    /// The ARN of a KMS key, `arn:P:kms:REGION:ACCOUNT:key/ID`. Never an alias.
    KmsKeyArn
}

impl KmsKeyArn {
    const SHAPE: &str =
        "must be the ARN of a KMS key: `arn:aws:kms:REGION:123456789012:key/KEY-ID`";

    /// Parses a key's ARN.
    /// Alias ARNs are refused, because they match no key in an IAM policy's `Resource`.
    pub fn parse(text: &str) -> Result<Self, Rule> {
        length_within(text, 2048)?;
        let arn = Arn::split(text).ok_or(Self::SHAPE)?;
        if arn.service == "kms" && arn.resource.starts_with("alias/") {
            return Err("is an alias; IAM ignores alias ARNs in a policy, so give the ARN of the key itself".into());
        }
        let id = arn.resource.strip_prefix("key/").ok_or(Self::SHAPE)?;
        if !arn.is_of_account("kms") {
            return Err(Self::SHAPE.into());
        }
        if !is_key_id(id) {
            return Err(
                "must end in one key's id, a UUID or `mrk-` and 32 hexadecimal digits".into(),
            );
        }
        Ok(Self(text.to_owned()))
    }

    /// The key's region, which is also that of the buckets it can encrypt.
    pub fn region(&self) -> &str {
        self.0.split(':').nth(3).unwrap_or_default()
    }

    pub fn partition(&self) -> &str {
        self.0.split(':').nth(1).unwrap_or_default()
    }
}

text_newtype! {
    /// The customer's KMS key for the secret, as Secrets Manager takes it: key id, key ARN, `alias/…` or alias ARN.
    SecretKmsKey
}

impl SecretKmsKey {
    const SHAPE: &str = "must be a KMS key id, a key ARN, `alias/NAME` or an alias ARN";

    /// Parses a key reference. `None` is the AWS-managed key `alias/aws/secretsmanager`, which Secrets Manager uses by
    /// default and does not show.
    pub fn parse(text: &str) -> Result<Option<Self>, Rule> {
        length_within(text, 2048)?;
        let (resource, id) = match Arn::split(text) {
            Some(arn) if arn.is_of_account("kms") => {
                (arn.resource, arn.resource.strip_prefix("key/"))
            }
            Some(_) => return Err(Self::SHAPE.into()),
            None => (text, Some(text)),
        };
        match resource.strip_prefix("alias/") {
            Some("aws/secretsmanager") => return Ok(None),
            Some(alias) if alias.starts_with("aws/") => {
                return Err(
                    "is the key of another AWS service; leave it out for Secrets Manager's own key"
                        .into(),
                );
            }
            Some(alias) => {
                length_within(alias, 250)?;
                only(alias, "ASCII letters, digits and `/_-` in the alias", |c| {
                    c.is_ascii_alphanumeric() || "/_-".contains(c)
                })?;
            }
            None if id.is_some_and(is_key_id) => {}
            None => return Err(Self::SHAPE.into()),
        }
        Ok(Some(Self(text.to_owned())))
    }

    /// Whether this is the key that `DescribeSecret` shows as `KmsKeyId`.
    ///
    /// Secrets Manager shows an id or an ARN, whichever form it was given. So ids and alias names are compared, and the
    /// whole text only if both are ARNs. An alias and an id never count as the same, because only KMS could tell.
    pub fn same_as(&self, described: &str) -> bool {
        let ours = self.0.as_str();
        if ours.starts_with("arn:") && described.starts_with("arn:") {
            return ours == described;
        }
        bare(ours) == bare(described)
    }
}

/// The key's id, or `alias/NAME`, without the rest of the ARN.
fn bare(reference: &str) -> &str {
    let resource = Arn::split(reference).map_or(reference, |arn| arn.resource);
    resource.strip_prefix("key/").unwrap_or(resource)
}
