"""MiniStack as an AWS account for the demo and the end-to-end tests.

    .tools/python/bin/python tests/e2e/tools/emulator.py [--port N] [--account ID] [--stop-at-eof] [--dates FOLDER]

Prints `ready http://127.0.0.1:PORT` on standard output when it answers; its log goes to standard error.
It runs until SIGTERM or SIGINT and then removes its data; with `--stop-at-eof` also until standard input ends,
so that it cannot outlive a driver that holds the other end. Port 0, the default, is a free one. The
administrator is root of the account (000000000000) with the key `test`, secret `test`; the region is the one a
request is signed for. Functions are plain child processes that inherit this process's environment, so nothing
of the caller's AWS set-up is let through.
"""

import argparse
import asyncio
import contextvars
import json
import os
import signal
import socket
import sys
import tempfile
import threading
import time
import urllib.request

import cloudformation
import dates
from rotation import rotate_by_function

# What the service authorization reference lists under `iam:PermissionsBoundary` for users.
BOUNDARY_ACTIONS = {
    f"iam:{name}"
    for name in (
        "CreateUser", "PutUserPolicy", "DeleteUserPolicy", "AttachUserPolicy", "DetachUserPolicy",
        "PutUserPermissionsBoundary", "DeleteUserPermissionsBoundary",
    )
}


def prepare_environment(port, account, data):
    """MiniStack reads all of these when it is imported."""
    origin = f"http://127.0.0.1:{port}"
    for name in [name for name in os.environ if name.startswith(("AWS_", "LAMBDA_", "MINISTACK_"))]:
        del os.environ[name]
    os.environ.update({
        "AUTH": "true",
        "MINISTACK_ACCOUNT_ID": account,
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",  # the host of response URLs
        "AWS_ENDPOINT_URL": origin,  # an address, not a name: SDKs then put the bucket into the path
        "EXTRA_RESPONSE_ORIGINS": origin,  # the function answers to https alone otherwise
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "LAMBDA_EXECUTOR": "local",
        "IOT_MTLS_ENABLED": "0",  # no further ports
        "SFTP_ENABLED": "0",
        "TMPDIR": data,
        "S3_DATA_DIR": f"{data}/s3",
        "STATE_DIR": f"{data}/state",
    })
    tempfile.tempdir = data


def fill_permissions_boundary(iam_actions):
    """Give IAM's calls the condition key `iam:PermissionsBoundary`: the boundary a call sets, else its user's own."""
    from ministack.services import iam

    context_of = iam_actions.request_tag_context

    def with_boundary(service, iam_action, body, params):
        context = context_of(service, iam_action, body, params)
        if iam_action not in BOUNDARY_ACTIONS:
            return context
        user = iam._users.get(iam_actions._query_param(params, "UserName")) or {}
        boundary = iam_actions._query_param(params, "PermissionsBoundary") or user.get("PermissionsBoundary")
        return {**context, "iam:PermissionsBoundary": boundary} if boundary else context

    iam_actions.request_tag_context = with_boundary


def bound_roles(iam_actions):
    """Give roles of stacks their boundary, and say so where a boundary alone denies: MiniStack's CloudFormation drops the
    first, and its refusals blame the identity's policies."""
    from ministack.core import iam_evaluator
    from ministack.services import iam
    from ministack.services.cloudformation import provisioners

    handlers, by_boundary = provisioners._RESOURCE_HANDLERS["AWS::IAM::Role"], contextvars.ContextVar("by_boundary", default=False)
    evaluate, refuse = iam_evaluator.evaluate, iam_actions.access_denied_response

    def bounded(make, at):
        def with_boundary(*arguments, **named):
            made = make(*arguments, **named)
            iam._roles[made[0]]["PermissionsBoundary"] = arguments[at].get("PermissionsBoundary")
            return made
        return with_boundary

    def judged(context, policies, *limits):
        result = evaluate(context, policies, *limits)
        by_boundary.set(result.decision == "ImplicitDeny" and evaluate(context, policies).decision == "Allow")
        return result

    def refused(service, action, principal, request_id, **named):
        if by_boundary.get() and not named.get("error_code") and not named.get("message"):
            why = f"because no permissions boundary allows the {action} action"
            named["message"] = f"User: {principal} is not authorized to perform: {action} {why}"
        return refuse(service, action, principal, request_id, **named)

    for operation, at in (("create", 1), ("update", 2)):
        handlers[operation] = bounded(handlers[operation], at)
    iam_evaluator.evaluate, iam_actions.access_denied_response = judged, refused


def speak_tls():
    """Judge every request as sent by TLS, because functions reach the emulator by plain HTTP on loopback."""
    from ministack.core import iam_evaluator

    resolve = iam_evaluator._resolve_condition_key

    def by_tls(key, context):
        return "true" if key.lower() == "aws:securetransport" else resolve(key, context)

    iam_evaluator._resolve_condition_key = by_tls


def require_decrypt(iam_actions):
    """Ask for `kms:Decrypt` on the key of an SSE-KMS object that is downloaded, through S3 in the key's region."""
    from ministack.services import s3

    checks_of, resources_of = iam_actions.s3_additional_checks, iam_actions.s3_access_point_resources

    def with_decrypt(method, path, headers, body, query_params):
        checks = checks_of(method, path, headers, body, query_params)
        bucket, _, key = path.lstrip("/").partition("/")
        stored = (s3._buckets.get(bucket) or {}).get("objects", {}).get(key)
        if method != "GET" or not stored:
            return checks
        key_id = s3._stored_sse_headers(stored).get("x-amz-server-side-encryption-aws-kms-key-id")
        if key_id and iam_actions._s3_action(method, path, query_params) in ("GetObject", "GetObjectVersion"):
            checks.append(("kms:Decrypt", key_arn(key_id, s3.bucket_region(bucket))))
        return checks

    def with_via_service(arn):
        if not arn.startswith("arn:aws:kms:"):
            return resources_of(arn)
        return [(arn, {"kms:ViaService": f"s3.{arn.split(':')[3]}.amazonaws.com"})]

    iam_actions.s3_additional_checks, iam_actions.s3_access_point_resources = with_decrypt, with_via_service


def tell_bucket_region():
    """Name the region when an unsigned look at a bucket is refused, as S3 does: that is how anyone finds it out."""
    from ministack.services import s3

    gate = s3._apply_bucket_scope

    def with_region(method, bucket, key, *rest, **named):
        refusal = gate(method, bucket, key, *rest, **named)
        region = s3.bucket_region(bucket) if refusal and not key else None
        if not region:
            return refusal
        status, headers, body = refusal
        return status, {**headers, "x-amz-bucket-region": region}, body

    s3._apply_bucket_scope = with_region


def list_absent_credentials():
    """Answer empty lists for the kinds of credentials that MiniStack cannot make, where it says `InvalidAction`."""
    from ministack.services import iam

    def empty(action, member):
        def handler(parameters):
            name = iam._p(parameters, "UserName")
            if name not in iam._users:
                return iam._error(404, "NoSuchEntity", f"The user with name {name} cannot be found.", ns="iam")
            result = f"<{action}Result><{member}/><IsTruncated>false</IsTruncated></{action}Result>"
            return iam._xml(200, f"{action}Response", result, ns="iam")
        return handler

    for action, member in (
        ("ListSSHPublicKeys", "SSHPublicKeys"),
        ("ListServiceSpecificCredentials", "ServiceSpecificCredentials"),
        ("ListSigningCertificates", "Certificates"),
    ):
        iam._IAM_HANDLERS.setdefault(action, empty(action, member))


def name_key_owner(iam_actions):
    """Judge the question when a key was last used as one about the key's user, which AWS names as its resource."""
    from ministack.services import iam

    resource_of = iam_actions.extract_resource_arn

    def with_owner(service, method, path, headers, body, query_params, region, account_id):
        resource = resource_of(service, method, path, headers, body, query_params, region, account_id)
        if service != "iam" or iam_actions._query_param(query_params, "Action") != "GetAccessKeyLastUsed":
            return resource
        key = iam._access_keys.get(iam_actions._query_param(query_params, "AccessKeyId"))
        return f"arn:aws:iam::{account_id}:user/{key['UserName']}" if key else resource

    iam_actions.extract_resource_arn = with_owner


def key_arn(key_id, region):
    """The ARN of a KMS key that a request named by ARN or by bare id."""
    return key_id if key_id.startswith("arn:") else f"arn:aws:kms:{region}:{os.environ['MINISTACK_ACCOUNT_ID']}:key/{key_id}"


def try_events_again():
    """Invoke a function up to twice again for an event that it failed at, as Lambda does after one minute and then two."""
    from ministack.services import eventbridge, lambda_svc

    def attempt(arn, event):
        for pause in (1, 2, 0):
            function, config, _ = lambda_svc._get_func_record_for_ref(arn)
            if not function:  # It is gone.
                return
            record = lambda_svc._execution_record_for_config(function, config)
            if not lambda_svc._execute_function_with_config_scope(record, event).get("error"):
                return
            time.sleep(pause)

    def dispatch(arn, payload):
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(attempt, arn, json.loads(payload)), daemon=True).start()

    eventbridge._dispatch_to_lambda = dispatch


def name_log_groups():
    """Tell functions their log group, as Lambda does."""
    from ministack.services import lambda_svc

    environment = lambda_svc._provided_worker_env

    def with_log_group(config, *rest):
        group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
        return {**environment(config, *rest), "AWS_LAMBDA_LOG_GROUP_NAME": group}

    lambda_svc._provided_worker_env = with_log_group


def echo_function_logs():
    """Copy what functions print to standard error, because their log groups go with the stack."""
    from ministack.services import lambda_svc

    emit = lambda_svc._emit_lambda_logs

    def with_echo(func, request_id, log_text, *rest, **named):
        if log_text:
            print(log_text.rstrip(), file=sys.stderr, flush=True)
        return emit(func, request_id, log_text, *rest, **named)

    lambda_svc._emit_lambda_logs = with_echo


def deliver_mail():
    """Deliver mail for an address such as `people@127.0.0.1:4711` to that port, because MiniStack only counts it."""
    from ministack.services import sns

    fan_out = sns._fanout

    def with_mail(topic_arn, message_id, message, subject, structure="", *rest, **named):
        fan_out(topic_arn, message_id, message, subject, structure, *rest, **named)
        for subscription in (sns._topic_by_arn_any_scope(topic_arn) or {}).get("subscriptions", []):
            host = subscription["endpoint"].partition("@")[2]
            if subscription["protocol"] == "email" and host.startswith("127.0.0.1:"):
                text = sns._resolve_message_for_protocol(message, structure, "email")
                mail = json.dumps({"Type": "Mail", "Subject": subject, "Message": text})
                deliver = sns._deliver_to_http(f"http://{host}/", mail)
                threading.Thread(target=asyncio.run, args=(deliver,), daemon=True).start()

    sns._fanout = with_mail


def stop_at_eof():
    while os.read(0, 4096):  # not sys.stdin: its lock, held here, would abort the interpreter's end
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def announce(port):
    origin = f"http://127.0.0.1:{port}"
    while True:
        try:
            urllib.request.urlopen(f"{origin}/_ministack/health", timeout=1).close()
            break
        except OSError:
            time.sleep(0.05)
    print(f"ready {origin}", flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--account", default="000000000000")
    parser.add_argument("--stop-at-eof", action="store_true")
    parser.add_argument("--dates", help="a folder where tests say what time has brought, see dates.py")
    arguments = parser.parse_args()
    port = arguments.port or free_port()
    with tempfile.TemporaryDirectory(prefix="emulator-") as data:
        prepare_environment(port, arguments.account, data)
        from ministack import app
        from ministack.core import iam_actions

        fill_permissions_boundary(iam_actions)
        bound_roles(iam_actions)
        require_decrypt(iam_actions)
        speak_tls()
        tell_bucket_region()
        list_absent_credentials()
        name_key_owner(iam_actions)
        told = dates.Dates(arguments.dates)
        for tell in (dates.tell_last_use, dates.tell_creation, dates.tell_next_rotation, dates.fire_schedules):
            tell(told)
        cloudformation.mend()
        try_events_again()
        name_log_groups()
        echo_function_logs()
        deliver_mail()
        rotate_by_function(f"http://127.0.0.1:{port}", told)
        threading.Thread(target=announce, args=(port,), daemon=True).start()
        if arguments.stop_at_eof:
            threading.Thread(target=stop_at_eof, daemon=True).start()
        sys.argv = sys.argv[:1]
        app.main()


if __name__ == "__main__":
    main()
