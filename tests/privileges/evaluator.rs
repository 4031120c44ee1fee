//! The evaluator against cases worked out by hand from
//! [IAM's documentation](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html),
//! and whether it understands all that the template says.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::attempt::deployed;
use super::calls::Call;
use super::policies::{self, statements};
use super::second;
use kit::policy_check::Decision::{self, Allowed, Denied, NotAllowed};

const ALICE: &str = "arn:aws:iam::111122223333:user/alice";

fn judged(statements: &Value, action: &str, resource: &str) -> Decision {
    both(statements, &Call::new(action, resource, &deployed()))
}

/// The decision, on which both evaluators must agree.
fn both(statements: &Value, call: &Call) -> Decision {
    let document = json!({ "Statement": statements });
    let ours = call.judged([&document]);
    second::agrees(&document, call, ours);
    ours
}

fn allow(condition: Value) -> Value {
    json!([{"Effect": "Allow", "Action": "iam:*", "Resource": "*", "Condition": condition}])
}

#[test]
fn actions_and_resources_match_as_iam_matches_them() {
    let on =
        |resource: &str| json!([{"Effect": "Allow", "Action": "iam:Get*", "Resource": resource}]);
    for (pattern, action, resource, expected) in [
        ("*", "IAM:getuser", ALICE, Allowed),
        ("*", "iam:PutUserPolicy", ALICE, NotAllowed),
        (
            "arn:aws:iam::111122223333:user/a*",
            "iam:GetUser",
            ALICE,
            Allowed,
        ),
        // `*` crosses `/`.
        (
            "arn:aws:iam::111122223333:user/a*",
            "iam:GetUser",
            "arn:aws:iam::111122223333:user/admins/bob",
            Allowed,
        ),
        (
            "arn:aws:iam::111122223333:user/ali?e",
            "iam:GetUser",
            ALICE,
            Allowed,
        ),
        // Resources are compared in their letters' case.
        (
            "arn:aws:iam::111122223333:user/Alice",
            "iam:GetUser",
            ALICE,
            NotAllowed,
        ),
        (
            "arn:aws:iam::111122223333:user/alic",
            "iam:GetUser",
            ALICE,
            NotAllowed,
        ),
    ] {
        assert_eq!(
            judged(&on(pattern), action, resource),
            expected,
            "{pattern} {action} {resource}"
        );
    }
}

#[test]
fn a_deny_wins_and_not_action_is_everything_else() {
    let statements = json!([
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "NotAction": ["iam:Get*"], "Resource": ALICE},
        {"Effect": "Deny", "Action": "s3:*", "NotResource": ["arn:aws:s3:::reads", "arn:aws:s3:::reads/*"]},
    ]);
    for (action, resource, expected) in [
        ("iam:GetUser", ALICE, Allowed),
        ("iam:DeleteUser", ALICE, Denied),
        (
            "iam:DeleteUser",
            "arn:aws:iam::111122223333:user/bob",
            Allowed,
        ),
        ("s3:GetObject", "arn:aws:s3:::reads/a", Allowed),
        ("s3:GetObject", "arn:aws:s3:::other/reads/a", Denied),
    ] {
        assert_eq!(
            judged(&statements, action, resource),
            expected,
            "{action} {resource}"
        );
    }
}

/// The decision, the condition, and the request's values of the keys.
const CONDITIONS: &str = r#"
Allowed    {"StringEquals": {"tag": ["a", "b"]}}                        {"tag": ["b"]}
NotAllowed {"StringEquals": {"tag": "a"}}                               {"tag": ["A"]}
NotAllowed {"StringEquals": {"tag": "a*"}}                              {"tag": ["ab"]}
NotAllowed {"StringEquals": {"tag": "a"}}                               {}
# The names of keys are equal ignoring case.
Allowed    {"StringEquals": {"tag": "a"}}                               {"TAG": ["a"]}
Allowed    {"StringEqualsIfExists": {"tag": "a"}}                       {}
NotAllowed {"StringEqualsIfExists": {"tag": "a"}}                       {"tag": ["b"]}
Allowed    {"StringLike": {"tag": "stack/mine/*"}}                      {"tag": ["stack/mine/1"]}
NotAllowed {"StringLike": {"tag": "stack/mine/*"}}                      {"tag": ["stack/mine-too/1"]}
NotAllowed {"StringLike": {"tag": "stack/mine/*"}}                      {}
# A negated comparison is true of a key that is not there.
Allowed    {"StringNotLike": {"tag": "a*"}}                             {}
Allowed    {"StringNotLike": {"tag": "a*"}}                             {"tag": ["b"]}
NotAllowed {"StringNotEquals": {"tag": ["a", "b"]}}                     {"tag": ["b"]}
NotAllowed {"StringNotEqualsIgnoreCase": {"tag": "a"}}                  {"tag": ["A"]}
Allowed    {"Null": {"tag": "true"}}                                    {}
NotAllowed {"Null": {"tag": "false"}}                                   {}
Allowed    {"Null": {"tag": "false"}}                                   {"tag": ["a"]}
Allowed    {"ForAllValues:StringEquals": {"keys": ["a", "b"]}}          {"keys": ["a", "b"]}
NotAllowed {"ForAllValues:StringEquals": {"keys": ["a", "b"]}}          {"keys": ["a", "c"]}
Allowed    {"ForAllValues:StringEquals": {"keys": "a"}}                 {}
NotAllowed {"ForAllValues:StringNotEquals": {"keys": "a"}}              {"keys": ["b", "a"]}
Allowed    {"ForAnyValue:StringEquals": {"keys": "a"}}                  {"keys": ["b", "a"]}
NotAllowed {"ForAnyValue:StringEquals": {"keys": "a"}}                  {}
NotAllowed {"ForAnyValue:StringNotEquals": {"keys": "a"}}               {"keys": ["a"]}
# Several keys of one condition must all hold.
NotAllowed {"StringEquals": {"tag": "a", "aws:PrincipalTag/x": "y"}}    {"tag": ["a"]}
"#;

#[test]
fn conditions_hold_as_iam_documents_them() {
    // The keys by their short names in the table.
    let table = CONDITIONS
        .replace("\"tag\"", "\"aws:RequestTag/Team\"")
        .replace("\"TAG\"", "\"AWS:requesttag/team\"")
        .replace("\"keys\"", "\"aws:TagKeys\"");
    let lines = table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        let (expected, rest) = line.split_once(' ').expect(line);
        let mut columns = serde_json::Deserializer::from_str(rest).into_iter();
        let mut column = || -> Value { columns.next().expect(line).expect(line) };
        let (condition, context) = (column(), column());
        let context = context.as_object().expect(line).iter();
        let pairs = context.flat_map(|(key, values)| {
            let values = values.as_array().expect(line).iter();
            values.map(|value| (key.clone(), value.as_str().expect(line).to_owned()))
        });
        let call = Call::new("iam:TagUser", ALICE, &deployed()).with_all(pairs);
        let decision = both(&allow(condition), &call);
        assert_eq!(format!("{decision:?}"), expected, "{line}");
    }
}

#[test]
fn what_is_not_understood_allows_nothing() {
    let since = json!({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}});
    assert_eq!(
        judged(&allow(since.clone()), "iam:GetUser", ALICE),
        NotAllowed
    );
    let denied = json!([
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": since},
    ]);
    assert_eq!(judged(&denied, "iam:GetUser", ALICE), Denied);
}

#[test]
fn every_statement_of_the_template_is_understood() {
    let policies = policies::of(&deployed());
    let documents: Vec<Value> = policies
        .roles
        .into_iter()
        .flatten()
        .chain([policies.boundary])
        .collect();
    let of_conditions = |statement: &Value| -> Vec<String> {
        let conditions = statement["Condition"].as_object();
        conditions
            .into_iter()
            .flat_map(|all| all.keys().cloned())
            .collect()
    };
    let operators: BTreeSet<String> = statements(&documents).flat_map(of_conditions).collect();
    let tested = [
        "ForAllValues:StringNotEqualsIgnoreCase",
        "Null",
        "StringEquals",
        "StringLike",
        "StringLikeIfExists",
        "StringNotLike",
    ];
    assert_eq!(operators, tested.map(str::to_owned).into());
    // No variables such as `${aws:username}`, which would be compared as they stand.
    assert!(
        !documents
            .iter()
            .any(|document| document.to_string().contains("${"))
    );
}
