//! How a Create or Update that fails removes what it made.

use super::{remove, remove_confirmed};
use crate::cloud::Cloud;
use crate::confirm::Confirmation;
use crate::names::{RecoveryWindow, UserName};
use crate::observe::{self, Observed};
use crate::outcome::Failure;
use crate::plan;
use crate::properties::Desired;
use crate::run::Run;
use crate::settle::{RunError, settle};
use crate::waits::between_rounds;

/// Removes what an unconfirmed request has left: the `unwanted` pair, the pair if this invocation made the whole of it, and
/// otherwise the keys that it made and nobody uses. Returns the reason for the answer.
pub(super) async fn clean_up<C: Cloud>(
    run: &Run<'_, C>,
    confirmation: &Confirmation,
    unwanted: Option<&UserName>,
    desired: &Desired,
) -> String {
    let named = match confirmation {
        Confirmation::Answered(now) | Confirmation::Unwanted(now) => now.physical_id.user(),
        Confirmation::Confirmed
        | Confirmation::Contradicted(_)
        | Confirmation::TurnedBack
        | Confirmation::Unanswered(_) => None,
    };
    let made = (run.made.the_pair() && named.as_ref() != Some(&desired.user))
        .then_some(&desired.user)
        .filter(|made| unwanted != Some(*made));
    let going: Vec<&UserName> = unwanted.into_iter().chain(made).collect();
    // What was changed of a pair that goes now goes with it.
    let changes = run.made.changes.get() && !going.contains(&&desired.user);
    let mut left = Ok(());
    for name in &going {
        left = left.and(remove(run, name, desired.recovery).await);
    }
    let mut keys = false;
    if !run.made.keys.borrow().is_empty() && !going.contains(&&desired.user) {
        let withdrawn = withdraw_keys(run, &desired.user).await;
        left = left.and(withdrawn.map(|found| keys = found));
    }
    let removed = match left {
        Ok(()) if unwanted.is_some() => "; what was left of it was removed".to_owned(),
        Ok(()) if made.is_some() || keys => "; what this request had made was removed".to_owned(),
        Ok(()) if changes => String::new(),
        Ok(()) => "; nothing was changed".to_owned(),
        Err(error) => format!("; what was left could not be removed: {error}"),
    };
    let stays = if changes {
        "; what it had changed stays until the next update or rollback"
    } else {
        ""
    };
    let sentence = confirmation.sentence(&run.owner.logical_id);
    format!("{sentence}{removed}{stays}")
}

/// Removes the keys that this invocation made and nobody uses. Says whether there were any.
async fn withdraw_keys<C: Cloud>(run: &Run<'_, C>, name: &UserName) -> Result<bool, RunError> {
    let mut found = false;
    settle(
        run,
        between_rounds(),
        async || {
            let pair = observe::pair(run, name).await?;
            Ok(Observed::unasked(run, pair))
        },
        |observed| {
            let plan = plan::withdrawal(&observed.pair, &run.made.keys.borrow());
            found |= !plan.changes_nothing();
            Ok(plan)
        },
    )
    .await?;
    Ok(found)
}

/// Removes the new half of a failed replacement, unless CloudFormation names it by now, because another run of the same
/// request has made it work. If that fails too, the answer names the new half, because CloudFormation deletes what the
/// answer names.
pub(super) async fn withdraw_replacement<C: Cloud>(
    run: &Run<'_, C>,
    user: &UserName,
    error: &RunError,
    failure: impl Fn(String) -> Failure,
) -> Failure {
    match remove_confirmed(run, user, RecoveryWindow::None).await {
        Ok(()) => failure(error.to_string()),
        Err(left) => Failure {
            id: user.secret_name().to_string(),
            reason: format!("{error}; and its new user could not be removed again: {left}"),
        },
    }
}
