//! Changes by hand are repaired.

use anyhow::ensure;
use serde_json::json;

use super::Scenario;
use crate::{account::Account, bench::Bench, policy_meaning::grants, report::Notes};

pub(super) const SCENARIOS: &[Scenario] = &[(
    "a new Revision repairs policy, key and tags that were changed by hand",
    revision,
)];

fn revision<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let account = bench.account;
    let mut deployment = bench.stack("revision");
    deployment.set("Tags", json!([{"Key": "team", "Value": "genomics"}]));
    deployment.create()?;
    let user = deployment.user.clone();
    let policy = grants(&account.inline_policy(&user, "S3AccessPolicy")?)?;
    let lost = bench.current_key(&user)?;

    change_by_hand(account, &user, &lost.key.id)?;
    deployment.set("Revision", json!("repair-1"));
    deployment.update()?;
    let repaired = grants(&account.inline_policy(&user, "S3AccessPolicy")?)?;
    ensure!(repaired == policy, "the policy allows {repaired:?}");
    let current = bench.current_key(&user)?;
    ensure!(
        current.key.id != lost.key.id,
        "the secret still holds the deleted key"
    );
    ensure!(
        account.key_ids(&user)? == [current.key.id.clone()].into(),
        "there is another key"
    );
    let tags = account.tags(&user)?;
    ensure!(
        tags.get("team").is_some_and(|team| team == "genomics"),
        "the tags are {tags:?}"
    );
    bench.assert_reads(&user)?;
    notes.add(format!(
        "policy as before, {} instead of {}, tag as before",
        current.key.id, lost.key.id
    ));
    deployment.stack.delete()?;
    bench.assert_nothing_of(&user)
}

/// Widens the policy, deletes the key and changes a tag.
fn change_by_hand(account: &Account, user: &str, key: &str) -> anyhow::Result<()> {
    let wide = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}});
    let put = [
        "iam",
        "put-user-policy",
        "--user-name",
        user,
        "--policy-name",
        "S3AccessPolicy",
    ];
    account.json(
        put.into_iter()
            .chain(["--policy-document", &wide.to_string()]),
    )?;
    account.json([
        "iam",
        "delete-access-key",
        "--user-name",
        user,
        "--access-key-id",
        key,
    ])?;
    account.json([
        "iam",
        "tag-user",
        "--user-name",
        user,
        "--tags",
        "Key=team,Value=somebody-else",
    ])?;
    Ok(())
}
