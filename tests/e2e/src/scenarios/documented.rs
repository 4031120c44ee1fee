//! The vendor's documentation and this stack give the same access.

use anyhow::ensure;
use serde_json::json;

use super::Scenario;
use crate::{
    account::secrets::AccessKey,
    bench::{BUCKET, Bench, OBJECT},
    policy_meaning::grants,
    publisher::Publisher,
    report::Notes,
};

pub(super) const SCENARIOS: &[Scenario] = &[(
    "the documented commands, corrected, make a policy of the same meaning",
    same_meaning,
)];

fn same_meaning<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let by_hand = "documented-connectors";
    // The page's three commands, with a `Version` that exists and the bucket's name filled in.
    bench
        .account
        .json(["iam", "create-user", "--user-name", by_hand])?;
    let document = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Action": ["s3:ListBucket", "s3:GetObject"],
            "Resource": [format!("arn:aws:s3:::{BUCKET}"), format!("arn:aws:s3:::{BUCKET}/*")]
        }]
    });
    let put = [
        "iam",
        "put-user-policy",
        "--user-name",
        by_hand,
        "--policy-name",
        "S3AccessPolicy",
    ];
    let document = document.to_string();
    bench
        .account
        .json(put.into_iter().chain(["--policy-document", &document]))?;
    let created = bench
        .account
        .json(["iam", "create-access-key", "--user-name", by_hand])?;
    let key = AccessKey::from_json(&created["AccessKey"])?;

    let deployment = bench.stack("documented");
    deployment.create()?;
    let theirs = grants(&bench.account.inline_policy(by_hand, "S3AccessPolicy")?)?;
    let ours = grants(
        &bench
            .account
            .inline_policy(&deployment.user, "S3AccessPolicy")?,
    )?;
    ensure!(theirs == ours, "theirs allows {theirs:?}, ours {ours:?}");
    ensure!(ours.len() == 2, "it allows {ours:?}");
    for (action, resource) in &ours {
        notes.add(format!("{action} on {resource}"));
    }

    let documented = Publisher::with_key(bench.account, bench.workplace, &key);
    let deployed = bench.publisher(&deployment.user)?;
    let (theirs, ours) = (answers(bench, &documented)?, answers(bench, &deployed)?);
    ensure!(
        theirs == ours,
        "the user by hand met {theirs:?}, ours {ours:?}"
    );
    Ok(())
}

/// The answers that a caller gets.
fn answers(
    bench: &Bench<'_>,
    caller: &Publisher<'_>,
) -> anyhow::Result<(Vec<String>, Vec<u8>, [String; 2])> {
    let file = bench.workplace.data().join("first").join(OBJECT);
    Ok((
        caller.list(BUCKET, "", 100)?,
        caller.get(BUCKET, OBJECT)?,
        [
            caller.put_refusal(&file, BUCKET, OBJECT)?.code,
            caller.list_users_refusal()?.code,
        ],
    ))
}
