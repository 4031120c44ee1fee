//! The floor: a function that does nothing, on the same runtime.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(async |_: LambdaEvent<Value>| {
        Ok::<_, Error>(Value::Null)
    }))
    .await
}
