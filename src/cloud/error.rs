//! What can go wrong with a call.

use std::fmt;

use crate::request::visible;

/// An AWS call that failed, as far as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct CloudError {
    /// IAM's name of the action, such as `iam:CreateUser`.
    pub operation: &'static str,
    /// What to make of it.
    pub kind: ErrorKind,
    /// AWS's error code, if it answered with one.
    pub code: Option<String>,
    /// AWS's message, or ours if its answer could not be read.
    pub message: String,
    pub request_id: Option<String>,
    /// Which policy stood in the way, if one did.
    pub denial: Option<Box<Denial>>,
}

impl CloudError {
    /// An error that AWS did not word: it has no code, no request id and no policy to name.
    pub fn unanswered(
        operation: &'static str,
        kind: ErrorKind,
        message: impl Into<String>,
    ) -> Self {
        Self {
            operation,
            kind,
            code: None,
            message: message.into(),
            request_id: None,
            denial: None,
        }
    }
}

/// Which policy denied a call, as far as AWS's message tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    pub by: PolicyKind,
    /// Whether a `Deny` statement matched. Otherwise no `Allow` matched.
    pub explicit: bool,
    pub of: Denied,
}

impl Denial {
    /// Reads [how IAM words a denial](https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html): `…
    /// because no identity-based policy allows the … action`, `… with an explicit deny in a service control policy`. KMS's
    /// own refusals of a key (`KMS.DisabledException`) count as denials too.
    pub fn read(kind: ErrorKind, code: Option<&str>, message: &str) -> Option<Box<Self>> {
        let kms_refused = code.is_some_and(|code| code.starts_with("KMS."));
        if kind != ErrorKind::Denied && !(kms_refused && kind == ErrorKind::Rejected) {
            return None;
        }
        let says = |text: &str| message.contains(text);
        let by = if says("service control policy") || says("resource control policy") {
            PolicyKind::Organization
        } else if says("VPC endpoint policy") {
            PolicyKind::Endpoint
        } else if says("permissions boundary") {
            PolicyKind::Boundary
        } else if says("identity-based policy") {
            PolicyKind::Identity
        } else if says("resource-based polic") || kms_refused {
            PolicyKind::Resource
        } else {
            PolicyKind::Unsaid
        };
        let state = match code {
            Some("KMS.DisabledException") => KmsState::Disabled,
            Some("KMS.KMSInvalidStateException" | "KMS.NotFoundException") => {
                KmsState::BeingDeleted
            }
            Some(_) | None => KmsState::NotAllowed,
        };
        let of_kms = kms_refused || says("kms:") || says("Access to KMS");
        Some(Box::new(Self {
            by,
            explicit: says("explicit deny"),
            of: if of_kms {
                let key = kms_key(message);
                Denied::KmsKey { key, state }
            } else {
                Denied::Call
            },
        }))
    }
}

fn kms_key(message: &str) -> Option<String> {
    let mut words = message.split(|c: char| c.is_whitespace() || "\"'`,()".contains(c));
    words
        .find(|word| word.starts_with("arn:") && word.contains(":kms:"))
        .map(str::to_owned)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    Identity,
    Boundary,
    /// The policy of the bucket or of another resource.
    Resource,
    /// A service control policy or resource control policy of the organization.
    Organization,
    /// The policy of the VPC endpoint that the call took.
    Endpoint,
    /// AWS does not say. S3 does not tell callers from other accounts.
    Unsaid,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    Call,
    /// Using the KMS key that encrypts the object or the secret.
    KmsKey {
        key: Option<String>,
        state: KmsState,
    },
}

/// What keeps a KMS key from being used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KmsState {
    NotAllowed,
    Disabled,
    /// It is being deleted, or is gone.
    BeingDeleted,
}

impl fmt::Display for CloudError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` failed", self.operation)?;
        if let Some(code) = &self.code {
            write!(f, " with `{code}`")?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(id) = &self.request_id {
            write!(f, " (AWS request id {id})")?;
        }
        Ok(())
    }
}

/// What to make of a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Its target is missing. Right after a create, it may not be visible yet.
    NotFound,
    /// `AccessDenied` and the like. It may pass if it comes right after a create, tag or boundary step, or with a new
    /// role.
    Denied,
    /// The key is not known (yet): `InvalidClientTokenId`, `InvalidAccessKeyId`.
    UnknownKey,
    /// Throttled despite the adapter's retries: nothing happened.
    Throttled,
    /// Something else is in the way right now: `DeleteConflict`, `ConcurrentModification`,
    /// `EntityTemporarilyUnmodifiable`.
    Conflict,
    LimitExceeded,
    /// AWS refuses this request for good: nothing happened.
    Rejected,
    /// No answer, a 5xx, or an answer that could not be read: it may have happened.
    Indeterminate,
}

/// What AWS's codes mean. A wrong signature is no `UnknownKey`, because waiting does not cure it. Secrets Manager's
/// `LimitExceededException` is a quota, although the SDK takes it for throttling. S3's `RequestTimeout` says only that the body
/// came too slowly. `AuthorizationError` is SNS's word.
const CODES: [(ErrorKind, &str); 7] = [
    (
        ErrorKind::NotFound,
        "NoSuchEntity ResourceNotFoundException NoSuchBucket NoSuchKey NotFound",
    ),
    (
        ErrorKind::Denied,
        "AccessDenied AccessDeniedException UnauthorizedOperation AuthorizationError",
    ),
    (
        ErrorKind::UnknownKey,
        "InvalidClientTokenId InvalidAccessKeyId UnrecognizedClientException",
    ),
    (
        ErrorKind::Throttled,
        "Throttling ThrottlingException KMS.ThrottlingException ThrottledException RequestThrottled RequestThrottledException \
         TooManyRequestsException RequestLimitExceeded PriorRequestNotComplete SlowDown",
    ),
    (
        ErrorKind::Conflict,
        "DeleteConflict ConcurrentModification EntityTemporarilyUnmodifiable EntityAlreadyExists ResourceExistsException \
         PreconditionNotMetException",
    ),
    (
        ErrorKind::LimitExceeded,
        "LimitExceeded LimitExceededException ServiceQuotaExceededException",
    ),
    (
        ErrorKind::Indeterminate,
        "RequestTimeout RequestTimeoutException",
    ),
];

impl ErrorKind {
    /// What AWS's code means, or the HTTP status if the code is not known here.
    pub fn of_code(code: &str, status: u16) -> Self {
        let known = |(_, codes): &&(Self, &str)| codes.split(' ').any(|known| known == code);
        match CODES.iter().find(known) {
            Some((kind, _)) => *kind,
            None if status >= 500 => Self::Indeterminate,
            None => Self::Rejected,
        }
    }
}

/// AWS's messages are shown up to this many characters from the front and…
const HEAD: usize = 300;
/// …this many from the end, where IAM names the policy that stood in the way. In between can be an object's key of 1,024.
const TAIL: usize = 200;

/// AWS's text in one line of bounded length. It can contain what users typed, so what has no shape is made visible.
pub(super) fn shortened(text: &str) -> String {
    let text: Vec<char> = visible(text.trim()).chars().collect();
    if text.len() <= HEAD + TAIL {
        return text.into_iter().collect();
    }
    let (head, tail) = (&text[..HEAD], &text[text.len() - TAIL..]);
    head.iter().chain(&[' ', '…', ' ']).chain(tail).collect()
}
