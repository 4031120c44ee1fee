//! Making a secret, and waiting for its name.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};

use super::super::error::incomplete_response;
use super::{Secrets, is_being_deleted, secret_tags, told};
use crate::cloud::{Creation, NewSecret, Result, SecretArn};

/// How long a name is waited for after a forced deletion, which goes on behind the scenes for some seconds
/// ([`DeleteSecret`](https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html)).
const NAME_IS_FREED: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_secs(1))
    .with_max_delay(Duration::from_secs(5))
    .without_max_times()
    .with_total_delay(Some(Duration::from_secs(25)))
    .with_jitter();

impl Secrets {
    /// A name can be taken by a secret that is there, by one that is pending deletion (both show: the caller looks whose
    /// it is), or by one that was deleted by force and shows no longer: that one is waited for.
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
        attempt.retry(NAME_IS_FREED).when(is_being_deleted).await
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
        match call.send().await.map_err(told(OPERATION)) {
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
