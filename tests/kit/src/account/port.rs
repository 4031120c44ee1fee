//! The port, as this account answers it. The rules are in the services' own modules.

use std::time::SystemTime;

use secrecy::ExposeSecret;

use super::iam::{IamUser, check_user_tags, no_such_user, removing_missing};
use super::secrets::{StoredSecret, no_such_secret};
use super::{Account, At, By, Effect, check_tags, denied};
use crate::calls::types::*;

impl Cloud for Account {
    fn now(&self) -> SystemTime {
        self.time()
    }
}

impl Users for Account {
    async fn find_user(&self, user: &UserName) -> Result<Option<User>> {
        self.act("iam:GetUser", user, By::Role, |state, at| {
            if state.iam.moved.contains(user.as_str()) {
                return Err(denied(
                    "iam:GetUser",
                    "because no identity-based policy allows it",
                ));
            }
            Ok(state.iam.find(user.as_str(), at).map(IamUser::as_seen))
        })
        .await
    }

    async fn create_user(&self, user: &NewUser) -> Result<Creation<User>> {
        self.act("iam:CreateUser", &user.name, By::Role, |state, at| {
            state.iam.create(user, at)
        })
        .await
    }

    async fn tag_user(&self, user: &UserName, tags: &TagMap) -> Result<()> {
        self.change_user(
            "iam:TagUser",
            user,
            format_args!("{user} {tags:?}"),
            |user, at| {
                user.tags = check_user_tags(&user.tags, tags)?;
                user.tags_set = at.now;
                Ok(())
            },
        )
        .await
    }

    async fn untag_user(&self, user: &UserName, keys: &[String]) -> Result<()> {
        self.change_user(
            "iam:UntagUser",
            user,
            format_args!("{user} {keys:?}"),
            |user, _| {
                user.tags.retain(|tag, _| {
                    !keys
                        .iter()
                        .any(|key| key.to_lowercase() == tag.to_lowercase())
                });
                Ok(())
            },
        )
        .await
    }

    async fn set_boundary(&self, user: &UserName, boundary: &PolicyArn) -> Result<()> {
        let what = format!("{user} {boundary}");
        let managed = self.state().iam.check_boundary(Some(boundary.as_str()));
        self.change_user("iam:PutUserPermissionsBoundary", user, what, |user, at| {
            managed?;
            user.boundary = Some(boundary.as_str().to_owned());
            user.tags_set = at.now;
            Ok(())
        })
        .await
    }

    async fn delete_user(&self, user: &UserName) -> Result<()> {
        self.act("iam:DeleteUser", user, By::Role, |state, at| {
            if state.iam.find(user.as_str(), at).is_none() {
                return removing_missing("iam:DeleteUser", at);
            }
            state.may_change_user("iam:DeleteUser", user, self.actor.as_ref(), at)?;
            state.iam.delete(user.as_str())
        })
        .await
    }

    async fn list_policies(&self, user: &UserName) -> Result<Vec<PolicyName>> {
        self.act("iam:ListUserPolicies", user, By::Role, |state, at| {
            let names = state
                .iam
                .find(user.as_str(), at)
                .into_iter()
                .flat_map(|user| user.policies.keys());
            Ok(names
                .map(|name| PolicyName::parse(name).expect("checked when it was put"))
                .collect())
        })
        .await
    }

    async fn get_policy(&self, user: &UserName, policy: &PolicyName) -> Result<Option<String>> {
        self.act(
            "iam:GetUserPolicy",
            format_args!("{user} {policy}"),
            By::Role,
            |state, at| {
                let user = state.iam.find(user.as_str(), at);
                let policy = user.and_then(|user| user.policies.get(policy.as_str()));
                Ok(policy.map(|policy| policy.document.clone()))
            },
        )
        .await
    }

    async fn put_policy(&self, user: &UserName, policy: &PolicyName, document: &str) -> Result<()> {
        self.change_user(
            "iam:PutUserPolicy",
            user,
            format_args!("{user} {policy} {document}"),
            |user, at| user.put_policy(policy.as_str(), document, at),
        )
        .await
    }

    async fn delete_policy(&self, user: &UserName, policy: &PolicyName) -> Result<()> {
        self.strip_user(
            "iam:DeleteUserPolicy",
            user,
            format_args!("{user} {policy}"),
            |user, _| {
                user.policies.remove(policy.as_str());
            },
        )
        .await
    }

    async fn list_attachments(
        &self,
        user: &UserName,
        kind: AttachmentKind,
    ) -> Result<Vec<Attachment>> {
        self.act(
            "list attachments",
            format_args!("{user} {kind:?}"),
            By::Role,
            |state, at| {
                let all = state
                    .iam
                    .find(user.as_str(), at)
                    .into_iter()
                    .flat_map(|user| &user.attachments);
                Ok(all
                    .filter(|attachment| attachment.kind == kind)
                    .cloned()
                    .collect())
            },
        )
        .await
    }

    async fn detach(&self, user: &UserName, attachment: &Attachment) -> Result<()> {
        if attachment.kind == AttachmentKind::Group {
            self.state().violations.push(format!(
                "{user} was to be taken out of group {}",
                attachment.id
            ));
        }
        self.strip_user(
            "detach",
            user,
            format_args!("{user} {attachment:?}"),
            |user, _| {
                user.attachments.remove(attachment);
            },
        )
        .await
    }
}

impl AccessKeys for Account {
    async fn list_keys(&self, user: &UserName) -> Result<Vec<Key>> {
        self.act("iam:ListAccessKeys", user, By::Role, |state, at| {
            Ok(state
                .iam
                .find(user.as_str(), at)
                .map(|user| user.list_keys(at))
                .unwrap_or_default())
        })
        .await
    }

    async fn create_key(&self, user: &UserName) -> Result<CreatedKey> {
        self.act("iam:CreateAccessKey", user, By::Role, |state, at| {
            state.may_change_user("iam:CreateAccessKey", user, self.actor.as_ref(), at)?;
            let number = state.next();
            let found = state.iam.user_mut(user.as_str());
            let Some(key) = found
                .ok_or_else(|| no_such_user(user.as_str()))?
                .make_key(number, at)
            else {
                return Ok(CreatedKey::LimitReached);
            };
            let made = CreatedKey::Created {
                id: key.id.clone(),
                secret: key.secret.clone().into(),
            };
            Ok(made)
        })
        .await
    }

    async fn delete_key(&self, user: &UserName, key: &AccessKeyId) -> Result<Removal> {
        let (operation, what) = ("iam:DeleteAccessKey", format!("{user} {key}"));
        self.act(operation, what, By::Role, |state, at| {
            if state.iam.find(user.as_str(), at).is_none() {
                return removing_missing(operation, at).map(|()| Removal::WasMissing);
            }
            state.may_change_user(operation, user, self.actor.as_ref(), at)?;
            let Some(found) = state.iam.user_mut(user.as_str()) else {
                return Ok(Removal::WasMissing);
            };
            // IAM may not know a fresh key yet where it is asked to delete it.
            let known = found
                .living_keys()
                .any(|held| held.id == *key && at.now >= held.made + at.lags.key_deletion);
            if !known {
                return Ok(Removal::WasMissing);
            }
            found.delete_key(key, at);
            Ok(Removal::Removed)
        })
        .await
    }

    async fn key_owner(&self, key: &AccessKeyId) -> Result<Option<String>> {
        self.act("iam:GetAccessKeyLastUsed", key, By::Role, |state, _| {
            Ok(state
                .iam
                .key(key.as_str())
                .map(|(user, _)| user.name.clone()))
        })
        .await
    }

    async fn last_used(&self, key: &AccessKeyId) -> Result<Option<LastUse>> {
        self.act(
            "iam:GetAccessKeyLastUsed",
            key,
            By::Role,
            |state, at| match state.iam.key(key.as_str()) {
                Some((_, key)) => Ok(key.last_used(at)),
                None => Err(denied(
                    "iam:GetAccessKeyLastUsed",
                    "because no identity-based policy allows it",
                )),
            },
        )
        .await
    }
}

impl Secrets for Account {
    async fn find_secret(&self, secret: &SecretName) -> Result<Option<Secret>> {
        self.act(
            "secretsmanager:DescribeSecret",
            secret,
            By::Role,
            |state, at| {
                Ok(state
                    .secrets
                    .named(secret.as_str())
                    .map(|secret| secret.as_seen(at)))
            },
        )
        .await
    }

    async fn list_versions(&self, secret: &SecretName) -> Result<Vec<Version>> {
        self.act(
            "secretsmanager:ListSecretVersionIds",
            secret,
            By::Role,
            |state, _| {
                Ok(state
                    .secrets
                    .named(secret.as_str())
                    .map(StoredSecret::list_versions)
                    .unwrap_or_default())
            },
        )
        .await
    }

    async fn read_version(
        &self,
        secret: &SecretArn,
        version: &VersionId,
    ) -> Result<Option<SecretString>> {
        self.act(
            "secretsmanager:GetSecretValue",
            format_args!("{secret} {version}"),
            By::Role,
            |state, _| {
                let Some(secret) = state.secrets.with_arn(secret) else {
                    return Ok(None);
                };
                secret.must_live()?;
                state.secrets.check_reading(secret.kms_key.as_deref())?;
                let version = secret.versions.get(version);
                Ok(version.and_then(|version| Some(version.value.clone()?.into())))
            },
        )
        .await
    }

    async fn create_secret(&self, secret: &NewSecret) -> Result<Creation<SecretArn>> {
        self.act(
            "secretsmanager:CreateSecret",
            &secret.name,
            By::Role,
            |state, at| {
                let number = state.next();
                state.secrets.create(secret, number, at)
            },
        )
        .await
    }

    async fn restore_secret(&self, secret: &SecretArn) -> Result<()> {
        self.act(
            "secretsmanager:RestoreSecret",
            secret,
            By::Role,
            |state, at| {
                state.may_change_secret(
                    "secretsmanager:RestoreSecret",
                    secret,
                    self.actor.as_ref(),
                    at,
                )?;
                state
                    .secrets
                    .with_arn_mut(secret)
                    .ok_or_else(no_such_secret)?
                    .deleted_until = None;
                Ok(())
            },
        )
        .await
    }

    async fn update_secret(
        &self,
        secret: &SecretArn,
        description: &str,
        encryption: &Encryption,
    ) -> Result<()> {
        let what = format!("{secret} {encryption:?} {description}");
        let key = match encryption {
            Encryption::Unchanged => None,
            Encryption::AwsManaged => Some(None),
            Encryption::Key(key) => Some(Some(key.as_str().to_owned())),
        };
        let usable = self
            .state()
            .secrets
            .check_kms_key(key.as_ref().and_then(Option::as_deref));
        self.change_secret("secretsmanager:UpdateSecret", secret, what, |secret, _| {
            usable?;
            secret.description = description.to_owned();
            secret.kms_key = key.unwrap_or(secret.kms_key.take());
            Ok(())
        })
        .await
    }

    async fn tag_secret(&self, secret: &SecretArn, tags: &TagMap) -> Result<()> {
        self.change_secret(
            "secretsmanager:TagResource",
            secret,
            format_args!("{secret} {tags:?}"),
            |secret, at| {
                let mut all = secret.tags.clone();
                all.extend(tags.clone());
                check_tags(&all, "InvalidParameterException")?;
                secret.tags = all;
                secret.tags_set = at.now;
                Ok(())
            },
        )
        .await
    }

    async fn untag_secret(&self, secret: &SecretArn, keys: &[String]) -> Result<()> {
        let what = format!("{secret} {keys:?}");
        self.change_secret("secretsmanager:UntagResource", secret, what, |secret, _| {
            secret.tags.retain(|tag, _| !keys.contains(tag));
            Ok(())
        })
        .await
    }

    async fn store_version(
        &self,
        secret: &SecretArn,
        version: &VersionId,
        value: &SecretString,
        label: Label,
    ) -> Result<PutVersion> {
        let what = format!("{secret} {version} {label}");
        self.change_secret(
            "secretsmanager:PutSecretValue",
            secret,
            what,
            |secret, at| secret.store(version, value.expose_secret(), label, at),
        )
        .await
    }

    async fn move_label(
        &self,
        secret: &SecretArn,
        label: Label,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
    ) -> Result<()> {
        let name =
            |version: Option<&VersionId>| version.map_or("nothing".to_owned(), ToString::to_string);
        let what = format!("{secret} {label} from {} to {}", name(from), name(to));
        self.change_secret(
            "secretsmanager:UpdateSecretVersionStage",
            secret,
            what,
            |secret, _| secret.move_label(label.as_str(), from, to),
        )
        .await
    }

    async fn remove_replicas(&self, secret: &SecretArn, regions: &[String]) -> Result<()> {
        let operation = "secretsmanager:RemoveRegionsFromReplication";
        let what = format!("{secret} {regions:?}");
        self.act(operation, what, By::Role, |state, at| {
            if state.secrets.with_arn(secret).is_none() {
                return Ok(());
            }
            state.may_change_secret(operation, secret, self.actor.as_ref(), at)?;
            let secret = state
                .secrets
                .with_arn_mut(secret)
                .ok_or_else(no_such_secret)?;
            secret.must_live()?;
            secret.replicas.retain(|region| !regions.contains(region));
            Ok(())
        })
        .await
    }

    async fn delete_secret(&self, secret: &SecretArn, recovery_days: Option<u8>) -> Result<()> {
        let what = format!("{secret} {recovery_days:?}");
        self.act(
            "secretsmanager:DeleteSecret",
            what,
            By::Role,
            |state, at| {
                if state.secrets.with_arn(secret).is_some() {
                    state.may_change_secret(
                        "secretsmanager:DeleteSecret",
                        secret,
                        self.actor.as_ref(),
                        at,
                    )?;
                }
                state.secrets.delete(secret, recovery_days, at)
            },
        )
        .await
    }
}

impl Stacks for Account {
    async fn stack_resource(&self, stack_id: &str, logical_id: &str) -> Result<StackResource> {
        let actor = self.actor.as_ref();
        self.act(
            "cloudformation:DescribeStackResource",
            logical_id,
            By::Role,
            |state, at| state.stacks.resource(stack_id, logical_id, actor, at),
        )
        .await
    }

    async fn stack(&self, stack_id: &str) -> Result<Option<Stack>> {
        let actor = self.actor.as_ref();
        self.act(
            "cloudformation:DescribeStacks",
            stack_id,
            By::Role,
            |state, at| state.stacks.stack(stack_id, actor, at),
        )
        .await
    }
}

impl Objects for Account {
    async fn bucket_region(&self, bucket: &BucketName) -> Result<Option<String>> {
        self.act("HEAD bucket", bucket, By::Other, |state, _| {
            Ok(state.bucket_region(bucket.as_str()))
        })
        .await
    }

    async fn caller_of(&self, key: &StoredKey) -> Result<String> {
        self.act("sts:GetCallerIdentity", &key.id, By::Other, |state, at| {
            let arn = state.authenticate(key, "InvalidClientTokenId", at)?.arn();
            state.iam.record_use(&key.id, "sts", at);
            Ok(arn)
        })
        .await
    }

    async fn list_objects(
        &self,
        key: &StoredKey,
        region: &str,
        bucket: &BucketUri,
        page: Option<&str>,
    ) -> Result<Page> {
        let prefix = bucket.prefix.as_ref().map_or("", |prefix| prefix.as_str());
        self.act(
            "s3:ListBucket",
            format_args!("{bucket} {region} {}", key.id),
            By::Other,
            |state, at| {
                let name = bucket.bucket.as_str();
                let objects = state.list_objects(key, region, name, prefix, page, at)?;
                state.iam.record_use(&key.id, "s3", at);
                Ok(objects)
            },
        )
        .await
    }

    async fn read_byte(
        &self,
        key: &StoredKey,
        region: &str,
        bucket: &BucketName,
        object: &str,
    ) -> Result<ObjectRead> {
        self.act(
            "s3:GetObject",
            format_args!("{bucket}/{object} {region} {}", key.id),
            By::Other,
            |state, at| {
                let read = state.read_byte(key, region, bucket.as_str(), object, at)?;
                state.iam.record_use(&key.id, "s3", at);
                Ok(read)
            },
        )
        .await
    }
}

impl Account {
    /// Changes a user that must be there.
    async fn change_user<T: std::fmt::Debug>(
        &self,
        operation: &'static str,
        user: &UserName,
        what: impl std::fmt::Display,
        change: impl FnOnce(&mut IamUser, At) -> Effect<T>,
    ) -> Result<T> {
        self.act(operation, what, By::Role, |state, at| {
            state.may_change_user(operation, user, self.actor.as_ref(), at)?;
            change(
                state
                    .iam
                    .user_mut(user.as_str())
                    .ok_or_else(|| no_such_user(user.as_str()))?,
                at,
            )
        })
        .await
    }

    /// Removes something from a user. A missing user has nothing to remove.
    async fn strip_user(
        &self,
        operation: &'static str,
        user: &UserName,
        what: impl std::fmt::Display,
        change: impl FnOnce(&mut IamUser, At),
    ) -> Result<()> {
        self.act(operation, what, By::Role, |state, at| {
            if state.iam.find(user.as_str(), at).is_none() {
                return removing_missing(operation, at);
            }
            state.may_change_user(operation, user, self.actor.as_ref(), at)?;
            if let Some(user) = state.iam.user_mut(user.as_str()) {
                change(user, at);
            }
            Ok(())
        })
        .await
    }

    /// Changes a secret that must be live.
    async fn change_secret<T: std::fmt::Debug>(
        &self,
        operation: &'static str,
        secret: &SecretArn,
        what: impl std::fmt::Display,
        change: impl FnOnce(&mut StoredSecret, At) -> Effect<T>,
    ) -> Result<T> {
        self.act(operation, what, By::Role, |state, at| {
            state.may_change_secret(operation, secret, self.actor.as_ref(), at)?;
            let secret = state
                .secrets
                .with_arn_mut(secret)
                .ok_or_else(no_such_secret)?;
            secret.must_live()?;
            change(secret, at)
        })
        .await
    }
}
