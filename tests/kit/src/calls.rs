//! The signatures of the port, once for all doubles. A new, removed or renamed call changes one line here.

use self::types::*;

/// The types in the signatures, to import where [`every_call!`](crate::every_call) is used.
pub mod types {
    pub use publisher_s3_access::cloud::*;
    pub use publisher_s3_access::request::buckets::{BucketName, BucketUri};
    pub use publisher_s3_access::request::names::*;
    pub use secrecy::SecretString;
}

/// Hands the signature of every asynchronous call, trait by trait, to the macro `$then`, with `$a` as the lifetime of what is
/// borrowed.
#[macro_export]
macro_rules! every_call {
    ($then:ident, $a:lifetime) => {
        $then! {
            Users {
                find_user(user: &$a UserName) -> Option<User>;
                create_user(user: &$a NewUser) -> Creation<User>;
                tag_user(user: &$a UserName, tags: &$a TagMap) -> ();
                untag_user(user: &$a UserName, keys: &$a [String]) -> ();
                set_boundary(user: &$a UserName, boundary: &$a PolicyArn) -> ();
                delete_user(user: &$a UserName) -> ();
                list_policies(user: &$a UserName) -> Vec<PolicyName>;
                get_policy(user: &$a UserName, policy: &$a PolicyName) -> Option<String>;
                put_policy(user: &$a UserName, policy: &$a PolicyName, document: &$a str) -> ();
                delete_policy(user: &$a UserName, policy: &$a PolicyName) -> ();
                list_attachments(user: &$a UserName, kind: AttachmentKind) -> Vec<Attachment>;
                detach(user: &$a UserName, attachment: &$a Attachment) -> ();
            }
            AccessKeys {
                list_keys(user: &$a UserName) -> Vec<Key>;
                create_key(user: &$a UserName) -> CreatedKey;
                delete_key(user: &$a UserName, key: &$a AccessKeyId) -> Removal;
                key_owner(key: &$a AccessKeyId) -> Option<String>;
                last_used(key: &$a AccessKeyId) -> Option<LastUse>;
            }
            Secrets {
                find_secret(secret: &$a SecretName) -> Option<Secret>;
                list_versions(secret: &$a SecretName) -> Vec<Version>;
                read_version(secret: &$a SecretArn, version: &$a VersionId) -> Option<SecretString>;
                create_secret(secret: &$a NewSecret) -> Creation<SecretArn>;
                restore_secret(secret: &$a SecretArn) -> ();
                update_secret(secret: &$a SecretArn, description: &$a str, encryption: &$a Encryption) -> ();
                tag_secret(secret: &$a SecretArn, tags: &$a TagMap) -> ();
                untag_secret(secret: &$a SecretArn, keys: &$a [String]) -> ();
                store_version(secret: &$a SecretArn, version: &$a VersionId, value: &$a SecretString, label: Label) -> PutVersion;
                move_label(secret: &$a SecretArn, label: Label, from: Option<&$a VersionId>, to: Option<&$a VersionId>) -> ();
                remove_replicas(secret: &$a SecretArn, regions: &$a [String]) -> ();
                delete_secret(secret: &$a SecretArn, recovery_days: Option<u8>) -> ();
            }
            Stacks {
                stack_resource(stack_id: &$a str, logical_id: &$a str) -> StackResource;
                stack(stack_id: &$a str) -> Option<Stack>;
            }
            Objects {
                bucket_region(bucket: &$a BucketName) -> Option<String>;
                caller_of(key: &$a StoredKey) -> String;
                list_objects(key: &$a StoredKey, region: &$a str, bucket: &$a BucketUri, page: Option<&$a str>) -> Page;
                read_byte(key: &$a StoredKey, region: &$a str, bucket: &$a BucketName, object: &$a str) -> ObjectRead;
            }
        }
    };
}

/// Makes a variant of each call.
macro_rules! variants {
    ($($of:ident { $($name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)* })*) => {
        /// A call with its arguments.
        #[expect(non_camel_case_types, reason = "a variant is named as its call")]
        #[derive(Clone, Copy, Debug)]
        pub enum Call<'a> {
            $($($name { $($argument: $kind),* },)*)*
        }
    };
}

every_call!(variants, 'a);
