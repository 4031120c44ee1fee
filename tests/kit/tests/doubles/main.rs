//! What the other tests rely on: a fault strikes when it says, and no broken invariant goes unnoticed.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod faults;
mod instants;

use publisher_s3_access::cloud::StoredKey;
use publisher_s3_access::cloud::{
    AccessKeys, Creation, ErrorKind, NewSecret, NewUser, Result, SecretArn, Secrets, TagMap, Users,
    VersionId,
};
use publisher_s3_access::request::names::{KeySerial, PolicyArn, PolicyName, SecretName, UserName};

use kit::account::{Account, BOUNDARY, Owner};

const USER: &str = "publisher-reader";
const SECRET: &str = "publisher/publisher-reader";
const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::reads"},{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::reads/*"}]}"#;

fn user(name: &str) -> UserName {
    UserName::parse(name).expect("a user name")
}

fn policy(name: &str) -> PolicyName {
    PolicyName::parse(name).expect("a policy name")
}

fn boundary(arn: &str) -> PolicyArn {
    PolicyArn::parse(arn).expect("a policy ARN")
}

fn secret(name: &str) -> SecretName {
    SecretName::parse(name).expect("a secret name")
}

fn version(number: u32) -> VersionId {
    VersionId(format!("{number:036}"))
}

fn tags(pairs: &[(&str, &str)]) -> TagMap {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn owner() -> Owner {
    let stack_id = "arn:aws:cloudformation:us-east-1:111122223333:stack/mine/1-2-3".to_owned();
    Owner {
        stack_id,
        logical_id: "Access".to_owned(),
    }
}

fn own_tags() -> TagMap {
    let Owner {
        stack_id,
        logical_id,
    } = owner();
    tags(&[
        ("publisher-s3-access:stack-id", &stack_id),
        ("publisher-s3-access:logical-id", &logical_id),
    ])
}

fn new_user(name: &str) -> NewUser {
    NewUser {
        name: user(name),
        boundary: Some(boundary(BOUNDARY)),
        tags: own_tags(),
    }
}

fn new_secret(name: &str) -> NewSecret {
    NewSecret {
        name: secret(name),
        description: "about".to_owned(),
        kms_key: None,
        tags: own_tags(),
    }
}

async fn make_secret(account: &Account) -> SecretArn {
    match account.create_secret(&new_secret(SECRET)).await {
        Ok(Creation::Created(arn)) => arn,
        other => panic!("{other:?}"),
    }
}

async fn make_user(account: &Account) {
    assert!(matches!(
        account.create_user(&new_user(USER)).await,
        Ok(Creation::Created(_))
    ));
}

/// A key of the user, as the secret would hold it.
async fn make_key(account: &Account) -> StoredKey {
    match account.create_key(&user(USER)).await {
        Ok(publisher_s3_access::cloud::CreatedKey::Created { id, secret }) => StoredKey {
            id,
            secret,
            user: USER.to_owned(),
            serial: KeySerial::stored(1),
        },
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.expect_err("AWS refuses this").kind
}
