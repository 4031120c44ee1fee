//! Deleting a secret, and restoring it.

use super::super::error::success_if_gone;
use super::{Secrets, is_being_deleted, map_secrets_error};
use crate::cloud::{ErrorKind, Result, SecretArn, SecretState};

impl Secrets {
    pub(in crate::aws) async fn restore_secret(&self, secret: &SecretArn) -> Result<()> {
        let call = self.0.restore_secret().secret_id(&secret.0);
        call.send()
            .await
            .map(drop)
            .map_err(map_secrets_error("secretsmanager:RestoreSecret"))
    }

    pub(in crate::aws) async fn remove_replicas(
        &self,
        secret: &SecretArn,
        regions: &[String],
    ) -> Result<()> {
        let call = self
            .0
            .remove_regions_from_replication()
            .secret_id(&secret.0);
        let call = call.set_remove_replica_regions(Some(regions.to_vec()));
        let outcome = call.send().await.map(drop).map_err(map_secrets_error(
            "secretsmanager:RemoveRegionsFromReplication",
        ));
        let is_gone = async {
            let secret = self.describe(&secret.0).await?;
            Ok(secret.is_none_or(|secret| {
                regions
                    .iter()
                    .all(|region| !secret.replicas.contains(region))
            }))
        };
        success_if_gone(outcome, is_gone).await
    }

    pub(in crate::aws) async fn delete_secret(
        &self,
        secret: &SecretArn,
        recovery_days: Option<u8>,
    ) -> Result<()> {
        let call = self.0.delete_secret().secret_id(&secret.0);
        let call = match recovery_days {
            Some(days) => call.recovery_window_in_days(days.into()),
            None => call.force_delete_without_recovery(true),
        };
        match call
            .send()
            .await
            .map(drop)
            .map_err(map_secrets_error("secretsmanager:DeleteSecret"))
        {
            Err(error) if is_being_deleted(&error) => Ok(()),
            Err(mut error)
                if error.kind == ErrorKind::Rejected && error.message.contains("replica") =>
            {
                error.kind = ErrorKind::Conflict;
                Err(error)
            }
            outcome => {
                let is_gone = async {
                    let secret = self.describe(&secret.0).await?;
                    Ok(secret.is_none_or(|secret| secret.state == SecretState::PendingDeletion))
                };
                success_if_gone(outcome, is_gone).await
            }
        }
    }
}
