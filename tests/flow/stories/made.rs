//! What a stack is made of in a story, and what people do to it behind its back.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::by_hand::Edit;
use crate::scene::{OTHER_USER, USER, properties};

#[derive(Clone, Copy, Debug)]
pub(super) struct Template {
    pub(super) user: &'static str,
    pub(super) bucket: &'static str,
    pub(super) policy: &'static str,
    pub(super) serial: u64,
    pub(super) recovery_days: u8,
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
            Self::Own => [("RELEASE", publisher_s3_access::plan::RELEASE)],
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
    prop_oneof![select(&Edit::OF_KEYS[..]), select(&Edit::OF_THE_REST[..])]
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
