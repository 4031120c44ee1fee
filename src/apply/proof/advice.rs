//! What a proof has shown, in sentences: what is wrong, in AWS's words, and what cures it, by the cause that AWS names.

use super::{Found, Shows};
use crate::cloud::{CloudError, Denial, Denied, ErrorKind, KmsState, PolicyKind};
use crate::plan::{OnEmpty, Target};
use crate::request::names::UserName;
use crate::request::visible;

/// The regions that every account has from the start
/// ([AWS's list](https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html), 2026-11-30). All others of the
/// partition `aws` have to be enabled.
const ENABLED_REGIONS: &str = "ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-southeast-1 ap-southeast-2 \
                               ca-central-1 eu-central-1 eu-north-1 eu-west-1 eu-west-2 eu-west-3 sa-east-1 us-east-1 \
                               us-east-2 us-west-1 us-west-2";

/// Where regions do not have to be enabled: the other partitions.
const OTHER_PARTITIONS: [&str; 5] = ["cn-", "us-gov-", "us-iso", "eu-isoe-", "eusc-"];

enum Act {
    List,
    Read,
}

pub(super) fn of_identity(user: &UserName, error: &CloudError) -> String {
    let cure = match (error.kind, error.code.as_deref()) {
        (_, Some("SignatureDoesNotMatch")) => {
            "; somebody edited the secret's value: an older version of the secret may hold the true one, or raise `KeySerial`"
        }
        (ErrorKind::UnknownKey, _) => {
            "; it was deleted or deactivated, or AWS does not know it yet: update the stack with another `Revision`"
        }
        (_, _) => "; it is safe to try again",
    };
    format!("the key of user `{user}` is not accepted: {error}{cure}")
}

/// What was found under an entry; `None` if all is well.
pub(super) fn of_entry(target: &Target, found: &Found) -> Option<(String, Shows)> {
    let entry = &target.bucket;
    Some(match found {
        Found::Read => return None,
        Found::ReadInPart { object, error } => {
            let cure = cure(target, &Act::Read, error);
            let object = shown(object);
            let text =
                format!("the key reads objects in `{entry}`, but not `{object}`: {cure} ({error})");
            (text, Shows::Reservation)
        }
        Found::NotDecrypted { unseen } => {
            let unseen = if *unseen {
                ", and there are more than were looked at"
            } else {
                ""
            };
            let text = format!(
                "`{entry}` was listed, and decryption was not proved: there are only empty or archived objects, or such under \
                 customer-provided keys{unseen}"
            );
            let weight = if unseen.is_empty() {
                Shows::Note
            } else {
                Shows::Reservation
            };
            (text, weight)
        }
        Found::Nothing => {
            let text = format!(
                "nothing is under `{entry}`, so nothing was read: is it spelt as in S3 (letter case, accents, spaces)? An entry \
                 is a folder, not an object"
            );
            match target.on_empty {
                OnEmpty::Fail => {
                    let way_out =
                        "; if it is to stay empty for now, set `VerifyAccess` to `allow-empty`";
                    (format!("{text}{way_out}"), Shows::Failure)
                }
                OnEmpty::Warn => (text, Shows::Reservation),
                OnEmpty::Allow => (text, Shows::Note),
            }
        }
        Found::NotListed(error) => {
            let cure = cure(target, &Act::List, error);
            let text = format!("the key cannot list `{entry}`: {cure} ({error})");
            (text, Shows::of(error))
        }
        Found::NotRead { object, error } => {
            let cure = cure(target, &Act::Read, error);
            let object = shown(object);
            let text = format!("the key cannot read `{object}` in `{entry}`: {cure} ({error})");
            (text, Shows::of(error))
        }
    })
}

/// An object's key, which others have chosen: visible, and not longer than a line.
fn shown(object: &str) -> String {
    const LONGEST: usize = 120;
    let text = visible(object);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn cure(target: &Target, act: &Act, error: &CloudError) -> String {
    let bucket = &target.bucket.bucket;
    match (&error.denial, error.kind, error.code.as_deref()) {
        (_, _, Some("AllAccessDisabled" | "AccountProblem")) => format!(
            "AWS has disabled bucket `{bucket}` or its account, and trying again does not help: ask its owner, or remove the \
             entry"
        ),
        (Some(denial), _, _) => match &denial.of {
            Denied::KmsKey { key, state } => of_kms(key.as_deref(), *state, denial),
            Denied::Call => of_policy(target, act, denial),
        },
        (None, ErrorKind::NotFound, _) => {
            format!("there is no bucket `{bucket}`: correct `Buckets` or create it")
        }
        // STS has accepted the key by now.
        (None, ErrorKind::UnknownKey, _) if has_to_be_enabled(&target.region) => format!(
            "the key is good, but S3 in `{}` does not know it: that is an opt-in region which this account has not enabled; \
             enable it in the account's settings, or set `VerifyAccess` to `false`",
            target.region
        ),
        (None, _, _) => "it is safe to try again".to_owned(),
    }
}

fn has_to_be_enabled(region: &str) -> bool {
    let enabled = ENABLED_REGIONS.split(' ').any(|enabled| enabled == region);
    let elsewhere = |prefix: &&str| region.starts_with(prefix);
    !enabled && !OTHER_PARTITIONS.iter().any(elsewhere)
}

fn of_kms(key: Option<&str>, state: KmsState, denial: &Denial) -> String {
    let key = key.map_or_else(
        || " (the object's properties show which)".to_owned(),
        |key| format!(" `{key}`"),
    );
    let what = match (state, denial.by, denial.explicit) {
        (KmsState::Disabled, _, _) => "is disabled: enable it".to_owned(),
        (KmsState::BeingDeleted, _, _) => {
            "is being deleted or is gone: cancel its deletion, or remove what it encrypts from `Buckets`".to_owned()
        }
        (KmsState::NotAllowed, PolicyKind::Resource, true) => {
            "denies it in its key policy: except this user from that Deny, because an Allow cannot lift it".to_owned()
        }
        (KmsState::NotAllowed, PolicyKind::Organization, _) => {
            "is denied by a policy of your AWS organization: ask its administrator for an exception for this user".to_owned()
        }
        (KmsState::NotAllowed, PolicyKind::Resource, false) => {
            "is not allowed by its key policy: let the user decrypt there, and name the key in `BucketKmsKeyArns`".to_owned()
        }
        (KmsState::NotAllowed, _, _) => {
            "is not allowed: name it in `BucketKmsKeyArns`, and if it is named already, its key policy has to let the user \
             decrypt"
                .to_owned()
        }
    };
    format!("the objects are encrypted, and KMS key{key} {what}")
}

fn of_policy(target: &Target, act: &Act, denial: &Denial) -> String {
    let Denial {
        by,
        explicit,
        of: _,
    } = denial;
    let except = "except this user from that Deny, because an Allow cannot lift it";
    match (by, explicit) {
        (PolicyKind::Organization, true) => format!(
            "a policy of your AWS organization denies it: ask its administrator to {except}"
        ),
        (PolicyKind::Organization, false) => {
            "no policy of your AWS organization allows it: ask its administrator to allow it to this user".to_owned()
        }
        (PolicyKind::Boundary, _) => {
            "the user's permissions boundary does not allow this bucket: widen `ReadableBuckets` or the boundary".to_owned()
        }
        (PolicyKind::Endpoint, true) => format!(
            "the policy of a VPC endpoint denies it: {except}; if Publisher takes another way to S3, set `VerifyAccess` to `false`"
        ),
        (PolicyKind::Endpoint, false) => {
            "the policy of a VPC endpoint does not allow it: allow it there; if Publisher takes another way to S3, set \
             `VerifyAccess` to `false`"
                .to_owned()
        }
        (PolicyKind::Identity, true) => format!(
            "a policy of the user or of one of its groups denies it: remove that Deny, or {except}"
        ),
        (PolicyKind::Identity, false) => {
            "no policy of the user allows it: update the stack with another `Revision`, which puts its policy back; if the \
             bucket belongs to another account, its owner has to allow this user too"
                .to_owned()
        }
        (PolicyKind::Resource, true) => format!(
            "the bucket's policy denies it: {except}; if it denies by source address or VPC endpoint, which differ for this \
             function and for Publisher, set `VerifyAccess` to `false`"
        ),
        (PolicyKind::Resource, false) => {
            "the bucket's policy does not allow it: allow this user `s3:ListBucket` and `s3:GetObject` there".to_owned()
        }
        (PolicyKind::Unsaid, _) => of_unsaid(target, act),
    }
}

fn of_unsaid(target: &Target, act: &Act) -> String {
    let bucket = &target.bucket.bucket;
    match act {
        Act::List => format!(
            "AWS does not say why: was the name mistyped? Names are global, and `{bucket}` may be somebody else's bucket; is it \
             a Requester Pays bucket, which Publisher cannot read? Otherwise its owner's policy has to allow this user \
             `s3:ListBucket` and `s3:GetObject`"
        ),
        Act::Read => {
            "AWS does not say why, and the object may be listed: another account may have written it (set the bucket's Object \
             Ownership to \"bucket owner enforced\"); it may be a Requester Pays bucket, which Publisher cannot read; or a \
             policy has a condition on the object's tags"
                .to_owned()
        }
    }
}
