locals {
  # The key contains the release's version, so CloudFormation sees another release as other code.
  folder = "${var.code_prefix}${basename(var.release)}"
}

resource "aws_s3_object" "archive" {
  for_each = fileset(var.release, "*.zip")

  bucket      = var.code_bucket
  key         = "${local.folder}/${each.value}"
  source      = "${var.release}/${each.value}"
  source_hash = filesha256("${var.release}/${each.value}")
  tags        = var.tags
}

resource "aws_cloudformation_stack" "publisher" {
  name          = var.stack_name
  template_body = file("${var.release}/template.yaml")
  capabilities  = ["CAPABILITY_IAM"]
  tags          = var.tags

  parameters = merge(var.parameters, {
    CodeBucket      = var.code_bucket
    CodePrefix      = var.code_prefix
    Buckets         = join(",", var.buckets)
    ReadableBuckets = join(",", var.readable_buckets)
    UserName        = var.user_name
    KeySerial       = tostring(var.key_serial)
  })

  depends_on = [aws_s3_object.archive]
}
