//! The function that rotates, checks and notifies: joins Lambda, the library and AWS.

use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use publisher_s3_access::aws::Aws;
use publisher_s3_access::deadline::Deadline;
use publisher_s3_access::logging;
use publisher_s3_access::maintenance::{Settings, maintain};
use publisher_s3_access::settings::Invocation;
use serde_json::value::RawValue;
use tokio::sync::OnceCell;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logging::install(variable);
    let aws = OnceCell::new();
    let invoke = async |LambdaEvent { payload, context }: LambdaEvent<Box<RawValue>>| {
        let invocation = Invocation {
            id: &context.request_id,
            function_arn: &context.invoked_function_arn,
        };
        let deadline = Deadline::at(context.deadline());
        let clients = async {
            let (cloud, topics) = aws.get_or_init(Aws::load_with_topics).await;
            (cloud, topics)
        };
        let done = match Settings::read(variable, invocation) {
            Ok(settings) => maintain(payload.get(), deadline, &settings, clients).await,
            Err(unusable) => Err(unusable),
        };
        // The result is the answer: Secrets Manager and Lambda see whether the invocation failed.
        done.map_err(|undone| Diagnostic {
            error_type: "MaintenanceError".to_owned(),
            error_message: undone.to_string(),
        })
    };
    lambda_runtime::run(service_fn(invoke)).await
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
