//! Judges a request by IAM policy documents: as much of
//! [IAM's evaluation](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html) as the
//! policies of this project use. Whatever else a document holds makes its statement never match.

use std::collections::BTreeMap;

use serde_json::Value;

/// A request as IAM sees it.
pub(crate) struct Request<'a> {
    pub(crate) action: &'a str,
    pub(crate) resource: &'a str,
    context: BTreeMap<&'a str, &'a str>,
}

/// What the policies say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// One allows it and none denies it.
    Allowed,
    /// One denies it.
    Denied,
    /// None says anything.
    NotAllowed,
}

impl<'a> Request<'a> {
    /// A request over TLS.
    pub(crate) fn new(action: &'a str, resource: &'a str) -> Self {
        Self {
            action,
            resource,
            context: BTreeMap::from([("aws:SecureTransport", "true")]),
        }
    }

    /// Adds a condition key.
    pub(crate) fn with(mut self, key: &'a str, value: &'a str) -> Self {
        self.context.insert(key, value);
        self
    }

    /// What these documents say together.
    pub(crate) fn judged_by<'d>(&self, documents: impl Iterator<Item = &'d str>) -> Decision {
        let mut decision = Decision::NotAllowed;
        for document in documents {
            let policy: Value = serde_json::from_str(document).unwrap_or_default();
            for statement in each(&policy["Statement"])
                .into_iter()
                .filter(|statement| self.matches(statement))
            {
                if statement["Effect"] == "Deny" {
                    return Decision::Denied;
                }
                decision = Decision::Allowed;
            }
        }
        decision
    }

    fn matches(&self, statement: &Value) -> bool {
        let known = ["Sid", "Effect", "Action", "Resource", "Condition"];
        let elements = statement
            .as_object()
            .is_some_and(|all| all.keys().all(|key| known.contains(&key.as_str())));
        let action = texts(&statement["Action"])
            .iter()
            .any(|pattern| wildcard(&pattern.to_lowercase(), &self.action.to_lowercase()));
        let resource = texts(&statement["Resource"])
            .iter()
            .any(|pattern| wildcard(pattern, self.resource));
        elements && action && resource && self.meets(&statement["Condition"])
    }

    fn meets(&self, conditions: &Value) -> bool {
        let Value::Object(operators) = conditions else {
            return conditions.is_null();
        };
        operators.iter().all(|(operator, keys)| {
            let Value::Object(keys) = keys else {
                return false;
            };
            keys.iter().all(|(key, patterns)| {
                let Some(value) = self.context.get(key.as_str()) else {
                    return false;
                };
                texts(patterns)
                    .iter()
                    .any(|pattern| match operator.as_str() {
                        "StringLike" => wildcard(pattern, value),
                        "StringEquals" => pattern == value,
                        "Bool" => pattern.eq_ignore_ascii_case(value),
                        _ => false,
                    })
            })
        })
    }
}

fn each(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

fn texts(value: &Value) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    each(value).into_iter().map(text).collect()
}

/// `*` is any run of characters, `?` any one.
fn wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    // Where the last star stands, and how much of the text it has eaten: the only place worth coming back to.
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
