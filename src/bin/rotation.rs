//! The function that Secrets Manager calls to rotate the key: joins Lambda, the library and AWS.

use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use publisher_s3_access::aws::Aws;
use publisher_s3_access::deadline::Deadline;
use publisher_s3_access::logging;
use publisher_s3_access::rotate::{Settings, rotate};
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
        let cloud = aws.get_or_init(Aws::load);
        let taken = match Settings::read(variable, invocation) {
            Ok(settings) => rotate(payload.get(), deadline, &settings, cloud).await,
            Err(unusable) => Err(unusable),
        };
        // The result is the answer: Secrets Manager reads whether the invocation failed.
        taken.map_err(|unrotated| Diagnostic {
            error_type: "RotationError".to_owned(),
            error_message: unrotated.to_string(),
        })
    };
    lambda_runtime::run(service_fn(invoke)).await
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
