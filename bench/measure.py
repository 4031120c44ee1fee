"""The measurements: medians of interleaved runs, so that the machine's other work affects all equally."""

import concurrent.futures
import contextlib
import itertools
import statistics
import time

from functions import Process, Requests
from world import Proxy

# The longest chain of calls in a row; docs/performance.md, held by tests/flow/calls.rs.
CHAINS = {"unproved": 6, "proved": 7}
DELAY = 0.05
# How much more than the chain itself a Create may take when every call takes DELAY longer.
MARGIN = 1.1


class Bench:
    """What every measurement needs, and users that nobody has."""

    def __init__(self, emulator, stacks, sink, rie, folder):
        self.emulator, self.stacks, self.sink, self.rie, self.folder = emulator, stacks, sink, rie, folder
        self.users = (f"publisher-{number}" for number in itertools.count())

    def process(self, function, endpoint=None):
        return Process(function, self.emulator, self.stacks, self.rie, self.sink, endpoint, self.folder)

    def requests(self, function, buckets=("b00",)):
        return Requests(function, self.stacks, self.sink, next(self.users), buckets)

    def life(self, function, endpoint=None, buckets=("b00",)):
        """One process from its start through Create, Update and Delete of a resource."""
        with self.process(function, endpoint) as process:
            if function.properties is None:
                process.invoke({})
                return {"init_ms": process.init, "peak_kib": process.peak}
            requests = self.requests(function, buckets)
            taken = {"create_ms": requests.send(process, "Create")}
            taken["update_ms"] = requests.send(process, "Update", Buckets=["b01"])
            taken["delete_ms"] = requests.send(process, "Delete")
            return {"init_ms": process.init, **taken, "peak_kib": process.peak}


def medians(lives):
    """The median of each figure, with the middle half of all runs."""
    gathered = {}
    for name in lives[0]:
        values = sorted(life[name] for life in lives)
        gathered[name] = statistics.median(values)
        quarter = len(values) // 4
        gathered[f"{name}_middle_half"] = [values[quarter], values[-1 - quarter]]
    return gathered


def sittings(bench, functions, rounds):
    """Every function in turn, as often as there are rounds; the first round only warms the machine."""
    functions = list(functions)
    lives = {function.name: [] for function in functions}
    for number in range(rounds + 1):
        for function in functions:
            life = bench.life(function)
            if number:
                lives[function.name].append(life)
    return {function.name: {**medians(lives[function.name]), **function.sizes()} for function in functions}


def delays(bench, functions, rounds):
    """The Create with every call to AWS taking longer: what counts is how many wait for one another."""
    gathered = {}
    with Proxy(bench.emulator) as proxy:
        for name, chain in CHAINS.items():
            times = {0.0: [], DELAY: []}
            for _ in range(rounds):
                for delay, taken in times.items():
                    proxy.delay = bench.stacks.delay = delay
                    taken.append(bench.life(functions[name], proxy.origin)["create_ms"])
            bench.stacks.delay = 0.0
            near, far = map(statistics.median, times.values())
            bound = MARGIN * chain * DELAY * 1000
            gathered[name] = {"chain": chain, "near_ms": near, "far_ms": far, "grown_ms": far - near, "bound_ms": bound}
    return gathered


def growth_by_buckets(bench, functions, buckets):
    """The Create from one bucket to as many as IAM has room for; the difference is the proof's."""
    counts = [count for count in (1, 2, 5, 10, 20, 30, 40) if count < len(buckets)] + [len(buckets)]
    rows = []
    for count in counts:
        taken = {"unproved": [], "proved": []}
        for _, name in itertools.product(range(5), taken):
            taken[name].append(bench.life(functions[name], buckets=buckets[:count])["create_ms"])
        row = medians([{f"{name}_ms": value for name, value in zip(taken, values)} for values in zip(*taken.values())])
        rows.append({"buckets": count, **row, "proof_ms": row["proved_ms"] - row["unproved_ms"]})
    return rows


def growth_by_events(bench, function):
    """This many Creates at once, each in its own process, without and with every eighth call to IAM and STS refused."""
    rows = []
    for refuse_every, count in itertools.product((0, 8), (1, 10, 50, 100)):
        with Proxy(bench.emulator, refuse_every=refuse_every) as proxy, contextlib.ExitStack() as stack:
            processes = [stack.enter_context(bench.process(function, proxy.origin)) for _ in range(count)]
            requests = [bench.requests(function) for _ in range(count)]
            pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(count))
            started = time.monotonic()
            answered = list(pool.map(lambda request, process: request.ask(process, "Create"), requests, processes))
            taken = [milliseconds for milliseconds, _ in answered]
            failed = [answer["Reason"] for _, answer in answered if answer["Status"] != "SUCCESS"]
            elapsed = (time.monotonic() - started) * 1000
            rows.append({
                "events": count, "refuse_every": refuse_every, "elapsed_ms": elapsed, "each_ms": elapsed / count,
                "median_ms": statistics.median(taken), "longest_ms": max(taken), "calls": proxy.calls,
                "refused": proxy.refused, "failed": failed, "peak_kib": max(process.peak for process in processes),
            })
            proxy.refuse_every = 0
            list(pool.map(lambda request, process: request.send(process, "Delete"), requests, processes))
    return rows
