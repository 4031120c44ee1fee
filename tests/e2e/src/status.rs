//! The state of a stack: has the maintenance function check it, and prints the report for people. It needs only the AWS
//! command line, as the person who asks has set it up.

use std::{fs, process::Command};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::{cli, report::result, stack::ROTATION};

/// Prints the state of the stack, and returns whether it is healthy.
pub(crate) fn status(arguments: &cli::Status) -> anyhow::Result<bool> {
    let function = aws(
        arguments,
        &[
            "cloudformation",
            "describe-stack-resource",
            "--stack-name",
            &arguments.stack,
            "--logical-resource-id",
            ROTATION,
            "--query",
            "StackResourceDetail.PhysicalResourceId",
            "--output",
            "text",
        ],
    )
    .context(
        "the stack has no function that could check it: set `NotificationEmail` or `NotificationTopicArn`",
    )?;
    let folder = tempfile::tempdir()?;
    let (event, answer) = (
        folder.path().join("check.json"),
        folder.path().join("answer.json"),
    );
    fs::write(&event, r#"{"check": {}}"#)?;
    let payload = format!("fileb://{}", event.display());
    let output = answer.display().to_string();
    aws(
        arguments,
        &[
            "lambda",
            "invoke",
            "--function-name",
            function.trim(),
            "--cli-read-timeout",
            "200",
            "--payload",
            &payload,
            &output,
        ],
    )?;
    let answer: Value = serde_json::from_str(&fs::read_to_string(&answer)?)?;
    if let Some(error) = answer["errorMessage"].as_str() {
        bail!("{error}");
    }
    let (text, healthy) = rendered(&answer)?;
    result(&text);
    Ok(healthy)
}

/// Runs the AWS command line, and returns what it printed.
fn aws(arguments: &cli::Status, command: &[&str]) -> anyhow::Result<String> {
    let region = arguments
        .region
        .iter()
        .flat_map(|region| ["--region", region]);
    let ended = Command::new("aws")
        .args(command)
        .args(region)
        .env("AWS_PAGER", "")
        .output()
        .context("the AWS command line is missing: https://aws.amazon.com/cli")?;
    let complaint = String::from_utf8_lossy(&ended.stderr);
    ensure!(ended.status.success(), "{}", complaint.trim());
    Ok(String::from_utf8(ended.stdout)?)
}

/// The report for people, and whether the stack is healthy.
pub(crate) fn rendered(answer: &Value) -> anyhow::Result<(String, bool)> {
    let healthy = answer["healthy"]
        .as_bool()
        .context("this is not the report of a check")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut lines = vec![format!(
        "{}: user {}, secret {}",
        text(&answer["state"]),
        text(&answer["user"]),
        text(&answer["secret"])
    )];
    let findings = answer["findings"].as_array().into_iter().flatten();
    lines.extend(findings.map(|finding| format!("- {}", text(finding))));
    for key in answer["keys"].as_array().into_iter().flatten() {
        let last = &key["lastUse"];
        let last = if let Value::String(unknown) = last {
            unknown.clone()
        } else {
            let note = last["note"].as_str();
            let note = note.map_or_else(String::new, |note| format!(" ({note})"));
            format!(
                "{} for {} in {}{note}",
                text(&last["date"]),
                text(&last["service"]),
                text(&last["region"])
            )
        };
        let label = key["label"]
            .as_str()
            .unwrap_or("in no version of the secret");
        let state = if key["active"] == true {
            ""
        } else {
            ", inactive"
        };
        lines.push(format!(
            "key {} ({label}{state}): {} days old, last use: {last}",
            text(&key["id"]),
            key["ageDays"]
        ));
    }
    let told = &answer["subscriptions"];
    lines.push(if told.is_null() {
        "subscriptions: unknown".to_owned()
    } else {
        format!(
            "subscriptions: {} confirmed, {} not confirmed",
            told["confirmed"], told["pending"]
        )
    });
    Ok((lines.join("\n"), healthy))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_read_by_people_and_its_health_by_programs() {
        let answer = json!({
            "healthy": false,
            "state": "unhealthy",
            "user": "publisher-reader",
            "secret": "publisher/publisher-reader",
            "findings": ["the key cannot list in `s3://reads/`: …"],
            "keys": [
                {"id": "AKIA1", "label": "AWSCURRENT", "active": true, "ageDays": 3, "lastUse":
                    {"date": "2026-11-24T06:00:00Z", "service": "s3", "region": "eu-west-1", "note": "its own"}},
                {"id": "AKIA2", "label": null, "active": false, "ageDays": 90, "lastUse": "unknown"},
            ],
            "subscriptions": {"confirmed": 0, "pending": 1},
        });
        let (text, healthy) = rendered(&answer).unwrap();
        assert!(!healthy);
        assert_eq!(
            text,
            "unhealthy: user publisher-reader, secret publisher/publisher-reader\n\
             - the key cannot list in `s3://reads/`: …\n\
             key AKIA1 (AWSCURRENT): 3 days old, last use: 2026-11-24T06:00:00Z for s3 in eu-west-1 (its own)\n\
             key AKIA2 (in no version of the secret, inactive): 90 days old, last use: unknown\n\
             subscriptions: 0 confirmed, 1 not confirmed"
        );
        assert!(rendered(&json!({})).is_err());
    }
}
