//! What the template and Lambda tell the rotation function.

use super::RotationError;
use crate::buckets::BucketUri;
use crate::cloud::SecretArn;
use crate::names::{SecretName, UserName, Verification};
use crate::settings::{self, BodyLogging, Home, Invocation};
use crate::waits::ProofTimeouts;

/// The rotation function's settings in one invocation. It serves one secret: only of that one it can know the buckets.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The secret, from `SECRET_ARN`.
    pub secret: SecretArn,
    /// The user whose key it holds.
    pub user: UserName,
    /// Where the function runs, and the secret is.
    pub home: Home,
    /// What a new key must read, from `BUCKETS`, separated by commas; nothing where `VERIFY_ACCESS` is `false`. That the
    /// key is accepted is seen all the same.
    pub buckets: Vec<BucketUri>,
    /// How long a proof waits for IAM.
    pub timeouts: ProofTimeouts,
    /// Lambda's id of this invocation.
    pub invocation_id: String,
}

impl Settings {
    /// Reads the settings; `variable` gives the value of an environment variable.
    ///
    /// # Errors
    /// The variable that makes work impossible, and what it must be.
    pub fn read(
        variable: impl Fn(&str) -> Option<String>,
        invocation: Invocation<'_>,
    ) -> Result<Self, RotationError> {
        let settings::Settings {
            home,
            invocation_id,
            body_logging,
            timeouts,
            ..
        } = settings::Settings::read(&variable, invocation);
        if body_logging == BodyLogging::On {
            return Err(RotationError(
                "`LOG_SENSITIVE_BODIES` would have the new key logged: remove it from the function's environment"
                    .to_owned(),
            ));
        }
        let home = home.ok_or_else(|| {
            RotationError(
                "Lambda did not say which function this is; invoke it by its ARN".to_owned(),
            )
        })?;
        let secret = variable("SECRET_ARN").unwrap_or_default();
        let user = user_of(&secret, &home).ok_or_else(|| {
            RotationError(format!(
                "`SECRET_ARN` must be the full ARN of a secret `{}…` in the function's account and region",
                SecretName::PREFIX
            ))
        })?;
        Ok(Self {
            secret: SecretArn(secret),
            user,
            home,
            buckets: buckets(&variable)?,
            timeouts,
            invocation_id,
        })
    }
}

/// Reads the ARN of one of our secrets: its name and the six characters that Secrets Manager appends.
fn user_of(arn: &str, home: &Home) -> Option<UserName> {
    let Home {
        partition,
        region,
        account,
    } = home;
    let place = format!("arn:{partition}:secretsmanager:{region}:{account}:secret:");
    let (name, suffix) = arn.strip_prefix(&place)?.rsplit_once('-')?;
    let whole = suffix.len() == 6 && suffix.bytes().all(|b| b.is_ascii_alphanumeric());
    let name = SecretName::parse(name).ok()?;
    whole.then(|| name.user())
}

fn buckets(variable: impl Fn(&str) -> Option<String>) -> Result<Vec<BucketUri>, RotationError> {
    let refused = |name: &str, rule| RotationError(format!("`{name}` {rule}"));
    let verification = match variable("VERIFY_ACCESS") {
        None => Verification::Prove,
        Some(text) => {
            Verification::parse(&text).map_err(|rule| refused("VERIFY_ACCESS", rule.to_string()))?
        }
    };
    if verification == Verification::Skip {
        return Ok(Vec::new());
    }
    let list = variable("BUCKETS").unwrap_or_default();
    let entries = list
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty());
    let buckets: Vec<BucketUri> = entries
        .map(|entry| {
            BucketUri::parse(entry).map_err(|rule| refused("BUCKETS", format!("`{entry}`: {rule}")))
        })
        .collect::<Result<_, _>>()?;
    if buckets.is_empty() {
        return Err(refused(
            "BUCKETS",
            "must name what the key reads, unless `VERIFY_ACCESS` is `false`".to_owned(),
        ));
    }
    Ok(buckets)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FUNCTION: &str = "arn:aws-cn:lambda:cn-north-1:123456789012:function:rotation";
    const SECRET: &str =
        "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:publisher/publisher-a-b-AbC123";

    fn read(variables: &[(&str, &str)]) -> Result<Settings, RotationError> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name)?;
            Some(found.1.to_owned())
        };
        let invocation = Invocation {
            id: "id",
            function_arn: FUNCTION,
        };
        Settings::read(variable, invocation)
    }

    #[track_caller]
    fn refusal(variables: &[(&str, &str)]) -> String {
        read(variables).unwrap_err().to_string()
    }

    #[test]
    fn the_secret_tells_the_user() {
        let settings = read(&[("SECRET_ARN", SECRET), ("BUCKETS", "a-bucket")]).unwrap();
        assert_eq!(settings.user.as_str(), "publisher-a-b");
        assert_eq!(settings.secret.0, SECRET);
    }

    #[test]
    fn a_secret_that_is_elsewhere_or_not_of_ours_is_refused() {
        for (from, to) in [
            (SECRET, ""),
            ("aws-cn", "aws"),
            ("cn-north-1", "cn-northwest-1"),
            ("123456789012", "210987654321"),
            ("secretsmanager", "ssm"),
            ("publisher/", ""),
            ("publisher/", "publisher/x/"),
            ("-AbC123", ""),
            ("-AbC123", "-AbC12"),
            ("-AbC123", "-AbC12*"),
        ] {
            let arn = SECRET.replacen(from, to, 1);
            assert_ne!(arn, SECRET);
            let refusal = refusal(&[("SECRET_ARN", &arn), ("BUCKETS", "a-bucket")]);
            assert!(refusal.contains("SECRET_ARN"), "{arn}: {refusal}");
        }
        assert!(refusal(&[("BUCKETS", "a-bucket")]).contains("SECRET_ARN"));
    }

    #[test]
    fn buckets_are_read_in_every_form_of_the_property() {
        let list = "a-bucket, s3://another/with/a/folder,arn:aws-cn:s3:::third,";
        let settings = read(&[("SECRET_ARN", SECRET), ("BUCKETS", list)]).unwrap();
        let buckets: Vec<_> = settings.buckets.iter().map(ToString::to_string).collect();
        assert_eq!(
            buckets,
            [
                "s3://a-bucket/",
                "s3://another/with/a/folder/",
                "s3://third/"
            ]
        );
    }

    #[test]
    fn without_buckets_nothing_could_be_proved() {
        for list in ["", " , ", "a-bucket,Not A Bucket"] {
            let refusal = refusal(&[("SECRET_ARN", SECRET), ("BUCKETS", list)]);
            assert!(refusal.contains("BUCKETS"), "{list}: {refusal}");
        }
        assert!(refusal(&[("SECRET_ARN", SECRET)]).contains("BUCKETS"));
        let skipped = read(&[("SECRET_ARN", SECRET), ("VERIFY_ACCESS", "false")]).unwrap();
        assert_eq!(skipped.buckets, []);
        let unclear = refusal(&[("SECRET_ARN", SECRET), ("VERIFY_ACCESS", "no")]);
        assert!(unclear.contains("VERIFY_ACCESS"), "{unclear}");
    }

    #[test]
    fn logged_bodies_are_refused() {
        let variables = [
            ("SECRET_ARN", SECRET),
            ("BUCKETS", "a"),
            ("LOG_SENSITIVE_BODIES", ""),
        ];
        assert!(refusal(&variables).contains("LOG_SENSITIVE_BODIES"));
    }
}
