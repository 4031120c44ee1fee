//! IAM: users, their inline policies, and what else is attached to them. IAM's concurrent changes are repeated, because IAM
//! asks for that.

use aws_sdk_iam::types::Tag;
use percent_encoding::percent_decode_str;

use super::Aws;
use super::error::{
    acknowledged, incomplete_response, invalid_request, none_if_not_found, sent, success_if_gone,
};
use crate::cloud::{Attachment, AttachmentKind, Creation, ErrorKind, NewUser, Result, User, Users};
use crate::request::names::{PolicyArn, PolicyName, TagMap, UserName};

impl Users for Aws {
    async fn find_user(&self, user: &UserName) -> Result<Option<User>> {
        const OPERATION: &str = "iam:GetUser";
        let call = self.iam.get_user().user_name(user.as_str());
        let Some(answer) = none_if_not_found(sent(OPERATION, call.send()).await)? else {
            return Ok(None);
        };
        let user = answer.user.filter(|user| !user.arn.is_empty());
        let user = user.ok_or_else(|| incomplete_response(OPERATION, "the user"))?;
        let tags = user.tags.unwrap_or_default().into_iter();
        Ok(Some(User {
            name: user.user_name,
            arn: user.arn,
            tags: tags.map(|tag| (tag.key, tag.value)).collect(),
            boundary: user
                .permissions_boundary
                .and_then(|boundary| boundary.permissions_boundary_arn),
        }))
    }

    async fn create_user(&self, new: &NewUser) -> Result<Creation<User>> {
        const OPERATION: &str = "iam:CreateUser";
        let boundary = new.boundary.as_ref().map(|arn| arn.as_str().to_owned());
        let call = self.iam.create_user().user_name(new.name.as_str());
        let call = call
            .set_permissions_boundary(boundary.clone())
            .set_tags(Some(iam_tags(OPERATION, &new.tags)?));
        let user = match sent(OPERATION, call.send()).await {
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
            tags: new.tags.clone(),
            boundary,
        }))
    }

    async fn tag_user(&self, user: &UserName, tags: &TagMap) -> Result<()> {
        const OPERATION: &str = "iam:TagUser";
        let call = self.iam.tag_user().user_name(user.as_str());
        let call = call.set_tags(Some(iam_tags(OPERATION, tags)?));
        acknowledged(OPERATION, call.send()).await
    }

    async fn untag_user(&self, user: &UserName, keys: &[String]) -> Result<()> {
        let call = self.iam.untag_user().user_name(user.as_str());
        let call = call.set_tag_keys(Some(keys.to_vec()));
        acknowledged("iam:UntagUser", call.send()).await
    }

    async fn set_boundary(&self, user: &UserName, boundary: &PolicyArn) -> Result<()> {
        let call = self.iam.put_user_permissions_boundary();
        let call = call.user_name(user.as_str());
        let call = call.permissions_boundary(boundary.as_str());
        acknowledged("iam:PutUserPermissionsBoundary", call.send()).await
    }

    async fn delete_user(&self, user: &UserName) -> Result<()> {
        let call = self.iam.delete_user().user_name(user.as_str());
        let done = acknowledged("iam:DeleteUser", call.send()).await;
        success_if_gone(done, async { Ok(self.find_user(user).await?.is_none()) }).await
    }

    async fn list_policies(&self, user: &UserName) -> Result<Vec<PolicyName>> {
        const OPERATION: &str = "iam:ListUserPolicies";
        let call = self.iam.list_user_policies().user_name(user.as_str());
        let pages = call.into_paginator().items().send();
        let names = none_if_not_found(sent(OPERATION, pages.try_collect()).await)?;
        let parse = |name: &String| {
            PolicyName::parse(name)
                .map_err(|_| incomplete_response(OPERATION, "a valid policy name"))
        };
        names.unwrap_or_default().iter().map(parse).collect()
    }

    async fn get_policy(&self, user: &UserName, policy: &PolicyName) -> Result<Option<String>> {
        const OPERATION: &str = "iam:GetUserPolicy";
        let call = self.iam.get_user_policy().user_name(user.as_str());
        let call = call.policy_name(policy.as_str());
        let Some(answer) = none_if_not_found(sent(OPERATION, call.send()).await)? else {
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
        let call = self.iam.put_user_policy().user_name(user.as_str());
        let call = call.policy_name(policy.as_str()).policy_document(document);
        acknowledged("iam:PutUserPolicy", call.send()).await
    }

    async fn delete_policy(&self, user: &UserName, policy: &PolicyName) -> Result<()> {
        let call = self.iam.delete_user_policy().user_name(user.as_str());
        let call = call.policy_name(policy.as_str());
        let done = acknowledged("iam:DeleteUserPolicy", call.send()).await;
        let is_gone = async { Ok(self.get_policy(user, policy).await?.is_none()) };
        success_if_gone(done, is_gone).await
    }

    async fn list_attachments(
        &self,
        user: &UserName,
        kind: AttachmentKind,
    ) -> Result<Vec<Attachment>> {
        let ids = none_if_not_found(self.attached(user.as_str(), kind).await)?;
        let ids = ids.unwrap_or_default().into_iter();
        Ok(ids.map(|id| Attachment { kind, id }).collect())
    }

    async fn detach(&self, user: &UserName, attachment: &Attachment) -> Result<()> {
        let done = self.send_detach(user.as_str(), attachment).await;
        let is_gone = async {
            let left = self.list_attachments(user, attachment.kind).await?;
            Ok(!left.contains(attachment))
        };
        success_if_gone(done, is_gone).await
    }
}

fn iam_tags(operation: &'static str, tags: &TagMap) -> Result<Vec<Tag>> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect::<std::result::Result<_, _>>()
        .map_err(|_| invalid_request(operation, "a tag lacks its key or value"))
}
