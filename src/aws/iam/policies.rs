//! The user's inline policies.

use percent_encoding::percent_decode_str;

use super::super::error::{incomplete_response, map_sdk_error, none_if_not_found, success_if_gone};
use super::Iam;
use crate::cloud::Result;
use crate::names::{PolicyName, UserName};

impl Iam {
    pub(in crate::aws) async fn list_policies(&self, user: &UserName) -> Result<Vec<PolicyName>> {
        const OPERATION: &str = "iam:ListUserPolicies";
        let pages = self
            .0
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

    pub(in crate::aws) async fn get_policy(
        &self,
        user: &UserName,
        policy: &PolicyName,
    ) -> Result<Option<String>> {
        const OPERATION: &str = "iam:GetUserPolicy";
        let call = self
            .0
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

    pub(in crate::aws) async fn put_policy(
        &self,
        user: &UserName,
        policy: &PolicyName,
        document: &str,
    ) -> Result<()> {
        let call = self
            .0
            .put_user_policy()
            .user_name(user.as_str())
            .policy_name(policy.as_str())
            .policy_document(document);
        call.send()
            .await
            .map(drop)
            .map_err(map_sdk_error("iam:PutUserPolicy"))
    }

    pub(in crate::aws) async fn delete_policy(
        &self,
        user: &UserName,
        policy: &PolicyName,
    ) -> Result<()> {
        let call = self
            .0
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
}
