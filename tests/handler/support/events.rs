//! The sample events, and changes to them.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The stack of the samples.
pub(crate) const STACK: &str = "arn:aws:cloudformation:us-east-1:012345678912:stack/publisher/8d7e4d70-8f0c-11ef-9d2b-0e1a2b3c4d5e";

/// All samples: name and content.
pub(crate) fn samples() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("events");
    let entries = std::fs::read_dir(&folder).expect("the folder of samples");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        // The folder inside holds the samples for the other function.
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    let sample = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a readable sample");
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        (name, serde_json::from_str(&text).expect("a sample is JSON"))
    };
    paths.into_iter().map(sample).collect()
}

/// One sample by its name.
pub(crate) fn sample(name: &str) -> Value {
    let found = samples().into_iter().find(|(other, _)| other == name);
    found
        .unwrap_or_else(|| panic!("there is no events/{name}.json"))
        .1
}

/// The event with one member replaced, or taken out for `None`.
pub(crate) fn with(event: &Value, field: &str, value: Option<Value>) -> Value {
    let mut event = event.clone();
    let members = event.as_object_mut().expect("an event is an object");
    match value {
        Some(value) => members.insert(field.to_owned(), value),
        None => members.remove(field),
    };
    event
}

/// The event with one property replaced, or taken out for `None`.
pub(crate) fn with_property(event: &Value, property: &str, value: Option<Value>) -> Value {
    let properties = with(&event["ResourceProperties"], property, value);
    with(event, "ResourceProperties", Some(properties))
}
