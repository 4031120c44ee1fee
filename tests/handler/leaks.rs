//! No part of the response URL, a key or a token is ever written, at any level.

use std::process::Command;
use std::time::Duration;

use publisher_s3_access::handle;
use publisher_s3_access::reply::logging;
use publisher_s3_access::waits::Deadline;
use serde_json::Value;

use crate::support::cloud::{Fake, Manner, PANIC_MESSAGE};
use crate::support::events::{sample, with};
use crate::support::function::{CANARY, Function, Outcome, to_sink};
use crate::support::server::Reaction;
use crate::support::{Kept, at_once, settings};

/// A line's members, which must include those of every line.
fn line(text: &str) -> Value {
    let line: Value = serde_json::from_str(text).unwrap_or_else(|_| panic!("not JSON: {text}"));
    for member in ["timestamp", "level", "message"] {
        assert!(line[member].is_string(), "no `{member}`: {text}");
    }
    line
}

#[test]
fn at_trace_no_path_writes_a_canary_and_every_line_is_json_with_the_ids() {
    let refusal = "<ErrorResponse><Error><Code>MalformedInput</Code><Message>no</Message></Error></ErrorResponse>";
    let levels = [
        ("RUST_LOG", "trace,lambda_runtime=trace,hyper=trace"),
        ("AWS_LAMBDA_LOG_LEVEL", "TRACE"),
    ];
    let elsewhere = to_sink("create")
        .to_string()
        .replace("{SINK}", &format!("http://{CANARY}@evil.example"));
    let events = [
        to_sink("create").to_string(),
        to_sink("update").to_string(),
        to_sink("delete").to_string(),
        to_sink("bad-property").to_string(),
        with(&to_sink("create"), "RequestType", Some("Read".into())).to_string(),
        elsewhere,
        format!("not JSON {CANARY}"),
    ];
    for (seconds, sink_status, aws) in [
        (
            120,
            200,
            Reaction::Answer {
                status: 400,
                headers: vec![("content-type".into(), "text/xml".into())],
                body: refusal.into(),
            },
        ),
        (
            2,
            503,
            Reaction::Raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{garbage}"),
        ),
        (2, 403, Reaction::Silence),
    ] {
        let aws = move |_: &_| aws.clone();
        let function = Function::start(
            &events,
            seconds,
            move |_| Reaction::status(sink_status),
            aws,
            &levels,
        );
        let outcome = function.outcome(events.len());
        assert!(outcome.lines.len() > events.len(), "{:?}", outcome.lines);
        assert_clean(&outcome);
    }
}

/// Fails the test if a canary was written, or if a line has the wrong form.
fn assert_clean(outcome: &Outcome) {
    for text in outcome
        .lines
        .iter()
        .chain([&outcome.errors])
        .chain(outcome.reports.iter().map(|(_, body)| body))
    {
        for canary in [CANARY, "X-Amz-Signature", "AKIAIOSFODNN7EXAMPLE"] {
            assert!(!text.contains(canary), "{text}");
        }
    }
    for answer in &outcome.answers {
        assert!(!answer.to_string().contains(CANARY), "{answer}");
    }
    let lines: Vec<Value> = outcome.lines.iter().map(|text| line(text)).collect();
    let of_create: Vec<&Value> = lines
        .iter()
        .filter(|line| line["span"]["invocation_id"] == "invocation-0")
        .collect();
    assert!(of_create.len() >= 3, "{lines:?}");
    for line in of_create {
        let event = sample("create");
        assert_eq!(line["span"]["request_id"], event["RequestId"]);
        assert_eq!(line["span"]["stack_id"], event["StackId"]);
        assert_eq!(line["span"]["logical_id"], event["LogicalResourceId"]);
    }
    assert_eq!(outcome.errors, "");
}

#[test]
fn no_setting_lets_other_crates_log_more_than_warnings() {
    for (name, level) in [
        (
            "RUST_LOG",
            "trace,lambda_runtime=trace,hyper=trace,rustls=trace,aws_config=trace",
        ),
        ("AWS_LAMBDA_LOG_LEVEL", "TRACE"),
        ("RUST_LOG", "debug"),
    ] {
        let events = [to_sink("delete").to_string()];
        let function = Function::start(
            &events,
            2,
            |_| Reaction::status(200),
            |_| Reaction::status(500),
            &[(name, level)],
        );
        for text in function.outcome(1).lines {
            let line = line(&text);
            let own = line["target"]
                .as_str()
                .is_some_and(|target| target.starts_with("publisher_s3_access"));
            assert!(
                own || line["level"] == "WARN" || line["level"] == "ERROR",
                "{text}"
            );
        }
    }
}

#[test]
fn the_level_is_lambdas() {
    let lowest = |variables: &[(&str, &str)]| {
        let events = [to_sink("unknown-property").to_string()];
        let function = Function::start(
            &events,
            120,
            |_| Reaction::status(200),
            |_| Reaction::Silence,
            variables,
        );
        let lines: Vec<Value> = function
            .outcome(1)
            .lines
            .iter()
            .map(|text| line(text))
            .collect();
        let levels = ["INFO", "WARN", "ERROR"];
        levels
            .into_iter()
            .find(|level| lines.iter().any(|line| line["level"] == *level))
    };
    for (variables, level) in [
        (vec![], "INFO"),
        (vec![("RUST_LOG", "error")], "INFO"),
        (vec![("AWS_LAMBDA_LOG_LEVEL", "ERROR")], "ERROR"),
        (vec![("AWS_LAMBDA_LOG_LEVEL", "FATAL")], "ERROR"),
        (vec![("AWS_LAMBDA_LOG_LEVEL", "nonsense")], "INFO"),
    ] {
        assert_eq!(lowest(&variables), Some(level), "{variables:?}");
    }
}

#[test]
fn at_the_highest_level_the_lines_still_have_the_ids() {
    let events = [to_sink("unknown-property").to_string()];
    let level = [("AWS_LAMBDA_LOG_LEVEL", "ERROR")];
    let function = Function::start(
        &events,
        120,
        |_| Reaction::status(200),
        |_| Reaction::Silence,
        &level,
    );
    let lines: Vec<Value> = function
        .outcome(1)
        .lines
        .iter()
        .map(|text| line(text))
        .collect();
    let [line] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert_eq!(line["message"], "answering FAILED");
    assert_eq!(
        line["span"]["stack_id"],
        sample("unknown-property")["StackId"]
    );
}

/// Panics inside the flow with logging installed.
fn panic_in_the_flow() {
    logging::install(|_| None);
    let (cloud, sink) = (Fake::new(Manner::Panics), Kept::default());
    let event = sample("create").to_string();
    let deadline = Deadline::after(Duration::from_secs(120));
    at_once(handle(
        &event,
        deadline,
        &settings(),
        async { &cloud },
        &sink,
    ))
    .expect("delivered");
    assert_eq!(sink.bodies().len(), 1);
}

#[test]
fn a_panic_is_logged_with_its_place_and_without_its_message() {
    // Logging and its hook are the process's, so the test runs itself in one of its own.
    const PANICS: &str = "PANIC_IN_THE_FLOW";
    if std::env::var_os(PANICS).is_some() {
        return panic_in_the_flow();
    }
    let output = Command::new(std::env::current_exe().expect("this test's path"))
        .args([
            "--exact",
            "leaks::a_panic_is_logged_with_its_place_and_without_its_message",
            "--nocapture",
        ])
        .env(PANICS, "1")
        .output()
        .expect("the process runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
    assert!(!text.contains(PANIC_MESSAGE), "{text}");
    let lines = text
        .lines()
        .filter(|text| text.contains("panic: a defect of the function"))
        .map(line);
    let [line] = &lines.collect::<Vec<_>>()[..] else {
        panic!("{text}")
    };
    assert_eq!(
        (&line["level"], &line["file"]),
        (&"ERROR".into(), &"tests/handler/support/cloud.rs".into())
    );
    assert!(
        line["line"].as_u64().is_some_and(|number| number > 0),
        "{line}"
    );
}
