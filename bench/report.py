"""The figures as tables, and what was to be reached."""

import measure

MIB = 1024
MB = 1e6
COLUMNS = (
    ("init", "init_ms", 1, "ms"),
    ("cold Create", "create_ms", 1, "ms"),
    ("warm Update", "update_ms", 1, "ms"),
    ("warm Delete", "delete_ms", 1, "ms"),
    ("peak memory", "peak_kib", MIB, "MiB"),
    ("zipped", "zipped_bytes", MB, "MB"),
    ("unzipped", "unzipped_bytes", MB, "MB"),
)


def goals(figures):
    """Each goal with what was measured and whether it is met."""
    functions = figures["functions"]
    floor, proved, peer = functions["floor"], functions["proved"], functions["crhelper"]
    start = [function["init_ms"] + function["create_ms"] for function in (proved, peer)]
    rows = [
        ("init + cold Create with proof: crhelper takes at least 4 times as long", start[1] / start[0], ">=", 4, "times"),
        ("init: at most 4 floors", proved["init_ms"] / floor["init_ms"], "<=", 4, "floors"),
        ("peak memory: at most 14 MiB", proved["peak_kib"] / MIB, "<=", 14, "MiB"),
        ("peak memory: crhelper takes at least 4 times as much", peer["peak_kib"] / proved["peak_kib"], ">=", 4, "times"),
        ("package: at most 4.5 MB zipped", proved["zipped_bytes"] / MB, "<=", 4.5, "MB"),
    ]
    for name, row in figures.get("delays", {}).items():
        what = f"50 ms more for every call: a Create {name} grows by at most {measure.MARGIN} x {row['chain']} x 50 ms"
        rows.append((what, row["grown_ms"], "<=", row["bound_ms"], "ms"))
    met = {">=": lambda a, b: a >= b, "<=": lambda a, b: a <= b}
    return [
        {"goal": goal, "measured": measured, "unit": unit, "bound": bound, "met": met[sense](measured, bound)}
        for goal, measured, sense, bound, unit in rows
    ]


def text(figures, labels):
    """Everything, for a terminal."""
    machine = figures["machine"]
    parts = [
        f"{machine['processors']} x {machine['processor']}, load {machine['load_before']:.1f} before; commit {machine['commit']};"
        f" medians of {figures['rounds']} interleaved runs",
        functions_table(figures["functions"], labels),
        table([(row["goal"], number(row["measured"]), row["unit"], "met" if row["met"] else "NOT MET") for row in figures["goals"]]),
    ]
    if "delays" in figures:
        rows = [("Create, 50 ms more for every call", "0 ms", "50 ms", "growth", "bound")]
        for name, row in figures["delays"].items():
            rows.append((name, *(number(row[key]) for key in ("near_ms", "far_ms", "grown_ms", "bound_ms"))))
        parts.append(table(rows))
        rows = [("buckets", "Create without proof, ms", "with proof, ms", "difference", "policy, us", "characters")]
        policies = {row["buckets"]: row for row in figures["policies"]}
        for row in figures["buckets"]:
            policy = policies[row["buckets"]]
            taken = (row[key] for key in ("unproved_ms", "proved_ms", "proof_ms"))
            rows.append((str(row["buckets"]), *map(number, taken), number(policy["microseconds"]), str(policy["characters"])))
        parts.append(table(rows))
        rows = [("events at once", "calls", "refused", "failed", "all, ms", "each, ms", "median Create, ms", "longest, ms", "peak, MiB")]
        for row in figures["events"]:
            taken = (row[key] for key in ("elapsed_ms", "each_ms", "median_ms", "longest_ms"))
            rows.append((str(row["events"]), str(row["calls"]), str(row["refused"]), str(len(row["failed"])), *map(number, taken), number(row["peak_kib"] / MIB)))
        parts.append(table(rows))
    return "\n\n".join(parts)


def functions_table(functions, labels):
    """Every function's figures, with how many times ours with proof each is."""
    ours = functions["proved"]
    rows = [("", *(f"{title}, {unit}" for title, _, _, unit in COLUMNS))]
    for name, label in labels.items():
        cells = []
        for _, key, scale, _ in COLUMNS:
            value = functions[name].get(key)
            ratio = f" ({value / ours[key]:.1f}x)" if value and name != "proved" else ""
            cells.append("-" if value is None else number(value / scale) + ratio)
        rows.append((label, *cells))
    return table(rows)


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def table(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) if not at else cell.rjust(width) for at, (cell, width) in enumerate(zip(row, widths))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
