"""A bar chart (SVG) of the JSON that the engine bench writes: how many times slower than native, on a log scale.

By hand: python3 -m engine.chart RESULTS.json CHART.svg, in tests/promise.
"""

import json
import math
import sys
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, TOP, BAR, GAP = 860, 170, 70, 76, 8, 8
BARS = (("pollux/native", "Pollux", "#2f6fb2"), ("qemu/native", "QEMU (TCG)", "#c9822b"))
FALLBACK = (("qemu/pollux", "QEMU (TCG) over Pollux", "#c9822b"),)


def bars_of(rows):
    """Against native where any row has that, and otherwise QEMU against Pollux."""
    if any(ratio in row["ratio"] for row in rows.values() for ratio, _, _ in BARS):
        return BARS, "times native's time; shorter is better"
    return FALLBACK, "QEMU's time over Pollux's; longer is better for Pollux"


def render(results):
    rows = results["rows"]
    bars, meaning = bars_of(rows)
    shown = {name: row["ratio"] for name, row in rows.items() if any(ratio in row["ratio"] for ratio, _, _ in bars)}
    if results["geometric_mean"]:
        shown["geometric mean"] = results["geometric_mean"]
    values = [ratios[ratio] for ratios in shown.values() for ratio, _, _ in bars if ratio in ratios]
    low = 10 ** math.floor(math.log10(min([1.0, *values])))
    high = 10 ** math.ceil(math.log10(max([10.0, *values])) - 1e-9)
    step = len(bars) * BAR + GAP
    height = TOP + len(shown) * step + 40

    def x(value):
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(value / low) / math.log(high / low)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
           'font-family="sans-serif" font-size="11" fill="#222">', '<rect width="100%" height="100%" fill="#fff"/>',
           f'<text x="{LEFT}" y="22" font-size="15">The engine bench: {escape(meaning)}</text>']
    for number, (_, label, colour) in enumerate(bars):
        out.append(f'<rect x="{LEFT + number * 130}" y="34" width="10" height="10" fill="{colour}"/>'
                   f'<text x="{LEFT + number * 130 + 15}" y="43">{escape(label)}</text>')
    tick = low
    while tick <= high * 1.001:
        for factor in (1, 2, 5):
            if tick * factor <= high * 1.001:
                at = x(tick * factor)
                weight = "#888" if tick * factor == 1 else "#ddd"
                out.append(f'<line x1="{at:.1f}" y1="{TOP - 8}" x2="{at:.1f}" y2="{height - 34}" stroke="{weight}"/>'
                           f'<text x="{at:.1f}" y="{TOP - 12}" text-anchor="middle" fill="#666">{tick * factor:g}</text>')
        tick *= 10
    for number, (name, ratios) in enumerate(shown.items()):
        y = TOP + number * step
        weight = ' font-weight="bold"' if name == "geometric mean" else ""
        out.append(f'<text x="{LEFT - 8}" y="{y + step / 2:.1f}" text-anchor="end"{weight}>{escape(name)}</text>')
        for place, (ratio, _, colour) in enumerate(bars):
            if ratio not in ratios:
                continue
            begin, end = sorted((x(1), x(ratios[ratio])))
            top = y + place * BAR
            out.append(f'<rect x="{begin:.1f}" y="{top}" width="{max(1, end - begin):.1f}" height="{BAR - 1}" '
                       f'fill="{colour}"/><text x="{end + 4:.1f}" y="{top + BAR - 1}" font-size="9">'
                       f'{ratios[ratio]:.2f}</text>')
    note = f"{results['runs']} run(s) of each row, medians; {results['host']}"
    out.append(f'<text x="{LEFT}" y="{height - 12}" fill="#666">{escape(note)}</text></svg>')
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    with open(sys.argv[1]) as source, open(sys.argv[2], "w") as chart:
        chart.write(render(json.load(source)))
