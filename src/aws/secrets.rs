//! Secrets Manager: the secret itself. Its versions are in the module below.

mod versions;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::types::Tag;
use backon::{ExponentialBuilder, Retryable};

use super::error::{failed, removed, unless_missing, unwhole};
use super::retry::SecretsQuotaIsFinal;
use crate::cloud::{
    CloudError, Creation, ErrorKind, NewSecret, Result, Rotation, Secret, SecretArn, SecretState,
    TagMap, VersionId,
};
use crate::names::{SecretKmsKey, SecretName};

/// The calls to Secrets Manager.
#[derive(Debug)]
pub(super) struct Secrets(Client);

/// How long a name is waited for after a forced deletion, which goes on behind the scenes for some seconds
/// ([`DeleteSecret`](https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html)).
const NAME_IS_FREED: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_secs(1))
    .with_max_delay(Duration::from_secs(5))
    .without_max_times()
    .with_total_delay(Some(Duration::from_secs(25)))
    .with_jitter();

impl Secrets {
    pub(super) fn new(config: &SdkConfig) -> Self {
        let config = aws_sdk_secretsmanager::config::Builder::from(config);
        Self(Client::from_conf(
            config.retry_classifier(SecretsQuotaIsFinal).build(),
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
            .map_err(told(OPERATION));
        match unless_missing(answer)? {
            Some(answer) => described(answer)
                .map(Some)
                .ok_or_else(|| unwhole(OPERATION, "the secret's ARN")),
            None => Ok(None),
        }
    }

    /// A name can be taken by a secret that is there, by one that is pending deletion (both show: the caller looks whose
    /// it is), or by one that was deleted by force and shows no longer: that one is waited for.
    pub(super) async fn create_secret(&self, new: &NewSecret) -> Result<Creation<SecretArn>> {
        let attempt = || async {
            match self.try_create(new).await {
                Err(error) if is_being_deleted(&error) => {
                    match self.find_secret(&new.name).await? {
                        Some(_) => Ok(Creation::AlreadyThere),
                        None => Err(error),
                    }
                }
                outcome => outcome,
            }
        };
        attempt.retry(NAME_IS_FREED).when(is_being_deleted).await
    }

    async fn try_create(&self, new: &NewSecret) -> Result<Creation<SecretArn>> {
        const OPERATION: &str = "secretsmanager:CreateSecret";
        let NewSecret {
            name,
            description,
            kms_key,
            tags,
        } = new;
        let call = self
            .0
            .create_secret()
            .name(name.as_str())
            .description(description)
            .set_kms_key_id(kms_key.as_ref().map(|key| key.as_str().to_owned()))
            .set_tags(Some(secret_tags(tags)));
        match call.send().await.map_err(told(OPERATION)) {
            Ok(answer) => {
                let arn = answer.arn.filter(|arn| !arn.is_empty());
                arn.map(|arn| Creation::Made(SecretArn(arn)))
                    .ok_or_else(|| unwhole(OPERATION, "the secret's ARN"))
            }
            Err(error) if error.code.as_deref() == Some("ResourceExistsException") => {
                Ok(Creation::AlreadyThere)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) async fn restore_secret(&self, secret: &SecretArn) -> Result<()> {
        let call = self.0.restore_secret().secret_id(&secret.0);
        call.send()
            .await
            .map(drop)
            .map_err(told("secretsmanager:RestoreSecret"))
    }

    pub(super) async fn update_secret(
        &self,
        secret: &SecretArn,
        description: &str,
        kms_key: Option<&SecretKmsKey>,
    ) -> Result<()> {
        // Empty stands for the AWS-managed key; leaving it out would keep the one before.
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
            .map_err(told("secretsmanager:UpdateSecret"))
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
            .map_err(told("secretsmanager:TagResource"))
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
            .map_err(told("secretsmanager:UntagResource"))
    }

    pub(super) async fn remove_replicas(
        &self,
        secret: &SecretArn,
        regions: &[String],
    ) -> Result<()> {
        let call = self
            .0
            .remove_regions_from_replication()
            .secret_id(&secret.0);
        let call = call.set_remove_replica_regions(Some(regions.to_vec()));
        let outcome = call
            .send()
            .await
            .map(drop)
            .map_err(told("secretsmanager:RemoveRegionsFromReplication"));
        let is_gone = async {
            let secret = self.describe(&secret.0).await?;
            Ok(secret.is_none_or(|secret| {
                regions
                    .iter()
                    .all(|region| !secret.replicas.contains(region))
            }))
        };
        removed(outcome, is_gone).await
    }

    pub(super) async fn delete_secret(
        &self,
        secret: &SecretArn,
        recovery_days: Option<u8>,
    ) -> Result<()> {
        let call = self.0.delete_secret().secret_id(&secret.0);
        let call = match recovery_days {
            Some(days) => call.recovery_window_in_days(days.into()),
            None => call.force_delete_without_recovery(true),
        };
        match call
            .send()
            .await
            .map(drop)
            .map_err(told("secretsmanager:DeleteSecret"))
        {
            Err(error) if is_being_deleted(&error) => Ok(()),
            Err(mut error)
                if error.kind == ErrorKind::Rejected && error.message.contains("replica") =>
            {
                error.kind = ErrorKind::Conflict;
                Err(error)
            }
            outcome => {
                let is_gone = async {
                    let secret = self.describe(&secret.0).await?;
                    Ok(secret.is_none_or(|secret| secret.state == SecretState::PendingDeletion))
                };
                removed(outcome, is_gone).await
            }
        }
    }
}

/// As [`failed`], and: a secret on its way out refuses nearly everything with a code it uses for other things too, so
/// its message decides. It is in the way for now, not for good.
fn told<E>(
    operation: &'static str,
) -> impl Fn(
    aws_smithy_runtime_api::client::result::SdkError<
        E,
        aws_smithy_runtime_api::client::orchestrator::HttpResponse,
    >,
) -> CloudError
where
    E: aws_smithy_types::error::metadata::ProvideErrorMetadata,
{
    move |error| {
        let mut error = failed(operation)(error);
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
        rotation: if answer.rotation_enabled == Some(true) {
            Rotation::Enabled
        } else {
            Rotation::Off
        },
    })
}
