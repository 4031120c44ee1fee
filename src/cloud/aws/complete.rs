//! XML answers must be complete.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// Refuses a success whose document is not closed.
///
/// The SDK reads XML leniently: from a body that ends in the middle of `<SecretAccessKey>` it takes the half that came,
/// and from half a list it takes the entries that came. The documents of AWS's Query protocol (IAM, STS, CloudFormation) all
/// end with `</…Response>`.
#[derive(Debug)]
pub(super) struct CompleteDocument;

impl Intercept for CompleteDocument {
    fn name(&self) -> &'static str {
        "CompleteDocument"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response().body().bytes().unwrap_or_default();
        let closed = body.trim_ascii_end().ends_with(b"Response>");
        // An error passes unchanged, so that the SDK retries it as usual.
        if context.output_or_error().is_ok() && !closed {
            return Err("the document is not closed".into());
        }
        Ok(())
    }
}
