//! CloudFormation: how it sees the resource and the stack now.

use aws_config::SdkConfig;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::StackResourceDetail;

use super::complete::CompleteDocument;
use super::error::{incomplete_response, map_sdk_error};
use crate::cloud::{CloudError, Direction, Result, Standing};

/// The calls to CloudFormation.
#[derive(Debug)]
pub(super) struct CloudFormation(Client);

impl CloudFormation {
    pub(super) fn new(config: &SdkConfig) -> Self {
        let config =
            aws_sdk_cloudformation::config::Builder::from(config).interceptor(CompleteDocument);
        Self(Client::from_conf(config.build()))
    }

    pub(super) async fn standing(&self, stack_id: &str, logical_id: &str) -> Result<Standing> {
        const OPERATION: &str = "cloudformation:DescribeStackResource";
        let call = self
            .0
            .describe_stack_resource()
            .stack_name(stack_id)
            .logical_resource_id(logical_id);
        match call.send().await.map_err(map_sdk_error(OPERATION)) {
            Ok(answer) => {
                let resource = answer
                    .stack_resource_detail
                    .unwrap_or_else(|| StackResourceDetail::builder().build());
                let status = resource
                    .resource_status
                    .ok_or_else(|| incomplete_response(OPERATION, "the resource's status"))?;
                let physical_id = resource.physical_resource_id.unwrap_or_default();
                Ok(Standing::of_status(status.as_str(), &physical_id))
            }
            Err(error) => missing(&error).ok_or(error),
        }
    }

    pub(super) async fn direction(&self, stack_id: &str) -> Result<Direction> {
        const OPERATION: &str = "cloudformation:DescribeStacks";
        let answer = self
            .0
            .describe_stacks()
            .stack_name(stack_id)
            .send()
            .await
            .map_err(map_sdk_error(OPERATION))?;
        let stack = answer.stacks.unwrap_or_default().into_iter().next();
        let status = stack
            .and_then(|stack| stack.stack_status)
            .ok_or_else(|| incomplete_response(OPERATION, "the stack's status"))?;
        // `ROLLBACK_…`, `UPDATE_ROLLBACK_…`, `IMPORT_ROLLBACK_…`.
        Ok(if status.as_str().contains("ROLLBACK") {
            Direction::Rollback
        } else {
            Direction::Forward
        })
    }
}

/// CloudFormation has one code for everything that is missing, so the message decides: `Stack '…' does not exist` (also
/// `Stack with id … does not exist`), or `Resource … does not exist for stack …`, which it says of a resource it has not begun.
fn missing(error: &CloudError) -> Option<Standing> {
    let message = error.message.as_str();
    if error.code.as_deref() != Some("ValidationError") || !message.contains("does not exist") {
        return None;
    }
    if message.starts_with("Stack ") {
        Some(Standing::Abandoned)
    } else if message.starts_with("Resource ") {
        Some(Standing::Wanted)
    } else {
        None
    }
}
