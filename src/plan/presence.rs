//! The plan that makes a pair what the template says.

use super::goal::{Change, Goal};
use super::keys::{KeyDecision, KeyPlan, keys};
use super::lanes::{in_turn, secret_lane, side_by_side, user_lane};
use super::refusals::{refuse_missing_buckets, refuse_strangers};
use super::{Access, End, KeyUnderTest, OnFailure, Plan, Proof, Step};
use crate::cloud::{Direction, SecretState, VersionId};
use crate::names::Verification;
use crate::observe::{Observed, ObservedSecret, Pair};
use crate::ownership::Ownership;
use crate::secret::{AccessKeyId, Label};

/// Plans the way from what is observed to what is wanted.
///
/// # Errors
/// The reason for the answer where something stands in the way that is not ours to change. Nothing is changed then.
pub fn presence(goal: &Goal<'_>, observed: &Observed) -> Result<Plan, String> {
    let Observed {
        now,
        standing: _,
        direction,
        regions: _,
        pair,
    } = observed;
    refuse_strangers(goal, pair)?;
    let mut plan = Plan {
        notes: Vec::new(),
        stages: Vec::new(),
        access: goal.access,
        end: End::Done,
    };
    let user_lane = user_lane(goal, pair, &mut plan.notes)?;
    let only_tags = |step: &Step| matches!(step, Step::TagUser(_) | Step::UntagUser(_));
    if !user_lane.iter().all(only_tags) {
        plan.access = Access::Changed;
    }

    if let Some(ObservedSecret {
        secret, ownership, ..
    }) = &pair.secret
        && secret.state == SecretState::PendingDeletion
    {
        // The user first: once it carries our tags, a Delete that comes now knows the secret as ours too.
        plan.stages
            .extend(user_lane.into_iter().map(|step| vec![step]));
        let keys = match ownership {
            // The keys of an earlier life end with it, while its secret still says so: restored, it then holds no key that
            // works, and whoever looks next makes a new one. A deleted key may be listed for a while, and would look alive.
            Ownership::PreviousStack => all_keys(pair),
            Ownership::Ours | Ownership::Untagged | Ownership::Foreign(_) => Vec::new(),
        };
        plan.stages.push(if keys.is_empty() {
            vec![Step::RestoreSecret(secret.arn.clone())]
        } else {
            keys
        });
        plan.end = End::ObserveAgain;
        return Ok(plan);
    }
    let secret_lane = secret_lane(goal, observed);
    let taken_over = pair
        .secret
        .as_ref()
        .is_some_and(|secret| secret.ownership == Ownership::PreviousStack);
    plan.stages = if taken_over {
        in_turn(user_lane, secret_lane)
    } else {
        side_by_side(user_lane, secret_lane)
    };

    let KeyPlan {
        clearing,
        notes,
        decision,
    } = keys(pair, goal.desired.key_serial, *now);
    plan.notes.extend(notes);
    if !clearing.is_empty() {
        // One after the other: a key goes before the label that tells of it. Then all is looked at anew, for another run
        // may have stored such a key, or taken it into use, since it was observed.
        plan.stages
            .extend(clearing.into_iter().map(|step| vec![step]));
        plan.end = End::ObserveAgain;
        return Ok(plan);
    }
    let prove = prove(goal, plan.access);
    let on_failure = match direction {
        Direction::Forward => OnFailure::Fail,
        Direction::Rollback => OnFailure::Log,
    };
    finish(&mut plan, decision, prove, on_failure)?;
    refuse_missing_buckets(&plan, observed)?;
    Ok(plan)
}

/// The end of all keys of the user.
fn all_keys(pair: &Pair) -> Vec<Step> {
    let keys = pair.user.iter().flat_map(|user| &user.keys);
    keys.map(|key| Step::DeleteKey(key.id.clone())).collect()
}

/// Adds what becomes of the key in use.
fn finish(
    plan: &mut Plan,
    decision: KeyDecision,
    prove: ProveWhen,
    on_failure: OnFailure,
) -> Result<(), String> {
    let proof = |key_under_test| {
        vec![Step::Prove(Proof {
            key_under_test,
            on_failure,
        })]
    };
    match decision {
        KeyDecision::Keep(key) => match prove {
            ProveWhen::Always => plan.stages.push(proof(KeyUnderTest::Current(key))),
            ProveWhen::KeyIsNew | ProveWhen::Never => {}
        },
        KeyDecision::Make {
            new,
            replaces,
            room,
        } => {
            if !room.is_empty() {
                plan.stages.push(room);
            }
            // Asking waits for nothing: it joins whatever is last before the key.
            match plan.stages.last_mut() {
                Some(stage) => stage.push(Step::AskStanding),
                None => plan.stages.push(vec![Step::AskStanding]),
            }
            plan.stages.push(vec![Step::MakeKey(new.clone())]);
            plan.stages.push(vec![Step::LookAgain, Step::AskStanding]);
            if prove != ProveWhen::Never {
                plan.stages.push(proof(KeyUnderTest::Made(new.clone())));
            }
            if let Some(from) = replaces {
                promote(plan, from, new.version, None);
            }
        }
        KeyDecision::Adopt {
            candidate,
            key,
            replaces,
        } => {
            let id = key.id.clone();
            if prove != ProveWhen::Never {
                plan.stages
                    .push(proof(KeyUnderTest::Candidate(candidate.clone(), key)));
            }
            promote(plan, replaces, candidate, Some(id));
        }
        KeyDecision::MoveBack { from, to, key } => {
            let key = Some(key);
            plan.stages.push(vec![Step::Promote { from, to, key }]);
            plan.end = End::ObserveAgain;
        }
        KeyDecision::Wait => plan.end = End::ObserveAgain,
        KeyDecision::Rotating(pending) => {
            return Err(format!(
                "Secrets Manager is rotating the secret right now (version `{pending}` is {}), so no other key is made: \
                 try again in 15 minutes",
                Label::Pending
            ));
        }
    }
    Ok(())
}

fn promote(plan: &mut Plan, from: VersionId, to: VersionId, key: Option<AccessKeyId>) {
    plan.stages.push(vec![Step::Promote {
        from,
        to: to.clone(),
        key,
    }]);
    plan.stages.push(vec![Step::DropLabel {
        label: Label::Candidate,
        version: to,
    }]);
}

/// When a proof is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ProveWhen {
    Always,
    KeyIsNew,
    Never,
}

fn prove(goal: &Goal<'_>, access: Access) -> ProveWhen {
    let Goal {
        desired, change, ..
    } = goal;
    let asked = match (desired.verification, change) {
        (Verification::Skip, _) => return ProveWhen::Never,
        (Verification::Prove, Change::Fresh) => true,
        (Verification::Prove, Change::InPlace(previous)) => {
            previous.verification != Some(Verification::Prove)
                || previous.buckets.as_ref() != Some(&desired.buckets)
                || previous.bucket_kms_keys != desired.bucket_kms_keys
                || (desired.boundary.is_some() && previous.boundary != desired.boundary)
                || previous.revision != desired.revision
        }
    };
    if asked || access == Access::Changed {
        ProveWhen::Always
    } else {
        ProveWhen::KeyIsNew
    }
}
