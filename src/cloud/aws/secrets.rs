//! Secrets Manager.

use std::time::SystemTime;

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::types::Tag;
use backon::Retryable;
use secrecy::{ExposeSecret, SecretString};

use super::Aws;
use super::error::{acknowledged, incomplete_response, none_if_not_found, sent, success_if_gone};
use crate::cloud::{
    CloudError, Creation, Encryption, ErrorKind, Label, NewSecret, PutVersion, Result, Rotation,
    Secret, SecretArn, SecretState, Secrets, Version, VersionId,
};
use crate::request::names::{SecretName, TagMap};
use crate::waits::until_name_is_free;

impl Secrets for Aws {
    async fn find_secret(&self, secret: &SecretName) -> Result<Option<Secret>> {
        self.describe(secret.as_str()).await
    }

    async fn update_secret(
        &self,
        secret: &SecretArn,
        description: &str,
        encryption: &Encryption,
    ) -> Result<()> {
        let kms_key = match encryption {
            Encryption::Unchanged => None,
            Encryption::AwsManaged => Some(String::new()),
            Encryption::Key(key) => Some(key.to_string()),
        };
        let call = self.secrets.update_secret().secret_id(&secret.0);
        let call = call.description(description).set_kms_key_id(kms_key);
        acknowledged("secretsmanager:UpdateSecret", call.send()).await
    }

    async fn tag_secret(&self, secret: &SecretArn, tags: &TagMap) -> Result<()> {
        let call = self.secrets.tag_resource().secret_id(&secret.0);
        let call = call.set_tags(Some(secret_tags(tags)));
        acknowledged("secretsmanager:TagResource", call.send()).await
    }

    async fn untag_secret(&self, secret: &SecretArn, keys: &[String]) -> Result<()> {
        let call = self.secrets.untag_resource().secret_id(&secret.0);
        let call = call.set_tag_keys(Some(keys.to_vec()));
        acknowledged("secretsmanager:UntagResource", call.send()).await
    }

    /// A name can be taken by a secret that exists, by one that is pending deletion, or by one that was deleted by
    /// force. The first two are visible, and the caller looks whose they are. The last is no longer visible, and is
    /// waited for.
    async fn create_secret(&self, new: &NewSecret) -> Result<Creation<SecretArn>> {
        let attempt = || async {
            match self.try_create(new).await {
                Err(error) if is_being_deleted(&error) => {
                    match self.find_secret(&new.name).await? {
                        Some(_) => Ok(Creation::AlreadyExists),
                        None => Err(error),
                    }
                }
                outcome => outcome,
            }
        };
        attempt
            .retry(until_name_is_free())
            .when(is_being_deleted)
            .await
    }

    async fn restore_secret(&self, secret: &SecretArn) -> Result<()> {
        let call = self.secrets.restore_secret().secret_id(&secret.0);
        acknowledged("secretsmanager:RestoreSecret", call.send()).await
    }

    async fn remove_replicas(&self, secret: &SecretArn, regions: &[String]) -> Result<()> {
        let call = self.secrets.remove_regions_from_replication();
        let call = call.set_remove_replica_regions(Some(regions.to_vec()));
        let call = call.secret_id(&secret.0).send();
        let outcome = acknowledged("secretsmanager:RemoveRegionsFromReplication", call).await;
        let is_gone = async {
            let secret = self.describe(&secret.0).await?;
            Ok(secret.is_none_or(|secret| {
                regions
                    .iter()
                    .all(|region| !secret.replicas.contains(region))
            }))
        };
        success_if_gone(outcome, is_gone).await
    }

    async fn delete_secret(&self, secret: &SecretArn, recovery_days: Option<u8>) -> Result<()> {
        let call = self.secrets.delete_secret().secret_id(&secret.0);
        let call = match recovery_days {
            Some(days) => call.recovery_window_in_days(days.into()),
            None => call.force_delete_without_recovery(true),
        };
        match acknowledged("secretsmanager:DeleteSecret", call.send()).await {
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
                success_if_gone(outcome, is_gone).await
            }
        }
    }

    async fn list_versions(&self, secret: &SecretName) -> Result<Vec<Version>> {
        const OPERATION: &str = "secretsmanager:ListSecretVersionIds";
        let call = self.secrets.list_secret_version_ids();
        let call = call.secret_id(secret.as_str()).include_deprecated(true);
        let pages = call.into_paginator().send().try_collect();
        let pages = none_if_not_found(sent(OPERATION, pages).await)?.unwrap_or_default();
        let versions = pages
            .into_iter()
            .flat_map(|page| page.versions.unwrap_or_default());
        versions
            .map(|version| {
                let created = version
                    .created_date
                    .and_then(|date| SystemTime::try_from(date).ok());
                let (id, created) = version
                    .version_id
                    .zip(created)
                    .ok_or_else(|| incomplete_response(OPERATION, "a version's id or its date"))?;
                let id = VersionId(id);
                Ok(Version { id, created })
            })
            .collect()
    }

    async fn read_version(
        &self,
        secret: &SecretArn,
        version: &VersionId,
    ) -> Result<Option<SecretString>> {
        let call = self.secrets.get_secret_value().secret_id(&secret.0);
        let call = call.version_id(&version.0);
        let answer = none_if_not_found(sent("secretsmanager:GetSecretValue", call.send()).await)?;
        let value = answer.and_then(|answer| answer.secret_string);
        Ok(value.map(SecretString::from))
    }

    async fn store_version(
        &self,
        secret: &SecretArn,
        version: &VersionId,
        value: &SecretString,
        label: Label,
    ) -> Result<PutVersion> {
        let call = self.secrets.put_secret_value().secret_id(&secret.0);
        let call = call
            .client_request_token(&version.0)
            .secret_string(value.expose_secret())
            .version_stages(label.as_str());
        match sent("secretsmanager:PutSecretValue", call.send()).await {
            Ok(_) => Ok(PutVersion::Stored),
            Err(error) if error.code.as_deref() == Some("ResourceExistsException") => {
                Ok(PutVersion::TokenTaken)
            }
            Err(error) => Err(error),
        }
    }

    async fn move_label(
        &self,
        secret: &SecretArn,
        label: Label,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
    ) -> Result<()> {
        let call = self
            .secrets
            .update_secret_version_stage()
            .secret_id(&secret.0);
        let call = call
            .version_stage(label.as_str())
            .set_remove_from_version_id(from.map(|version| version.0.clone()))
            .set_move_to_version_id(to.map(|version| version.0.clone()));
        acknowledged("secretsmanager:UpdateSecretVersionStage", call.send()).await
    }
}

impl Aws {
    /// By name or full ARN.
    async fn describe(&self, id: &str) -> Result<Option<Secret>> {
        const OPERATION: &str = "secretsmanager:DescribeSecret";
        let call = self.secrets.describe_secret().secret_id(id);
        let Some(answer) = none_if_not_found(sent(OPERATION, call.send()).await)? else {
            return Ok(None);
        };
        let secret = described(answer);
        let secret = secret.ok_or_else(|| incomplete_response(OPERATION, "the secret's ARN"));
        secret.map(Some)
    }

    async fn try_create(&self, new: &NewSecret) -> Result<Creation<SecretArn>> {
        const OPERATION: &str = "secretsmanager:CreateSecret";
        let kms_key = new.kms_key.as_ref().map(|key| key.as_str().to_owned());
        let call = self.secrets.create_secret().name(new.name.as_str());
        let call = call.description(&new.description).set_kms_key_id(kms_key);
        let call = call.set_tags(Some(secret_tags(&new.tags)));
        match sent(OPERATION, call.send()).await {
            Ok(answer) => {
                let arn = answer.arn.filter(|arn| !arn.is_empty());
                arn.map(|arn| Creation::Created(SecretArn(arn)))
                    .ok_or_else(|| incomplete_response(OPERATION, "the secret's ARN"))
            }
            Err(error) if error.code.as_deref() == Some("ResourceExistsException") => {
                Ok(Creation::AlreadyExists)
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether Secrets Manager refuses because a secret of this name is deleted, or will be: the only conflict with this code.
fn is_being_deleted(error: &CloudError) -> bool {
    error.kind == ErrorKind::Conflict && error.code.as_deref() == Some("InvalidRequestException")
}

fn secret_tags(tags: &TagMap) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect()
}

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
        primary_region: answer.primary_region.filter(|region| !region.is_empty()),
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
