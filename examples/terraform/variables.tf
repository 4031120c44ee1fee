variable "release" {
  description = "Path to the folder of a release, such as ./publisher-s3-access-0.3.0. A path to another release updates the stack."
  type        = string

  validation {
    condition     = alltrue([startswith(basename(var.release), "publisher-s3-access-"), fileexists("${var.release}/template.yaml")])
    error_message = "The release must be a folder named publisher-s3-access-<version> that holds a template.yaml."
  }
}

variable "kept_releases" {
  description = "Paths to the folders of earlier releases whose archives stay in the bucket. Name the release before: a rollback needs its code."
  type        = list(string)
  default     = []
}

variable "code_bucket" {
  description = "Bucket that the functions' archives are uploaded to. It must exist, in the region of the stack."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.code_bucket))
    error_message = "The bucket's name stands alone, without s3:// and without a folder."
  }
}

variable "code_prefix" {
  description = "Folder in that bucket, with its final slash, or nothing."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^([A-Za-z0-9!_.*'()-]+/)*$", var.code_prefix))
    error_message = "The folder ends in a slash, such as lambda/."
  }
}

variable "stack_name" {
  description = "Name of the stack."
  type        = string
  default     = "publisher"

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]{0,127}$", var.stack_name))
    error_message = "A stack's name begins with a letter and holds letters, digits and hyphens, 128 at most."
  }
}

variable "buckets" {
  description = "What Publisher may read. Each entry is a bucket, s3://bucket, s3://bucket/folder/, or a bucket's ARN."
  type        = list(string)

  validation {
    condition     = can(var.buckets[0])
    error_message = "Name at least one bucket."
  }

  validation {
    condition     = alltrue([for bucket in var.buckets : can(regex("^(s3://|arn:[a-z-]+:s3:::)?[A-Za-z0-9._-]{3,255}(/[^*?,]*)?$", bucket))])
    error_message = "Each entry is a bucket, s3://bucket, s3://bucket/folder/, or a bucket's ARN, without wildcards and commas."
  }
}

variable "readable_buckets" {
  description = "Names of the buckets that may ever be read. A name may end in *. The default is every bucket: narrow it."
  type        = list(string)
  default     = ["*"]

  validation {
    condition     = can(regex("^(\\*|[A-Za-z0-9._-]{1,255}\\*?)(,(\\*|[A-Za-z0-9._-]{1,255}\\*?))*$", join(",", var.readable_buckets)))
    error_message = "Each entry is *, or a bucket's name that may end in *."
  }
}

variable "user_name" {
  description = "Name of the IAM user. It must be unused in the account, in every region."
  type        = string
  default     = "publisher-connectors"

  validation {
    condition     = can(regex("^publisher-[A-Za-z0-9_+=.@-]{1,54}$", var.user_name))
    error_message = "The name begins with publisher-, followed by 1 to 54 of the characters A-Z a-z 0-9 _ + = . @ -."
  }
}

variable "key_serial" {
  description = "Raise it to get a new access key. The previous one works until the next rotation."
  type        = number
  default     = 1

  validation {
    condition     = can(regex("^[1-9][0-9]{0,8}$", tostring(var.key_serial)))
    error_message = "The serial is a whole number from 1 to 999999999."
  }
}

variable "parameters" {
  description = "Other parameters of the template, such as { RotationDays = \"45\", NotificationEmail = \"genomics@example.com\" }."
  type        = map(string)
  default     = {}

  validation {
    condition     = can(regex("^$", join(",", setintersection(keys(var.parameters), ["CodeBucket", "CodePrefix", "Buckets", "ReadableBuckets", "UserName", "KeySerial"]))))
    error_message = "CodeBucket, CodePrefix, Buckets, ReadableBuckets, UserName and KeySerial have variables of their own."
  }
}

variable "tags" {
  description = "Tags of the stack and of the uploaded archives."
  type        = map(string)
  default     = {}
}
