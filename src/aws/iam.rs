//! IAM: the user itself. Its policies, keys and attachments are in the modules below.

mod attachments;
mod keys;
mod policies;

use aws_config::SdkConfig;
use aws_sdk_iam::Client;
use aws_sdk_iam::types::Tag;

use super::complete::CompleteDocument;
use super::error::{
    incomplete_response, invalid_request, map_sdk_error, none_if_not_found, success_if_gone,
};
use super::retry::RetryIamConflicts;
use crate::cloud::{Creation, ErrorKind, NewUser, Result, TagMap, User};
use crate::names::{PolicyArn, UserName};

#[derive(Debug)]
pub(super) struct Iam(Client);

impl Iam {
    pub(super) fn new(config: &SdkConfig) -> Self {
        let config = aws_sdk_iam::config::Builder::from(config)
            .retry_classifier(RetryIamConflicts)
            .interceptor(CompleteDocument)
            .build();
        Self(Client::from_conf(config))
    }

    pub(super) async fn find_user(&self, user: &UserName) -> Result<Option<User>> {
        const OPERATION: &str = "iam:GetUser";
        let answer = self
            .0
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

    pub(super) async fn create_user(&self, new: &NewUser) -> Result<Creation<User>> {
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
            .0
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

    pub(super) async fn tag_user(&self, user: &UserName, tags: &TagMap) -> Result<()> {
        const OPERATION: &str = "iam:TagUser";
        let tags = iam_tags(OPERATION, tags)?;
        let call = self
            .0
            .tag_user()
            .user_name(user.as_str())
            .set_tags(Some(tags));
        call.send()
            .await
            .map(drop)
            .map_err(map_sdk_error(OPERATION))
    }

    pub(super) async fn untag_user(&self, user: &UserName, keys: &[String]) -> Result<()> {
        let call = self
            .0
            .untag_user()
            .user_name(user.as_str())
            .set_tag_keys(Some(keys.to_vec()));
        call.send()
            .await
            .map(drop)
            .map_err(map_sdk_error("iam:UntagUser"))
    }

    pub(super) async fn set_boundary(&self, user: &UserName, boundary: &PolicyArn) -> Result<()> {
        let call = self
            .0
            .put_user_permissions_boundary()
            .user_name(user.as_str())
            .permissions_boundary(boundary.as_str());
        call.send()
            .await
            .map(drop)
            .map_err(map_sdk_error("iam:PutUserPermissionsBoundary"))
    }

    pub(super) async fn delete_user(&self, user: &UserName) -> Result<()> {
        let call = self.0.delete_user().user_name(user.as_str());
        let outcome = call
            .send()
            .await
            .map(drop)
            .map_err(map_sdk_error("iam:DeleteUser"));
        success_if_gone(outcome, async { Ok(self.find_user(user).await?.is_none()) }).await
    }
}

fn iam_tags(operation: &'static str, tags: &TagMap) -> Result<Vec<Tag>> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect::<std::result::Result<_, _>>()
        .map_err(|_| invalid_request(operation, "a tag lacks its key or value"))
}
