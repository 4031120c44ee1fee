//! Creating a secret, and waiting for its name.

use backon::Retryable;

use super::super::error::incomplete_response;
use super::{Secrets, is_being_deleted, map_secrets_error, secret_tags};
use crate::cloud::{Creation, NewSecret, Result, SecretArn};
use crate::waits::until_name_is_free;

impl Secrets {
    /// A name can be taken by a secret that exists, by one that is pending deletion, or by one that was deleted by
    /// force. The first two are visible, and the caller looks whose they are. The last is no longer visible, and is
    /// waited for.
    pub(in crate::aws) async fn create_secret(
        &self,
        new: &NewSecret,
    ) -> Result<Creation<SecretArn>> {
        let attempt = || async {
            match self.try_create(new).await {
                Err(error) if is_being_deleted(&error) => {
                    match self.find_secret(&new.name).await? {
                        Some(_) => Ok(Creation::AlreadyExists),
                        None => Err(error),
                    }
                }
                outcome => outcome,
            }
        };
        attempt
            .retry(until_name_is_free())
            .when(is_being_deleted)
            .await
    }

    async fn try_create(&self, new: &NewSecret) -> Result<Creation<SecretArn>> {
        const OPERATION: &str = "secretsmanager:CreateSecret";
        let NewSecret {
            name,
            description,
            kms_key,
            tags,
        } = new;
        let call = self
            .0
            .create_secret()
            .name(name.as_str())
            .description(description)
            .set_kms_key_id(kms_key.as_ref().map(|key| key.as_str().to_owned()))
            .set_tags(Some(secret_tags(tags)));
        match call.send().await.map_err(map_secrets_error(OPERATION)) {
            Ok(answer) => {
                let arn = answer.arn.filter(|arn| !arn.is_empty());
                arn.map(|arn| Creation::Created(SecretArn(arn)))
                    .ok_or_else(|| incomplete_response(OPERATION, "the secret's ARN"))
            }
            Err(error) if error.code.as_deref() == Some("ResourceExistsException") => {
                Ok(Creation::AlreadyExists)
            }
            Err(error) => Err(error),
        }
    }
}
