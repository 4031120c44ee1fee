//! The samples in `events/`: each is the case that its name says.

use std::fs;
use std::path::Path;

use publisher_s3_access::request::names::SecretName;
use publisher_s3_access::request::properties::{Deletion, Previous};
use serde_json::Value;

use crate::create;

/// Every sample with its name.
fn samples() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("events");
    let read = |entry: fs::DirEntry| {
        let name = entry
            .path()
            .file_stem()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        (
            name,
            serde_json::from_slice(&fs::read(entry.path()).unwrap()).unwrap(),
        )
    };
    fs::read_dir(folder)
        .unwrap()
        .map(Result::unwrap)
        // The folder inside holds the samples for the other function.
        .filter(|entry| entry.path().is_file())
        .map(read)
        .collect()
}

#[test]
fn a_sample_is_refused_if_and_only_if_its_name_says_so() {
    let refused = ["bad", "missing", "unknown", "update-bad"];
    for (name, event) in samples()
        .iter()
        .filter(|(_, event)| event["RequestType"] != "Delete")
    {
        let outcome = create(&event["ResourceProperties"]);
        let expected = refused.iter().any(|prefix| name.starts_with(prefix));
        assert_eq!(outcome.is_err(), expected, "{name}: {outcome:?}");
    }
}

#[test]
fn every_delete_but_the_unreadable_one_finds_its_user() {
    for (name, event) in samples()
        .iter()
        .filter(|(_, event)| event["RequestType"] == "Delete")
    {
        let by_id = SecretName::parse(event["PhysicalResourceId"].as_str().unwrap())
            .map(|secret| secret.user());
        let user = by_id
            .ok()
            .or(Deletion::read(&event["ResourceProperties"]).user);
        assert_eq!(user.is_none(), name == "delete-unreadable-user", "{name}");
    }
}

#[test]
fn every_update_but_the_one_in_an_old_shape_names_the_previous_buckets() {
    for (name, event) in samples()
        .iter()
        .filter(|(_, event)| event["RequestType"] == "Update")
    {
        let previous = Previous::read(&event["OldResourceProperties"]);
        assert_eq!(
            previous.buckets.is_none(),
            name == "update-old-shape",
            "{name}"
        );
    }
}

#[test]
fn samples_look_like_cloudformations_requests() {
    let samples = samples();
    assert!(samples.len() > 30, "only {} samples found", samples.len());
    for (name, event) in samples {
        let kind = event["RequestType"].as_str().unwrap();
        assert!(["Create", "Update", "Delete"].contains(&kind), "{name}");
        assert_eq!(
            event["PhysicalResourceId"].is_string(),
            kind != "Create",
            "{name}"
        );
        assert_eq!(
            event["OldResourceProperties"].is_object(),
            kind == "Update",
            "{name}"
        );
        let answer = event["ResponseURL"].as_str().unwrap();
        let host = "https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com/";
        assert!(answer.starts_with(host), "{name}");
        assert!(
            answer.contains(event["RequestId"].as_str().unwrap()),
            "{name}"
        );
    }
}
