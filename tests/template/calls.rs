//! The role against the program: every call is allowed, and nothing else is.

use std::collections::BTreeSet;
use std::fs::{read_dir, read_to_string};
use std::path::Path;

use super::policy::allowed_actions;
use kit::template::rendering::Stack;

/// The services whose calls the function makes with its role. It calls S3 and STS with the new key or unsigned; KMS is
/// called by Secrets Manager and `CloudWatch` Logs by Lambda, both on the role's behalf.
const CALLED: [&str; 3] = ["cloudformation", "iam", "secretsmanager"];

/// The source of the one module that names the SDK.
fn adapter() -> String {
    fn collect(path: &Path, source: &mut String) {
        if path.is_file() {
            source.push_str(&read_to_string(path).expect("readable"));
        } else {
            for entry in read_dir(path).expect("a folder") {
                collect(&entry.expect("readable").path(), source);
            }
        }
    }
    let mut source = String::new();
    collect(Path::new("src/aws"), &mut source);
    source
}

/// The SDK's method of an operation: `ListSSHPublicKeys` is `list_ssh_public_keys`.
fn method(operation: &str) -> String {
    let letters: Vec<char> = operation.chars().collect();
    let mut name = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let after_small = at > 0 && letters[at - 1].is_lowercase();
        let before_small = letters.get(at + 1).is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && at > 0 && (after_small || before_small) {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

fn is_called(action: &str, source: &str) -> bool {
    let (_, operation) = action.split_once(':').unwrap_or_default();
    source.contains(&format!(".{}()", method(operation)))
}

/// What the adapter calls the operations in its errors: `iam:CreateUser`.
fn operations(source: &str) -> BTreeSet<String> {
    let literals = source.split('"').map(str::to_owned);
    let of_called = |text: &String| {
        (text.split_once(':')).is_some_and(|(service, operation)| {
            CALLED.contains(&service) && operation.chars().all(char::is_alphanumeric)
        })
    };
    literals.filter(of_called).collect()
}

#[test]
fn every_allowed_action_is_a_call_that_the_program_makes() {
    let source = adapter();
    for action in allowed_actions(&Stack::usual()) {
        let (service, _) = action.split_once(':').unwrap_or_default();
        if CALLED.contains(&service) {
            assert!(
                is_called(&action, &source),
                "`{action}` is allowed, but never called"
            );
        } else {
            assert!(["kms", "logs"].contains(&service), "`{action}`");
        }
    }
}

#[test]
fn every_call_that_the_program_makes_is_allowed() {
    let (source, allowed) = (adapter(), allowed_actions(&Stack::usual()));
    let operations = operations(&source);
    let calls: Vec<&String> = operations
        .iter()
        .filter(|action| is_called(action, &source))
        .collect();
    assert!(calls.len() > 30, "only {calls:?} were found");
    for action in calls {
        assert!(
            allowed.contains(action),
            "`{action}` is called, but not allowed"
        );
    }
}
