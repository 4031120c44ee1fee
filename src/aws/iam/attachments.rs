//! What people hang on a user: IAM deletes no user that any of it hangs on.

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
        let user_name = user.as_str();
        let outcome = match kind {
            AttachmentKind::ManagedPolicy => {
                let call = self
                    .0
                    .detach_user_policy()
                    .user_name(user_name)
                    .policy_arn(id);
                call.send()
                    .await
                    .map(drop)
                    .map_err(map_sdk_error("iam:DetachUserPolicy"))
            }
            AttachmentKind::LoginProfile => {
                let call = self.0.delete_login_profile().user_name(user_name);
                call.send()
                    .await
                    .map(drop)
                    .map_err(map_sdk_error("iam:DeleteLoginProfile"))
            }
            AttachmentKind::SshKey => {
                let call = self
                    .0
                    .delete_ssh_public_key()
                    .user_name(user_name)
                    .ssh_public_key_id(id);
                call.send()
                    .await
                    .map(drop)
                    .map_err(map_sdk_error("iam:DeleteSSHPublicKey"))
            }
            AttachmentKind::SigningCertificate => {
                let call = self
                    .0
                    .delete_signing_certificate()
                    .user_name(user_name)
                    .certificate_id(id);
                call.send()
                    .await
                    .map(drop)
                    .map_err(map_sdk_error("iam:DeleteSigningCertificate"))
            }
            AttachmentKind::ServiceCredential => {
                let call = self
                    .0
                    .delete_service_specific_credential()
                    .user_name(user_name);
                let call = call.service_specific_credential_id(id);
                call.send()
                    .await
                    .map(drop)
                    .map_err(map_sdk_error("iam:DeleteServiceSpecificCredential"))
            }
            AttachmentKind::MfaDevice => {
                let call = self
                    .0
                    .deactivate_mfa_device()
                    .user_name(user_name)
                    .serial_number(id);
                call.send()
                    .await
                    .map(drop)
                    .map_err(map_sdk_error("iam:DeactivateMFADevice"))
            }
            AttachmentKind::Group => {
                return Err(invalid_request(
                    "iam:RemoveUserFromGroup",
                    "a group membership is never taken off from here",
                ));
            }
        };
        success_if_gone(outcome, async {
            Ok(!self
                .list_attachments(user, *kind)
                .await?
                .contains(attachment))
        })
        .await
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
