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

    def __init__(self, root, files, node):
        self.root, self.files, self.node = root, files, node
        self.workflows = [path for path in files if path.startswith(".github/workflows/")]

    def template(self):
        from cfnlint.decode import cfn_yaml

        return json.loads(json.dumps(cfn_yaml.load(str(self.root / "template.yaml"))))

    def resolved(self):
        return template.Resolver(self.template()).resources()

    def policies(self):
        yield from template.policies(self.resolved())
        for path in self.files:
            if path.startswith("docs/") and path.endswith("-policy.json"):
                yield path, json.loads((self.root / path).read_text())


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


def cfn_guard(world):
    package = world.node / "node_modules/@cdklabs/cdk-validator-cfnguard"
    kind = "macos" if sys.platform == "darwin" else "ubuntu"
    processor = subprocess.check_output(["uname", "-m"], text=True).strip().replace("arm64", "aarch64")
    program = package / "bin" / kind / processor / "cfn-guard"
    with in_file(world.resolved()) as resolved:
        command = [program, "validate", "-r", package / "rules/control-tower/cfn-guard", "-d", resolved.name]
        answer = json.loads(run(world, [*command, "--structured", "-o", "json", "--show-summary", "none"], statuses=(0, 19)))
    for rule in answer[0]["not_compliant"]:
        text = json.dumps(rule)
        code, says = re.search(r"\[(CT\.[A-Z0-9.]+)\]: (.*?)\\n", text).groups()
        for logical_id in sorted(set(re.findall(r'"path": "/Resources/([A-Za-z0-9]+)', text))):
            yield code, logical_id, says


def cdk_nag(world):
    with in_file(world.resolved()) as resolved, tempfile.TemporaryDirectory() as output:
        run(world, ["node", world.node / "cdk-nag.mjs", resolved.name, output], statuses=(0,))
        reports = json.loads((pathlib.Path(output) / "validation-report.json").read_text())["pluginReports"]
    for report in reports:
        for violation in report["violations"]:
            for construct in violation["violatingConstructs"]:
                # Of a permission with a wildcard, the name says which one.
                yield violation["ruleName"], construct["constructPath"].rpartition("/")[2], violation["description"]


def parliament(world):
    import parliament as library

    for where, document in world.policies():
        for finding in library.analyze_policy_string(json.dumps(document), include_community_auditors=True).findings:
            yield finding.issue, where, f"{finding.title} {finding.detail}"


def policy_sentry(world):
    """Its list of all actions, and what `cloudsplaining` makes of that list."""
    from cloudsplaining.scan.policy_document import PolicyDocument
    from policy_sentry.querying.actions import get_action_data

    for where, document in world.policies():
        for statement in document["Statement"]:
            actions = statement.get("Action", statement.get("NotAction"))
            for action in [actions] if isinstance(actions, str) else actions:
                if "*" not in action and not get_action_data(*action.split(":")):
                    yield "unknown-action", where, action
        risks = PolicyDocument(document)
        for code in (
            "allows_privilege_escalation", "permissions_management_without_constraints", "write_actions_without_constraints",
            "tagging_actions_without_constraints", "credentials_exposure", "service_wildcard", "allows_data_exfiltration_actions",
        ):
            for detail in getattr(risks, code):
                yield code.replace("_", "-"), where, str(detail)


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
    "cfn-guard": cfn_guard,
    "cdk-nag": cdk_nag,
    "parliament": parliament,
    "policy_sentry": policy_sentry,
    "typos": typos,
    "detect-secrets": detect_secrets,
}
# These are packages for Node; without it they are left out, and said to be.
OF_NODE = ("cfn-guard", "cdk-nag")
