"""What Secrets Manager does to rotate a secret. MiniStack only moves labels and calls no function.

https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
"""

import contextvars
import json
import threading
import time
import uuid

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")


class Refused(Exception):
    """A step that the rotation function did not take."""


def rotate_by_function(origin, dates):
    """Let `RotateSecret`, and the resource that asks for it, call the secret's rotation function at this origin.

    A stack is at work on its schedule for as long as a test says.
    """
    from ministack.core.responses import error_response_json, json_response
    from ministack.services import secretsmanager
    from ministack.services.cloudformation import provisioners, stacks

    def rotate(data):
        _, secret = secretsmanager._resolve(data.get("SecretId"))
        if not secret:
            return error_response_json("ResourceNotFoundException", "Secrets Manager can't find the secret.", 400)
        configure(secret, data)
        pending = {vid for vid, version in secret["Versions"].items() if "AWSPENDING" in version["Stages"]}
        current, _ = secretsmanager._find_stage_version(secret, "AWSCURRENT")
        if pending - {current}:
            message = "A previous rotation isn't complete. That rotation will be reattempted."
            return error_response_json("InvalidRequestException", message, 400)
        token = stage(secret, data.get("ClientRequestToken"))
        context = contextvars.copy_context()
        job = try_out if data.get("RotateImmediately") is False else take_all
        threading.Thread(target=context.run, args=(job, origin, secret, token), daemon=True).start()
        return json_response({"ARN": secret["ARN"], "Name": secret["Name"], "VersionId": token})

    def schedule(logical_id, properties, stack_name):
        _, secret = secretsmanager._resolve(properties["SecretId"])
        configure(secret, properties)
        job = try_out if properties.get("RotateImmediatelyOnUpdate") in (False, "false") else take_all
        job(origin, secret, stage(secret))
        dates.wait(secret["Name"], "ScheduledAt")
        return secret["ARN"], {}

    def cancel(physical_id, properties):
        _, secret = secretsmanager._resolve(physical_id)
        if secret:
            secret["RotationEnabled"] = False

    secretsmanager._rotate_secret = rotate
    provisioners._RESOURCE_HANDLERS["AWS::SecretsManager::RotationSchedule"] = {
        "create": schedule,
        "update": lambda physical_id, old, new, stack_name: schedule(None, new, stack_name),
        "delete": cancel,
    }
    provisioners._REPLACING_PROPERTIES["AWS::SecretsManager::RotationSchedule"] = ("SecretId",)
    waits = stacks._runs_on_worker_thread
    # It waits for a function that this process serves.
    stacks._runs_on_worker_thread = lambda kind: kind == "AWS::SecretsManager::RotationSchedule" or waits(kind)


def configure(secret, data):
    secret["RotationLambdaARN"] = data.get("RotationLambdaARN") or secret.get("RotationLambdaARN")
    rules = data.get("RotationRules") or secret.get("RotationRules") or {}
    # A parameter of a template is a string, which CloudFormation makes the property's type.
    secret["RotationRules"] = {name: int(value) if str(value).isdigit() else value for name, value in rules.items()}
    secret["RotationEnabled"] = True


def stage(secret, token=None):
    """A version without a value under `AWSPENDING`, for the function to fill."""
    token = token or str(uuid.uuid4())
    for version in secret["Versions"].values():
        # A label is on one version only.
        version["Stages"] = [label for label in version["Stages"] if label != "AWSPENDING"]
    version = {"SecretString": None, "SecretBinary": None, "CreatedDate": int(time.time()), "Stages": ["AWSPENDING"]}
    secret["Versions"][token] = version
    return token


def try_out(origin, secret, token):
    """The test of a new schedule: the pending version never gets a value, and goes again."""
    try:
        take(origin, secret, token, "testSecret")
    finally:
        del secret["Versions"][token]


def take_all(origin, secret, token):
    for step in STEPS:
        take(origin, secret, token, step)


def take(origin, secret, token, step):
    import boto3
    from botocore.config import Config

    event = {"Step": step, "SecretId": secret["ARN"], "ClientRequestToken": token, "RotationToken": str(uuid.uuid4())}
    function = secret["RotationLambdaARN"]
    once = Config(read_timeout=150, retries={"total_max_attempts": 1})
    client = boto3.client("lambda", endpoint_url=origin, region_name=function.split(":")[3], config=once)
    answer = client.invoke(FunctionName=function, Payload=json.dumps(event))
    if "FunctionError" in answer:
        raise Refused(f"{step}: {json.load(answer['Payload']).get('errorMessage')}")
