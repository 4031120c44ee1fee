//! The secret's versions and their labels.

use std::time::SystemTime;

use secrecy::{ExposeSecret, SecretString};

use super::super::error::{incomplete_response, none_if_not_found};
use super::{Secrets, told};
use crate::cloud::{PutVersion, Result, SecretArn, Version, VersionId};
use crate::names::SecretName;
use crate::secret::Label;

impl Secrets {
    pub(in crate::aws) async fn list_versions(&self, secret: &SecretName) -> Result<Vec<Version>> {
        const OPERATION: &str = "secretsmanager:ListSecretVersionIds";
        let call = self
            .0
            .list_secret_version_ids()
            .secret_id(secret.as_str())
            .include_deprecated(true);
        let pages = call
            .into_paginator()
            .send()
            .try_collect()
            .await
            .map_err(told(OPERATION));
        let pages = none_if_not_found(pages)?.unwrap_or_default();
        pages
            .into_iter()
            .flat_map(|page| page.versions.unwrap_or_default())
            .map(|version| {
                let id = version.version_id.map(VersionId);
                let created = version
                    .created_date
                    .and_then(|date| SystemTime::try_from(date).ok());
                let (id, created) = id
                    .zip(created)
                    .ok_or_else(|| incomplete_response(OPERATION, "a version's id or its date"))?;
                Ok(Version { id, created })
            })
            .collect()
    }

    pub(in crate::aws) async fn read_version(
        &self,
        secret: &SecretArn,
        version: &VersionId,
    ) -> Result<Option<SecretString>> {
        let call = self
            .0
            .get_secret_value()
            .secret_id(&secret.0)
            .version_id(&version.0);
        let answer = none_if_not_found(
            call.send()
                .await
                .map_err(told("secretsmanager:GetSecretValue")),
        )?;
        Ok(answer
            .and_then(|answer| answer.secret_string)
            .map(SecretString::from))
    }

    pub(in crate::aws) async fn store_version(
        &self,
        secret: &SecretArn,
        version: &VersionId,
        value: &SecretString,
        label: Label,
    ) -> Result<PutVersion> {
        let call = self
            .0
            .put_secret_value()
            .secret_id(&secret.0)
            .client_request_token(&version.0)
            .secret_string(value.expose_secret())
            .version_stages(label.as_str());
        match call
            .send()
            .await
            .map_err(told("secretsmanager:PutSecretValue"))
        {
            Ok(_) => Ok(PutVersion::Stored),
            Err(error) if error.code.as_deref() == Some("ResourceExistsException") => {
                Ok(PutVersion::TokenTaken)
            }
            Err(error) => Err(error),
        }
    }

    pub(in crate::aws) async fn move_label(
        &self,
        secret: &SecretArn,
        label: &str,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
    ) -> Result<()> {
        let call = self
            .0
            .update_secret_version_stage()
            .secret_id(&secret.0)
            .version_stage(label)
            .set_remove_from_version_id(from.map(|version| version.0.clone()))
            .set_move_to_version_id(to.map(|version| version.0.clone()));
        call.send()
            .await
            .map(drop)
            .map_err(told("secretsmanager:UpdateSecretVersionStage"))
    }
}
