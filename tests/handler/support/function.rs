//! The function's process, and around it the Runtime API, AWS and the sink.

use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use super::events::{STACK, sample, with};
use super::server::{Reaction, Request, Server};

/// Values in the function's environment that nobody may see.
pub(crate) const CANARY: &str = "canary+of+a+secret";

/// The function's process with everything around it.
pub(crate) struct Function {
    process: Child,
    runtime: Server,
    sink: Server,
    started: Instant,
}

/// The results of the invocations, in order.
pub(crate) struct Outcome {
    /// For each invocation: `response` or `error`, and what was posted.
    pub(crate) reports: Vec<(String, String)>,
    /// The answers that reached the sink.
    pub(crate) answers: Vec<Value>,
    /// How long all of them took.
    pub(crate) took: Duration,
    /// Everything that the process wrote, line by line.
    pub(crate) lines: Vec<String>,
    /// What it wrote to standard error.
    pub(crate) errors: String,
}

impl Function {
    /// Starts the custom resource's function. The Runtime API gives it `events` one after the other, each with `seconds` until its deadline;
    /// the sink and AWS react as told. `{SINK}` in an event is the sink's origin.
    pub(crate) fn start(
        events: &[String],
        seconds: u64,
        sink: impl Fn(&Request) -> Reaction + Send + Sync + 'static,
        aws: impl Fn(&Request) -> Reaction + Send + Sync + 'static,
        variables: &[(&str, &str)],
    ) -> Self {
        Self::start_as("custom-resource", events, seconds, sink, aws, variables)
    }

    /// Starts the function with this `Handler`, likewise.
    pub(crate) fn start_as(
        handler: &str,
        events: &[String],
        seconds: u64,
        sink: impl Fn(&Request) -> Reaction + Send + Sync + 'static,
        aws: impl Fn(&Request) -> Reaction + Send + Sync + 'static,
        variables: &[(&str, &str)],
    ) -> Self {
        let (sink, aws) = (Server::start(sink), Server::start(aws));
        let events: Vec<String> = events
            .iter()
            .map(|event| event.replace("{SINK}", &sink.origin()))
            .collect();
        let queue = Mutex::new(
            events
                .into_iter()
                .enumerate()
                .collect::<Vec<_>>()
                .into_iter(),
        );
        let runtime = Server::start(move |request| runtime_api(request, &queue, seconds));
        let mut command = Command::new(env!("CARGO_BIN_EXE_publisher-s3-access"));
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", runtime.address())
            .env("_HANDLER", handler)
            .env("AWS_LAMBDA_FUNCTION_NAME", "publisher")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/publisher")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/23/stream")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", CANARY)
            .env("AWS_SESSION_TOKEN", CANARY)
            .env("AWS_ENDPOINT_URL", aws.origin())
            .env("EXTRA_RESPONSE_ORIGINS", sink.origin())
            .env("STACK_ID", STACK)
            .env("USER_NAME_PREFIX", "publisher-")
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let process = command.spawn().expect("the binary starts");
        Self {
            process,
            runtime,
            sink,
            started: Instant::now(),
        }
    }

    /// Waits until the Runtime API has a report of `invocations`, then ends the process.
    pub(crate) fn outcome(mut self, invocations: usize) -> Outcome {
        let timeouts = Duration::from_secs(60);
        let reports = loop {
            let reports: Vec<(String, String)> =
                self.runtime.requests().iter().filter_map(report).collect();
            if reports.len() >= invocations {
                break reports;
            }
            assert_eq!(
                self.process.try_wait().expect("its state"),
                None,
                "the process ended"
            );
            assert!(
                self.started.elapsed() < timeouts,
                "only {} of {invocations} reports",
                reports.len()
            );
            thread::sleep(Duration::from_millis(10));
        };
        let took = self.started.elapsed();
        self.process.kill().expect("it ends");
        let output = self.process.wait_with_output().expect("its output");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Outcome {
            reports,
            answers: self
                .sink
                .requests()
                .iter()
                .map(|put| serde_json::from_slice(&put.body).expect("JSON"))
                .collect(),
            took,
            lines: text(output.stdout).lines().map(str::to_owned).collect(),
            errors: text(output.stderr),
        }
    }
}

fn report(request: &Request) -> Option<(String, String)> {
    let kind = request.path.rsplit('/').next()?;
    let body = String::from_utf8_lossy(&request.body).into_owned();
    (request.method == "POST").then(|| (kind.to_owned(), body))
}

/// Gives the next event, and accepts every report. Without a further event the request stays open, as Lambda's does.
fn runtime_api(
    request: &Request,
    queue: &Mutex<std::vec::IntoIter<(usize, String)>>,
    seconds: u64,
) -> Reaction {
    if request.method != "GET" {
        return Reaction::status(202);
    }
    let Some((number, event)) = queue.lock().expect("the queue").next() else {
        return Reaction::Silence;
    };
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("a time");
    let deadline = now + Duration::from_secs(seconds);
    let headers = [
        (
            "lambda-runtime-aws-request-id",
            format!("invocation-{number}"),
        ),
        (
            "lambda-runtime-deadline-ms",
            deadline.as_millis().to_string(),
        ),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:012345678912:function:publisher".to_owned(),
        ),
        (
            "lambda-runtime-trace-id",
            "Root=1-5759e988-bd862e3fe1be46a994272793".to_owned(),
        ),
        ("content-type", "application/json".to_owned()),
    ];
    let headers = headers
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec();
    Reaction::Answer {
        status: 200,
        headers,
        body: event,
    }
}

/// A sample whose answer goes to the test's sink.
pub(crate) fn to_sink(name: &str) -> Value {
    let url = format!("{{SINK}}/{name}?X-Amz-Date=20991231T000000Z&X-Amz-Signature={CANARY}");
    with(&sample(name), "ResponseURL", Some(url.into()))
}
