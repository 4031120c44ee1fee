//! Names that IAM knows, and the secret's name, which follows from the user's.

use super::{Arn, Rule, length_within, only, text_newtype};

/// IAM's `[\w+=,.@-]`, in ASCII as IAM means it.
fn iam_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)
}

text_newtype! {
    /// An IAM user name: 1 to 64 of `[A-Za-z0-9_+=.@-]`.
    ///
    /// IAM also allows a comma. Secrets Manager does not, and the secret is named after the user. Names are unique in
    /// an account ignoring case, while `==` here is exact.
    UserName
}

impl UserName {
    /// The name of the documented commands, and the default of the property `UserName`.
    pub const DEFAULT: &str = "publisher-connectors";

    pub fn parse(text: &str) -> Result<Self, Rule> {
        length_within(text, 64)?;
        if text.contains(',') {
            return Err("IAM allows a comma in user names, but the secret is named after the user and Secrets Manager does not".into());
        }
        only(
            text,
            "ASCII letters, digits and `_+=.@-`",
            iam_name_character,
        )?;
        Ok(Self(text.to_owned()))
    }

    /// The name of the one secret that belongs to this user.
    pub fn secret_name(&self) -> SecretName {
        SecretName(format!("{}{}", SecretName::PREFIX, self.0))
    }

    /// Whether IAM takes both for the same user, because its names are unique ignoring case.
    pub fn eq_ignore_case(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Default for UserName {
    fn default() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

text_newtype! {
    /// The secret's name, `publisher/<UserName>`; also the resource's physical id.
    SecretName
}

impl SecretName {
    /// The prefix of every secret made here. A physical id without it was not made here.
    pub const PREFIX: &str = "publisher/";

    /// Parses a secret name or physical id.
    pub fn parse(text: &str) -> Result<Self, Rule> {
        let user = text
            .strip_prefix(Self::PREFIX)
            .ok_or("the secrets made here are named `publisher/` and the user's name")?;
        Ok(UserName::parse(user)?.secret_name())
    }

    pub fn user(&self) -> UserName {
        let user = self.0.strip_prefix(Self::PREFIX);
        UserName(user.unwrap_or_default().to_owned())
    }
}

text_newtype! {
    /// The id by which CloudFormation knows a resource: what the answer to its Create said, or what CloudFormation invented
    /// without an answer.
    PhysicalId
}

impl PhysicalId {
    /// Reads an id. Any text is one.
    pub fn parse(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The user that the id names; `None` if it was not made here, so that nothing is known to exist under it.
    pub fn user(&self) -> Option<UserName> {
        SecretName::parse(&self.0).ok().map(|name| name.user())
    }
}

text_newtype! {
    /// The name of an inline policy: 1 to 128 of `[A-Za-z0-9_+=,.@-]`, unique within its user.
    PolicyName
}

impl PolicyName {
    /// The name of the documented commands, and the default of the property `PolicyName`.
    pub const DEFAULT: &str = "S3AccessPolicy";

    pub fn parse(text: &str) -> Result<Self, Rule> {
        length_within(text, 128)?;
        only(
            text,
            "ASCII letters, digits and `_+=,.@-`",
            iam_name_character,
        )?;
        Ok(Self(text.to_owned()))
    }
}

impl Default for PolicyName {
    fn default() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

text_newtype! {
    /// The ARN of a managed policy, AWS's own or an account's: what a permissions boundary can be. At most 2,048
    /// characters.
    PolicyArn
}

impl PolicyArn {
    const SHAPE: &str =
        "must be the ARN of a managed policy: `arn:aws:iam::123456789012:policy/NAME`";

    pub fn parse(text: &str) -> Result<Self, Rule> {
        length_within(text, 2048)?;
        let arn = Arn::split(text).ok_or(Self::SHAPE)?;
        let path = arn.resource.strip_prefix("policy/").ok_or(Self::SHAPE)?;
        if arn.service != "iam"
            || !arn.region.is_empty()
            || !(arn.account == "aws" || arn.account_is_number())
        {
            return Err(Self::SHAPE.into());
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        PolicyName::parse(name).map_err(|_| Self::SHAPE)?;
        only(
            path,
            "visible ASCII without `*`, `?` and `$` in the policy's path",
            |c| c.is_ascii_graphic() && !"*?$".contains(c),
        )?;
        Ok(Self(text.to_owned()))
    }
}

text_newtype! {
    /// A partition of AWS: `aws`, `aws-cn`, `aws-us-gov`, `aws-iso…`, `aws-eusc`, or a future one.
    Partition
}

impl Partition {
    /// Parses a partition, the second part of an ARN.
    pub fn parse(text: &str) -> Result<Self, Rule> {
        let ours = text.strip_prefix("aws").is_some_and(|rest| {
            (rest.is_empty() || rest.starts_with('-'))
                && rest.bytes().all(|b| b == b'-' || b.is_ascii_alphanumeric())
        });
        if ours && text.len() <= 32 {
            Ok(Self(text.to_owned()))
        } else {
            Err("is not a partition of AWS such as `aws`, `aws-cn` or `aws-us-gov`".into())
        }
    }

    /// Requires an ARN to be of this partition. Text that is no ARN passes.
    ///
    /// Partitions share nothing: the same name in another one is another bucket, and IAM refuses foreign ARNs.
    pub fn admits(&self, text: &str) -> Result<(), Rule> {
        match Arn::split(text) {
            Some(arn) if arn.partition != self.0 => {
                let (theirs, ours) = (arn.partition, &self.0);
                Err(format!("is in partition `{theirs}`, but the stack is in `{ours}`; partitions share nothing").into())
            }
            Some(_) | None => Ok(()),
        }
    }
}
