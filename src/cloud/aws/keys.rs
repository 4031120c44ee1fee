//! IAM: a user's access keys.

use std::time::SystemTime;

use aws_config::retry::RetryConfig;
use aws_sdk_iam::operation::get_access_key_last_used::GetAccessKeyLastUsedOutput;
use aws_sdk_iam::types::{AccessKey, AccessKeyMetadata, StatusType};

use super::Aws;
use super::error::{incomplete_response, none_if_not_found, sent, success_if_gone};
use crate::cloud::{
    AccessKeyId, AccessKeys, CreatedKey, ErrorKind, Key, KeyStatus, LastUse, Removal, Result,
};
use crate::request::names::UserName;

/// The length of every secret key that IAM has made so far. IAM promises none, so a longer key is accepted too.
/// [`CompleteDocument`](super::complete::CompleteDocument) has seen the end of the answer, so half a key cannot
/// get here.
const SECRET_LENGTH: usize = 40;

const USAGE: &str = "iam:GetAccessKeyLastUsed";

impl AccessKeys for Aws {
    async fn list_keys(&self, user: &UserName) -> Result<Vec<Key>> {
        const OPERATION: &str = "iam:ListAccessKeys";
        let call = self.iam.list_access_keys().user_name(user.as_str());
        let pages = call.into_paginator().items().send();
        let keys = none_if_not_found(sent(OPERATION, pages.try_collect()).await)?;
        let whole = |key| {
            listed_key(key).ok_or_else(|| incomplete_response(OPERATION, "a key's id or its date"))
        };
        keys.unwrap_or_default().iter().map(whole).collect()
    }

    /// Sent once, because a second `CreateAccessKey` makes a second key, and the secret half of the first is lost.
    async fn create_key(&self, user: &UserName) -> Result<CreatedKey> {
        const OPERATION: &str = "iam:CreateAccessKey";
        let once = aws_sdk_iam::config::Builder::new().retry_config(RetryConfig::disabled());
        let call = self.iam.create_access_key().user_name(user.as_str());
        let call = call.customize().config_override(once);
        match sent(OPERATION, call.send()).await {
            Ok(answer) => {
                let key = answer.access_key.and_then(|key| whole_key(user, key));
                key.ok_or_else(|| incomplete_response(OPERATION, "a whole key of the user"))
            }
            Err(error) if error.kind == ErrorKind::LimitExceeded => Ok(CreatedKey::LimitReached),
            Err(error) => Err(error),
        }
    }

    async fn delete_key(&self, user: &UserName, key: &AccessKeyId) -> Result<Removal> {
        let call = self.iam.delete_access_key().user_name(user.as_str());
        let call = call.access_key_id(key.as_str());
        match sent("iam:DeleteAccessKey", call.send()).await {
            Ok(_) => Ok(Removal::Removed),
            Err(error) => {
                let is_gone =
                    async { Ok(self.list_keys(user).await?.iter().all(|k| k.id != *key)) };
                let gone = success_if_gone(Err(error), is_gone).await;
                gone.map(|()| Removal::WasMissing)
            }
        }
    }

    /// If IAM does not know the key in this account, it answers as if a permission were missing. So both are `None`.
    async fn key_owner(&self, key: &AccessKeyId) -> Result<Option<String>> {
        match self.usage(key).await {
            Ok(answer) => Ok(answer.user_name.filter(|name| !name.is_empty())),
            Err(error) => match error.kind {
                ErrorKind::NotFound | ErrorKind::Denied | ErrorKind::Rejected => Ok(None),
                ErrorKind::UnknownKey
                | ErrorKind::Throttled
                | ErrorKind::Conflict
                | ErrorKind::LimitExceeded
                | ErrorKind::Indeterminate => Err(error),
            },
        }
    }

    /// A key that was never used, or not since IAM began to record it, has no date.
    async fn last_used(&self, key: &AccessKeyId) -> Result<Option<LastUse>> {
        let used = self.usage(key).await?.access_key_last_used;
        let used = used.ok_or_else(|| incomplete_response(USAGE, "when the key was last used"))?;
        let Some(date) = used.last_used_date else {
            return Ok(None);
        };
        let date = SystemTime::try_from(date);
        Ok(Some(LastUse {
            date: date.map_err(|_| incomplete_response(USAGE, "a date that can be read"))?,
            service: used.service_name,
            region: used.region,
        }))
    }
}

impl Aws {
    async fn usage(&self, key: &AccessKeyId) -> Result<GetAccessKeyLastUsedOutput> {
        let call = self.iam.get_access_key_last_used();
        sent(USAGE, call.access_key_id(key.as_str()).send()).await
    }
}

fn listed_key(key: &AccessKeyMetadata) -> Option<Key> {
    let AccessKeyMetadata {
        access_key_id,
        status,
        create_date,
        ..
    } = key;
    Some(Key {
        id: AccessKeyId::parse(access_key_id.as_deref()?)?,
        // `Expired` does not work either, nor does any status that AWS may add.
        status: if *status == Some(StatusType::Active) {
            KeyStatus::Active
        } else {
            KeyStatus::Inactive
        },
        created: SystemTime::try_from((*create_date)?).ok()?,
    })
}

/// The SDK fills in an empty text for anything that an answer lacks.
fn whole_key(user: &UserName, key: AccessKey) -> Option<CreatedKey> {
    let AccessKey {
        user_name,
        access_key_id,
        status,
        secret_access_key,
        ..
    } = key;
    let whole = user_name.eq_ignore_ascii_case(user.as_str())
        && status == StatusType::Active
        && secret_access_key.len() >= SECRET_LENGTH;
    let id = AccessKeyId::parse(&access_key_id)?;
    whole.then(|| CreatedKey::Created {
        id,
        secret: secret_access_key.into(),
    })
}
