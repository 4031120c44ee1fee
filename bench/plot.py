"""Curves and bars as SVG, made from the figures alone; the thin bars are the middle half of all runs."""

import matplotlib

matplotlib.use("svg")
# The same figures make the same bytes; text stays text.
matplotlib.rcParams.update({
    "svg.hashsalt": "bench", "svg.fonttype": "none", "figure.constrained_layout.use": True, "figure.figsize": (7.2, 3.6),
    "axes.spines.top": False, "axes.spines.right": False, "errorbar.capsize": 3,
})

from matplotlib import pyplot

# Matplotlib writes its colours into each element, so a reader's dark theme has to override them.
DARK = """<style>@media (prefers-color-scheme: dark) {
 [style*="fill: #ffffff"] { fill: #0d1117 !important } text { fill: #e6edf3 }
 [style*="stroke: #000000"] { stroke: #9198a1 !important } [style*="stroke: #1f77b4"] { stroke: #58a6ff !important }
}</style>
</svg>"""

NAMES = {"proved": "this, with proof", "unproved": "this, without proof", "crhelper": "crhelper + boto3", "node": "Node + SDK v3"}


def write(figures, folder):
    save(folder / "start.svg", start(figures["functions"]))
    if "delays" not in figures:
        return
    rows, names = figures["buckets"], (("without proof", "unproved"), ("with proof", "proved"))
    series = {label: [(row["buckets"], row[f"{name}_ms"], row[f"{name}_ms_middle_half"]) for row in rows] for label, name in names}
    save(folder / "buckets.svg", curves("Cold Create by number of buckets", "buckets", "ms", series))
    series = {"parse the properties and write the policy": [(row["buckets"], row["microseconds"], None) for row in figures["policies"]]}
    save(folder / "policies.svg", curves("The policy by number of buckets", "buckets", "µs", series))
    series = {}
    for row in figures["events"]:
        label = "every eighth call refused" if row["refuse_every"] else "nothing refused"
        series.setdefault(label, []).append((row["events"], row["elapsed_ms"], None))
    save(folder / "events.svg", curves("So many Creates at once, until all have ended (one run)", "events", "ms", series))


def save(file, figure):
    figure.savefig(file, metadata={"Date": None})
    file.write_text(file.read_text().replace("</svg>", DARK))
    pyplot.close(figure)


def around(value, middle_half):
    """How far the middle half reaches below and above."""
    return (value - middle_half[0], middle_half[1] - value) if middle_half else (0, 0)


def start(functions):
    """Init and first Create together: what a stack operation waits for besides AWS."""
    figure, axes = pyplot.subplots()
    shown = [name for name in NAMES if name in functions]
    labels, left = [NAMES[name] for name in shown], [0] * len(shown)
    for key, text in (("init_ms", "init"), ("create_ms", "first Create")):
        values = [functions[name][key] for name in shown]
        spread = [around(functions[name][key], functions[name][f"{key}_middle_half"]) for name in shown]
        axes.barh(labels, values, left=left, xerr=list(zip(*spread)), label=text)
        left = [sum(pair) for pair in zip(left, values)]
    for name, label, total in zip(shown, labels, left):
        axes.annotate(f"{total:.0f} ms, {functions[name]['peak_kib'] / 1024:.0f} MiB", (total, label), (24, 0), textcoords="offset points", va="center")
    axes.set(title="Cold start to answer, and peak memory", xlabel="ms", xlim=(0, max(left) * 1.3))
    axes.invert_yaxis()
    axes.legend()
    return figure


def curves(title, across, up, series):
    figure, axes = pyplot.subplots()
    for label, points in series.items():
        xs, ys, halves = zip(*points)
        axes.errorbar(xs, ys, yerr=list(zip(*map(around, ys, halves))), label=label)
    axes.set(title=title, xlabel=across, ylabel=up, xlim=(0, None), ylim=(0, None))
    axes.legend()
    return figure
