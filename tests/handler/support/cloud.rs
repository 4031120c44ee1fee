//! A cloud that does the same at every call.

use std::cell::Cell;
use std::future::pending;
use std::time::SystemTime;

use publisher_s3_access::buckets::{BucketName, BucketUri};
use publisher_s3_access::cloud::*;
use publisher_s3_access::names::{PolicyArn, PolicyName, SecretKmsKey, SecretName, UserName};
use publisher_s3_access::secret::{AccessKeyId, Label, StoredKey};
use secrecy::SecretString;

/// What every call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Panics, saying something that nobody may see.
    Panics,
    /// Never ends.
    Hangs,
    /// Is refused for good.
    Refuses,
}

/// What a panic says, and what must never be seen anywhere.
pub(crate) const PANIC_MESSAGE: &str = "canary of the panic message";

/// The cloud, counting its calls.
pub(crate) struct Fake {
    manner: Manner,
    calls: Cell<usize>,
}

impl Fake {
    pub(crate) fn new(manner: Manner) -> Self {
        Self {
            manner,
            calls: Cell::new(0),
        }
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.get()
    }

    async fn reached<T>(&self, operation: &'static str) -> Result<T> {
        self.calls.set(self.calls.get() + 1);
        match self.manner {
            Manner::Panics => panic!("{PANIC_MESSAGE}"),
            Manner::Hangs => pending().await,
            Manner::Refuses => Err(CloudError {
                operation,
                kind: ErrorKind::Rejected,
                code: Some("MalformedInput".into()),
                message: "AWS's own words".into(),
                request_id: Some("aws-request-id".into()),
            }),
        }
    }
}

/// Implements the port: each call is the same one.
macro_rules! calls {
    ($($name:ident($($argument:ty),*) -> $value:ty;)*) => {
        impl Cloud for Fake {
            fn now(&self) -> SystemTime {
                SystemTime::now()
            }
            $(calls!(@one $name ($($argument),*) -> $value);)*
        }
    };
    (@one $name:ident($a:ty) -> $value:ty) => {
        async fn $name(&self, _: $a) -> Result<$value> {
            self.reached(stringify!($name)).await
        }
    };
    (@one $name:ident($a:ty, $b:ty) -> $value:ty) => {
        async fn $name(&self, _: $a, _: $b) -> Result<$value> {
            self.reached(stringify!($name)).await
        }
    };
    (@one $name:ident($a:ty, $b:ty, $c:ty) -> $value:ty) => {
        async fn $name(&self, _: $a, _: $b, _: $c) -> Result<$value> {
            self.reached(stringify!($name)).await
        }
    };
    (@one $name:ident($a:ty, $b:ty, $c:ty, $d:ty) -> $value:ty) => {
        async fn $name(&self, _: $a, _: $b, _: $c, _: $d) -> Result<$value> {
            self.reached(stringify!($name)).await
        }
    };
}

calls! {
    find_user(&UserName) -> Option<User>;
    create_user(&NewUser) -> Creation<User>;
    tag_user(&UserName, &TagMap) -> ();
    untag_user(&UserName, &[String]) -> ();
    set_boundary(&UserName, &PolicyArn) -> ();
    delete_user(&UserName) -> ();
    list_policies(&UserName) -> Vec<PolicyName>;
    get_policy(&UserName, &PolicyName) -> Option<String>;
    put_policy(&UserName, &PolicyName, &str) -> ();
    delete_policy(&UserName, &PolicyName) -> ();
    list_keys(&UserName) -> Vec<Key>;
    create_key(&UserName) -> CreatedKey;
    delete_key(&UserName, &AccessKeyId) -> ();
    key_owner(&AccessKeyId) -> Option<String>;
    list_attachments(&UserName, AttachmentKind) -> Vec<Attachment>;
    detach(&UserName, &Attachment) -> ();
    find_secret(&SecretName) -> Option<Secret>;
    list_versions(&SecretName) -> Vec<Version>;
    read_version(&SecretArn, &VersionId) -> Option<SecretString>;
    create_secret(&NewSecret) -> Creation<SecretArn>;
    restore_secret(&SecretArn) -> ();
    update_secret(&SecretArn, &str, Option<&SecretKmsKey>) -> ();
    tag_secret(&SecretArn, &TagMap) -> ();
    untag_secret(&SecretArn, &[String]) -> ();
    store_version(&SecretArn, &VersionId, &SecretString, Label) -> PutVersion;
    move_label(&SecretArn, &str, Option<&VersionId>, Option<&VersionId>) -> ();
    remove_replicas(&SecretArn, &[String]) -> ();
    delete_secret(&SecretArn, Option<u8>) -> ();
    standing(&str, &str) -> Standing;
    direction(&str) -> Direction;
    bucket_region(&BucketName) -> Option<String>;
    caller_of(&StoredKey) -> String;
    first_object(&StoredKey, &str, &BucketUri) -> Option<String>;
    first_byte(&StoredKey, &str, &BucketName, &str) -> ();
}
