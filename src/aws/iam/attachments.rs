//! What people attach to a user. IAM deletes no user while anything is attached.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::super::error::{invalid_request, map_sdk_error, none_if_not_found, success_if_gone};
use super::Iam;
use crate::cloud::{Attachment, AttachmentKind, Result};
use crate::names::UserName;

impl Iam {
    pub(in crate::aws) async fn list_attachments(
        &self,
        user: &UserName,
        kind: AttachmentKind,
    ) -> Result<Vec<Attachment>> {
        let ids = match kind {
            AttachmentKind::ManagedPolicy => self.managed_policies(user).await,
            AttachmentKind::LoginProfile => self.login_profile(user).await,
            AttachmentKind::SshKey => self.ssh_keys(user).await,
            AttachmentKind::SigningCertificate => self.signing_certificates(user).await,
            AttachmentKind::ServiceCredential => self.service_credentials(user).await,
            AttachmentKind::MfaDevice => self.mfa_devices(user).await,
            AttachmentKind::Group => self.groups(user).await,
        };
        let ids = none_if_not_found(ids)?.unwrap_or_default();
        Ok(ids.into_iter().map(|id| Attachment { kind, id }).collect())
    }

    pub(in crate::aws) async fn detach(
        &self,
        user: &UserName,
        attachment: &Attachment,
    ) -> Result<()> {
        let Attachment { kind, id } = attachment;
        let outcome = self.send_detach(user.as_str(), *kind, id).await;
        success_if_gone(outcome, async {
            Ok(!self
                .list_attachments(user, *kind)
                .await?
                .contains(attachment))
        })
        .await
    }

    /// The one call that removes such an attachment.
    async fn send_detach(&self, user: &str, kind: AttachmentKind, id: &str) -> Result<()> {
        let Self(iam) = self;
        match kind {
            AttachmentKind::ManagedPolicy => {
                let call = iam.detach_user_policy().user_name(user).policy_arn(id);
                done("iam:DetachUserPolicy", call.send().await)
            }
            AttachmentKind::LoginProfile => {
                let call = iam.delete_login_profile().user_name(user);
                done("iam:DeleteLoginProfile", call.send().await)
            }
            AttachmentKind::SshKey => {
                let call = iam.delete_ssh_public_key().user_name(user);
                let call = call.ssh_public_key_id(id);
                done("iam:DeleteSSHPublicKey", call.send().await)
            }
            AttachmentKind::SigningCertificate => {
                let call = iam.delete_signing_certificate().user_name(user);
                let call = call.certificate_id(id);
                done("iam:DeleteSigningCertificate", call.send().await)
            }
            AttachmentKind::ServiceCredential => {
                let call = iam.delete_service_specific_credential().user_name(user);
                let call = call.service_specific_credential_id(id);
                done("iam:DeleteServiceSpecificCredential", call.send().await)
            }
            AttachmentKind::MfaDevice => {
                let call = iam.deactivate_mfa_device().user_name(user);
                let call = call.serial_number(id);
                done("iam:DeactivateMFADevice", call.send().await)
            }
            AttachmentKind::Group => Err(invalid_request(
                "iam:RemoveUserFromGroup",
                "a group membership is never removed here",
            )),
        }
    }

    async fn managed_policies(&self, user: &UserName) -> Result<Vec<String>> {
        let pages = self
            .0
            .list_attached_user_policies()
            .user_name(user.as_str())
            .into_paginator()
            .items()
            .send();
        let policies = pages
            .try_collect()
            .await
            .map_err(map_sdk_error("iam:ListAttachedUserPolicies"))?;
        Ok(policies
            .into_iter()
            .filter_map(|policy| policy.policy_arn)
            .collect())
    }

    async fn login_profile(&self, user: &UserName) -> Result<Vec<String>> {
        let call = self.0.get_login_profile().user_name(user.as_str());
        call.send()
            .await
            .map_err(map_sdk_error("iam:GetLoginProfile"))?;
        Ok(vec![user.as_str().to_owned()])
    }

    async fn ssh_keys(&self, user: &UserName) -> Result<Vec<String>> {
        let pages = self
            .0
            .list_ssh_public_keys()
            .user_name(user.as_str())
            .into_paginator()
            .items()
            .send();
        let keys = pages
            .try_collect()
            .await
            .map_err(map_sdk_error("iam:ListSSHPublicKeys"))?;
        Ok(keys.into_iter().map(|key| key.ssh_public_key_id).collect())
    }

    async fn signing_certificates(&self, user: &UserName) -> Result<Vec<String>> {
        let pages = self
            .0
            .list_signing_certificates()
            .user_name(user.as_str())
            .into_paginator()
            .items()
            .send();
        let certificates = pages
            .try_collect()
            .await
            .map_err(map_sdk_error("iam:ListSigningCertificates"))?;
        Ok(certificates
            .into_iter()
            .map(|certificate| certificate.certificate_id)
            .collect())
    }

    /// The SDK has no paginator for this one.
    async fn service_credentials(&self, user: &UserName) -> Result<Vec<String>> {
        let mut ids = Vec::new();
        let mut marker = None;
        loop {
            let call = self
                .0
                .list_service_specific_credentials()
                .user_name(user.as_str())
                .set_marker(marker);
            let page = call
                .send()
                .await
                .map_err(map_sdk_error("iam:ListServiceSpecificCredentials"))?;
            let credentials = page.service_specific_credentials.unwrap_or_default();
            ids.extend(
                credentials
                    .into_iter()
                    .map(|credential| credential.service_specific_credential_id),
            );
            marker = page.marker.filter(|_| page.is_truncated);
            if marker.is_none() {
                return Ok(ids);
            }
        }
    }

    async fn mfa_devices(&self, user: &UserName) -> Result<Vec<String>> {
        let pages = self
            .0
            .list_mfa_devices()
            .user_name(user.as_str())
            .into_paginator()
            .items()
            .send();
        let devices = pages
            .try_collect()
            .await
            .map_err(map_sdk_error("iam:ListMFADevices"))?;
        Ok(devices
            .into_iter()
            .map(|device| device.serial_number)
            .collect())
    }

    async fn groups(&self, user: &UserName) -> Result<Vec<String>> {
        let pages = self
            .0
            .list_groups_for_user()
            .user_name(user.as_str())
            .into_paginator()
            .items()
            .send();
        let groups = pages
            .try_collect()
            .await
            .map_err(map_sdk_error("iam:ListGroupsForUser"))?;
        Ok(groups.into_iter().map(|group| group.group_name).collect())
    }
}

/// Whether a call without content in its answer succeeded.
fn done<T, E: ProvideErrorMetadata>(
    operation: &'static str,
    sent: std::result::Result<T, SdkError<E, HttpResponse>>,
) -> Result<()> {
    sent.map(drop).map_err(map_sdk_error(operation))
}
