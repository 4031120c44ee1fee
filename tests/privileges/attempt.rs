//! What somebody tries with the function's role, or with the user's key, and must not be allowed.

use serde_json::{Value, json};

use super::calls::Call;
use super::policies::Policies;
use super::roles::{CUSTOM_RESOURCE, ROTATION};
use kit::policy_check::Decision;

/// The stack itself.
pub(crate) const STACK: &str =
    "arn:aws:cloudformation:us-east-1:111122223333:stack/genomes-for-publisher/00000001-1111";

/// With whose credentials, and what else permits them something.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Who {
    /// The function's role as the template makes it.
    Role,
    /// The same after somebody attached `AdministratorAccess` to it.
    RoleAndAdministrator,
    /// The rotation function's role.
    Rotation,
    /// The user with the policy that the function gives it.
    User,
    /// The same after somebody attached `AdministratorAccess` to it.
    UserAndAdministrator,
    /// The user, named by the policy of the bucket, key or secret itself: a boundary does not limit that by what it
    /// leaves out, only by what it denies.
    UserAndResourcePolicy,
}

/// One attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    pub(crate) who: Who,
    pub(crate) action: &'static str,
    pub(crate) resource: &'static str,
    pub(crate) context: &'static [(&'static str, &'static str)],
    /// What would be gained.
    pub(crate) gain: &'static str,
}

impl Attempt {
    fn call(&self) -> Call {
        let context = self.context.iter();
        let context = context.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Call::new(self.action, self.resource, STACK).with_all(context)
    }

    /// Whether it succeeds.
    pub(crate) fn succeeds(&self, policies: &Policies) -> bool {
        let call = self.call();
        let role = &policies.roles[CUSTOM_RESOURCE];
        let everything = administrator();
        let boundary = [&policies.boundary];
        match self.who {
            Who::Role => call.judged(role) == Decision::Allowed,
            Who::Rotation => call.judged(&policies.roles[ROTATION]) == Decision::Allowed,
            Who::RoleAndAdministrator => {
                call.judged(role.iter().chain([&everything])) == Decision::Allowed
            }
            // An identity policy counts as far as the boundary allows the same.
            Who::User => {
                call.judged([&own_policy()]) == Decision::Allowed
                    && call.judged(boundary) == Decision::Allowed
            }
            Who::UserAndAdministrator => call.judged(boundary) == Decision::Allowed,
            Who::UserAndResourcePolicy => call.judged(boundary) != Decision::Denied,
        }
    }
}

/// The attempts that succeed, each with what it gains.
pub(crate) fn successes(attempts: &[Attempt], policies: &Policies) -> Vec<String> {
    let succeeding = attempts.iter().filter(|attempt| attempt.succeeds(policies));
    succeeding
        .map(
            |Attempt {
                 who,
                 action,
                 resource,
                 gain,
                 ..
             }| { format!("{who:?}: `{action}` on `{resource}` succeeds: {gain}") },
        )
        .collect()
}

fn administrator() -> Value {
    json!({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
}

/// What the function gives the user for `Buckets: reads`.
fn own_policy() -> Value {
    json!({"Statement": [
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::reads"},
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::reads/*"},
    ]})
}
