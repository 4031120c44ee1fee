//! CloudFormation: how it describes the resource and the stack.

use aws_sdk_cloudformation::types::Tag;

use super::Aws;
use super::error::{incomplete_response, sent};
use crate::cloud::{CloudError, CustomResource, Result, Stack, StackResource, StackStatus, Stacks};
use crate::request::names::PhysicalId;

impl Stacks for Aws {
    async fn stack_resource(&self, stack_id: &str, logical_id: &str) -> Result<StackResource> {
        const OPERATION: &str = "cloudformation:DescribeStackResource";
        let call = self.cloudformation.describe_stack_resource();
        let call = call.stack_name(stack_id).logical_resource_id(logical_id);
        let answer = match sent(OPERATION, call.send()).await {
            Ok(answer) => answer,
            Err(error) if is_missing(&error) => return Ok(StackResource::Missing(error.message)),
            Err(error) => return Err(error),
        };
        let resource = answer
            .stack_resource_detail
            .ok_or_else(|| incomplete_response(OPERATION, "the resource"))?;
        let kind = resource.resource_type.unwrap_or_default();
        if !is_custom(&kind) {
            return Ok(StackResource::OtherType(kind));
        }
        let status = resource
            .resource_status
            .ok_or_else(|| incomplete_response(OPERATION, "the resource's status"))?;
        let physical_id = resource.physical_resource_id.unwrap_or_default();
        Ok(StackResource::Custom(CustomResource {
            status: status.as_str().to_owned(),
            physical_id: PhysicalId::parse(&physical_id),
        }))
    }

    async fn stack(&self, stack_id: &str) -> Result<Option<Stack>> {
        const OPERATION: &str = "cloudformation:DescribeStacks";
        let call = self.cloudformation.describe_stacks().stack_name(stack_id);
        let answer = match sent(OPERATION, call.send()).await {
            Ok(answer) => answer,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let incomplete = || incomplete_response(OPERATION, "the stack's status");
        let stack = answer.stacks.unwrap_or_default().into_iter().next();
        let stack = stack.ok_or_else(incomplete)?;
        let status = stack.stack_status.ok_or_else(incomplete)?;
        let tags = stack.tags.unwrap_or_default().into_iter();
        Ok(Some(Stack {
            status: StackStatus(status.as_str().to_owned()),
            tags: tags
                .filter_map(|Tag { key, value, .. }| Some((key?, value.unwrap_or_default())))
                .collect(),
        }))
    }
}

fn is_custom(kind: &str) -> bool {
    kind.starts_with("Custom::") || kind == "AWS::CloudFormation::CustomResource"
}

/// CloudFormation has one code for everything that is missing, so the message decides: `Resource … does not exist for
/// stack …`, `Stack '…' does not exist` or `Stack with id … does not exist`.
fn is_missing(error: &CloudError) -> bool {
    error.code.as_deref() == Some("ValidationError") && error.message.contains("does not exist")
}
