//! The pure input side: properties in, desired state and policy out, or a refusal.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod accepted;
mod generated;
mod lenient;
mod names;
mod policies;
mod refused;

use publisher_s3_access::plan::policy::PolicyDocument;
use publisher_s3_access::request::names::Partition;
use publisher_s3_access::request::properties::Desired;
use publisher_s3_access::request::property_error::PropertyError;
use serde_json::{Value, json};

const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fn partition() -> Partition {
    Partition::parse("aws").unwrap()
}

/// The outcome of a Create with these properties before its first AWS call.
fn create(properties: &Value) -> Result<Desired, PropertyError> {
    let desired = Desired::parse(properties, &partition())?;
    PolicyDocument::of(&desired, &partition(), "amazonaws.com")?;
    Ok(desired)
}

/// Good properties with one of them set to `value`.
fn with(name: &str, value: Value) -> Value {
    let mut properties = json!({ "ServiceToken": "arn:aws:lambda:…", "Buckets": ["genomics"] });
    properties[name] = value;
    properties
}
