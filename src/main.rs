//! The program behind both functions: joins Lambda, the library and AWS. Its handler says which of the two it is. It is the
//! only reader of the environment.

use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use publisher_s3_access::cloud::aws::Aws;
use publisher_s3_access::handle;
use publisher_s3_access::maintenance::{Environment, maintain};
use publisher_s3_access::reply::{Https, logging};
use publisher_s3_access::request::settings::{MAINTENANCE, Settings};
use publisher_s3_access::waits::Deadline;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::OnceCell;

/// What an event is about stays text until somebody can be answered, because nobody would answer an event that the runtime
/// cannot decode.
type Event = LambdaEvent<Box<RawValue>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logging::install(variable);
    match variable("_HANDLER").as_deref() {
        Some(MAINTENANCE) => {
            let aws = OnceCell::new();
            let invoke = async |event: Event| {
                let (settings, deadline) = told(&event);
                let clients = async {
                    let (cloud, topics) = aws.get_or_init(Aws::load_with_topics).await;
                    (cloud, topics)
                };
                let done = match Environment::read(variable, settings) {
                    Ok(environment) => {
                        maintain(event.payload.get(), deadline, &environment, clients).await
                    }
                    Err(unusable) => Err(unusable),
                };
                // The result is the answer: Secrets Manager and Lambda see whether the invocation failed.
                done.map_err(|refusal| failed("MaintenanceError", refusal.to_string()))
            };
            lambda_runtime::run(service_fn(invoke)).await
        }
        // Any other handler is refused when there is somebody to answer.
        Some(_) | None => {
            let (aws, sink) = (OnceCell::new(), Https::default());
            let invoke = async |event: Event| {
                let (settings, deadline) = told(&event);
                let cloud = aws.get_or_init(Aws::load);
                let answered = handle(event.payload.get(), deadline, &settings, cloud, &sink).await;
                answered
                    .map(|()| Value::Null)
                    .map_err(|unanswered| failed("Unanswered", unanswered.to_string()))
            };
            lambda_runtime::run(service_fn(invoke)).await
        }
    }
}

/// What Lambda tells about an invocation, and the environment.
fn told(LambdaEvent { context, .. }: &Event) -> (Settings, Deadline) {
    let settings = Settings::read(variable, &context.request_id);
    (settings, Deadline::at(context.deadline()))
}

fn failed(error_type: &str, error_message: String) -> Diagnostic {
    Diagnostic {
        error_type: error_type.to_owned(),
        error_message,
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
