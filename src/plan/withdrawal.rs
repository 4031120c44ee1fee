//! The plan that removes the keys that one invocation made and nobody uses.

use super::{Access, End, Plan, Step};
use crate::cloud::VersionId;
use crate::observe::Pair;
use crate::secret::{AccessKeyId, Label};

/// Plans to remove each of these keys, and then the candidate label of the version that it was to be stored in. A key
/// that is in use, or was, stays.
pub fn withdrawal(pair: &Pair, keys: &[(VersionId, AccessKeyId)]) -> Plan {
    let holds = |version: &VersionId, label: Label| {
        let secret = pair.secret.as_ref();
        secret.and_then(|secret| secret.labelled(label)) == Some(version)
    };
    let mut steps = Vec::new();
    for (version, key) in keys {
        if holds(version, Label::Current) || holds(version, Label::Previous) {
            continue;
        }
        // Listed or not: IAM's list shows a new key late.
        steps.push(Step::DeleteKey(key.clone()));
        if holds(version, Label::Candidate) {
            steps.push(Step::DropLabel {
                label: Label::Candidate,
                version: version.clone(),
            });
        }
    }
    Plan {
        notes: Vec::new(),
        stages: steps.into_iter().map(|step| vec![step]).collect(),
        access: Access::Same,
        end: End::Done,
    }
}
