//! The account notices every broken invariant.

use std::panic::{AssertUnwindSafe, catch_unwind};

use publisher_s3_access::cloud::Label;
use publisher_s3_access::cloud::{AccessKeys, Objects, Secrets, Users};

use super::*;

/// A finished pair of the owner's.
async fn pair() -> (Account, SecretArn, StoredKey) {
    let account = Account::new();
    let arn = make_secret(&account).await;
    make_user(&account).await;
    account
        .put_policy(&user(USER), &policy("p"), POLICY)
        .await
        .unwrap();
    let key = make_key(&account).await;
    account
        .store_version(&arn, &version(1), &key.to_value(), Label::Current)
        .await
        .unwrap();
    (account, arn, key)
}

fn in_order(account: &Account) -> bool {
    catch_unwind(AssertUnwindSafe(|| account.assert_in_order(USER, &owner()))).is_ok()
}

#[tokio::test(start_paused = true)]
async fn changing_what_is_not_the_actors_is_held_against_it() {
    let (account, arn, key) = pair().await;
    let other = Owner {
        logical_id: "Other".to_owned(),
        ..owner()
    };
    let stranger = account.acting_for(other);
    stranger.find_user(&user(USER)).await.unwrap();
    stranger.list_keys(&user(USER)).await.unwrap();
    account.verify();
    stranger
        .tag_user(&user(USER), &TagMap::new())
        .await
        .unwrap();
    stranger.delete_key(&user(USER), &key.id).await.unwrap();
    stranger.tag_secret(&arn, &TagMap::new()).await.unwrap();
    stranger.delete_secret(&arn, None).await.unwrap();
    assert_eq!(account.take_violations().len(), 4);
    let reborn = Owner {
        stack_id: owner().stack_id.replace("1-2-3", "4-5-6"),
        ..owner()
    };
    account
        .acting_for(reborn)
        .tag_user(&user(USER), &TagMap::new())
        .await
        .unwrap();
    account.verify();
}

#[tokio::test(start_paused = true)]
async fn an_account_with_a_broken_invariant_fails_its_test() {
    let account = Account::new();
    account.violated("a rule");
    assert!(catch_unwind(AssertUnwindSafe(|| drop(account))).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_pair_is_in_order_only_when_whole() {
    let (account, arn, key) = pair().await;
    assert!(in_order(&account));
    type Breakage = fn(&Account, &str);
    let breakages: [(&str, Breakage); 8] = [
        ("key deleted", |account, key| {
            account.by_hand().delete_key(USER, key);
        }),
        ("key deactivated", |account, key| {
            account.by_hand().deactivate_key(USER, key);
        }),
        ("policy removed", |account, _| {
            account.by_hand().remove_policy(USER, "p");
        }),
        ("tags stripped", |account, _| {
            account.by_hand().strip_user_tags(USER);
        }),
        ("secret's tags stripped", |account, _| {
            account.by_hand().strip_secret_tags(SECRET);
        }),
        ("secret edited", |account, _| {
            account.by_hand().edit_secret(SECRET, "oops");
        }),
        ("secret deleted", |account, _| {
            account.by_hand().delete_secret(SECRET, Some(7));
        }),
        ("user deleted", |account, _| {
            account.by_hand().delete_user(USER);
        }),
    ];
    for (what, breakage) in breakages {
        let (account, _, key) = pair().await;
        breakage(&account, key.id.as_str());
        assert!(!in_order(&account), "{what}");
    }
    let half = StoredKey {
        secret: "another".into(),
        ..key
    };
    account
        .store_version(&arn, &version(2), &half.to_value(), Label::Current)
        .await
        .unwrap();
    assert!(!in_order(&account), "a wrong secret half");
}

#[tokio::test(start_paused = true)]
async fn leftovers_are_noticed() {
    let (account, arn, _) = pair().await;
    let left = |account: &Account| {
        catch_unwind(AssertUnwindSafe(|| account.assert_gone(USER))).is_err()
            && catch_unwind(AssertUnwindSafe(|| account.assert_nothing_of(&owner()))).is_err()
    };
    assert!(left(&account));
    account.by_hand().delete_user(USER);
    assert!(left(&account));
    account.delete_secret(&arn, Some(7)).await.unwrap();
    account.assert_gone(USER);
    account.assert_nothing_of(&owner());
}

#[tokio::test(start_paused = true)]
async fn a_change_of_a_foreign_thing_changes_its_fingerprint() {
    let (account, _, key) = pair().await;
    let other = Owner {
        logical_id: "Other".to_owned(),
        ..owner()
    };
    assert_eq!(account.foreign_to(&owner()).len(), 0);
    let before = account.foreign_to(&other);
    assert_eq!(before.len(), 2);
    account.by_hand().deactivate_key(USER, key.id.as_str());
    assert_ne!(account.foreign_to(&other), before);
}

#[tokio::test(start_paused = true)]
async fn no_log_line_holds_a_secret_key() {
    use secrecy::ExposeSecret;
    let (account, arn, key) = pair().await;
    account.read_version(&arn, &version(1)).await.unwrap();
    account.caller_of(&key).await.unwrap();
    let log = account.log().join("\n");
    assert!(
        log.contains("iam:CreateAccessKey publisher-reader -> Created"),
        "{log}"
    );
    assert!(!log.contains(key.secret.expose_secret()), "{log}");
}
