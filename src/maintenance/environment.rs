//! The environment of the maintenance function: the resource that it looks after, with its properties.

use serde_json::{Map, Value};

use crate::cloud::{SecretArn, TopicArn};
use crate::observe::Refusal;
use crate::request::names::{SecretName, UserName};
use crate::request::owner::{Owner, StackId};
use crate::request::properties::{Desired, Previous};
use crate::request::settings::Settings;

/// What the function is given in one invocation. It serves one resource of one stack.
#[derive(Clone, Debug)]
pub struct Environment {
    pub settings: Settings,
    /// The resource, from `STACK_ID` and `LOGICAL_ID`.
    pub owner: Owner,
    /// The resource's properties, one variable each.
    pub desired: Desired,
    /// The same properties as previous ones, because a check plans an update that changes none.
    pub previous: Previous,
    /// The secret, from `SECRET_ARN`.
    pub secret: SecretArn,
    /// Where messages go, from `TOPIC_ARN`; `None` if nowhere.
    pub topic: Option<TopicArn>,
    /// `ROTATION_DAYS`; 0 means no schedule.
    pub rotation_days: u16,
    /// `MAX_KEY_AGE_DAYS`; 0 means no limit.
    pub max_key_age_days: u16,
    /// The function's name; empty if unknown.
    pub function: String,
    /// The invocation's log group; empty if unknown.
    pub log_group: String,
}

/// The properties that the environment holds. A variable has its property's name in capitals: `BUCKET_KMS_KEY_ARNS`. `Tags`
/// is missing, because a variable holds no list of pairs. `Revision` is missing, because it says nothing about the pair.
const PROPERTIES: [(&str, Shape); 9] = [
    ("Buckets", Shape::List),
    ("BucketKmsKeyArns", Shape::List),
    ("UserName", Shape::Scalar),
    ("PolicyName", Shape::Scalar),
    ("PermissionsBoundary", Shape::Scalar),
    ("SecretKmsKeyId", Shape::Scalar),
    ("SecretRecoveryDays", Shape::Scalar),
    ("KeySerial", Shape::Scalar),
    ("VerifyAccess", Shape::Scalar),
];

#[derive(Clone, Copy)]
enum Shape {
    Scalar,
    /// Separated by commas.
    List,
}

impl Environment {
    /// Reads the environment; `variable` looks up a variable.
    pub fn read(
        variable: impl Fn(&str) -> Option<String>,
        settings: Settings,
    ) -> Result<Self, Refusal> {
        let text = |name: &str| variable(name).filter(|text| !text.is_empty());
        let stack = settings.stack_id.as_deref().and_then(StackId::parse);
        let owner = Owner {
            stack: stack.ok_or_else(|| refused("STACK_ID", "must be the id of the stack"))?,
            logical_id: text("LOGICAL_ID")
                .ok_or_else(|| refused("LOGICAL_ID", "must be the resource's logical id"))?,
        };
        let properties = properties(text);
        let desired = Desired::parse(&properties, owner.stack.partition())?;
        let secret = SecretArn(text("SECRET_ARN").unwrap_or_default());
        if user_of(&secret, &owner.stack).as_ref() != Some(&desired.user) {
            return Err(refused(
                "SECRET_ARN",
                &format!(
                    "must be the full ARN of secret `{}` in the stack's account and region",
                    desired.user.secret_name()
                ),
            ));
        }
        let days = |name: &'static str, allowed: fn(u16) -> bool, rule: &str| match text(name) {
            None => Ok(0),
            Some(text) => match text.parse() {
                Ok(days) if allowed(days) => Ok(days),
                Ok(_) | Err(_) => Err(refused(name, rule)),
            },
        };
        Ok(Self {
            previous: Previous::read(&properties),
            desired,
            owner,
            secret,
            topic: text("TOPIC_ARN").map(TopicArn),
            rotation_days: days(
                "ROTATION_DAYS",
                |days| days == 0 || (15..=365).contains(&days),
                "must be 0 or 15 to 365",
            )?,
            max_key_age_days: days("MAX_KEY_AGE_DAYS", |days| days <= 3650, "must be 0 to 3650")?,
            function: text("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default(),
            log_group: text("AWS_LAMBDA_LOG_GROUP_NAME").unwrap_or_default(),
            settings,
        })
    }
}

fn refused(variable: &'static str, rule: &str) -> Refusal {
    Refusal::Environment {
        variable,
        rule: rule.to_owned(),
    }
}

/// The properties as CloudFormation would send them. An empty variable is an absent property.
fn properties(text: impl Fn(&str) -> Option<String>) -> Value {
    let mut properties = Map::new();
    for (property, shape) in PROPERTIES {
        let Some(text) = text(&variable(property)) else {
            continue;
        };
        let value = match shape {
            Shape::Scalar => Value::String(text),
            Shape::List => text.split(',').map(str::trim).collect(),
        };
        properties.insert(property.to_owned(), value);
    }
    Value::Object(properties)
}

/// The variable that holds a property.
fn variable(property: &str) -> String {
    let mut name = String::new();
    for letter in property.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// Parses the ARN of one of our secrets: a name, and the six characters that Secrets Manager appends.
fn user_of(SecretArn(arn): &SecretArn, stack: &StackId) -> Option<UserName> {
    let (partition, region, account) = (stack.partition(), stack.region(), stack.account());
    let place = format!("arn:{partition}:secretsmanager:{region}:{account}:secret:");
    let (name, suffix) = arn.strip_prefix(&place)?.rsplit_once('-')?;
    let whole = suffix.len() == 6 && suffix.bytes().all(|b| b.is_ascii_alphanumeric());
    let name = SecretName::parse(name).ok()?;
    whole.then(|| name.user())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::names::Verification;

    const STACK: &str = "arn:aws-cn:cloudformation:cn-north-1:123456789012:stack/publisher/1111";
    const SECRET: &str =
        "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:publisher/publisher-a-b-AbC123";
    const WHOLE: [(&str, &str); 5] = [
        ("STACK_ID", STACK),
        ("LOGICAL_ID", "S3Access"),
        ("SECRET_ARN", SECRET),
        ("USER_NAME", "publisher-a-b"),
        ("BUCKETS", "a-bucket"),
    ];

    /// Reads a complete environment with these variables changed.
    fn read(changes: &[(&str, &str)]) -> Result<Environment, Refusal> {
        let variable = |name: &str| {
            let mut all = changes.iter().chain(&WHOLE);
            Some(all.find(|(key, _)| *key == name)?.1.to_owned())
        };
        Environment::read(variable, Settings::read(variable, "id"))
    }

    #[track_caller]
    fn refusal(changes: &[(&str, &str)]) -> String {
        read(changes).unwrap_err().to_string()
    }

    #[test]
    fn the_environment_holds_the_resource_with_its_properties() {
        let settings = read(&[
            (
                "BUCKETS",
                "a-bucket, s3://another/with/a/folder,arn:aws-cn:s3:::third",
            ),
            ("BUCKET_KMS_KEY_ARNS", ""),
            ("VERIFY_ACCESS", "false"),
            ("KEY_SERIAL", "7"),
            ("ROTATION_DAYS", "30"),
            ("MAX_KEY_AGE_DAYS", "90"),
            ("TOPIC_ARN", "arn:aws-cn:sns:cn-north-1:123456789012:t"),
        ])
        .unwrap();
        let buckets = settings.desired.buckets.iter().map(ToString::to_string);
        assert_eq!(
            buckets.collect::<Vec<_>>(),
            [
                "s3://a-bucket/",
                "s3://another/with/a/folder/",
                "s3://third/"
            ]
        );
        assert_eq!(settings.desired.user.as_str(), "publisher-a-b");
        assert_eq!(settings.desired.verification, Verification::Skip);
        assert_eq!(settings.desired.key_serial.get(), 7);
        assert_eq!(
            settings.previous.buckets.as_ref(),
            Some(&settings.desired.buckets)
        );
        assert_eq!(
            (settings.rotation_days, settings.max_key_age_days),
            (30, 90)
        );
        assert!(settings.topic.is_some());
        let plain = read(&[]).unwrap();
        assert_eq!((plain.rotation_days, plain.topic), (0, None));
    }

    #[test]
    fn a_secret_elsewhere_or_of_another_user_is_refused() {
        for (from, to) in [
            (SECRET, ""),
            ("aws-cn", "aws"),
            ("cn-north-1", "cn-northwest-1"),
            ("123456789012", "210987654321"),
            ("secretsmanager", "ssm"),
            ("publisher/", ""),
            ("publisher/", "publisher/x/"),
            ("publisher-a-b", "publisher-a-c"),
            ("-AbC123", ""),
            ("-AbC123", "-AbC12"),
            ("-AbC123", "-AbC12*"),
        ] {
            let arn = SECRET.replacen(from, to, 1);
            assert_ne!(arn, SECRET);
            let refusal = refusal(&[("SECRET_ARN", &arn)]);
            assert!(refusal.contains("SECRET_ARN"), "{arn}: {refusal}");
        }
    }

    #[test]
    fn a_variable_that_is_missing_or_breaks_a_rule_is_named() {
        for (name, value, told) in [
            ("STACK_ID", "", "STACK_ID"),
            ("STACK_ID", "publisher", "STACK_ID"),
            ("LOGICAL_ID", "", "LOGICAL_ID"),
            ("BUCKETS", "", "Buckets"),
            ("BUCKETS", "a-bucket,", "Buckets[1]"),
            ("BUCKETS", "a-bucket,Not A Bucket", "Buckets[1]"),
            ("VERIFY_ACCESS", "no", "VerifyAccess"),
            ("KEY_SERIAL", "0", "KeySerial"),
            ("ROTATION_DAYS", "14", "ROTATION_DAYS"),
            ("ROTATION_DAYS", "366", "ROTATION_DAYS"),
            ("ROTATION_DAYS", "-1", "ROTATION_DAYS"),
            ("MAX_KEY_AGE_DAYS", "3651", "MAX_KEY_AGE_DAYS"),
            ("MAX_KEY_AGE_DAYS", "x", "MAX_KEY_AGE_DAYS"),
        ] {
            let refusal = refusal(&[(name, value)]);
            assert!(refusal.contains(told), "{name}={value}: {refusal}");
        }
    }
}
