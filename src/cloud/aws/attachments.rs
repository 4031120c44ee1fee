//! What people attach to a user. IAM deletes no user while anything is attached.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::Aws;
use super::error::{invalid_request, map_sdk_error};
use crate::cloud::{AttachmentKind, Result};
use crate::request::names::UserName;

impl Aws {
    /// The one call that removes such an attachment.
    pub(super) async fn send_detach(
        &self,
        user: &str,
        kind: AttachmentKind,
        id: &str,
    ) -> Result<()> {
        let iam = &self.iam;
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

    pub(super) async fn managed_policies(&self, user: &UserName) -> Result<Vec<String>> {
        let pages = self
            .iam
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

    pub(super) async fn login_profile(&self, user: &UserName) -> Result<Vec<String>> {
        let call = self.iam.get_login_profile().user_name(user.as_str());
        call.send()
            .await
            .map_err(map_sdk_error("iam:GetLoginProfile"))?;
        Ok(vec![user.as_str().to_owned()])
    }

    pub(super) async fn ssh_keys(&self, user: &UserName) -> Result<Vec<String>> {
        let pages = self
            .iam
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

    pub(super) async fn signing_certificates(&self, user: &UserName) -> Result<Vec<String>> {
        let pages = self
            .iam
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
    pub(super) async fn service_credentials(&self, user: &UserName) -> Result<Vec<String>> {
        let mut ids = Vec::new();
        let mut marker = None;
        loop {
            let call = self
                .iam
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

    pub(super) async fn mfa_devices(&self, user: &UserName) -> Result<Vec<String>> {
        let pages = self
            .iam
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

    pub(super) async fn groups(&self, user: &UserName) -> Result<Vec<String>> {
        let pages = self
            .iam
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
