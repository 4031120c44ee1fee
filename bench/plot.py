"""Curves and bars as SVG, made from the figures alone."""

import html

WIDTH, INK, FAINT = 720, "#333", "#ccc"
COLOURS = ("#1b6ca8", "#d1603d", "#6a994e", "#8d6a9f")
STYLE = "font: 13px system-ui, sans-serif"


def write(figures, folder):
    (folder / "start.svg").write_text(bars(figures["functions"]))
    if "delays" not in figures:
        return
    buckets = [row["buckets"] for row in figures["buckets"]]
    proofs = [[row[key] for row in figures["buckets"]] for key in ("unproved_ms", "proved_ms")]
    series = dict(zip(("without proof", "with proof"), proofs))
    (folder / "buckets.svg").write_text(curves("Cold Create by number of buckets", "buckets", "ms", buckets, series))
    policies = figures["policies"]
    series = {"parse the properties and write the policy": [row["microseconds"] for row in policies]}
    counts = [row["buckets"] for row in policies]
    (folder / "policies.svg").write_text(curves("The policy by number of buckets", "buckets", "µs", counts, series))
    events = sorted({row["events"] for row in figures["events"]})
    series = {}
    for refuse_every, label in ((0, "nothing refused"), (8, "every eighth call refused")):
        series[label] = [row["elapsed_ms"] for row in figures["events"] if row["refuse_every"] == refuse_every]
    (folder / "events.svg").write_text(curves("So many Creates at once, until all have ended", "events", "ms", events, series))


def document(height, title, parts):
    # A background of its own: pages are dark, too.
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" style="{STYLE}">'
    back = f'<title>{html.escape(title)}</title><rect width="{WIDTH}" height="{height}" fill="white"/>'
    return "\n".join([head, back, label(16, 26, title, weight="600"), *parts, "</svg>"]) + "\n"


def label(x, y, words, anchor="start", weight="400", colour=INK):
    attributes = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" fill="{colour}"'
    return f"<text {attributes}>{html.escape(words)}</text>"


def bars(functions):
    """Init and first Create together: what a stack operation waits for besides AWS."""
    names = {"proved": "this, with proof", "unproved": "this, without proof", "crhelper": "crhelper + boto3", "node": "Node + SDK v3"}
    shown = [(text, functions[name]) for name, text in names.items() if name in functions]
    longest = max(function["init_ms"] + function["create_ms"] for _, function in shown)
    scale, parts, y = (WIDTH - 330) / longest, [], 46
    for text, function in shown:
        init, create, memory = function["init_ms"], function["create_ms"], function["peak_kib"] / 1024
        parts.append(label(160, y + 17, text, anchor="end"))
        parts.append(f'<rect x="170" y="{y}" width="{init * scale:.1f}" height="24" fill="{COLOURS[1]}"/>')
        parts.append(f'<rect x="{170 + init * scale:.1f}" y="{y}" width="{create * scale:.1f}" height="24" fill="{COLOURS[0]}"/>')
        parts.append(label(178 + (init + create) * scale, y + 17, f"{init + create:.0f} ms, {memory:.0f} MiB"))
        y += 36
    for x, colour, text in ((170, COLOURS[1], "init"), (230, COLOURS[0], "first Create")):
        parts.append(f'<rect x="{x}" y="{y}" width="12" height="12" fill="{colour}"/>')
        parts.append(label(x + 18, y + 11, text))
    return document(y + 28, "Cold start to answer, and peak memory", parts)


def curves(title, across, up, xs, series):
    left, top, right, bottom = 70, 50, WIDTH - 20, 310
    highest = max(max(values) for values in series.values()) * 1.05

    def place(x, y):
        return left + (right - left) * x / max(xs), bottom - (bottom - top) * y / highest

    parts = []
    for part in range(5):
        value = highest * part / 4
        _, y = place(0, value)
        parts.append(f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="{FAINT}"/>')
        parts.append(label(left - 8, y + 4, f"{value:.0f}" if highest > 10 else f"{value:.1f}", anchor="end"))
    for x in xs if len(xs) < 10 else [x for x in xs if x == 1 or x % 10 == 0]:
        parts.append(label(place(x, 0)[0], bottom + 18, str(x), anchor="middle"))
    parts.append(label(right, bottom + 36, across, anchor="end"))
    parts.append(label(left - 8, top - 8, up, anchor="end"))
    for at, (name, values) in enumerate(series.items()):
        points = " ".join("{:.1f},{:.1f}".format(*place(x, y)) for x, y in zip(xs, values))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[at]}" stroke-width="2"/>')
        parts.append(label(left + 12, top + 16 + 18 * at, name, colour=COLOURS[at]))
    return document(bottom + 48, title, parts)
