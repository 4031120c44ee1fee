//! What a stack is made of in a story, and what people do to it behind its back.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::scene::{OTHER_USER, USER, properties};
use kit::account::{Account, OTHER_BOUNDARY};

#[derive(Clone, Copy, Debug)]
pub(super) struct Template {
    pub(super) user: &'static str,
    pub(super) bucket: &'static str,
    pub(super) policy: &'static str,
    pub(super) serial: u64,
    pub(super) recovery_days: u8,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Edit {
    DeleteKey,
    DeactivateKey,
    AddKey,
    SpoilPolicy,
    RemovePolicies,
    SpoilSecret,
    DeleteSecret,
    DeleteSecretSlowly,
    DeleteUser,
    ChangeBoundary,
    Quarantine,
    Replicate,
}

/// What the function was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Archive {
    /// The template's own release.
    Own,
    /// Another release: somebody uploaded the wrong archive.
    Other,
}

pub(super) fn archive() -> impl Strategy<Value = Archive> {
    prop_oneof![7 => Just(Archive::Own), 1 => Just(Archive::Other)]
}

impl Archive {
    /// The function's environment. `RELEASE` is the template's.
    pub(super) fn variables(self) -> [(&'static str, &'static str); 1] {
        match self {
            Self::Own => [("RELEASE", env!("CARGO_PKG_VERSION"))],
            Self::Other => [("RELEASE", "0.0.0")],
        }
    }
}

pub(super) fn template() -> impl Strategy<Value = Template> {
    let names = (
        select(vec![USER, OTHER_USER]),
        select(vec!["reads", "others"]),
        select(vec!["S3AccessPolicy", "Other"]),
    );
    (names, 1..6_u64, select(vec![0, 7])).prop_map(
        |((user, bucket, policy), serial, recovery_days)| Template {
            user,
            bucket,
            policy,
            serial,
            recovery_days,
        },
    )
}

pub(super) fn edit() -> impl Strategy<Value = Edit> {
    select(vec![
        Edit::DeleteKey,
        Edit::DeactivateKey,
        Edit::AddKey,
        Edit::SpoilPolicy,
        Edit::RemovePolicies,
        Edit::SpoilSecret,
        Edit::DeleteSecret,
        Edit::DeleteSecretSlowly,
        Edit::DeleteUser,
        Edit::ChangeBoundary,
        Edit::Quarantine,
        Edit::Replicate,
    ])
}

impl Template {
    /// Every update changes something: CloudFormation sends no other.
    pub(super) fn properties(self, revision: usize) -> Value {
        let Self {
            user,
            bucket,
            policy,
            serial,
            recovery_days,
        } = self;
        let mut all = properties();
        for (name, value) in [
            ("UserName", json!(user)),
            ("Buckets", json!([bucket])),
            ("PolicyName", json!(policy)),
            ("KeySerial", json!(serial)),
            ("SecretRecoveryDays", json!(recovery_days)),
            ("Revision", json!(revision)),
        ] {
            all[name] = value;
        }
        all
    }
}

impl Edit {
    pub(super) fn happen(self, account: &Account, user: &str) {
        let hand = account.by_hand();
        let secret = format!("publisher/{user}");
        let key = account.current_key(&secret).expect("the stack is in order");
        match self {
            Self::DeleteKey => hand.delete_key(user, &key),
            Self::DeactivateKey => hand.deactivate_key(user, &key),
            Self::AddKey if account.keys(user).len() < 2 => drop(hand.add_key(user)),
            Self::AddKey => {}
            Self::SpoilPolicy => {
                let name = account
                    .policies(user)
                    .into_keys()
                    .next()
                    .expect("the stack is in order");
                let document = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;
                hand.put_policy(user, &name, document);
            }
            Self::RemovePolicies => {
                for name in account.policies(user).into_keys() {
                    hand.remove_policy(user, &name);
                }
            }
            Self::SpoilSecret => hand.edit_secret(&secret, "oops"),
            Self::DeleteSecret | Self::DeleteSecretSlowly if account.is_replicated(&secret) => {}
            Self::DeleteSecret => hand.delete_secret(&secret, None),
            Self::DeleteSecretSlowly => hand.delete_secret(&secret, Some(7)),
            Self::DeleteUser => hand.delete_user(user),
            Self::ChangeBoundary => hand.set_boundary(user, Some(OTHER_BOUNDARY)),
            Self::Quarantine => hand.quarantine(user),
            Self::Replicate => hand.replicate(&secret, "eu-west-1"),
        }
    }
}
