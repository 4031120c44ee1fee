//! IAM: users and their inline policies. IAM's concurrent changes are repeated, because IAM asks for that.

use aws_sdk_iam::types::Tag;
use percent_encoding::percent_decode_str;

use super::Aws;
use super::error::{
    incomplete_response, invalid_request, map_sdk_error, none_if_not_found, success_if_gone,
};
use crate::cloud::{Attachment, AttachmentKind, Creation, ErrorKind, NewUser, Result, User, Users};
use crate::request::names::{PolicyArn, PolicyName, TagMap, UserName};

impl Users for Aws {
    async fn find_user(&self, user: &UserName) -> Result<Option<User>> {
        const OPERATION: &str = "iam:GetUser";
        let answer = self
            .iam
            .get_user()
            .user_name(user.as_str())
            .send()
            .await
            .map_err(map_sdk_error(OPERATION));
        let Some(answer) = none_if_not_found(answer)? else {
            return Ok(None);
        };
        let user = answer
            .user
            .filter(|user| !user.arn.is_empty())
            .ok_or_else(|| incomplete_response(OPERATION, "the user"))?;
        let tags = user.tags.unwrap_or_default();
        Ok(Some(User {
            name: user.user_name,
            arn: user.arn,
            tags: tags
                .into_iter()
                .map(|Tag { key, value, .. }| (key, value))
                .collect(),
            boundary: user
                .permissions_boundary
                .and_then(|boundary| boundary.permissions_boundary_arn),
        }))
    }

    async fn create_user(&self, new: &NewUser) -> Result<Creation<User>> {
        const OPERATION: &str = "iam:CreateUser";
        let NewUser {
            name,
            boundary,
            tags,
        } = new;
        let boundary = boundary
            .as_ref()
            .map(|boundary| boundary.as_str().to_owned());
        let answer = self
            .iam
            .create_user()
            .user_name(name.as_str())
            .set_permissions_boundary(boundary.clone())
            .set_tags(Some(iam_tags(OPERATION, tags)?))
            .send()
            .await
            .map_err(map_sdk_error(OPERATION));
        let user = match answer {
            Ok(answer) => answer.user.filter(|user| !user.arn.is_empty()),
            Err(error) if error.code.as_deref() == Some("EntityAlreadyExists") => {
                return Ok(Creation::AlreadyExists);
            }
            // No user exists yet, so IAM means that the policy is missing, perhaps because it was just made.
            Err(mut error) if error.kind == ErrorKind::NotFound => {
                error.message = format!(
                    "the permissions boundary `{}` does not exist or cannot be attached; make it first, or name another in `PermissionsBoundary`",
                    boundary.unwrap_or_default()
                );
                return Err(error);
            }
            Err(error) => return Err(error),
        };
        let user = user.ok_or_else(|| incomplete_response(OPERATION, "the user"))?;
        // IAM's answer leaves out what the request said.
        Ok(Creation::Created(User {
            name: user.user_name,
            arn: user.arn,
            tags: tags.clone(),
            boundary,
        }))
    }

    async fn tag_user(&self, user: &UserName, tags: &TagMap) -> Result<()> {
        const OPERATION: &str = "iam:TagUser";
        let tags = iam_tags(OPERATION, tags)?;
        let call = self
            .iam
            .tag_user()
            .user_name(user.as_str())
            .set_tags(Some(tags));
        call.send()
            .await
            .map(drop)
            .map_err(map_sdk_error(OPERATION))
    }

    async fn untag_user(&self, user: &UserName, keys: &[String]) -> Result<()> {
        let call = self
            .iam
            .untag_user()
            .user_name(user.as_str())
            .set_tag_keys(Some(keys.to_vec()));
        call.send()
            .await
            .map(drop)
            .map_err(map_sdk_error("iam:UntagUser"))
    }

    async fn set_boundary(&self, user: &UserName, boundary: &PolicyArn) -> Result<()> {
        let call = self
            .iam
            .put_user_permissions_boundary()
            .user_name(user.as_str())
            .permissions_boundary(boundary.as_str());
        call.send()
            .await
            .map(drop)
            .map_err(map_sdk_error("iam:PutUserPermissionsBoundary"))
    }

    async fn delete_user(&self, user: &UserName) -> Result<()> {
        let call = self.iam.delete_user().user_name(user.as_str());
        let outcome = call
            .send()
            .await
            .map(drop)
            .map_err(map_sdk_error("iam:DeleteUser"));
        success_if_gone(outcome, async { Ok(self.find_user(user).await?.is_none()) }).await
    }

    async fn list_policies(&self, user: &UserName) -> Result<Vec<PolicyName>> {
        const OPERATION: &str = "iam:ListUserPolicies";
        let pages = self
            .iam
            .list_user_policies()
            .user_name(user.as_str())
            .into_paginator()
            .items()
            .send();
        let names = none_if_not_found(pages.try_collect().await.map_err(map_sdk_error(OPERATION)))?
            .unwrap_or_default();
        names
            .iter()
            .map(|name| {
                PolicyName::parse(name)
                    .map_err(|_| incomplete_response(OPERATION, "a valid policy name"))
            })
            .collect()
    }

    async fn get_policy(&self, user: &UserName, policy: &PolicyName) -> Result<Option<String>> {
        const OPERATION: &str = "iam:GetUserPolicy";
        let call = self
            .iam
            .get_user_policy()
            .user_name(user.as_str())
            .policy_name(policy.as_str());
        let Some(answer) = none_if_not_found(call.send().await.map_err(map_sdk_error(OPERATION)))?
        else {
            return Ok(None);
        };
        // RFC 3986, so that a plus sign is a plus sign.
        let document = percent_decode_str(&answer.policy_document).decode_utf8();
        match document {
            Ok(document) if !document.is_empty() => Ok(Some(document.into_owned())),
            _ => Err(incomplete_response(OPERATION, "a readable policy document")),
        }
    }

    async fn put_policy(&self, user: &UserName, policy: &PolicyName, document: &str) -> Result<()> {
        let call = self
            .iam
            .put_user_policy()
            .user_name(user.as_str())
            .policy_name(policy.as_str())
            .policy_document(document);
        call.send()
            .await
            .map(drop)
            .map_err(map_sdk_error("iam:PutUserPolicy"))
    }

    async fn delete_policy(&self, user: &UserName, policy: &PolicyName) -> Result<()> {
        let call = self
            .iam
            .delete_user_policy()
            .user_name(user.as_str())
            .policy_name(policy.as_str());
        let outcome = call
            .send()
            .await
            .map(drop)
            .map_err(map_sdk_error("iam:DeleteUserPolicy"));
        success_if_gone(outcome, async {
            Ok(self.get_policy(user, policy).await?.is_none())
        })
        .await
    }

    async fn list_attachments(
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

    async fn detach(&self, user: &UserName, attachment: &Attachment) -> Result<()> {
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
}

fn iam_tags(operation: &'static str, tags: &TagMap) -> Result<Vec<Tag>> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect::<std::result::Result<_, _>>()
        .map_err(|_| invalid_request(operation, "a tag lacks its key or value"))
}
