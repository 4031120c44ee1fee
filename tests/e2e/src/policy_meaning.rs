//! What a policy allows, read from its text by IAM's rules and not by the code under test.

use std::collections::BTreeSet;

use anyhow::{Context, bail, ensure};
use serde_json::Value;

/// Pairs of an action and a resource it is allowed on.
pub(crate) type Grants = BTreeSet<(String, String)>;

/// What the policy allows. An action on a resource of the wrong type, such as `s3:GetObject` on a bucket, allows
/// nothing and is left out.
///
/// # Errors
/// If the policy is not made of plain `Allow` statements, or IAM would refuse its `Version`.
pub(crate) fn grants(policy: &Value) -> anyhow::Result<Grants> {
    ensure!(
        policy["Version"] == "2012-10-17",
        "Version {}",
        policy["Version"]
    );
    let mut grants = Grants::new();
    for statement in one_or_many(&policy["Statement"]) {
        let keys = statement
            .as_object()
            .context("a statement is an object")?
            .keys();
        for key in keys {
            match key.as_str() {
                "Sid" | "Effect" | "Action" | "Resource" => {}
                other => bail!("a statement with `{other}` needs more than this comparison"),
            }
        }
        ensure!(
            statement["Effect"] == "Allow",
            "Effect {}",
            statement["Effect"]
        );
        for action in strings(&statement["Action"])? {
            let pairs = strings(&statement["Resource"])?.into_iter();
            let pairs = pairs.map(|resource| (action.clone(), resource));
            grants.extend(pairs.filter(|(action, resource)| acts_on(action, resource)));
        }
    }
    Ok(grants)
}

/// The resource types of the service authorization reference: an object's ARN has a `/`, and a bucket's has none.
fn acts_on(action: &str, resource: &str) -> bool {
    match action {
        "s3:ListBucket" => !resource.contains('/'),
        "s3:GetObject" => resource.contains('/'),
        // Counted, so that an unexpected action makes a difference.
        _other => true,
    }
}

fn strings(value: &Value) -> anyhow::Result<Vec<String>> {
    let strings = one_or_many(value).iter().map(|item| {
        let text = item
            .as_str()
            .with_context(|| format!("expected a string, found {item}"))?;
        Ok(text.to_owned())
    });
    strings.collect()
}

/// IAM takes a single element for a list of one.
fn one_or_many(value: &Value) -> &[Value] {
    value
        .as_array()
        .map_or(std::slice::from_ref(value), Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(statements: &Value) -> Value {
        json!({"Version": "2012-10-17", "Statement": statements})
    }

    #[test]
    fn each_action_counts_on_its_own_kind_of_resource_only() -> anyhow::Result<()> {
        let crossed = policy(&json!({
            "Effect": "Allow",
            "Action": ["s3:ListBucket", "s3:GetObject"],
            "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]
        }));
        let apart = policy(&json!([
            {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b"},
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
        ]));
        assert_eq!(grants(&crossed)?, grants(&apart)?);
        assert_eq!(grants(&apart)?.len(), 2);
        Ok(())
    }

    #[test]
    fn a_wider_resource_or_another_action_makes_a_difference() -> anyhow::Result<()> {
        let grant = |action: &str, resource: &str| {
            grants(&policy(
                &json!({"Effect": "Allow", "Action": action, "Resource": resource}),
            ))
        };
        let narrow = grant("s3:GetObject", "arn:aws:s3:::b/*")?;
        assert_ne!(narrow, grant("s3:GetObject", "arn:aws:s3:::*/*")?);
        assert_ne!(narrow, grant("s3:PutObject", "arn:aws:s3:::b/*")?);
        Ok(())
    }

    #[test]
    fn the_version_of_the_vendor_page_is_refused() {
        assert!(grants(&json!({"Version": "2024-10-24", "Statement": []})).is_err());
    }
}
