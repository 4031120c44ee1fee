//! What people attach to a user. IAM deletes no user while anything is attached.

use super::Aws;
use super::error::{acknowledged, invalid_request, sent};
use crate::cloud::{Attachment, AttachmentKind, Result};

impl Aws {
    pub(super) async fn attached(&self, user: &str, kind: AttachmentKind) -> Result<Vec<String>> {
        let iam = &self.iam;
        match kind {
            AttachmentKind::ManagedPolicy => {
                let call = iam.list_attached_user_policies().user_name(user);
                let pages = call.into_paginator().items().send();
                let found = sent("iam:ListAttachedUserPolicies", pages.try_collect()).await?;
                Ok(ids(found, |policy| policy.policy_arn))
            }
            AttachmentKind::LoginProfile => {
                let call = iam.get_login_profile().user_name(user);
                sent("iam:GetLoginProfile", call.send()).await?;
                Ok(vec![user.to_owned()])
            }
            AttachmentKind::SshKey => {
                let call = iam.list_ssh_public_keys().user_name(user);
                let pages = call.into_paginator().items().send();
                let found = sent("iam:ListSSHPublicKeys", pages.try_collect()).await?;
                Ok(ids(found, |key| Some(key.ssh_public_key_id)))
            }
            AttachmentKind::SigningCertificate => {
                let call = iam.list_signing_certificates().user_name(user);
                let pages = call.into_paginator().items().send();
                let found = sent("iam:ListSigningCertificates", pages.try_collect()).await?;
                Ok(ids(found, |certificate| Some(certificate.certificate_id)))
            }
            AttachmentKind::ServiceCredential => self.service_credentials(user).await,
            AttachmentKind::MfaDevice => {
                let call = iam.list_mfa_devices().user_name(user);
                let pages = call.into_paginator().items().send();
                let found = sent("iam:ListMFADevices", pages.try_collect()).await?;
                Ok(ids(found, |device| Some(device.serial_number)))
            }
            AttachmentKind::Group => {
                let call = iam.list_groups_for_user().user_name(user);
                let pages = call.into_paginator().items().send();
                let found = sent("iam:ListGroupsForUser", pages.try_collect()).await?;
                Ok(ids(found, |group| Some(group.group_name)))
            }
        }
    }

    /// The SDK has no paginator for this one.
    async fn service_credentials(&self, user: &str) -> Result<Vec<String>> {
        let mut found = Vec::new();
        let mut marker = None;
        loop {
            let call = self.iam.list_service_specific_credentials();
            let call = call.user_name(user).set_marker(marker);
            let page = sent("iam:ListServiceSpecificCredentials", call.send()).await?;
            found.extend(page.service_specific_credentials.unwrap_or_default());
            marker = page.marker.filter(|_| page.is_truncated);
            if marker.is_none() {
                return Ok(ids(found, |credential| {
                    Some(credential.service_specific_credential_id)
                }));
            }
        }
    }

    /// The one call that removes an attachment.
    pub(super) async fn send_detach(&self, user: &str, attachment: &Attachment) -> Result<()> {
        let iam = &self.iam;
        let Attachment { kind, id } = attachment;
        match kind {
            AttachmentKind::ManagedPolicy => {
                let call = iam.detach_user_policy().user_name(user).policy_arn(id);
                acknowledged("iam:DetachUserPolicy", call.send()).await
            }
            AttachmentKind::LoginProfile => {
                let call = iam.delete_login_profile().user_name(user);
                acknowledged("iam:DeleteLoginProfile", call.send()).await
            }
            AttachmentKind::SshKey => {
                let call = iam.delete_ssh_public_key().user_name(user);
                let call = call.ssh_public_key_id(id);
                acknowledged("iam:DeleteSSHPublicKey", call.send()).await
            }
            AttachmentKind::SigningCertificate => {
                let call = iam.delete_signing_certificate().user_name(user);
                let call = call.certificate_id(id);
                acknowledged("iam:DeleteSigningCertificate", call.send()).await
            }
            AttachmentKind::ServiceCredential => {
                let call = iam.delete_service_specific_credential().user_name(user);
                let call = call.service_specific_credential_id(id);
                acknowledged("iam:DeleteServiceSpecificCredential", call.send()).await
            }
            AttachmentKind::MfaDevice => {
                let call = iam.deactivate_mfa_device().user_name(user);
                let call = call.serial_number(id);
                acknowledged("iam:DeactivateMFADevice", call.send()).await
            }
            AttachmentKind::Group => Err(invalid_request(
                "iam:RemoveUserFromGroup",
                "a group membership is never removed here",
            )),
        }
    }
}

fn ids<T>(found: Vec<T>, id: impl FnMut(T) -> Option<String>) -> Vec<String> {
    found.into_iter().filter_map(id).collect()
}
