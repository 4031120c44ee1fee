//! IAM.

use std::time::Duration;

use publisher_s3_access::cloud::{
    AccessKeys, Attachment, AttachmentKind, CreatedKey, Creation, ErrorKind, KeyStatus, Users,
};

use super::*;
use kit::account::{Lags, Missing, OTHER_BOUNDARY};

#[tokio::test(start_paused = true)]
async fn user_names_are_unique_and_found_ignoring_case() {
    let account = Account::new();
    make_user(&account).await;
    let again = account
        .create_user(&new_user("Publisher-READER"))
        .await
        .unwrap();
    assert_eq!(again, Creation::AlreadyExists);
    let found = account
        .find_user(&user("PUBLISHER-reader"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.name.as_str(), found.boundary.as_deref()),
        (USER, Some(BOUNDARY))
    );
    assert_eq!(found.tags, own_tags());
}

#[tokio::test(start_paused = true)]
async fn a_boundary_must_exist() {
    let account = Account::new();
    account.by_hand().delete_managed_policy(BOUNDARY);
    assert_eq!(
        kind(account.create_user(&new_user(USER)).await),
        ErrorKind::NotFound
    );
    assert_eq!(account.find_user(&user(USER)).await.unwrap(), None);
    account.by_hand().make_user(USER);
    assert_eq!(
        code(account.set_boundary(&user(USER), &boundary(BOUNDARY)).await),
        "NoSuchEntity"
    );
    account
        .set_boundary(&user(USER), &boundary(OTHER_BOUNDARY))
        .await
        .unwrap();
    assert_eq!(account.boundary(USER).as_deref(), Some(OTHER_BOUNDARY));
}

#[tokio::test(start_paused = true)]
async fn bad_tags_refuse_the_whole_user() {
    let account = Account::new();
    let many: TagMap = (0..51)
        .map(|n| (format!("tag{n}"), String::new()))
        .collect();
    for bad in [
        tags(&[("Team", "a"), ("team", "b")]),
        tags(&[("aws:x", "y")]),
        tags(&[("a;b", "")]),
        many,
    ] {
        let new = NewUser {
            tags: bad,
            ..new_user(USER)
        };
        assert_eq!(kind(account.create_user(&new).await), ErrorKind::Rejected);
        assert_eq!(account.user_tags(USER), None);
    }
}

#[tokio::test(start_paused = true)]
async fn tag_keys_of_users_are_equal_ignoring_case() {
    let account = Account::new();
    account.by_hand().make_user(USER);
    account
        .tag_user(&user(USER), &tags(&[("Team", "a")]))
        .await
        .unwrap();
    account
        .tag_user(&user(USER), &tags(&[("team", "b")]))
        .await
        .unwrap();
    assert_eq!(account.user_tags(USER), Some(tags(&[("team", "b")])));
    account
        .untag_user(&user(USER), &["TEAM".to_owned(), "absent".to_owned()])
        .await
        .unwrap();
    assert_eq!(account.user_tags(USER), Some(TagMap::new()));
}

#[tokio::test(start_paused = true)]
async fn inline_policies_share_one_quota() {
    let account = Account::new();
    make_user(&account).await;
    let sized = |size: usize| {
        let filler = "x".repeat(size - r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":""}]}"#.len());
        format!(
            r#"{{"Version":"2012-10-17", "Statement":[{{"Effect":"Allow","Action":"s3:GetObject","Resource":"{filler}"}}]}}"#
        )
    };
    account
        .put_policy(&user(USER), &policy("one"), &sized(2048))
        .await
        .unwrap();
    assert_eq!(
        kind(
            account
                .put_policy(&user(USER), &policy("one"), &sized(2049))
                .await
        ),
        ErrorKind::LimitExceeded
    );
    account
        .put_policy(&user(USER), &policy("one"), &sized(1048))
        .await
        .unwrap();
    assert_eq!(
        kind(
            account
                .put_policy(&user(USER), &policy("two"), &sized(1001))
                .await
        ),
        ErrorKind::LimitExceeded
    );
    account
        .put_policy(&user(USER), &policy("two"), &sized(1000))
        .await
        .unwrap();
    assert_eq!(account.list_policies(&user(USER)).await.unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn policy_documents_must_keep_iams_grammar() {
    let account = Account::new();
    make_user(&account).await;
    for bad in [
        "{",
        "[]",
        &POLICY.replace("2012-10-17", "2024-10-24"),
        &POLICY.replace("2012-10-17", "2008-10-17"),
        &POLICY.replace("Version", "Id"),
        &POLICY.replace("Action", "Actions"),
        &POLICY.replace("\"Resource\"", "\"Principal\""),
        &POLICY.replace("\"Effect\"", "\"Sid\":\"Twice\",\"Effect\""),
        &POLICY.replace("reads", "r\u{20ac}ads"),
    ] {
        let answer = account.put_policy(&user(USER), &policy("p"), bad).await;
        assert_eq!(code(answer), "MalformedPolicyDocument", "{bad}");
    }
    account
        .put_policy(&user(USER), &policy("p"), POLICY)
        .await
        .unwrap();
    assert_eq!(
        account
            .get_policy(&user(USER), &policy("p"))
            .await
            .unwrap()
            .as_deref(),
        Some(POLICY)
    );
    assert_eq!(
        account
            .get_policy(&user(USER), &policy("absent"))
            .await
            .unwrap(),
        None
    );
}

#[tokio::test(start_paused = true)]
async fn a_third_key_is_not_made_even_beside_inactive_ones() {
    let account = Account::new();
    make_user(&account).await;
    let first = make_key(&account).await;
    make_key(&account).await;
    account.by_hand().deactivate_key(USER, first.id.as_str());
    assert!(matches!(
        account.create_key(&user(USER)).await,
        Ok(CreatedKey::LimitReached)
    ));
    let listed = account.list_keys(&user(USER)).await.unwrap();
    assert_eq!(
        listed.iter().map(|key| key.status).collect::<Vec<_>>(),
        [KeyStatus::Inactive, KeyStatus::Active]
    );
    account.delete_key(&user(USER), &first.id).await.unwrap();
    account.delete_key(&user(USER), &first.id).await.unwrap();
    assert!(matches!(
        account.create_key(&user(USER)).await,
        Ok(CreatedKey::Created { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn a_user_is_not_deleted_while_anything_is_attached_to_it() {
    let account = Account::new();
    make_user(&account).await;
    let key = make_key(&account).await;
    let refused = async || kind(account.delete_user(&user(USER)).await) == ErrorKind::Conflict;
    assert!(refused().await);
    account.delete_key(&user(USER), &key.id).await.unwrap();
    account
        .put_policy(&user(USER), &policy("p"), POLICY)
        .await
        .unwrap();
    assert!(refused().await);
    account
        .delete_policy(&user(USER), &policy("p"))
        .await
        .unwrap();
    for kind in AttachmentKind::ALL
        .into_iter()
        .filter(|kind| *kind != AttachmentKind::Group)
    {
        let attachment = Attachment {
            kind,
            id: "it".to_owned(),
        };
        account.by_hand().attach(USER, kind, "it");
        assert!(refused().await, "{kind:?}");
        assert_eq!(
            account.list_attachments(&user(USER), kind).await.unwrap(),
            std::slice::from_ref(&attachment)
        );
        account.detach(&user(USER), &attachment).await.unwrap();
    }
    account
        .by_hand()
        .attach(USER, AttachmentKind::Group, "readers");
    assert!(refused().await);
    account.by_hand().delete_user(USER);
    account.delete_user(&user(USER)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn removing_a_user_from_a_group_is_held_against_the_run() {
    let account = Account::new();
    make_user(&account).await;
    let group = Attachment {
        kind: AttachmentKind::Group,
        id: "readers".to_owned(),
    };
    account.detach(&user(USER), &group).await.unwrap();
    assert_eq!(account.take_violations().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_reads_empty_and_cannot_be_changed() {
    let account = Account::new();
    let user = user(USER);
    assert_eq!(account.list_policies(&user).await.unwrap(), []);
    assert_eq!(account.list_keys(&user).await.unwrap(), []);
    assert_eq!(
        account
            .list_attachments(&user, AttachmentKind::SshKey)
            .await
            .unwrap(),
        []
    );
    assert_eq!(
        kind(account.put_policy(&user, &policy("p"), POLICY).await),
        ErrorKind::NotFound
    );
    assert_eq!(kind(account.create_key(&user).await), ErrorKind::NotFound);
    assert_eq!(
        kind(account.tag_user(&user, &own_tags()).await),
        ErrorKind::NotFound
    );
    account.delete_policy(&user, &policy("p")).await.unwrap();
    account.delete_user(&user).await.unwrap();
    account.lag(Lags {
        missing: Missing::IsDenied,
        ..Lags::default()
    });
    assert_eq!(kind(account.delete_user(&user).await), ErrorKind::Denied);
}

#[tokio::test(start_paused = true)]
async fn a_key_is_found_on_the_user_that_was_renamed() {
    let account = Account::new();
    make_user(&account).await;
    let key = make_key(&account).await;
    account.by_hand().rename_user(USER, "publisher-other");
    assert_eq!(account.find_user(&user(USER)).await.unwrap(), None);
    assert_eq!(
        account.key_owner(&key.id).await.unwrap().as_deref(),
        Some("publisher-other")
    );
    account.by_hand().delete_user("publisher-other");
    assert_eq!(account.key_owner(&key.id).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn fresh_users_tags_keys_and_roles_lag() {
    let account = Account::new();
    let second = Duration::from_secs(1);
    account.role_is_fresh_for(second);
    assert_eq!(
        kind(account.find_user(&user(USER)).await),
        ErrorKind::Denied
    );
    tokio::time::sleep(second).await;
    account.lag(Lags {
        user: second,
        tags: 2 * second,
        key_list: second,
        ..Lags::default()
    });
    make_user(&account).await;
    assert_eq!(account.find_user(&user(USER)).await.unwrap(), None);
    assert_eq!(
        account.create_user(&new_user(USER)).await.unwrap(),
        Creation::AlreadyExists
    );
    assert_eq!(
        kind(account.create_key(&user(USER)).await),
        ErrorKind::NotFound
    );
    tokio::time::sleep(second).await;
    assert_eq!(
        kind(account.create_key(&user(USER)).await),
        ErrorKind::Denied
    );
    tokio::time::sleep(second).await;
    let key = make_key(&account).await;
    assert_eq!(account.list_keys(&user(USER)).await.unwrap(), []);
    tokio::time::sleep(second).await;
    assert_eq!(account.list_keys(&user(USER)).await.unwrap().len(), 1);
    account.delete_key(&user(USER), &key.id).await.unwrap();
    assert_eq!(account.list_keys(&user(USER)).await.unwrap().len(), 1);
    tokio::time::sleep(second).await;
    assert_eq!(account.list_keys(&user(USER)).await.unwrap(), []);
}
