//! The plan of one step of a rotation by Secrets Manager.

use std::time::Duration;

use super::keys::{Room, room_for_rotation};
use super::step::in_turn;
use super::{
    End, NewKey, OnFailure, Plan, Proof, Step, Target, Trial, Whose, provision, strangers,
};
use crate::cloud::{KeyStatus, Label, StoredKey, VersionId};
use crate::observe::{AtWork, Observed, ObservedSecret, ObservedUser, Ownership, Pair, Refusal};
use crate::request::names::KeySerial;
use crate::request::owner::Owner;

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

/// The rotation that a step belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Rotating<'a> {
    pub owner: &'a Owner,
    /// The version that Secrets Manager has labelled `AWSPENDING`.
    pub token: &'a VersionId,
    /// The `KeySerial` of the template.
    pub serial: KeySerial,
    /// What the new key must read.
    pub targets: &'a [Target],
    /// How long a key must have been unused before a rotation may end it.
    pub window: Duration,
    /// Whether CloudFormation is changing the stack, which may be about to make a key too.
    pub at_work: AtWork,
}

/// Plans a step.
pub fn rotation(
    step: RotationStep,
    rotating: Rotating<'_>,
    observed: &Observed,
) -> Result<Plan, Refusal> {
    let token = rotating.token;
    let Parties {
        user,
        current,
        in_use,
        pending,
    } = Parties::of(rotating.owner, &observed.pair, token)?;
    let prove = |key: &StoredKey, whose| {
        let trial = Trial {
            on_failure: OnFailure::Fail,
            targets: rotating.targets.to_vec(),
        };
        let key = key.clone();
        Some(Step::Prove(Proof { key, whose, trial }))
    };
    let step = match (step, pending) {
        (RotationStep::Create, None) => return create(rotating, in_use, observed),
        (RotationStep::Set, Some(_)) => None,
        (RotationStep::Set | RotationStep::Finish, None) => {
            return Err(Refusal::Rotation(format!(
                "version `{token}` holds no key: `createSecret` has to come first"
            )));
        }
        (RotationStep::Test, Some(key)) => prove(key, Whose::Pending),
        // The test of a new schedule comes with a version that never gets a value.
        (RotationStep::Test, None) => prove(in_use, Whose::Current),
        (RotationStep::Create | RotationStep::Finish, Some(key)) => {
            if let Some(why) = missing(user, key, token)? {
                return Ok(Plan::nothing(End::ObserveAgain(why)));
            }
            // AWSPENDING stays: removing that label in a call of its own would look like a cancelled rotation.
            (step == RotationStep::Finish).then(|| Step::MoveLabel {
                label: Label::Current,
                from: current.clone(),
                to: Some(token.clone()),
            })
        }
    };
    Ok(Plan::of(in_turn(step), End::Done))
}

/// Makes a key and stores it where nobody uses it; `testSecret` proves it.
fn create(
    rotating: Rotating<'_>,
    in_use: &StoredKey,
    observed: &Observed,
) -> Result<Plan, Refusal> {
    let (token, serial) = (rotating.token, rotating.serial);
    if rotating.at_work == AtWork::Yes {
        return Err(Refusal::Rotation(
            "CloudFormation is at work on the stack, and may be making a key: Secrets Manager tries again, or rotate again when \
             the stack is at rest"
                .to_owned(),
        ));
    }
    let room = match room_for_rotation(&observed.pair, token, observed.now, rotating.window)? {
        Room::Made(going) => going.into_iter().map(|key| Step::DeleteKey(key.id)),
        Room::Wait(why) => return Ok(Plan::nothing(End::ObserveAgain(why))),
    };
    let new = NewKey {
        version: token.clone(),
        label: Label::Pending,
        serial: in_use.serial.map_or(serial, |stored| stored.max(serial)),
        trial: None,
    };
    let steps = room.chain([Step::MakeKey(new)]);
    Ok(Plan::of(in_turn(steps), End::Done))
}

/// Plans to remove the label of a rotation that is held up. Without it, Secrets Manager does not repeat this rotation,
/// and the next one gets a new version. The plan is empty if the label is gone already.
pub fn end_rotation(token: &VersionId, secret: &ObservedSecret) -> Plan {
    let pending = secret.labelled(Label::Pending) == Some(token)
        && secret.labelled(Label::Current) != Some(token);
    let step = pending.then(|| Step::MoveLabel {
        label: Label::Pending,
        from: token.clone(),
        to: None,
    });
    Plan::of(in_turn(step), End::Done)
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
    fn of(owner: &Owner, pair: &'a Pair, token: &VersionId) -> Result<Self, Refusal> {
        const UPDATE: &str = "update the stack with another `Revision`";
        let (name, secret_name) = (&pair.name, pair.name.secret_name());
        let refused = |reason| Err(Refusal::Rotation(reason));
        let (Some(user), Some(secret)) = (&pair.user, &pair.secret) else {
            return refused(format!(
                "there is no user `{name}` or no secret `{secret_name}`: {UPDATE}, which makes it again"
            ));
        };
        strangers::refuse_strangers(owner, pair)?;
        if [&user.ownership, &secret.ownership] != [&Ownership::Ours; 2] {
            return refused(format!(
                "user and secret `{secret_name}` carry the tags of a previous stack: {UPDATE}"
            ));
        }
        if let Some(error) = &secret.unreadable {
            return Err(provision::unreadable(secret_name, error));
        }
        let Some(current) = secret.labelled(Label::Current) else {
            return refused(format!(
                "secret `{secret_name}` has no key yet: wait until the stack is complete"
            ));
        };
        let key_of = |version| {
            let key = secret.key_of(version);
            key.filter(|key| key.user == name.as_str())
        };
        let Some(in_use) = key_of(current) else {
            return refused(format!(
                "{} of `{secret_name}` holds no key of user `{name}`, because somebody edited it: {UPDATE}, which repairs it",
                Label::Current
            ));
        };
        let pending = key_of(token);
        if pending.is_none() && secret.stored.contains_key(token) {
            return refused(format!(
                "version `{token}` holds no key of user `{name}`: {}",
                cancel(token)
            ));
        }
        Ok(Self {
            user,
            current,
            in_use,
            pending,
        })
    }
}

/// Why a stored key may not exist yet; `None` if it is there. A version's value cannot be changed, so a pending key that is lost
/// is lost for this rotation.
fn missing(
    user: &ObservedUser,
    key: &StoredKey,
    token: &VersionId,
) -> Result<Option<String>, Refusal> {
    let listed = user.keys.iter().find(|listed| listed.id == key.id);
    match listed.map(|listed| listed.status) {
        Some(KeyStatus::Active) => Ok(None),
        Some(KeyStatus::Inactive) => Err(Refusal::Rotation(format!(
            "key `{}` of version `{token}` was deactivated: {}",
            key.id,
            cancel(token)
        ))),
        // IAM lists a new key only after some seconds.
        None => Ok(Some(format!(
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
