"""What is measured: programs as Lambda runs them, each under the runtime interface emulator."""

import dataclasses
import http.client
import io
import json
import os
import pathlib
import re
import socket
import subprocess
import time
import zipfile

from world import ACCOUNT, REGION

INIT = re.compile(rb"INIT REPORT\(durationMs: ([0-9.]+)\)")
INVOKE = re.compile(rb"INVOKE RTDONE\(status: (\w+),.*duration: ([0-9.]+)ms\)")
SECONDS = 120


@dataclasses.dataclass
class Function:
    """One way to do the work."""

    name: str
    label: str
    command: list
    # What is uploaded to Lambda: files or folders.
    package: list
    # The environment's variables beside those that every function gets.
    variables: dict = dataclasses.field(default_factory=dict)
    # Properties of the resource beside those that every function gets; None: it takes no requests.
    properties: dict | None = dataclasses.field(default_factory=dict)

    def sizes(self):
        """Bytes of the package, zipped as `zip -9` does and unzipped."""
        zipped, unzipped = io.BytesIO(), 0
        with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for item in map(pathlib.Path, self.package):
                for file in sorted(item.rglob("*")) if item.is_dir() else [item]:
                    if file.is_file() and "__pycache__" not in file.parts:
                        archive.write(file, file.relative_to(item.parent if item.is_file() else item))
                        unzipped += file.stat().st_size
        return {"zipped_bytes": zipped.tell(), "unzipped_bytes": unzipped}


class Process:
    """A function's process; it begins with the first request, as on Lambda."""

    def __init__(self, function, emulator, stacks, rie, sink, endpoint, folder):
        address, api = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        self.address = address
        self.log = folder / f"{address.replace(':', '-')}.log"
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_LAMBDA_FUNCTION_NAME": "bench",
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(SECONDS),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": endpoint or emulator.origin,
            "AWS_ENDPOINT_URL_CLOUDFORMATION": stacks.origin,
            "SSL_CERT_FILE": str(sink.roots),
            "NODE_EXTRA_CA_CERTS": str(sink.roots),
            "EXTRA_RESPONSE_ORIGINS": sink.origin,
            "USER_NAME_PREFIX": "publisher-",
            "STACK_ID": stacks.stack_id,
            "AWS_LAMBDA_FUNCTION_HANDLER": "custom-resource",
            **function.variables,
        }
        command = [rie, "--runtime-interface-emulator-address", address, "--runtime-api-address", api, *function.command]
        self.written = open(self.log, "wb")
        self.process = subprocess.Popen(
            list(map(str, command)), env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=self.written,
            stderr=subprocess.STDOUT,
        )
        self.invocations = 0
        wait_for(lambda: answers(address) and answers(api), "the runtime interface emulator")

    def invoke(self, event):
        """Milliseconds that the invocation took, init apart."""
        connection = http.client.HTTPConnection(self.address, timeout=SECONDS + 10)
        connection.request("POST", "/2015-03-31/functions/function/invocations", json.dumps(event))
        connection.getresponse().read()
        connection.close()
        self.invocations += 1
        wait_for(lambda: len(INVOKE.findall(self.log.read_bytes())) == self.invocations, f"invocation, see {self.log}")
        status, milliseconds = INVOKE.findall(self.log.read_bytes())[-1]
        if status != b"success":
            raise SystemExit(f"bench: an invocation failed: {self.log.read_text()}")
        return float(milliseconds)

    @property
    def init(self):
        """Milliseconds from the process's start to its first look for an event."""
        return float(INIT.search(self.log.read_bytes()).group(1))

    @property
    def peak(self):
        """The most memory that the process has had resident, in KiB."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/children")
        (child,) = " ".join(path.read_text() for path in children).split()
        return int(re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{child}/status").read_text()).group(1))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.process.terminate()
        self.process.wait(20)
        self.written.close()
        if kind is None:
            self.log.unlink()


class Requests:
    """CloudFormation's requests for one resource, as events for a function."""

    def __init__(self, function, stacks, sink, user, buckets=("reads",)):
        self.stacks, self.sink = stacks, sink
        self.properties = {"ServiceToken": "token", "UserName": user, "Buckets": list(buckets), **function.properties}
        self.event = {
            "StackId": stacks.stack_id,
            # Of its own, because resources are at work side by side.
            "LogicalResourceId": user.title().replace("-", ""),
            "ResourceType": "Custom::PublisherS3Access",
        }
        self.serial = 0

    def send(self, process, kind, **changes):
        """Sends one request; gives the milliseconds. Any answer but success ends the run."""
        milliseconds, answer = self.ask(process, kind, **changes)
        if answer["Status"] != "SUCCESS":
            raise SystemExit(f"bench: {kind} was answered {answer}")
        return milliseconds

    def ask(self, process, kind, **changes):
        """Sends one request; gives the milliseconds and the answer."""
        self.serial += 1
        url = self.sink.url()
        event = {**self.event, "RequestType": kind, "RequestId": f"request-{self.serial}", "ResponseURL": url}
        if kind != "Create":
            event["PhysicalResourceId"] = f"publisher/{self.properties['UserName']}"
        if kind == "Update":
            event["OldResourceProperties"] = self.properties
            self.properties = {**self.properties, **changes}
        event["ResourceProperties"] = self.properties
        self.stacks.begin(event)
        milliseconds = process.invoke(event)
        return milliseconds, self.sink.answer(url)


def wait_for(condition, what):
    end = time.monotonic() + 20
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"bench: waited in vain for {what}")
        time.sleep(0.002)


def answers(address):
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
