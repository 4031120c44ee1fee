//! Both functions under AWS's own runtime interface emulator.

use std::{
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, ensure};
use serde_json::{Value, json};
use tiny_http::{Response, Server};

use super::Scenario;
use crate::{
    account::text,
    bench::{BUCKET, Bench, assert_names},
    report::Notes,
    runtime::{REGION, Runtime},
    stack::{FUNCTION, RESOURCE, ROTATION},
};

pub(super) const SCENARIOS: &[Scenario] = &[
    (
        "under AWS's runtime emulator one process serves Create, Update, Delete and garbage",
        life,
    ),
    (
        "under AWS's runtime emulator a request is answered before its time runs out",
        deadline,
    ),
];

const USER: &str = "publisher-runtime";
/// Input that the function can neither act on nor answer.
const GARBAGE: &[&str] = &["", "no JSON", "[]", "{}", r#"{"RequestType":"Create"}"#];
/// The function's time limit in the test where it must run out.
const SECONDS: u32 = 4;

/// Sends a request of CloudFormation, and returns the answer.
fn ask(
    bench: &Bench<'_>,
    runtime: &Runtime,
    stack_id: &str,
    request: &Value,
) -> anyhow::Result<Value> {
    let expected = bench.sink.expect();
    let mut event = json!({
        "ResponseURL": expected.url,
        "StackId": stack_id,
        "RequestId": request["RequestType"],
        "LogicalResourceId": RESOURCE,
        "ResourceType": "Custom::PublisherS3Access",
        "ResourceProperties": {"ServiceToken": "token", "Buckets": [BUCKET], "UserName": USER},
    });
    for (name, value) in request.as_object().into_iter().flatten() {
        event[name] = value.clone();
    }
    runtime.invoke(&event.to_string())?;
    // The answer was on its way before the invocation ended.
    expected.receive(Duration::from_secs(1))
}

/// Starts a CloudFormation that is always at work on the resource, and names another pair as its present one. It waits
/// for a Create, an Update or a Delete of this pair. Returns its address.
fn at_work() -> anyhow::Result<String> {
    let server = Server::http("127.0.0.1:0").map_err(|error| anyhow!("{error}"))?;
    let address = format!("http://{}", server.server_addr());
    thread::spawn(move || {
        for mut request in server.incoming_requests() {
            let mut body = String::new();
            let read = request.as_reader().read_to_string(&mut body);
            let (action, result) = if body.contains("Action=DescribeStacks") {
                (
                    "DescribeStacks",
                    "<Stacks><member><StackName>publisher-runtime</StackName>\
                     <StackStatus>UPDATE_COMPLETE_CLEANUP_IN_PROGRESS</StackStatus></member></Stacks>",
                )
            } else {
                (
                    "DescribeStackResource",
                    "<StackResourceDetail><ResourceType>Custom::PublisherS3Access</ResourceType>\
                     <PhysicalResourceId>publisher/publisher-before</PhysicalResourceId>\
                     <ResourceStatus>UPDATE_IN_PROGRESS</ResourceStatus></StackResourceDetail>",
                )
            };
            let answer = format!(
                "<{action}Response><{action}Result>{result}</{action}Result></{action}Response>"
            );
            // A function that has gone away needs no answer.
            let _ = read.and_then(|_| request.respond(Response::from_string(answer)));
        }
    });
    Ok(address)
}

fn life<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let here = bench.account.in_region(REGION);
    let stack_id = format!(
        "arn:aws:cloudformation:{REGION}:{}:stack/publisher-runtime/1",
        here.id()
    );
    let cloudformation = at_work()?;
    let variables = [
        ("STACK_ID", stack_id.as_str()),
        ("EXTRA_RESPONSE_ORIGINS", bench.sink.origin()),
        ("AWS_ENDPOINT_URL_CLOUDFORMATION", &cloudformation),
    ];
    let runtime = Runtime::start(bench.workplace, &here, FUNCTION, 120, &variables)?;
    let ask = |request: Value| -> anyhow::Result<Value> {
        let answer = ask(bench, &runtime, &stack_id, &request)?;
        ensure!(answer["Status"] == "SUCCESS", "{answer}");
        Ok(answer)
    };
    let old = json!({"ServiceToken": "token", "Buckets": [BUCKET], "UserName": USER});
    let new =
        json!({"ServiceToken": "token", "Buckets": [BUCKET], "UserName": USER, "KeySerial": "2"});

    let created = ask(json!({"RequestType": "Create"}))?;
    let id = text(&created["PhysicalResourceId"])?;
    for garbage in GARBAGE {
        runtime.invoke(garbage)?;
    }
    let updated = ask(json!({
        "RequestType": "Update", "PhysicalResourceId": id, "OldResourceProperties": old, "ResourceProperties": new,
    }))?;
    ensure!(updated["PhysicalResourceId"] == id, "{updated}");
    ask(json!({"RequestType": "Delete", "PhysicalResourceId": id, "ResourceProperties": new}))?;
    bench.assert_nothing_of(USER)?;
    let starts = runtime.starts()?;
    ensure!(starts == 1, "the function was started {starts} times");

    let secret = [(
        "SECRET_ARN",
        "arn:aws:secretsmanager:us-east-1:012345678912:secret:a-AbCdEf",
    )];
    let rotation = Runtime::start(bench.workplace, &here, ROTATION, 120, &secret)?;
    for garbage in GARBAGE {
        let answer: Value = serde_json::from_str(&rotation.invoke(garbage)?)?;
        answer["errorMessage"]
            .as_str()
            .with_context(|| format!("{garbage}: {answer}"))?;
    }
    let starts = rotation.starts()?;
    ensure!(starts == 1, "the rotation was started {starts} times");
    notes.add(format!("{} pieces of garbage each", GARBAGE.len()));
    Ok(())
}

fn deadline<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    // An AWS that takes every connection and never answers.
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let endpoint = format!("http://{}", silent.local_addr()?);
    let here = bench.account.in_region(REGION);
    let stack_id = format!(
        "arn:aws:cloudformation:{REGION}:{}:stack/publisher-late/1",
        here.id()
    );
    let variables = [
        ("STACK_ID", stack_id.as_str()),
        ("EXTRA_RESPONSE_ORIGINS", bench.sink.origin()),
        ("AWS_ENDPOINT_URL", &endpoint),
    ];
    let runtime = Runtime::start(bench.workplace, &here, FUNCTION, SECONDS, &variables)?;
    // Twice, to show that the process serves the next request too.
    for _ in 0..2 {
        let start = Instant::now();
        let answer = ask(
            bench,
            &runtime,
            &stack_id,
            &json!({"RequestType": "Create"}),
        )?;
        let elapsed = start.elapsed();
        ensure!(answer["Status"] == "FAILED", "{answer}");
        let reason = text(&answer["Reason"])?;
        assert_names(&reason, &["time"])?;
        ensure!(
            elapsed < Duration::from_secs(SECONDS.into()),
            "{elapsed:?}: {reason}"
        );
        notes.add(format!(
            "after {:.1} s of {SECONDS}: {reason}",
            elapsed.as_secs_f32()
        ));
    }
    let starts = runtime.starts()?;
    ensure!(starts == 1, "the function was started {starts} times");
    Ok(())
}
