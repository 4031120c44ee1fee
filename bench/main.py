"""Measures the functions beside an empty one and beside what people use today: `make bench`.

    PYTHONPATH=.tools/bench/plot .tools/python/bin/python bench/main.py --programs FOLDER [--rounds N] [--quick]

Prints tables, and writes the figures to target/bench/figures.json and curves made of them to target/bench/*.svg.
"""

import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile

import plot
import report
from functions import Function
from measure import Bench, delays, growth_by_buckets, growth_by_events, sittings
from world import CloudFormation, Emulator, Sink

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent


def absolute(text):
    """The functions run in folders of their own."""
    return pathlib.Path(text).resolve()


def functions(programs, peers):
    """What is measured, as far as it is there."""
    binary, floor = programs / "publisher-s3-access/bootstrap", programs / "floor/bootstrap"
    python = pathlib.Path(sys.base_prefix) / "bin/python3"
    bench = REPOSITORY / "bench"
    libraries = peers / "crhelper"
    paths = {"PYTHONPATH": os.pathsep.join(map(str, [bench / "crhelper", libraries, peers / "python-runtime"]))}
    yield Function("floor", "empty lambda_runtime", [floor], [floor], properties=None)
    yield Function("unproved", "this, without proof", [binary], [binary], properties={"VerifyAccess": "false"})
    yield Function("proved", "this, with proof", [binary], [binary], properties={"VerifyAccess": "true"})
    yield Function(
        "crhelper", "crhelper + boto3", [python, "-m", "awslambdaric", "app.handler"],
        [bench / "crhelper/app.py", libraries], variables=paths,
    )
    if (peers / "node/node_modules").is_dir():
        node = peers / "node"
        yield Function("node", "Node + SDK v3", ["node", node / "runtime.mjs"], [node / "index.mjs", node / "node_modules"])
    else:
        print("bench: no `node` and `npm`: the Node peer is left out", file=sys.stderr)


def machine():
    """Where the figures come from."""
    model = [line for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True)
    return {
        "processor": model[0].partition(": ")[2] if model else platform.machine(),
        "processors": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "kernel": platform.release(),
        "python": platform.python_version(),
        "commit": commit.stdout.strip(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=absolute, required=True, help="where cargo-lambda puts what it builds")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--quick", action="store_true", help="only the table")
    arguments = parser.parse_args()
    rie = next(REPOSITORY.glob(".tools/python/lib/*/site-packages/samcli/local/rapid/aws-lambda-rie-x86_64"))
    output = REPOSITORY / "target/bench"
    output.mkdir(parents=True, exist_ok=True)
    measured = {function.name: function for function in functions(arguments.programs, REPOSITORY / ".tools/bench")}
    figures = {"machine": machine(), "rounds": arguments.rounds}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        folder = pathlib.Path(folder)
        with Emulator(REPOSITORY, output / "emulator.log") as emulator, CloudFormation() as stacks, Sink(folder) as sink:
            policies = subprocess.run([arguments.programs / "policies/bootstrap"], capture_output=True, check=True)
            figures["policies"] = [json.loads(line) for line in policies.stdout.splitlines()]
            buckets = [f"b{number:02}" for number in range(len(figures["policies"]))]
            emulator.prepare(buckets)
            bench = Bench(emulator, stacks, sink, rie, folder)
            figures["functions"] = sittings(bench, measured.values(), arguments.rounds)
            if not arguments.quick:
                figures["delays"] = delays(bench, measured, arguments.rounds)
                figures["buckets"] = growth_by_buckets(bench, measured, buckets)
                figures["events"] = growth_by_events(bench, measured["proved"])
    figures["goals"] = report.goals(figures)
    (output / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    plot.write(figures, output)
    print(report.text(figures, {name: function.label for name, function in measured.items()}))
    print(f"\nFigures and curves: {output.relative_to(REPOSITORY)}")


if __name__ == "__main__":
    main()
