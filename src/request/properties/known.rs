//! The known names of properties.

use serde_json::{Map, Value};

use crate::request::property_error::PropertyError;

const PROPERTIES: [&str; 11] = [
    "BucketKmsKeyArns",
    "Buckets",
    "KeySerial",
    "PermissionsBoundary",
    "PolicyName",
    "Revision",
    "SecretKmsKeyId",
    "SecretRecoveryDays",
    "Tags",
    "UserName",
    "VerifyAccess",
];

/// CloudFormation's own properties of every custom resource, passed on with the rest.
const CLOUDFORMATION: [&str; 2] = ["ServiceTimeout", "ServiceToken"];

/// Below this similarity (Jaro–Winkler, ignoring case), a guess would mislead, so the message lists all names instead.
const LIKENESS: f64 = 0.7;

pub(super) fn check(properties: &Map<String, Value>) -> Result<(), PropertyError> {
    let unknown = properties.keys().find(|name| {
        let name = name.as_str();
        !PROPERTIES.contains(&name) && !CLOUDFORMATION.contains(&name)
    });
    unknown.map_or(Ok(()), |name| Err(refuse(name, name, &PROPERTIES)))
}

/// Requires a tag to have nothing but `Key` and `Value`.
pub(super) fn check_tag(path: &str, members: &Map<String, Value>) -> Result<(), PropertyError> {
    let known = ["Key", "Value"];
    let unknown = members.keys().find(|name| !known.contains(&name.as_str()));
    unknown.map_or(Ok(()), |name| {
        Err(refuse(&format!("{path}.{name}"), name, &known))
    })
}

fn refuse(path: &str, name: &str, known: &[&str]) -> PropertyError {
    let likeness =
        |candidate: &str| strsim::jaro_winkler(&name.to_lowercase(), &candidate.to_lowercase());
    let nearest = known
        .iter()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest {
        Some(nearest) if likeness(nearest) >= LIKENESS => {
            PropertyError::of(path, format!("is unknown; did you mean `{nearest}`?"))
        }
        Some(_) | None => PropertyError::of(
            path,
            format!("is unknown; known are `{}`", known.join("`, `")),
        ),
    }
}
