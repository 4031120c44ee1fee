//! Deletion removes everything attached to the user, and accepts that something is gone already.

use super::Scenario;
use crate::{bench::Bench, report::Notes};

pub(super) const SCENARIOS: &[Scenario] = &[(
    "a user with things attached by hand is deleted with all of them",
    attached,
)];

fn attached<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let account = bench.account;
    let deployment = bench.stack("attached");
    deployment.create()?;
    let user = deployment.user.as_str();
    let policy = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    account.json([
        "iam",
        "attach-user-policy",
        "--user-name",
        user,
        "--policy-arn",
        policy,
    ])?;
    let document = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"s3:PutObject","Resource":"*"}}"#;
    let put = [
        "iam",
        "put-user-policy",
        "--user-name",
        user,
        "--policy-name",
        "by-hand",
    ];
    account.json(put.into_iter().chain(["--policy-document", document]))?;
    let login = [
        "iam",
        "create-login-profile",
        "--user-name",
        user,
        "--password",
        "Not-A-Real-1-Password",
    ];
    account.json(login)?;
    account.json(["iam", "create-access-key", "--user-name", user])?;
    notes.add("a managed policy, an inline policy, a login profile and a second key");
    deployment.stack.delete()?;
    bench.assert_nothing_of(user)
}
