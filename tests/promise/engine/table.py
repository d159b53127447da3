"""The results as a table for people."""

import math

RATIOS = ("pollux/native", "qemu/native", "qemu/pollux")


def geometric_mean(values):
    return math.exp(sum(math.log(value) for value in values) / len(values)) if values else None


def means(rows):
    """Geometric means of the ratios, over the rows that have each."""
    result = {}
    for ratio in RATIOS:
        values = [row["ratio"][ratio] for row in rows.values() if ratio in row["ratio"]]
        if values:
            result[ratio] = geometric_mean(values)
    return result


def _cell(value, unit="", digits=3):
    return f"{value:.{digits}f}{unit}" if value is not None else "-"


def _line(name, cells):
    return f"{name:18}" + "".join(f"{cell:>15}" for cell in cells)


def render(results):
    rows, lines = results["rows"], []
    targets = [name for name in ("native", "pollux", "qemu") if any(name in row["times"] for row in rows.values())]
    ratios = [ratio for ratio in RATIOS if any(ratio in row["ratio"] for row in rows.values())]
    lines.append(_line("", [f"{name} s" for name in targets] + ratios))
    group = None
    for name, row in rows.items():
        if row["group"] != group:
            group = row["group"]
            lines.append(f"-- {group}")
        times = ["FAILED" if target in row["failed"] else _cell(row["median"].get(target)) for target in targets]
        lines.append(_line(name, times + [_cell(row["ratio"].get(ratio), "x", 2) for ratio in ratios]))
    mean = results["geometric_mean"]
    if mean:
        lines.append("")
        lines.append(_line("geometric mean", [""] * len(targets) + [_cell(mean.get(ratio), "x", 2) for ratio in ratios]))
    if results.get("engine"):
        lines += ["", "-- the engine itself"]
        lines += [f"{name:44}{_value(value):>18}" for name, value in results["engine"].items()]
    failures = [f"{name} on {target}: {why}" for name, row in rows.items() for target, why in row["failed"].items()]
    if failures:
        lines += ["", "FAILED:"] + [f"  {failure}" for failure in failures]
    lines += [""] + [f"* {note}" for note in results["notes"]]
    return "\n".join(lines)


def _value(value):
    return f"{value:.3f}" if isinstance(value, float) else str(value)
