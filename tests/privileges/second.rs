//! A second judge: the crate `iam-rs`, which shares no line with our evaluator, gets every question that these tests
//! ask. If the two differ, IAM's documentation decides.

use std::collections::{BTreeMap, BTreeSet};

use iam_rs::{
    Arn, Context, ContextValue, Decision as Verdict, IAMPolicy, IAMRequest, PolicyEvaluator,
    Principal, PrincipalId,
};
use kit::policy_check::Decision;
use serde_json::{Value, json};

use super::attempt::{Who, deployed};
use super::calls::{Call, Deployed};
use super::permitted::{CALLS, POLICIES};
use super::policies::{self, Policies, statements};
use super::{bounded, escalations};

/// The evaluator for one set of documents.
struct Second(PolicyEvaluator);

impl Second {
    fn new<'d>(documents: impl IntoIterator<Item = &'d Value>) -> Self {
        let parse = |document: &Value| -> IAMPolicy {
            let mut document = document.clone();
            // It requires the element that IAM derives from the document's age.
            document["Version"] = json!("2012-10-17");
            serde_json::from_value(document).expect("a policy document")
        };
        Self(PolicyEvaluator::with_policies(
            documents.into_iter().map(parse).collect(),
        ))
    }

    fn judge(&self, call: &Call) -> Decision {
        // Some actions have no resource, and only `*` matches them, but it requires an ARN.
        let resource = Some(call.resource.as_str()).filter(|resource| *resource != "*");
        let resource = Arn::parse(resource.unwrap_or("arn:aws:none:::none")).expect("an ARN");
        let principal = Principal::Aws(PrincipalId::String(
            "arn:aws:iam::111122223333:role/any".into(),
        ));
        let action = call.action.clone();
        let request = IAMRequest::new_with_context(principal, action, resource, context_of(call));
        let result = self.0.evaluate(&request);
        match result
            .unwrap_or_else(|error| panic!("{error}: {call:?}"))
            .decision
        {
            Verdict::Allow => Decision::Allowed,
            Verdict::Deny => Decision::Denied,
            Verdict::NotApplicable => Decision::NotAllowed,
        }
    }
}

/// A key with one value is a text, one with several a list.
fn context_of(call: &Call) -> Context {
    let always = [
        ("aws:SecureTransport".to_owned(), "true".to_owned()),
        (
            "aws:CurrentTime".to_owned(),
            "2026-01-01T00:00:00Z".to_owned(),
        ),
    ];
    let mut all: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (key, value) in call.context.iter().chain(&always) {
        all.entry(key).or_default().push(value.clone());
    }
    let value = |mut values: Vec<String>| match values.len() {
        1 => ContextValue::String(values.remove(0)),
        _ => ContextValue::StringList(values),
    };
    Context::with_data(
        all.into_iter()
            .map(|(key, values)| (key.to_owned(), value(values)))
            .collect(),
    )
}

/// Every set of documents of these stacks, with every request that it is asked for.
fn questions(stacks: &BTreeMap<Deployed, Policies>) -> Vec<(Vec<&Value>, Vec<Call>)> {
    let mut questions = Vec::new();
    for (number, by_stack) in CALLS.iter().enumerate() {
        for (stack, calls) in by_stack {
            let documents = stacks[stack].roles[number].iter().collect();
            questions.push((documents, calls.clone()));
        }
    }
    let any = stacks.values().next().expect("a stack");
    for who in Who::ALL {
        let tables = [escalations::ATTEMPTS, bounded::ATTEMPTS, bounded::USES];
        let attempts = tables.into_iter().flatten();
        let calls = attempts.filter(|attempt| attempt.who == who);
        let calls: Vec<Call> = calls.map(super::attempt::Attempt::call).collect();
        let sides = who.sides(any).into_iter();
        questions.extend(sides.map(|side| (side, calls.clone())));
    }
    questions
}

#[test]
fn both_evaluators_say_the_same_of_every_request() {
    let (mut count, mut different) = (0, BTreeSet::new());
    for (documents, calls) in questions(&POLICIES) {
        let second = Second::new(documents.iter().copied());
        for call in &calls {
            let (ours, theirs) = (call.judged(documents.iter().copied()), second.judge(call));
            count += 1;
            if ours != theirs {
                different.insert(format!("ours {ours:?}, theirs {theirs:?}: {call:?}"));
            }
        }
    }
    assert_eq!(different, BTreeSet::new(), "of {count}");
    assert!(count > 300, "{count}");
}

/// An operator that our evaluator does not know would allow nothing, and deny everything.
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
