//! The evaluator against cases worked out by hand from
//! [IAM's documentation](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html),
//! and whether it understands all that the template says.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::attempt::STACK;
use super::calls::Call;
use super::policies::{self, statements};
use kit::policy_check::Decision::{self, Allowed, Denied, NotAllowed};

const ALICE: &str = "arn:aws:iam::111122223333:user/alice";

type Context = &'static [(&'static str, &'static str)];

fn judged(statements: &Value, action: &str, resource: &str, context: Context) -> Decision {
    let context = context.iter();
    let pairs = context.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let call = Call::new(action, resource, STACK).with_all(pairs);
    call.judged([&json!({ "Statement": statements })])
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
            judged(&on(pattern), action, resource, &[]),
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
            judged(&statements, action, resource, &[]),
            expected,
            "{action} {resource}"
        );
    }
}

#[test]
fn conditions_hold_as_iam_documents_them() {
    const TAG: &str = "aws:RequestTag/Team";
    const KEYS: &str = "aws:TagKeys";
    let cases: &[(&str, Value, Context, Decision)] = &[
        (
            "StringEquals",
            json!({TAG: ["a", "b"]}),
            &[(TAG, "b")],
            Allowed,
        ),
        ("StringEquals", json!({TAG: "a"}), &[(TAG, "A")], NotAllowed),
        (
            "StringEquals",
            json!({TAG: "a*"}),
            &[(TAG, "ab")],
            NotAllowed,
        ),
        ("StringEquals", json!({TAG: "a"}), &[], NotAllowed),
        // The names of keys are equal ignoring case.
        (
            "StringEquals",
            json!({TAG: "a"}),
            &[("AWS:requesttag/team", "a")],
            Allowed,
        ),
        ("StringEqualsIfExists", json!({TAG: "a"}), &[], Allowed),
        (
            "StringEqualsIfExists",
            json!({TAG: "a"}),
            &[(TAG, "b")],
            NotAllowed,
        ),
        (
            "StringLike",
            json!({TAG: "stack/mine/*"}),
            &[(TAG, "stack/mine/1")],
            Allowed,
        ),
        (
            "StringLike",
            json!({TAG: "stack/mine/*"}),
            &[(TAG, "stack/mine-too/1")],
            NotAllowed,
        ),
        ("StringLike", json!({TAG: "stack/mine/*"}), &[], NotAllowed),
        // A negated comparison is true of a key that is not there.
        ("StringNotLike", json!({TAG: "a*"}), &[], Allowed),
        ("StringNotLike", json!({TAG: "a*"}), &[(TAG, "b")], Allowed),
        (
            "StringNotEquals",
            json!({TAG: ["a", "b"]}),
            &[(TAG, "b")],
            NotAllowed,
        ),
        (
            "StringNotEqualsIgnoreCase",
            json!({TAG: "a"}),
            &[(TAG, "A")],
            NotAllowed,
        ),
        ("Null", json!({TAG: "true"}), &[], Allowed),
        ("Null", json!({TAG: "false"}), &[], NotAllowed),
        ("Null", json!({TAG: "false"}), &[(TAG, "a")], Allowed),
        (
            "ForAllValues:StringEquals",
            json!({KEYS: ["a", "b"]}),
            &[(KEYS, "a"), (KEYS, "b")],
            Allowed,
        ),
        (
            "ForAllValues:StringEquals",
            json!({KEYS: ["a", "b"]}),
            &[(KEYS, "a"), (KEYS, "c")],
            NotAllowed,
        ),
        (
            "ForAllValues:StringEquals",
            json!({KEYS: "a"}),
            &[],
            Allowed,
        ),
        (
            "ForAllValues:StringNotEquals",
            json!({KEYS: "a"}),
            &[(KEYS, "b"), (KEYS, "a")],
            NotAllowed,
        ),
        (
            "ForAnyValue:StringEquals",
            json!({KEYS: "a"}),
            &[(KEYS, "b"), (KEYS, "a")],
            Allowed,
        ),
        (
            "ForAnyValue:StringEquals",
            json!({KEYS: "a"}),
            &[],
            NotAllowed,
        ),
        (
            "ForAnyValue:StringNotEquals",
            json!({KEYS: "a"}),
            &[(KEYS, "a")],
            NotAllowed,
        ),
        // Several keys of one condition must all hold.
        (
            "StringEquals",
            json!({TAG: "a", "aws:PrincipalTag/x": "y"}),
            &[(TAG, "a")],
            NotAllowed,
        ),
    ];
    for (operator, keys, context, expected) in cases {
        let decision = judged(
            &allow(json!({*operator: keys})),
            "iam:TagUser",
            ALICE,
            context,
        );
        assert_eq!(decision, *expected, "{operator} {keys} {context:?}");
    }
}

#[test]
fn what_is_not_understood_allows_nothing() {
    let since = json!({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}});
    assert_eq!(
        judged(&allow(since.clone()), "iam:GetUser", ALICE, &[]),
        NotAllowed
    );
    let denied = json!([
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": since},
    ]);
    assert_eq!(judged(&denied, "iam:GetUser", ALICE, &[]), Denied);
}

#[test]
fn all_that_the_template_says_is_understood() {
    let policies = policies::of(STACK);
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
