//! Judges a request by IAM policy documents, as [IAM
//! evaluates](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html) identity
//! policies: actions, resources and conditions of strings. Anything else in a document is not understood and allows
//! nothing: such an Allow never matches, and such a Deny always does.

mod condition;

use std::collections::BTreeMap;

use serde_json::Value;

/// A request as IAM sees it.
pub struct Request<'a> {
    pub action: &'a str,
    pub resource: &'a str,
    context: Context<'a>,
}

/// The values of each condition key. Key names are equal ignoring case.
#[derive(Default)]
struct Context<'a>(BTreeMap<String, Vec<&'a str>>);

/// What the policies say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// One allows it and none denies it.
    Allowed,
    /// One denies it.
    Denied,
    /// None allows or denies it.
    NotAllowed,
}

impl<'a> Request<'a> {
    /// A request over TLS.
    pub fn new(action: &'a str, resource: &'a str) -> Self {
        let context = Context::default();
        let request = Self {
            action,
            resource,
            context,
        };
        request.with("aws:SecureTransport", "true")
    }

    /// Adds a value of a condition key.
    pub fn with(mut self, key: &str, value: &'a str) -> Self {
        let values = self.context.0.entry(key.to_lowercase()).or_default();
        values.push(value);
        self
    }

    /// What these documents say together.
    pub fn judged_by<'d>(&self, documents: impl Iterator<Item = &'d str>) -> Decision {
        let parsed = documents.map(|text| serde_json::from_str(text).unwrap_or_default());
        self.judged(&parsed.collect::<Vec<Value>>())
    }

    /// The same for parsed documents.
    pub fn judged<'d>(&self, documents: impl IntoIterator<Item = &'d Value>) -> Decision {
        let mut decision = Decision::NotAllowed;
        for document in documents {
            for statement in each(&document["Statement"]) {
                let denies = statement["Effect"] == "Deny";
                if !self.matches(statement).unwrap_or(denies) {
                    continue;
                }
                if denies {
                    return Decision::Denied;
                }
                decision = Decision::Allowed;
            }
        }
        decision
    }

    /// `None` if the statement is not understood.
    fn matches(&self, statement: &Value) -> Option<bool> {
        let known = [
            "Sid",
            "Effect",
            "Action",
            "NotAction",
            "Resource",
            "NotResource",
            "Condition",
        ];
        let elements = statement.as_object()?;
        if !elements.keys().all(|key| known.contains(&key.as_str())) {
            return None;
        }
        let acts = |pattern: &str| wildcard(&pattern.to_lowercase(), &self.action.to_lowercase());
        let is_there = |pattern: &str| wildcard(pattern, self.resource);
        let action = either(&statement["Action"], &statement["NotAction"], acts)?;
        let resource = either(&statement["Resource"], &statement["NotResource"], is_there)?;
        Some(action && resource && self.context.meets(&statement["Condition"])?)
    }
}

/// Whether one of the patterns matches, or none of the excluded ones. Exactly one of the two lists must exist.
fn either(patterns: &Value, excluded: &Value, matches: impl Fn(&str) -> bool) -> Option<bool> {
    let any = |patterns: &Value| texts(patterns).iter().any(|pattern| matches(pattern));
    match (patterns, excluded) {
        (Value::Null, Value::Null) => None,
        (patterns, Value::Null) => Some(any(patterns)),
        (Value::Null, excluded) => Some(!any(excluded)),
        _ => None,
    }
}

fn each(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => vec![value],
    }
}

fn texts(value: &Value) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    };
    each(value).into_iter().map(text).collect()
}

/// `*` is any run of characters, `?` any one.
fn wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    // The last star, and how much of the text it has matched: the only place worth backtracking to.
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == '?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            Some(_) | None => match star {
                Some((place, eaten)) => {
                    star = Some((place, eaten + 1));
                    p = place + 1;
                    t = eaten + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}
