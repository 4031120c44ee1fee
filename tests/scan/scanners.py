"""Other people's scanners, each a function that yields findings: `(code, where, what it says)`.

`where` is a resource's logical id in template.yaml, or a path in the repository.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

import template

PROGRAMS = pathlib.Path(sys.executable).parent
SECONDS = 180


class World:
    """What is scanned: files below a folder, and the template in it."""

    def __init__(self, root, files):
        self.root, self.files = root, files
        self.workflows = [path for path in files if path.startswith(".github/workflows/")]

    def template(self):
        from cfnlint.decode import cfn_yaml

        return json.loads(json.dumps(cfn_yaml.load(str(self.root / "template.yaml"))))

    def resolved(self):
        return template.Resolver(self.template()).resources()


def run(world, command, statuses=(0, 1)):
    """What a program prints. It reaches no server: what it knows is in its package."""
    done = subprocess.run(list(map(str, command)), cwd=world.root, capture_output=True, text=True, timeout=SECONDS)
    if done.returncode not in statuses:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def in_file(document):
    """A JSON file that lives as long as it is referred to."""
    file = tempfile.NamedTemporaryFile("w", suffix=".json")
    json.dump(document, file)
    file.flush()
    return file


def checkov(world):
    with in_file(world.resolved()) as resolved:
        for framework, files in (("cloudformation", [resolved.name]), ("github_actions", world.workflows)):
            command = [PROGRAMS / "checkov", "--framework", framework, "--skip-download", "--quiet", "--compact", "-o", "json"]
            answer = json.loads(run(world, [*command, "-f", *files]))
            if answer["summary"]["parsing_errors"] or not answer["summary"]["passed"]:
                raise RuntimeError(f"checkov read nothing: {answer['summary']}")
            for check in answer["results"]["failed_checks"]:
                where = check["resource"].rpartition(".")[2] if framework == "cloudformation" else check["file_path"].lstrip("/")
                yield check["check_id"], where, check["check_name"]


def cfn_lint(world):
    # second-user.yaml is a part of a template.
    templates = [path for path in world.files if re.fullmatch(r"(template|(docs|examples/.*)/(?!second-user)[^/]+)\.yaml", path)]
    command = [PROGRAMS / "cfn-lint", "--include-checks", "I", "--include-experimental", "--format", "json", "--", *templates]
    for finding in json.loads(run(world, command, statuses=range(32))):
        path = finding["Location"]["Path"]
        logical_id = path[1] if len(path) > 1 and path[0] in ("Resources", "Parameters", "Outputs") else "Metadata"
        file = finding["Filename"]
        where = logical_id if file == "template.yaml" else f"{file}/{logical_id}"
        yield finding["Rule"]["Id"], where, finding["Message"].splitlines()[0]


def typos(world):
    for line in run(world, [PROGRAMS / "typos", "--format", "json", *world.files], statuses=(0, 2)).splitlines():
        finding = json.loads(line)
        if finding["type"] == "typo":
            yield finding["typo"], finding["path"].removeprefix("./"), f"rather {finding['corrections']}"


def detect_secrets(world):
    """A finding's code ends in a hash of the value, so that another value at the same place is a new finding."""
    # It would take every text after the word "secret" for one.
    command = [PROGRAMS / "detect-secrets", "scan", "--disable-plugin", "KeywordDetector", "--no-verify"]
    # AWS's own published examples.
    command += ["--exclude-secrets", "AKIA[A-Z0-9]+EXAMPLE$", *world.files]
    # A hash is what a lock file is made of.
    locks = ("Cargo.lock", "requirements.txt", "package-lock.json", "runtime.txt")
    for file, findings in json.loads(run(world, command))["results"].items():
        for finding in findings:
            if not file.endswith(locks):
                code = f"{finding['type'].lower().replace(' ', '-')}-{finding['hashed_secret'][:8]}"
                yield code, file, f"line {finding['line_number']}"


ALL = {
    "checkov": checkov,
    "cfn-lint": cfn_lint,
    "typos": typos,
    "detect-secrets": detect_secrets,
}
