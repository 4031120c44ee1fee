//! What somebody tries with a function's role or the user's key, and must not be allowed.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::calls::{Call, Deployed};
use super::policies::Policies;
use super::roles::{CUSTOM_RESOURCE, ROTATION};
use kit::policy_check::Decision;

/// The stack itself.
pub(crate) const STACK: &str =
    "arn:aws:cloudformation:us-east-1:111122223333:stack/genomes-for-publisher/00000001-1111";

/// The stack with its user.
pub(crate) fn deployed() -> Deployed {
    Deployed::new(STACK, "publisher-reader")
}

/// The credentials, and any other policy that permits something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// The function's role as the template makes it.
    Role,
    /// The same after somebody attached `AdministratorAccess` to it.
    RoleAndAdministrator,
    /// The maintenance function's role.
    Rotation,
    /// The user with the policy that the function gives it.
    User,
    /// The same after somebody attached `AdministratorAccess` to it.
    UserAndAdministrator,
    /// The user, named by the policy of the bucket, key or secret itself. Only a boundary's Deny limits that, not what
    /// it leaves out.
    UserAndResourcePolicy,
}

impl Who {
    pub(crate) const ALL: [Self; 6] = [
        Self::Role,
        Self::RoleAndAdministrator,
        Self::Rotation,
        Self::User,
        Self::UserAndAdministrator,
        Self::UserAndResourcePolicy,
    ];

    /// The sets of documents that must all allow a request: an identity policy counts only as far as the boundary
    /// allows the same.
    pub(crate) fn sides(self, policies: &Policies) -> Vec<Vec<&Value>> {
        let role = policies.roles[CUSTOM_RESOURCE].iter();
        let boundary = vec![&policies.boundary];
        match self {
            Self::Role => vec![role.collect()],
            Self::RoleAndAdministrator => vec![role.chain([&*ADMINISTRATOR]).collect()],
            Self::Rotation => vec![policies.roles[ROTATION].iter().collect()],
            Self::User => vec![vec![&*OWN_POLICY], boundary],
            Self::UserAndAdministrator | Self::UserAndResourcePolicy => vec![boundary],
        }
    }
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
    pub(crate) fn call(&self) -> Call {
        let context = self.context.iter();
        let context = context.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Call::new(self.action, self.resource, &deployed()).with_all(context)
    }

    /// Whether it succeeds.
    pub(crate) fn succeeds(&self, policies: &Policies) -> bool {
        let call = self.call();
        let sides = self.who.sides(policies);
        sides.into_iter().all(|side| match call.judged(side) {
            Decision::Allowed => true,
            Decision::NotAllowed => matches!(self.who, Who::UserAndResourcePolicy),
            Decision::Denied => false,
        })
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

static ADMINISTRATOR: LazyLock<Value> =
    LazyLock::new(|| json!({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}));

/// What the function gives the user for `Buckets: reads`.
static OWN_POLICY: LazyLock<Value> = LazyLock::new(|| {
    json!({"Statement": [
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::reads"},
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::reads/*"},
    ]})
});
