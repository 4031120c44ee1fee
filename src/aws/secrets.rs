//! Secrets Manager: the secret itself. Its creation, its deletion and its versions are in the modules below.

mod creation;
mod deletion;
mod versions;

use std::time::SystemTime;

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::types::Tag;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::error::{incomplete_response, map_sdk_error, none_if_not_found};
use super::retry::NoRetryOnQuota;
use crate::cloud::{
    CloudError, ErrorKind, Result, Rotation, Secret, SecretArn, SecretState, TagMap, VersionId,
};
use crate::names::{SecretKmsKey, SecretName};

#[derive(Debug)]
pub(super) struct Secrets(Client);

impl Secrets {
    pub(super) fn new(config: &SdkConfig) -> Self {
        let config = aws_sdk_secretsmanager::config::Builder::from(config);
        Self(Client::from_conf(
            config.retry_classifier(NoRetryOnQuota).build(),
        ))
    }

    pub(super) async fn find_secret(&self, secret: &SecretName) -> Result<Option<Secret>> {
        self.describe(secret.as_str()).await
    }

    /// By name or full ARN.
    async fn describe(&self, id: &str) -> Result<Option<Secret>> {
        const OPERATION: &str = "secretsmanager:DescribeSecret";
        let answer = self
            .0
            .describe_secret()
            .secret_id(id)
            .send()
            .await
            .map_err(map_secrets_error(OPERATION));
        match none_if_not_found(answer)? {
            Some(answer) => described(answer)
                .map(Some)
                .ok_or_else(|| incomplete_response(OPERATION, "the secret's ARN")),
            None => Ok(None),
        }
    }

    pub(super) async fn update_secret(
        &self,
        secret: &SecretArn,
        description: &str,
        kms_key: Option<&SecretKmsKey>,
    ) -> Result<()> {
        // Empty means the AWS-managed key. Leaving it out would keep the previous key.
        let kms_key = kms_key.map_or("", SecretKmsKey::as_str);
        let call = self
            .0
            .update_secret()
            .secret_id(&secret.0)
            .description(description)
            .kms_key_id(kms_key);
        call.send()
            .await
            .map(drop)
            .map_err(map_secrets_error("secretsmanager:UpdateSecret"))
    }

    pub(super) async fn tag_secret(&self, secret: &SecretArn, tags: &TagMap) -> Result<()> {
        let call = self
            .0
            .tag_resource()
            .secret_id(&secret.0)
            .set_tags(Some(secret_tags(tags)));
        call.send()
            .await
            .map(drop)
            .map_err(map_secrets_error("secretsmanager:TagResource"))
    }

    pub(super) async fn untag_secret(&self, secret: &SecretArn, keys: &[String]) -> Result<()> {
        let call = self
            .0
            .untag_resource()
            .secret_id(&secret.0)
            .set_tag_keys(Some(keys.to_vec()));
        call.send()
            .await
            .map(drop)
            .map_err(map_secrets_error("secretsmanager:UntagResource"))
    }
}

/// As [`map_sdk_error`]. But a secret that is being deleted refuses nearly everything, with a code that also means
/// other things, so the message decides. That is a conflict that passes, not a final refusal.
fn map_secrets_error<E: ProvideErrorMetadata>(
    operation: &'static str,
) -> impl Fn(SdkError<E, HttpResponse>) -> CloudError {
    move |error| {
        let mut error = map_sdk_error(operation)(error);
        if is_being_deleted(&error) {
            error.kind = ErrorKind::Conflict;
        }
        error
    }
}

/// Whether Secrets Manager refuses because a secret of this name is deleted, or will be. The texts' apostrophes vary.
fn is_being_deleted(error: &CloudError) -> bool {
    let texts = [
        "scheduled for deletion",
        "marked for deletion",
        "was deleted",
    ];
    error.code.as_deref() == Some("InvalidRequestException")
        && texts.iter().any(|text| error.message.contains(text))
}

fn secret_tags(tags: &TagMap) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect()
}

/// `None` without an ARN.
fn described(answer: DescribeSecretOutput) -> Option<Secret> {
    let tags = answer.tags.unwrap_or_default().into_iter();
    let labels = answer.version_ids_to_stages.unwrap_or_default().into_iter();
    Some(Secret {
        arn: SecretArn(answer.arn.filter(|arn| !arn.is_empty())?),
        tags: tags
            .filter_map(|Tag { key, value, .. }| Some((key?, value.unwrap_or_default())))
            .collect(),
        description: answer.description.unwrap_or_default(),
        kms_key: answer
            .kms_key_id
            .filter(|key| !key.is_empty() && key != "alias/aws/secretsmanager"),
        // An unreadable date counts as long ago, which only saves waiting.
        changed: answer
            .last_changed_date
            .or(answer.created_date)
            .and_then(|date| SystemTime::try_from(date).ok())
            .unwrap_or(SystemTime::UNIX_EPOCH),
        state: if answer.deleted_date.is_some() {
            SecretState::PendingDeletion
        } else {
            SecretState::Live
        },
        labels: labels
            .map(|(version, labels)| (VersionId(version), labels.into_iter().collect()))
            .collect(),
        replicas: answer
            .replication_status
            .unwrap_or_default()
            .into_iter()
            .filter_map(|to| to.region)
            .collect(),
        rotation: match answer.rotation_enabled {
            Some(true) => Rotation::Enabled,
            Some(false) => Rotation::Off,
            None => Rotation::Unsaid,
        },
        next_rotation: answer
            .next_rotation_date
            .and_then(|date| SystemTime::try_from(date).ok()),
    })
}
