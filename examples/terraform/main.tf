locals {
  # The key contains the release's version, so CloudFormation sees another release as other code.
  archives = merge([
    for release in toset(concat([var.release], var.kept_releases)) : {
      for file in fileset(release, "*.zip") : "${basename(release)}/${file}" => "${release}/${file}"
    }
  ]...)
}

resource "aws_s3_object" "archive" {
  for_each = local.archives

  bucket      = var.code_bucket
  key         = "${var.code_prefix}${each.key}"
  source      = each.value
  source_hash = filesha256(each.value)
  tags        = var.tags

  lifecycle {
    # The stack changes from one archive to the other in between.
    create_before_destroy = true
  }
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
