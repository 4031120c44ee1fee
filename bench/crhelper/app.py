"""The peer: the same resource as people write it today, with crhelper and boto3.

It only makes, changes and removes the four things. It observes, proves and repairs nothing. As crhelper's
documentation advises, clients are made once, outside the handlers. Its wait of up to 120 s before the answer to a Delete,
there for the last log lines, is off.
"""

import json
import logging

import boto3
from crhelper import CfnResource

logger = logging.getLogger(__name__)
helper = CfnResource(json_logging=True, log_level="INFO", boto_level="CRITICAL", sleep_on_delete=0)

try:
    iam = boto3.client("iam")
    secrets = boto3.client("secretsmanager")
except Exception as error:
    helper.init_failure(error)

POLICY = "S3AccessPolicy"


def put_policy(properties):
    arns = [f"arn:aws:s3:::{bucket}" for bucket in properties["Buckets"]]
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": arns},
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": [f"{arn}/*" for arn in arns]},
        ],
    }
    iam.put_user_policy(UserName=properties["UserName"], PolicyName=POLICY, PolicyDocument=json.dumps(document))


@helper.create
def create(event, context):
    properties = event["ResourceProperties"]
    user = properties["UserName"]
    arn = iam.create_user(UserName=user)["User"]["Arn"]
    put_policy(properties)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    value = {name: key[name] for name in ("AccessKeyId", "SecretAccessKey")}
    secret = secrets.create_secret(Name=f"publisher/{user}", SecretString=json.dumps(value))
    helper.Data.update({"UserName": user, "UserArn": arn, "SecretArn": secret["ARN"]})
    return secret["Name"]


@helper.update
def update(event, context):
    put_policy(event["ResourceProperties"])
    return event["PhysicalResourceId"]


@helper.delete
def delete(event, context):
    user = event["ResourceProperties"]["UserName"]
    for key in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName=user, PolicyName=POLICY)
    iam.delete_user(UserName=user)
    secrets.delete_secret(SecretId=event["PhysicalResourceId"], ForceDeleteWithoutRecovery=True)


def handler(event, context):
    helper(event, context)
