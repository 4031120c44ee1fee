//! What we need of AWS, in our own words: one port, implemented with the SDK ([`aws`]) and, in the
//! tests, by an in-memory account.
//!
//! # Guarantees of every implementation
//! - *Absent is success on removal*: deleting a missing thing answers `Ok`.
//! - *Present is an answer on creation*, not an error: [`Creation::AlreadyExists`].
//! - A missing thing is `None` on reading.
//! - No error carries a secret, the response URL or a raw body: [`CloudError`] is made from code, message and
//!   request id at the call site.
//! - A call that returns has made all the retries that AWS advises (throttling, 5xx, `ConcurrentModification`, …). Only
//!   [`AccessKeys::create_key`] is sent exactly once, because it is not idempotent.
//!
//! # What callers may assume
//! - Reads may lag behind writes for some seconds (IAM is eventually consistent).
//! - [`ErrorKind::Indeterminate`] on a writing call: it may or may not have taken effect.

pub mod aws;
mod error;
mod keys;
mod objects;
mod secrets;
mod stacks;
mod topics;
mod users;

pub use error::{CloudError, Denial, Denied, ErrorKind, KmsState, PolicyKind};
pub use keys::{AccessKeyId, AccessKeys, CreatedKey, Key, KeyStatus, LastUse, StoredKey};
pub use objects::{ListedObject, ObjectRead, Objects, Page};
pub use secrets::{
    Encryption, Label, NewSecret, PutVersion, Rotation, Secret, SecretArn, SecretState, Secrets,
    Version, VersionId,
};
pub use stacks::{CustomResource, Stack, StackOperation, StackResource, StackStatus, Stacks};
pub use topics::{Message, Notifier, Subscriptions, TopicArn};
pub use users::{Attachment, AttachmentKind, NewUser, User, Users};

pub use crate::request::names::TagMap;

use std::time::SystemTime;

/// The result of an AWS call, with our error and never the SDK's.
pub type Result<T> = std::result::Result<T, CloudError>;

/// All calls of a request. The module's text says what each of them guarantees.
pub trait Cloud: Users + AccessKeys + Secrets + Stacks + Objects {
    /// The time now, for judging ages; the planner has no clock of its own.
    fn now(&self) -> SystemTime;
}

/// The result of a call that creates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Creation<T> {
    Created(T),
    /// It was there before. Observing again tells whose it is.
    AlreadyExists,
}

/// The result of a call that removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    Removed,
    WasMissing,
}
