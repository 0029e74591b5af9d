"""Results of scripts/gpu as Markdown, for BENCHMARKS.md."""

MIB = 2**20
NONE = "-"


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|---" + "|---:" * (len(header) - 1) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def number(value, digits=4):
    return NONE if value is None else f"{value:.{digits}f}"


def ratio(a, b):
    return NONE if a is None or not b else f"{a / b:.2f}"


def find(tree, *path):
    """What lies at a path of keys; None where it ends before."""
    for key in path:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def about(results):
    facts = results["about"]
    lines = [f"- {name}: {value}" for name, value in facts.items() if value not in (None, [], "")]
    return "\n".join(lines) + "\n"


def states(results):
    rows = []
    for name, part in results["parts"].items():
        rows.append([name, part["status"], f"{part['seconds']:.0f}", (part["reason"] or "").replace("|", "/")])
    return "\n### Parts\n\n" + table(["part", "state", "seconds", "why"], rows)


def whole(results):
    """Whole iterations: a column for each form of both sides."""
    ours = find(results, "parts", "train", "result") or {}
    theirs = find(results, "parts", "official", "result") or {}
    if not ours and not theirs:
        return ""
    columns = [(f"ours, {name}", figures) for name, figures in ours.items()]
    columns += [(f"official, {name}", figures) for name, figures in theirs.items()]
    mib = lambda value: None if value is None else value / MIB
    lines = {
        "seconds, median": lambda f: number(f["seconds_median"]),
        "seconds, shortest": lambda f: number(f["seconds_min"]),
        "of these on the host": lambda f: number(find(f, "gpu", "host", "seconds_median")),
        "images per second": lambda f: number(f["batch"] / f["seconds_median"], 2),
        "peak memory, MiB": lambda f: number(mib(f["peak_memory_bytes"]), 0),
        "peak reserved, MiB": lambda f: number(mib(find(f, "gpu", "reserved_peak_bytes") or f.get("reserved_peak_bytes")), 0),
    }
    rows = [[name, *(line(figures) for _, figures in columns)] for name, line in lines.items()]
    for form, figures in theirs.items():
        compared = [ratio(figures["seconds_median"], own["seconds_median"]) for own in ours.values()]
        rows.append([f"times as fast as {form}", *compared, *[""] * len(theirs)])
        compared = [ratio(own["peak_memory_bytes"], figures["peak_memory_bytes"]) for own in ours.values()]
        rows.append([f"share of the memory of {form}", *compared, *[""] * len(theirs)])
    one = next(iter([*ours.values(), *theirs.values()]))
    title = f"\n### Whole iteration\n\nF, {one['image_size']} px, batch {one['batch']}, {one['domains']} domains.\n\n"
    return title + table(["", *(name for name, _ in columns)], rows)


def operations(results):
    text = ""
    for name, part in (find(results, "parts", "operations", "result") or {}).items():
        if name == "note":
            continue
        rows = []
        for row in part["operations"]:
            times = [number(row["ours"]), number(row.get("pytorch")), number(row.get("ratio"), 2)]
            rows.append([row["operation"], row["shape"], row["pass"], *times])
        text += f"\n### Operations, {name}\n\nMilliseconds, medians.\n\n"
        text += table(["operation", "shape", "pass", "ours", "PyTorch", "ratio"], rows)
    return text


def memory(results):
    rows = []
    for name, figures in (find(results, "parts", "memory", "result") or {}).items():
        values = [figures["memory_start_bytes"], figures["memory_end_bytes"], figures["peak_memory_bytes"]]
        values += [find(figures, "gpu", "reserved_start_bytes"), find(figures, "gpu", "reserved_end_bytes")]
        cells = [number(None if value is None else value / MIB, 1) for value in values]
        rows.append([name, str(figures["iterations"]), *cells])
    if not rows:
        return ""
    header = ["precision", "iterations", "before", "after", "peak", "reserved before", "reserved after"]
    return "\n### Memory over iterations\n\nMiB.\n\n" + table(header, rows)


def follow(results):
    losses = find(results, "parts", "follow", "result", "losses")
    if not losses:
        return ""
    runs = list(next(iter(losses.values())))
    rows = [[name, *(number(row[run], 5) for run in runs)] for name, row in losses.items()]
    return "\n### Losses by precision\n\nMeans over the last quarter of a short training.\n\n" + table(["loss", *runs], rows)


def ablation(results):
    found = find(results, "parts", "ablation", "result", "rows")
    if not found:
        return ""
    metrics = sorted({(row["mode"], row["metric"]) for row in found})
    values = {(row["variant"], row["mode"], row["metric"]): row["value"] for row in found}
    variants = sorted({row["variant"] for row in found})
    rows = [[variant, *(number(values.get((variant, *metric))) for metric in metrics)] for variant in variants]
    header = ["variant", *(f"{metric}, {mode}" for mode, metric in metrics)]
    return "\n### Ablation on animals of CIFAR-10, 32 px\n\n" + table(header, rows)


def evaluation(results):
    figures = find(results, "parts", "evaluation", "result", "evaluation")
    if not figures:
        return ""
    flat = [[name, str(value)] for name, value in figures.items() if not isinstance(value, (dict, list))]
    return "\n### Evaluation\n\n" + table(["figure", "value"], flat)


def markdown(results):
    """All there is."""
    parts = [whole, operations, evaluation, memory, follow, ablation, states]
    return about(results) + "".join(part(results) for part in parts)
