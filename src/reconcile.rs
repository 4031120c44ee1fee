//! Fulfils a request: observe → plan → apply, until nothing is left to do. Decides only whose turn it is.

mod work;

use std::collections::BTreeMap;

use tokio::time::Instant;
use tracing::{info, warn};

pub(crate) use self::work::role_lag;
use self::work::{Before, Unfulfilled, Work};
use crate::cloud::Cloud;
use crate::event::{PhysicalId, Request};
use crate::names::{RecoveryWindow, UserName};
use crate::ownership::Owner;
use crate::plan::{Access, Change, Want};
use crate::policy::PolicyDocument;
use crate::properties::{Desired, Previous};
use crate::settings::Settings;

/// What a fulfilled request is answered with.
#[derive(Debug, PartialEq, Eq)]
pub struct Success {
    /// The physical id.
    pub id: String,
    /// The attributes for `Fn::GetAtt`; none after a Delete.
    pub attributes: BTreeMap<&'static str, String>,
}

/// What a failed request is answered with.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// The physical id: what a Delete that follows has to clean.
    pub id: String,
    /// What went wrong and what to do, in one line.
    pub reason: String,
}

/// Fulfils one request. `deadline` is when the work must have ended; no key is made shortly before it.
///
/// # Errors
/// The reason for a FAILED answer, with the id that it carries.
pub async fn fulfil<C: Cloud>(
    request: &Request,
    cloud: &C,
    settings: &Settings,
    deadline: Instant,
) -> Result<Success, Failure> {
    match request {
        Request::Create { owner, desired } => {
            let id = desired.user.secret_name().to_string();
            let failed = |error: Unfulfilled| Failure {
                id: id.clone(),
                reason: error.to_string(),
            };
            let document = document(owner, desired, settings).map_err(failed)?;
            let want = Want {
                owner,
                desired,
                document: &document,
                change: Change::Fresh,
                access: Access::Same,
            };
            let work = Work {
                cloud,
                owner,
                patience: settings.patience,
                deadline,
            };
            let (presence, _) = work.establish(&want).await;
            match presence {
                Ok(attributes) => Ok(Success { id, attributes }),
                Err(error) => {
                    if matches!(error, Unfulfilled::Abandoned | Unfulfilled::Superseded(_)) {
                        work.remove(&desired.user, desired.recovery)
                            .await
                            .map_err(failed)?;
                    }
                    Err(failed(error))
                }
            }
        }
        Request::Update {
            owner,
            id,
            desired,
            previous,
        } => {
            let work = Work {
                cloud,
                owner,
                patience: settings.patience,
                deadline,
            };
            work.update(id, desired, previous, settings).await
        }
        Request::Delete {
            owner,
            id,
            user,
            recovery,
        } => {
            let name = match id {
                PhysicalId::Ours(name) => Some(name.user()),
                PhysicalId::Foreign(_) => user.clone(),
            };
            let work = Work {
                cloud,
                owner,
                patience: settings.patience,
                deadline,
            };
            let removed = match &name {
                Some(name) => work.remove(name, *recovery).await,
                None => {
                    warn!(
                        "neither the id nor the properties name a user: there is nothing to delete"
                    );
                    Ok(())
                }
            };
            match removed {
                Ok(()) => Ok(Success {
                    id: id.as_str().to_owned(),
                    attributes: BTreeMap::new(),
                }),
                Err(error) => Err(Failure {
                    id: id.as_str().to_owned(),
                    reason: error.to_string(),
                }),
            }
        }
    }
}

fn document(
    owner: &Owner,
    desired: &Desired,
    settings: &Settings,
) -> Result<PolicyDocument, Unfulfilled> {
    desired
        .policy_document(owner.stack.partition(), &settings.url_suffix)
        .map_err(|refusal| Unfulfilled::Refused(refusal.to_string()))
}

impl<C: Cloud> Work<'_, C> {
    async fn update(
        &self,
        id: &PhysicalId,
        desired: &Desired,
        previous: &Previous,
        settings: &Settings,
    ) -> Result<Success, Failure> {
        let old_id = id.as_str().to_owned();
        let failed = |error: Unfulfilled| Failure {
            id: old_id.clone(),
            reason: error.to_string(),
        };
        let document = document(self.owner, desired, settings).map_err(failed)?;
        let current = match id {
            PhysicalId::Ours(name) => Some(name.user()),
            PhysicalId::Foreign(_) => None,
        };
        let replacement = current.as_ref() != Some(&desired.user);
        if let Some(current) = &current
            && replacement
            && current.eq_ignore_case(&desired.user)
        {
            return Err(failed(Unfulfilled::Refused(format!(
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
        let want = Want {
            owner: self.owner,
            desired,
            document: &document,
            change,
            access: Access::Same,
        };
        let (presence, before) = self.establish(&want).await;
        let attributes = match presence {
            Ok(attributes) => attributes,
            Err(Unfulfilled::Abandoned) => {
                for name in [Some(&desired.user), current.as_ref()]
                    .into_iter()
                    .flatten()
                {
                    self.remove(name, desired.recovery).await.map_err(failed)?;
                }
                return Err(failed(Unfulfilled::Abandoned));
            }
            Err(error @ Unfulfilled::Superseded(_)) => {
                self.remove(&desired.user, desired.recovery)
                    .await
                    .map_err(failed)?;
                return Err(failed(error));
            }
            Err(error) if replacement && before == Before::Nothing => {
                return Err(
                    match self.remove(&desired.user, RecoveryWindow::None).await {
                        Ok(()) => failed(error),
                        // CloudFormation deletes what the answer names.
                        Err(left) => Failure {
                            id: desired.user.secret_name().to_string(),
                            reason: format!(
                                "{error}; and its new user could not be removed again: {left}"
                            ),
                        },
                    },
                );
            }
            Err(error) => return Err(failed(error)),
        };
        self.remove_unanswered(current.as_ref(), desired, previous)
            .await
            .map_err(failed)?;
        Ok(Success {
            id: desired.user.secret_name().to_string(),
            attributes,
        })
    }

    /// A pair that the previous properties name, and that is neither the event's nor wanted: a replacement that never
    /// answered. CloudFormation does not know its id and will never delete it.
    async fn remove_unanswered(
        &self,
        current: Option<&UserName>,
        desired: &Desired,
        previous: &Previous,
    ) -> Result<(), Unfulfilled> {
        match &previous.user {
            Some(name) if Some(name) != current && *name != desired.user => {
                info!(user = %name, "removing what a replacement without an answer may have left");
                self.remove(name, desired.recovery).await
            }
            Some(_) | None => Ok(()),
        }
    }
}
