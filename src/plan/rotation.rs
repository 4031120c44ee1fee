//! The plan of one step of a rotation by Secrets Manager.

use std::time::Duration;

use super::keys::{HeldUp, Readiness, kept_previous, readiness};
use super::provision::promote;
use super::{Access, End, KeyUnderTest, NewKey, OnFailure, Plan, Proof, Step, Target};
use crate::cloud::{KeyStatus, VersionId};
use crate::names::UserName;
use crate::observe::{Observed, ObservedSecret, ObservedUser, Pair};
use crate::ownership::Ownership;
use crate::secret::{Label, StoredKey};

/// The [steps](https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html) of a
/// rotation. Secrets Manager asks for one after the other, and for all of them again after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotationStep {
    /// `createSecret`: make the new key and store it.
    Create,
    /// `setSecret`: tell the other side. IAM made the key and knows it.
    Set,
    /// `testSecret`: see that the new key works.
    Test,
    /// `finishSecret`: make the new key current.
    Finish,
}

/// Why a step of a rotation cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RotationBlocked {
    /// It may pass within seconds.
    Transient(String),
    /// It stays until a person or a later event changes it.
    Permanent(String),
    /// It would end a key that is in use.
    HeldUp(HeldUp),
}

impl From<HeldUp> for RotationBlocked {
    fn from(held_up: HeldUp) -> Self {
        Self::HeldUp(held_up)
    }
}

/// The rotation that a step belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Rotating<'a> {
    /// The version that Secrets Manager has labelled `AWSPENDING`.
    pub token: &'a VersionId,
    /// What the new key must read.
    pub targets: &'a [Target],
    /// How long a key must have been unused before a rotation may end it.
    pub window: Duration,
}

/// Plans a step.
///
/// # Errors
/// What stands in the way. Nothing is changed then.
pub fn rotation(
    step: RotationStep,
    rotating: Rotating<'_>,
    observed: &Observed,
) -> Result<Plan, RotationBlocked> {
    let Rotating {
        token,
        targets,
        window,
    } = rotating;
    let (pair, now) = (&observed.pair, observed.now);
    let Parties {
        user,
        current,
        in_use,
        pending,
    } = Parties::of(pair, token)?;
    let mut end = End::Done;
    let stages = match (step, pending) {
        (RotationStep::Create, None) => match readiness(pair, now, window)? {
            Readiness::ClearFirst(steps) => {
                end = End::ObserveAgain("orphans and failed attempts were cleared".to_owned());
                in_turn(steps)
            }
            Readiness::Ready(room) => {
                let new = NewKey {
                    version: token.clone(),
                    label: Label::Pending,
                    serial: in_use.serial,
                };
                in_turn(
                    room.into_iter()
                        .chain([Step::MakeKey(new), Step::LookAgain]),
                )
            }
        },
        (RotationStep::Create, Some(key)) => {
            must_live(user, key, token)?;
            Vec::new()
        }
        (RotationStep::Set, Some(_)) => Vec::new(),
        (RotationStep::Set | RotationStep::Finish, None) => {
            return Err(RotationBlocked::Permanent(format!(
                "version `{token}` holds no key: `createSecret` has to come first"
            )));
        }
        (RotationStep::Test, Some(key)) => vec![prove(KeyUnderTest::Pending(key.clone()), targets)],
        // The test of a new schedule comes with a version that never gets a value.
        (RotationStep::Test, None) => vec![prove(KeyUnderTest::Current(in_use.clone()), targets)],
        (RotationStep::Finish, Some(key)) => {
            must_live(user, key, token)?;
            // The previous key stays, and so does AWSPENDING: removing that label in a call of its own would look like
            // a cancelled rotation.
            let (from, to) = (current.clone(), token.clone());
            let keeps = kept_previous(pair, current, now);
            promote(from, to, Some(key.id.clone()), keeps)
        }
    };
    Ok(Plan {
        notes: Vec::new(),
        stages,
        access: Access::Same,
        end,
    })
}

/// Plans to remove the label of a rotation that is held up. Without it, Secrets Manager does not repeat this rotation,
/// and the next one gets a new version. The plan is empty if the label is gone already.
pub fn end_rotation(token: &VersionId, secret: &ObservedSecret) -> Plan {
    let mut plan = Plan::nothing(End::Done);
    if secret.labelled(Label::Pending) == Some(token)
        && secret.labelled(Label::Current) != Some(token)
    {
        let (label, version) = (Label::Pending, token.clone());
        plan.stages = vec![vec![Step::DropLabel { label, version }]];
    }
    plan
}

fn in_turn(steps: impl IntoIterator<Item = Step>) -> Vec<Vec<Step>> {
    steps.into_iter().map(|step| vec![step]).collect()
}

fn prove(key_under_test: KeyUnderTest, targets: &[Target]) -> Vec<Step> {
    vec![Step::Prove(Proof {
        key_under_test,
        on_failure: OnFailure::Fail,
        targets: targets.to_vec(),
    })]
}

/// The user, the secret and the versions of a rotation, checked to be ours and to belong together.
struct Parties<'a> {
    user: &'a ObservedUser,
    /// The current version and its key.
    current: &'a VersionId,
    in_use: &'a StoredKey,
    /// The pending key, once it is stored.
    pending: Option<&'a StoredKey>,
}

impl<'a> Parties<'a> {
    /// Requires user, secret and both versions to belong together, because whoever can write to the secret could name
    /// another user in it.
    fn of(pair: &'a Pair, token: &VersionId) -> Result<Self, RotationBlocked> {
        let Pair {
            name,
            user,
            secret,
            renamed_to: _,
        } = pair;
        let lasting = |reason: String| RotationBlocked::Permanent(reason);
        let user = user.as_ref().ok_or_else(|| {
            lasting(format!(
                "there is no user `{name}`: update the stack with another `Revision`, which makes it again"
            ))
        })?;
        let secret = secret
            .as_ref()
            .ok_or_else(|| lasting(format!("there is no secret `{}`", name.secret_name())))?;
        for (what, ownership) in [("user", &user.ownership), ("secret", &secret.ownership)] {
            if *ownership != Ownership::Ours {
                return Err(lasting(format!(
                    "the {what} of `{}` does not carry the tags of this stack's resource ({ownership:?}): nothing is changed",
                    name.secret_name()
                )));
            }
        }
        if let Some(error) = &secret.unreadable {
            return Err(lasting(format!(
                "secret `{}` cannot be read, so nothing is known of its keys: restore the KMS key that encrypts it ({error})",
                name.secret_name()
            )));
        }
        let current = secret.labelled(Label::Current).ok_or_else(|| {
            lasting(format!(
                "secret `{}` has no key yet: wait until the stack is complete",
                name.secret_name()
            ))
        })?;
        let in_use = key_of(name, secret, current).ok_or_else(|| {
            lasting(format!(
                "{} of `{}` holds no key of user `{name}`, because somebody edited it: update the stack with another \
                 `Revision`, which repairs it",
                Label::Current,
                name.secret_name()
            ))
        })?;
        let pending = match secret.stored.get(token) {
            None => None,
            Some(_) => Some(key_of(name, secret, token).ok_or_else(|| {
                lasting(format!(
                    "version `{token}` holds no key of user `{name}`: {}",
                    cancel(token)
                ))
            })?),
        };
        Ok(Self {
            user,
            current,
            in_use,
            pending,
        })
    }
}

/// The key that the version holds, if it names this user.
fn key_of<'a>(
    name: &UserName,
    secret: &'a ObservedSecret,
    version: &VersionId,
) -> Option<&'a StoredKey> {
    secret
        .key_of(version)
        .filter(|key| key.user == name.as_str())
}

/// A version's value cannot be changed, so a pending key that is lost is lost for this rotation.
fn must_live(
    user: &ObservedUser,
    key: &StoredKey,
    token: &VersionId,
) -> Result<(), RotationBlocked> {
    let listed = user.keys.iter().find(|listed| listed.id == key.id);
    match listed.map(|listed| listed.status) {
        Some(KeyStatus::Active) => Ok(()),
        Some(KeyStatus::Inactive) => Err(RotationBlocked::Permanent(format!(
            "key `{}` of version `{token}` was deactivated: {}",
            key.id,
            cancel(token)
        ))),
        // IAM lists a new key only after some seconds.
        None => Err(RotationBlocked::Transient(format!(
            "key `{}` of version `{token}` is not on the user; if it stays so, {}",
            key.id,
            cancel(token)
        ))),
    }
}

fn cancel(token: &VersionId) -> String {
    format!(
        "this rotation cannot be completed: end it with `aws secretsmanager update-secret-version-stage --version-stage \
         {} --remove-from-version-id {token} --secret-id SECRET` and rotate again",
        Label::Pending
    )
}
