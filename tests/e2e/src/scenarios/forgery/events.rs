//! The requests that somebody who knows everything about a stack may forge.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::account::text;

/// What the function has to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Failed,
    /// SUCCESS, because everything is as the request asks.
    NothingToDo,
    /// Either, because the request concerns nothing of the stack.
    Any,
}

/// What CloudFormation is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StackState {
    AtRest,
    /// At work, on another resource.
    AtWork,
}

/// One request.
#[derive(Debug)]
pub(super) struct Forged {
    pub(super) what: String,
    pub(super) event: Value,
    answer: Answer,
}

impl Forged {
    pub(super) fn new(what: impl Into<String>, event: Value, answer: Answer) -> Self {
        let what = what.into();
        Self {
            what,
            event,
            answer,
        }
    }

    /// # Errors
    /// If the answer is the wrong one.
    pub(super) fn check(&self, answer: &Value) -> anyhow::Result<()> {
        let status = text(&answer["Status"])?;
        let right = match self.answer {
            Answer::Failed => status == "FAILED",
            Answer::NothingToDo => status == "SUCCESS",
            Answer::Any => ["FAILED", "SUCCESS"].contains(&status.as_str()),
        };
        let reason = answer["Reason"].as_str().unwrap_or_default();
        ensure!(right, "{status} instead of {:?} {reason}", self.answer);
        let lines = reason.lines().count();
        ensure!(status == "SUCCESS" || lines == 1, "{lines} lines: {reason}");
        Ok(())
    }
}

/// Each of the requests in the name of a stack that the function does not serve.
pub(super) fn of_other_stacks(genuine: &[Value]) -> anyhow::Result<Vec<Forged>> {
    let own = text(&genuine[0]["StackId"])?;
    let (front, guid) = own.rsplit_once('/').context("the id has no GUID")?;
    let (arn, name) = front.rsplit_once('/').context("the id has no name")?;
    let region = own.split(':').nth(3).context("the id has no region")?;
    let account = own.split(':').nth(4).context("the id has no account")?;
    let ids = [
        (
            "an invented GUID",
            json!(format!("{front}/8a1b2c3d-0000-11f0-9c9e-0a1b2c3d4e5f")),
        ),
        ("another stack's name", json!(format!("{arn}/other/{guid}"))),
        ("another region", json!(own.replace(region, "eu-west-1"))),
        (
            "another account",
            json!(own.replace(account, "111111111111")),
        ),
        (
            "another partition",
            json!(own.replace("arn:aws:", "arn:aws-cn:")),
        ),
        (
            "a GUID in capitals",
            json!(format!("{front}/{}", guid.to_uppercase())),
        ),
        (
            "a name in capitals",
            json!(format!("{arn}/{}/{guid}", name.to_uppercase())),
        ),
        ("an id in capitals", json!(own.to_uppercase())),
        ("no GUID", json!(front)),
        ("the name alone", json!(name)),
        ("a slash at the end", json!(format!("{own}/"))),
        ("blanks around the id", json!(format!(" {own} "))),
        ("an empty id", json!("")),
        ("no ARN", json!("stack")),
        ("a number", json!(1)),
        ("a list", json!([own])),
        ("no id", Value::Null),
    ];
    let forged = ids.iter().flat_map(|(what, id)| {
        genuine.iter().map(move |event| {
            let what = format!("{} with {what}", kind(event));
            Forged::new(what, with(event, "StackId", id), Answer::Failed)
        })
    });
    Ok(forged.collect())
}

/// Each of the requests for a logical id that is not the resource's.
pub(super) fn of_other_resources(genuine: &[Value], state: StackState) -> Vec<Forged> {
    let ids = [
        json!("Forged"),
        json!("s3access"),
        json!("FunctionLogs"),
        json!("FunctionRole"),
        json!("Function"),
        json!(""),
        Value::Null,
    ];
    let forged = ids.iter().flat_map(|id| {
        genuine.iter().map(move |event| {
            let answer = match (kind(event), state) {
                // CloudFormation may be about to delete it, and nothing carries that id.
                ("Delete", StackState::AtWork) => Answer::Any,
                _ => Answer::Failed,
            };
            let what = format!("{} of resource {id}", kind(event));
            Forged::new(what, with(event, "LogicalResourceId", id), answer)
        })
    });
    forged.collect()
}

/// Requests for the resource itself, which is complete.
pub(super) fn of_the_resource(genuine: &[Value; 3], state: StackState) -> Vec<Forged> {
    let [create, update, delete] = genuine;
    let own = text(&delete["PhysicalResourceId"]).unwrap_or_default();
    let other = format!("{own}-other");
    let other_user = other.trim_start_matches("publisher/");
    let mut forged = Vec::new();
    for event in [create, update] {
        forged.extend(of_a_change(event, other_user));
    }
    let mut add = |what: &str, event: Value, answer| forged.push(Forged::new(what, event, answer));
    add(
        "Update of another pair",
        with(update, "PhysicalResourceId", &json!(other)),
        Answer::Any,
    );
    let elsewhere = match state {
        StackState::AtRest => Answer::Failed,
        // It may be what an update replaced.
        StackState::AtWork => Answer::Any,
    };
    add("Delete", delete.clone(), Answer::Failed);
    for (what, id, answer) in [
        ("in capitals", own.to_uppercase(), Answer::Failed),
        (
            "by an invented id",
            "stack-S3Access-1ABCDEFGHIJKL".to_owned(),
            Answer::Failed,
        ),
        ("of another pair", other, elsewhere),
    ] {
        let event = with(delete, "PhysicalResourceId", &json!(id));
        add(&format!("Delete {what}"), event, answer);
    }
    let bare = with(delete, "ResourceProperties", &json!({}));
    add("Delete without properties", bare, Answer::Failed);
    for kind in [json!("delete"), json!("Rotate"), json!(""), Value::Null] {
        let event = with(delete, "RequestType", &kind);
        add(&format!("a request of type {kind}"), event, Answer::Failed);
    }
    forged
}

/// A Create or an Update repeated, and one with a property that is not the stack's.
fn of_a_change(event: &Value, other_user: &str) -> Vec<Forged> {
    let kind = kind(event);
    let again = Forged::new(
        format!("{kind} once more"),
        event.clone(),
        Answer::NothingToDo,
    );
    let administrator = "arn:aws:iam::aws:policy/AdministratorAccess";
    let changes = [
        ("Buckets", json!(["genomes-forged"])),
        ("UserName", json!(other_user)),
        ("PolicyName", json!("Forged")),
        ("KeySerial", json!("2")),
        ("Tags", json!([{"Key": "forged", "Value": "yes"}])),
        ("PermissionsBoundary", json!(administrator)),
        ("SecretKmsKeyId", json!("alias/forged")),
    ];
    let changed = changes.into_iter().map(|(property, value)| {
        let mut event = event.clone();
        event["ResourceProperties"][property] = value;
        let what = format!("{kind} with another {property}");
        Forged::new(what, event, Answer::Failed)
    });
    [again].into_iter().chain(changed).collect()
}

/// Create, Update or Delete.
pub(super) fn kind(event: &Value) -> &str {
    event["RequestType"].as_str().unwrap_or_default()
}

/// The event with another value of one member, `Null` for none.
fn with(event: &Value, member: &str, value: &Value) -> Value {
    let mut event = event.clone();
    event[member] = value.clone();
    if value.is_null()
        && let Some(members) = event.as_object_mut()
    {
        members.remove(member);
    }
    event
}
