output "release" {
  description = "The release that the stack runs."
  value       = aws_cloudformation_stack.publisher.outputs["Release"]
}

output "secret_arn" {
  description = "ARN of the secret that holds the access key. The key itself is never in Terraform's state."
  value       = aws_cloudformation_stack.publisher.outputs["SecretArn"]
}

output "user_arn" {
  description = "ARN of the IAM user, as bucket policies and key policies name it."
  value       = aws_cloudformation_stack.publisher.outputs["UserArn"]
}

output "bucket_uri" {
  description = "The first bucket, for Publisher's form."
  value       = aws_cloudformation_stack.publisher.outputs["BucketUri"]
}

output "region" {
  description = "Region of the first bucket, for Publisher's form."
  value       = aws_cloudformation_stack.publisher.outputs["Region"]
}
