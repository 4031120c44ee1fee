//! The function behind `Custom::PublisherS3Access`: joins Lambda, the library and AWS.

use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use publisher_s3_access::aws::Aws;
use publisher_s3_access::deadline::Deadline;
use publisher_s3_access::reply::Https;
use publisher_s3_access::settings::{Invocation, Settings};
use publisher_s3_access::{handle, logging};
use serde_json::value::RawValue;
use tokio::sync::OnceCell;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logging::install(variable);
    let (aws, sink) = (OnceCell::new(), Https::default());
    // The event stays text until the envelope is read, because nobody would answer an event that the runtime cannot
    // decode.
    let invoke = async |LambdaEvent { payload, context }: LambdaEvent<Box<RawValue>>| {
        let invocation = Invocation {
            id: &context.request_id,
            function_arn: &context.invoked_function_arn,
        };
        let settings = Settings::read(variable, invocation);
        let deadline = Deadline::at(context.deadline());
        let cloud = aws.get_or_init(Aws::load);
        let answered = handle(payload.get(), deadline, &settings, cloud, &sink).await;
        answered.map_err(|undelivered| Diagnostic {
            error_type: "DeliveryError".to_owned(),
            error_message: undelivered.to_string(),
        })
    };
    lambda_runtime::run(service_fn(invoke)).await
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
