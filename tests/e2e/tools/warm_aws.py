"""Runs the AWS CLI in forks of an interpreter that has loaded it already.

A start of the CLI takes half a second of processor time, which was most of what the tests took. Each
connection to the socket sends one command as a line of JSON and gets one line of JSON back: how it ended
and what it printed. The process ends when its standard input does.
"""

import json
import os
import select
import signal
import socket
import sys
import tempfile
import traceback

import awscli.clidriver
from botocore.loaders import JSONFileLoader, Loader

# The services that the tests call most often.
SERVICES = ["cloudformation", "iam", "lambda", "s3", "secretsmanager", "sts"]
MODELS = ["service-2", "endpoint-rule-set-1", "paginators-1", "waiters-2"]


def keep_models():
    """Loads the models of `SERVICES` once; what is read later is kept by the fork that reads it."""
    load_file, loaded = JSONFileLoader.load_file, {}

    def load_once(self, path):
        if path not in loaded:
            loaded[path] = load_file(self, path)
        return loaded[path]

    JSONFileLoader.load_file = load_once
    awscli.clidriver.create_clidriver()
    loader = Loader()
    loader.load_data("endpoints")
    loader.load_data("partitions")
    for service in SERVICES:
        for model in MODELS:
            if service in loader.list_available_services(model):
                loader.load_service_model(service, model)


def run(command):
    """Runs one command in this process, which is a fork: environment, folder and streams are its own."""
    os.chdir(command["folder"])
    # Loading the CLI has added the folder of its own data.
    data = os.environ["AWS_DATA_PATH"]
    os.environ.clear()
    os.environ.update(command["environment"], AWS_DATA_PATH=data)
    streams = [tempfile.TemporaryFile(), tempfile.TemporaryFile()]
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(streams[0].fileno(), 1)
    os.dup2(streams[1].fileno(), 2)
    sys.argv = ["aws", *command["arguments"]]
    try:
        status = awscli.clidriver.main()
    except SystemExit as exit:
        status = exit.code
    except BaseException:
        traceback.print_exc()
        status = 255
    sys.stdout.flush()
    sys.stderr.flush()
    printed = []
    for stream in streams:
        stream.seek(0)
        printed.append(stream.read().decode(errors="replace"))
    return {"status": status or 0, "stdout": printed[0], "stderr": printed[1]}


def serve(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    # Nobody waits for the forks.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while listener in select.select([listener, sys.stdin], [], [])[0]:
        connection, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            lines = connection.makefile("rwb")
            # Whoever only looks whether somebody listens sends nothing.
            if command := lines.readline():
                answer = run(json.loads(command))
                lines.write(json.dumps(answer).encode() + b"\n")
                lines.flush()
            os._exit(0)
        connection.close()


if __name__ == "__main__":
    keep_models()
    serve(sys.argv[1])
