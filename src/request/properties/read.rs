//! Reads JSON values of properties: scalars of any type, and lists of them.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::known;
use crate::request::buckets::{BucketUri, Buckets};
use crate::request::names::{KmsKeyArn, Rule, Tag, TagKey, TagValue};
use crate::request::property_error::PropertyError;

fn text<'a>(path: &str, value: &'a Value) -> Result<Cow<'a, str>, PropertyError> {
    match value {
        Value::String(text) => Ok(Cow::Borrowed(text)),
        Value::Bool(_) | Value::Number(_) => Ok(Cow::Owned(value.to_string())),
        Value::Null => Err(PropertyError::of_value(
            path,
            value,
            "is null; leave it out (`AWS::NoValue`) or give a value",
        )),
        Value::Array(_) => Err(PropertyError::of_value(
            path,
            value,
            "must be a single value, not a list",
        )),
        Value::Object(_) => Err(PropertyError::of_value(
            path,
            value,
            "must be a single value, not an object",
        )),
    }
}

pub(super) fn scalar<T>(
    path: &str,
    value: &Value,
    parse: impl Fn(&str) -> Result<T, Rule>,
) -> Result<T, PropertyError> {
    let text = text(path, value)?;
    parse(&text).map_err(|rule| {
        // Usually a parameter that was left empty, so the message says what to do.
        let rule = if text.is_empty() {
            "is empty; leave it out (`AWS::NoValue`) or give a value".into()
        } else {
            rule
        };
        PropertyError::of_value(path, value, rule)
    })
}

/// Parses the elements of a list; a single value counts as a list of one.
fn list<T>(
    path: &str,
    value: &Value,
    parse: impl Fn(&str) -> Result<T, Rule>,
) -> Result<Vec<T>, PropertyError> {
    match value {
        Value::Array(elements) => elements
            .iter()
            .enumerate()
            .map(|(index, element)| scalar(&format!("{path}[{index}]"), element, &parse))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            Ok(vec![scalar(path, value, parse)?])
        }
    }
}

/// Parses `Buckets`: one string or a list.
///
/// A string with a comma is refused, not split, because a prefix may contain a comma. If it were accepted,
/// `s3://a/b/,s3://c/` would count as one odd folder.
pub(super) fn buckets(
    value: &Value,
    parse: impl Fn(&str) -> Result<BucketUri, Rule>,
) -> Result<Buckets, PropertyError> {
    if value.as_str().is_some_and(|text| text.contains(',')) {
        let rule =
            "contains a `,`; give several buckets as a list (`Fn::Split` makes one of a string)";
        return Err(PropertyError::of_value("Buckets", value, rule));
    }
    Buckets::new(list("Buckets", value, parse)?)
        .ok_or_else(|| PropertyError::of_value("Buckets", value, "name at least one bucket"))
}

/// Parses `BucketKmsKeyArns`, dropping repeated keys.
pub(super) fn kms_keys(
    value: &Value,
    parse: impl Fn(&str) -> Result<KmsKeyArn, Rule>,
) -> Result<Vec<KmsKeyArn>, PropertyError> {
    let mut unique = Vec::new();
    for key in list("BucketKmsKeyArns", value, parse)? {
        if !unique.contains(&key) {
            unique.push(key);
        }
    }
    Ok(unique)
}

/// The most tags of a customer: AWS allows 50 on a user or a secret, and ownership tags and those of others need room.
const TAGS_LIMIT: usize = 45;

/// Parses `Tags`. IAM takes keys that differ only in letter case for the same.
pub(super) fn tags(value: &Value) -> Result<Vec<Tag>, PropertyError> {
    let shape = "must be a list of `Key` and `Value`, as in `AWS::IAM::User`";
    let elements = value
        .as_array()
        .ok_or_else(|| PropertyError::of_value("Tags", value, shape))?;
    if elements.len() > TAGS_LIMIT {
        let rule = format!(
            "has {} tags; at most {TAGS_LIMIT} are allowed",
            elements.len()
        );
        return Err(PropertyError::of("Tags", rule));
    }
    let mut tags: Vec<Tag> = Vec::new();
    for (index, element) in elements.iter().enumerate() {
        let path = format!("Tags[{index}]");
        let members = element
            .as_object()
            .ok_or_else(|| PropertyError::of_value(&path, element, shape))?;
        known::check_tag(&path, members)?;
        let tag = Tag {
            key: member(&path, members, "Key", TagKey::parse)?,
            value: member(&path, members, "Value", TagValue::parse)?,
        };
        if let Some(twin) = tags.iter().find(|twin| twin.key.eq_ignore_case(&tag.key)) {
            let rule = format!(
                "is the same key as `{}`: IAM ignores case in tag keys",
                twin.key
            );
            let key = tag.key.as_str().into();
            return Err(PropertyError::of_value(&format!("{path}.Key"), &key, rule));
        }
        tags.push(tag);
    }
    Ok(tags)
}

fn member<T>(
    path: &str,
    members: &Map<String, Value>,
    name: &str,
    parse: impl Fn(&str) -> Result<T, Rule>,
) -> Result<T, PropertyError> {
    let path = format!("{path}.{name}");
    let value = members.get(name).ok_or_else(|| {
        PropertyError::of(&path, "is missing; every tag has a `Key` and a `Value`")
    })?;
    scalar(&path, value, parse)
}
