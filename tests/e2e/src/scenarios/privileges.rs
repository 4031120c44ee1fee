//! Nobody can do more with the stack's credentials than its template allows. The emulator cannot evaluate tags of users
//! as conditions, so `tests/privileges` covers those.

use anyhow::{Context, ensure};

use super::Scenario;
use crate::{
    account::{Refusal, secrets::AccessKey, text},
    bench::{BUCKET, Bench, Deployment, OBJECT},
    report::Notes,
    stack::{BOUNDARY, FUNCTION, ROLE},
};

pub(super) const SCENARIOS: &[Scenario] = &[
    (
        "a user with an administrator's policies put on it can still only read its buckets",
        user,
    ),
    (
        "with the function's role nobody gains more power than its job needs",
        role,
    ),
];

/// The managed policy of AWS.
const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
/// The same as a document, without a blank: commands are split there.
const EVERYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

fn user<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let mut deployment = bench.stack("bounded-user");
    deployment.set_parameter("ReadableBuckets", "genomes-*");
    deployment.create()?;
    let user = deployment.user.as_str();
    let Parts {
        function,
        role,
        boundary,
    } = Parts::of(bench, &deployment)?;
    let private = "clinic-payroll";
    bench.account.create_bucket(private)?;
    bench.put_object(private, "a", &[])?;
    let key = bench.account.json(["kms", "create-key"])?;
    let key = text(&key["KeyMetadata"]["Arn"])?;
    let hand = |command: String| bench.account.json(command.split(' '));
    hand(format!(
        "iam attach-user-policy --user-name {user} --policy-arn {ADMINISTRATOR}"
    ))?;
    hand(format!(
        "iam put-user-policy --user-name {user} --policy-name ByHand --policy-document {EVERYTHING}"
    ))?;

    let attempts = [
        format!("iam create-user --user-name {user}-more"),
        "iam list-users".to_owned(),
        format!("iam create-access-key --user-name {user}"),
        format!("iam delete-user-permissions-boundary --user-name {user}"),
        format!(
            "iam put-user-permissions-boundary --user-name {user} --permissions-boundary {ADMINISTRATOR}"
        ),
        format!(
            "iam create-policy-version --policy-arn {boundary} --policy-document {EVERYTHING} --set-as-default"
        ),
        format!("s3api get-object --bucket {private} --key a /dev/null"),
        format!("s3api list-objects-v2 --bucket {private}"),
        format!("s3api put-object --bucket {BUCKET} --key more"),
        format!("s3api delete-object --bucket {BUCKET} --key {OBJECT}"),
        format!("s3api put-bucket-policy --bucket {BUCKET} --policy {EVERYTHING}"),
        format!("secretsmanager get-secret-value --secret-id publisher/{user}"),
        format!("sts assume-role --role-arn {role} --role-session-name more"),
        "sts get-federation-token --name more".to_owned(),
        format!("kms encrypt --key-id {key} --plaintext bW9yZQ=="),
        format!("lambda invoke --function-name {function} /dev/null"),
        format!("cloudformation delete-stack --stack-name {user}"),
    ];
    // An explicit deny: only the boundary holds one.
    let current = bench.current_key(user)?.key;
    assert_refused(bench, &current, &attempts, "explicit deny", notes)?;

    bench.assert_reads(user)?;
    deployment.stack.delete()?;
    bench.assert_nothing_of(user)
}

fn role<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let deployment = bench.stack("limited-role");
    deployment.create()?;
    let user = deployment.user.as_str();
    let parts = Parts::of(bench, &deployment)?;
    let stack = deployment.stack.resources()?.stack_id()?;
    let attempts = parts.attempts_of_the_function(user, &stack);
    let hand = |command: String| bench.account.json(command.split(' '));
    hand(format!("iam create-user --user-name {STRANGER}"))?;
    hand(format!(
        "secretsmanager create-secret --name {STRANGERS_SECRET} --secret-string more"
    ))?;

    // On AWS the role trusts Lambda alone; the emulator lets its root user act as any service.
    let session = hand(format!(
        "sts assume-role --role-arn {} --role-session-name attempt",
        parts.role
    ))?;
    let session = AccessKey::from_json(&session["Credentials"])?;
    // The function's own work is allowed. Otherwise the rest would prove nothing.
    for use_ in [
        format!("iam get-user --user-name {user}"),
        format!("secretsmanager get-secret-value --secret-id publisher/{user}"),
    ] {
        session
            .sign(bench.account.aws(use_.split(' ')))
            .succeed()
            .with_context(|| format!("`aws {use_}`"))?;
    }
    assert_refused(bench, &session, &attempts, "not authorized", notes)
}

/// A user that is not the stack's.
const STRANGER: &str = "limited-stranger";
const STRANGERS_SECRET: &str = "limited/stranger";

/// The parts of a stack that are worth an attempt.
struct Parts {
    function: String,
    /// Its ARN.
    role: String,
    boundary: String,
}

impl Parts {
    /// What somebody who has taken over the function might do.
    fn attempts_of_the_function(&self, user: &str, stack: &str) -> Vec<String> {
        let Self { role, boundary, .. } = self;
        let role_name = role.rsplit('/').next().unwrap_or_default();
        let own = format!(
            "Key=publisher-s3-access:stack-id,Value={stack} Key=publisher-s3-access:logical-id,Value=S3Access"
        );
        vec![
            format!("iam create-user --user-name {user}-2 --tags {own}"),
            format!(
                "iam create-user --user-name {user}-2 --tags {own} --permissions-boundary {ADMINISTRATOR}"
            ),
            format!("iam create-user --user-name {user}-2 --permissions-boundary {boundary}"),
            format!(
                "iam create-user --user-name {STRANGER}-2 --tags {own} --permissions-boundary {boundary}"
            ),
            format!(
                "iam put-user-policy --user-name {STRANGER} --policy-name more --policy-document {EVERYTHING}"
            ),
            format!(
                "iam put-user-permissions-boundary --user-name {user} --permissions-boundary {ADMINISTRATOR}"
            ),
            format!("iam delete-user-permissions-boundary --user-name {user}"),
            format!(
                "iam create-policy-version --policy-arn {boundary} --policy-document {EVERYTHING} --set-as-default"
            ),
            format!("iam attach-user-policy --user-name {user} --policy-arn {ADMINISTRATOR}"),
            format!("iam add-user-to-group --user-name {user} --group-name administrators"),
            format!(
                "iam tag-user --user-name {user} --tags Key=publisher-s3-access:stack-id,Value=another"
            ),
            format!("iam untag-user --user-name {user} --tag-keys publisher-s3-access:stack-id"),
            format!("iam create-access-key --user-name {STRANGER}"),
            format!(
                "iam put-role-policy --role-name {role_name} --policy-name more --policy-document {EVERYTHING}"
            ),
            format!("secretsmanager get-secret-value --secret-id {STRANGERS_SECRET}"),
            "secretsmanager list-secrets".to_owned(),
            format!("s3api get-object --bucket {BUCKET} --key {OBJECT} /dev/null"),
            format!("sts assume-role --role-arn {role} --role-session-name more"),
            format!("cloudformation delete-stack --stack-name {user}"),
        ]
    }

    fn of(bench: &Bench<'_>, deployment: &Deployment<'_>) -> anyhow::Result<Self> {
        let resources = deployment.stack.resources()?;
        let account = bench.account.id();
        Ok(Self {
            function: resources.physical_id(FUNCTION)?,
            role: format!(
                "arn:aws:iam::{account}:role/{}",
                resources.physical_id(ROLE)?
            ),
            boundary: resources.physical_id(BOUNDARY)?,
        })
    }
}

/// Makes each attempt with this key, and counts them.
///
/// # Errors
/// If one succeeds, or is refused for another reason than the missing permission that its message must name
/// (`because`).
fn assert_refused(
    bench: &Bench<'_>,
    key: &AccessKey,
    attempts: &[String],
    because: &str,
    notes: &mut Notes,
) -> anyhow::Result<()> {
    let mut operations = Vec::new();
    for attempt in attempts {
        let made = key.sign(bench.account.aws(attempt.split(' '))).run()?;
        let refusal = Refusal::of(&made).with_context(|| format!("`aws {attempt}`"))?;
        let denied = matches!(
            refusal.code.as_str(),
            "AccessDenied" | "AccessDeniedException"
        );
        ensure!(
            denied && refusal.message.contains(because),
            "`aws {attempt}` was refused for another reason: {refusal}"
        );
        operations.push(refusal.operation);
    }
    notes.add(format!(
        "{} attempts, each denied: {}",
        operations.len(),
        operations.join(", ")
    ));
    Ok(())
}
