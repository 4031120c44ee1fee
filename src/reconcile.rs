//! Fulfils a request: makes one pair of user and secret what is wanted, and removes what nobody wants any more.

mod work;

use std::collections::BTreeMap;

use tokio::time::Instant;
use tracing::{info, warn};

use self::work::{Before, ReconcileError, Work};
use crate::cloud::Cloud;
use crate::event::{Action, PhysicalId, Request};
use crate::names::{RecoveryWindow, UserName};
use crate::outcome::{Failure, Outcome, Success};
use crate::plan::Change;
use crate::properties::{Desired, Previous};
use crate::settings::Settings;

/// Fulfils one request. `deadline` is when the work must have ended; no key is made shortly before it.
///
/// # Errors
/// The reason for a FAILED answer, with the id that it carries.
pub async fn fulfil<C: Cloud>(
    request: &Request,
    cloud: &C,
    settings: &Settings,
    deadline: Instant,
) -> Outcome {
    let Request { owner, action } = request;
    let work = Work {
        cloud,
        owner,
        settings,
        deadline,
    };
    match action {
        Action::Create(desired) => work.create(desired).await,
        Action::Update {
            id,
            desired,
            previous,
        } => work.update(id, desired, previous).await,
        Action::Delete { id, user, recovery } => work.delete(id, user.as_ref(), *recovery).await,
    }
}

/// Names a failure by the id that a Delete has to clean.
fn failed(id: &str) -> impl Fn(ReconcileError) -> Failure {
    move |error| Failure {
        id: id.to_owned(),
        reason: error.to_string(),
    }
}

impl<C: Cloud> Work<'_, C> {
    async fn create(&self, desired: &Desired) -> Outcome {
        let id = desired.user.secret_name().to_string();
        let (attributes, _) = self.establish(desired, Change::Fresh).await;
        match attributes {
            Ok(attributes) => Ok(Success { id, attributes }),
            Err(error) if error.is_unwanted() => {
                let removed = self.remove(&desired.user, desired.recovery).await;
                removed.map_err(failed(&id))?;
                Err(failed(&id)(error))
            }
            Err(error) => Err(failed(&id)(error)),
        }
    }

    async fn update(&self, id: &PhysicalId, desired: &Desired, previous: &Previous) -> Outcome {
        let failed = failed(id.as_str());
        let current = id.user();
        let replacement = current.as_ref() != Some(&desired.user);
        if let Some(current) = &current
            && replacement
            && current.eq_ignore_case(&desired.user)
        {
            return Err(failed(ReconcileError::Refused(format!(
                "property `UserName`: `{}` differs from `{current}` in letter case alone, and IAM takes both for the \
                 same name: keep the old spelling or choose another name",
                desired.user
            ))));
        }
        let change = if replacement {
            Change::Fresh
        } else {
            Change::InPlace(previous)
        };
        let (attributes, before) = self.establish(desired, change).await;
        let attributes = match attributes {
            Ok(attributes) => attributes,
            Err(error) if replacement && before == Before::Nothing && !error.is_unwanted() => {
                return Err(self.withdraw(&desired.user, error, failed).await);
            }
            Err(error) => {
                let unwanted = match error {
                    ReconcileError::Abandoned => vec![Some(&desired.user), current.as_ref()],
                    ReconcileError::Superseded(_) => vec![Some(&desired.user)],
                    ReconcileError::Refused(_)
                    | ReconcileError::Unobserved(_)
                    | ReconcileError::ApplyError(_)
                    | ReconcileError::SettleError(_) => Vec::new(),
                };
                for name in unwanted.into_iter().flatten() {
                    let removed = self.remove(name, desired.recovery).await;
                    removed.map_err(&failed)?;
                }
                return Err(failed(error));
            }
        };
        // A pair that the previous properties name, and that is neither the event's nor wanted: a replacement that never
        // answered. CloudFormation does not know its id and will never delete it.
        if let Some(name) = &previous.user
            && Some(name) != current.as_ref()
            && *name != desired.user
        {
            info!(user = %name, "removing what a replacement without an answer may have left");
            let removed = self.remove(name, desired.recovery).await;
            removed.map_err(&failed)?;
        }
        Ok(Success {
            id: desired.user.secret_name().to_string(),
            attributes,
        })
    }

    /// Removes the new half of a replacement that failed. If that fails too, the answer names it, for CloudFormation deletes
    /// what the answer names.
    async fn withdraw(
        &self,
        user: &UserName,
        error: ReconcileError,
        failed: impl Fn(ReconcileError) -> Failure,
    ) -> Failure {
        match self.remove(user, RecoveryWindow::None).await {
            Ok(()) => failed(error),
            Err(left) => Failure {
                id: user.secret_name().to_string(),
                reason: format!("{error}; and its new user could not be removed again: {left}"),
            },
        }
    }

    async fn delete(
        &self,
        id: &PhysicalId,
        user: Option<&UserName>,
        recovery: RecoveryWindow,
    ) -> Outcome {
        match user {
            Some(name) => {
                let removed = self.remove(name, recovery).await;
                removed.map_err(failed(id.as_str()))?;
            }
            None => {
                warn!("neither the id nor the properties name a user: there is nothing to delete");
            }
        }
        Ok(Success {
            id: id.to_string(),
            attributes: BTreeMap::new(),
        })
    }
}
