"""Runs other people's scanners over this repository: `make scan`.

Their findings must be in the table of docs/security.md, with the reason why they stay. A row that is no longer found fails too. Each scanner must first find a planted fault, because one that reads nothing finds nothing.
"""

import argparse
import collections
import concurrent.futures
import hashlib
import pathlib
import re
import subprocess
import sys
import tempfile

import scanners

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
TABLE = REPOSITORY / "docs/security.md"
HEADER = "| Scanner | Finding | Where | Why it stays |"

# In two pieces: they must not be found in this file.
TYPO, KEY = "te" + "h", "AKIA" + "QWERTYUIOPASDFGH"
# What every scanner is shown before the repository, and what it has to find there.
PLANTED = {
    "template.yaml": """\
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Unused: { Type: String }
Resources:
  Bucket: { Type: AWS::S3::Bucket, Properties: { AccessControl: PublicRead } }
""",
    ".github/workflows/planted.yml": """\
on: pull_request_target
jobs:
  planted:
    runs-on: ubuntu-latest
    steps:
      - run: echo ${{ github.event.pull_request.title }} ${{ github.nothing }}
""",
    "planted.txt": f"{TYPO} key is {KEY}\n",
}
MUST_FIND = {
    "checkov": {"CKV_AWS_20", "CKV_GHA_2"},
    "cfn-lint": {"W2001"},
    "typos": {TYPO},
    "detect-secrets": {f"aws-access-key-{hashlib.sha1(KEY.encode()).hexdigest()[:8]}"},
}


def accepted():
    """The rows of the table: scanner, codes, places."""
    rows, lines = [], iter(TABLE.read_text().splitlines())
    if HEADER not in lines:
        sys.exit(f"scan: {TABLE.name} has no table with the header {HEADER}")
    next(lines)
    for line in lines:
        if not line.startswith("|"):
            return rows
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 4 or not cells[3] or cells[0] not in scanners.ALL:
            sys.exit(f"scan: this row of {TABLE.name} names no scanner or no reason: {line}")
        codes, places = (re.findall(r"`([^`]+)`", cell) for cell in cells[1:3])
        rows.append((cells[0], codes, places))
    return rows


def matches(text, listed):
    """`*` is any text; the names of some findings hold a `[`."""
    return re.fullmatch(".*".join(map(re.escape, listed.split("*"))), text) or text == listed


def compare(name, findings, rows):
    """Findings that are not accepted, and accepted ones that are not found."""
    problems, used = [], set()
    for code, where, says in findings:
        matching = [
            (number, listed, place)
            for number, (scanner, codes, places) in enumerate(rows)
            for listed in codes
            for place in places
            if scanner == name and matches(code, listed) and matches(where, place)
        ]
        used.update(matching)
        if not matching:
            problems.append(f"{name}: `{code}` on `{where}` is not accepted: {says}")
    used_codes, used_places = ({(item[0], item[n]) for item in used} for n in (1, 2))
    for number, (scanner, codes, places) in enumerate(rows):
        if scanner == name:
            idle = [code for code in codes if (number, code) not in used_codes]
            idle += [place for place in places if (number, place) not in used_places]
            problems += [f"{name}: `{item}` is accepted in {TABLE.name} and no longer found: take it out" for item in idle]
    return problems


def planted():
    folder = tempfile.TemporaryDirectory()
    for path, text in PLANTED.items():
        file = pathlib.Path(folder.name) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder, scanners.World(pathlib.Path(folder.name), list(PLANTED))


def judge(name, world, trap, rows):
    scanner = scanners.ALL[name]
    try:
        missed = MUST_FIND[name] - {code for code, *_ in scanner(trap)}
        findings = sorted(set(scanner(world)))
    except Exception as error:
        return [], [f"{name}: it did not run to its end: {error!r}"]
    if missed:
        return [], [f"{name}: it does not find what is planted: {missed}"]
    return findings, compare(name, findings, rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="show accepted findings too")
    parser.add_argument("names", nargs="*", help="only these scanners")
    arguments = parser.parse_args()
    files = subprocess.check_output(["git", "ls-files"], cwd=REPOSITORY, text=True).split("\n")[:-1]
    world = scanners.World(REPOSITORY, files)
    rows, failed = accepted(), 0
    names = [name for name in scanners.ALL if not arguments.names or name in arguments.names]
    folder, trap = planted()
    with folder, concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = {name: pool.submit(judge, name, world, trap, rows) for name in names}
        for name, job in jobs.items():
            findings, problems = job.result()
            counts = collections.Counter(code for code, *_ in findings)
            print(f"{name:15} {len(findings):3} findings of {len(counts):2} kinds, {len(problems)} problems", flush=True)
            for finding in findings if arguments.all else []:
                print("   ", *finding)
            for problem in problems:
                print(f"  ✗ {problem}")
            failed += bool(problems)
    print(f"scanners: {len(names) - failed} passed, {failed} failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
