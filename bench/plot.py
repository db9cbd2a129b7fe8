#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""plot.py FIGURES.json [--svg FILE]: doc/performance.md of what bench.py -o wrote, on standard output.

The words around the tables are in page.md beside this file.  Needs nothing but Python."""
import argparse, html, json, math, pathlib, statistics, string, sys

BLOCKS = " ▏▎▍▌▋▊▉█"
BAR, PER_OCTAVE = 48, 6  # cells of a bar; of them for twice as much: 2^8 in all
COLOURS = {"lodge": "#0969da", "qemu-new": "#bc4c00", "qemu": "#dfa17d", "rvvm": "#8250df", "interp": "#8c959f"}


def number(x):
    return f"{x:.3g}" if abs(x) < 1000 else f"{x:,.0f}"


def mean(values):
    values = list(values)
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


class Figures:
    """Medians, and what is made of them."""

    def __init__(self, data):
        self.data, self.peers, self.units = data, list(data["peers"]), data["units"]
        values = data["figures"]
        self.median = {w: {p: statistics.median(v for v, _ in f) for p, f in by.items()} for w, by in values.items()}
        self.used = {w: {p: statistics.median(u for _, u in f) for p, f in by.items() if f[0][1] is not None}
                     for w, by in values.items()}
        self.spread = {p: statistics.median(s) for p in self.peers if (s := [
            max(v)[0] / min(v)[0] for w, by in values.items() if w in self.units and len(v := by.get(p, [])) > 1])}
        self.runs = max((len(f) for w, by in values.items() if w in self.units for f in by.values()), default=0)
        self.guests = [p for p in self.peers if p != "native"]
        self.others = [p for p in self.guests if p not in ("lodge", "interp")]
        self.rates = [w for w in self.units if w in self.median]
        self.rest = [w for w in self.median if w not in self.units]
        self.counted = [w for w in data["mean"] if w in self.median]

    def ratio(self, w, p, q):
        """How many times as fast p is as q; None when one of them is missing."""
        f = self.median.get(w, {})
        return f[p] / f[q] if p in f and q in f else None

    def mean(self, p, q):
        """The geometric mean over the workloads that count, and over how many."""
        got = [r for w in self.counted if (r := self.ratio(w, p, q))]
        return mean(got), len(got)

    def best(self, w):
        """The fastest of the others, and how many times as fast Lodge is."""
        got = [(r, p) for p in self.others if (r := self.ratio(w, "lodge", p))]
        return min(got, default=(None, ""))


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" + "|--:" * (len(head) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def cell(x):
    return "" if x is None else number(x)


def summary(f):
    """Geometric means, a line for each peer."""
    rows = []
    for p in f.guests:
        slow, n = f.mean("native", p)
        fast, m = f.mean("lodge", p)
        wins = sum(1 for w in f.counted if (f.ratio(w, "lodge", p) or 0) >= 1)
        rows.append([f"{p} ({f.data['peers'][p]})", cell(slow), cell(fast) if p != "lodge" else "",
                     f"{wins} of {m}" if p != "lodge" else f"({n or m})"])
    return table(["peer", "CPU time, native = 1", "Lodge is faster by", "ahead in"], rows)


def rates(f, names, what="work a CPU second"):
    others = [p for p in f.guests if p != "lodge"]
    rows = [[f"{w}, {f.units[w]}"] + [cell(f.median[w].get(p)) for p in f.peers] +
            [cell(f.ratio(w, "lodge", p)) for p in others] for w in names]
    return table([what, *f.peers, *(f"lodge / {p}" for p in others)], rows)


def rest(f):
    return table(["less is better", *f.guests], [[w] + [cell(f.median[w].get(p)) for p in f.guests] for w in f.rest])


def tables(f):
    wall = f.data["groups"]["harts"]
    parts = [summary(f)] if f.counted else []
    parts += [rates(f, names) for names in [[w for w in f.rates if w not in wall]] if names]
    parts += [rates(f, names, "work a second, two harts") for names in [[w for w in f.rates if w in wall]] if names]
    return "\n\n".join(parts + ([rest(f)] if f.rest else []))


def base(f):
    return "native" if "native" in f.peers else "lodge"


def drawn(f, names):
    """(workload, [(peer, how many times as much CPU time as the base)]) for a plot: without the base, the slow interpreter,
    and what is missing."""
    for w in names:
        bars = [(p, r) for p in f.guests if p not in ("interp", base(f)) and (r := f.ratio(w, base(f), p))]
        if bars:
            yield w, bars


def cells(ratio):
    """The length of a bar, which begins at a half."""
    return min(max(math.log2(ratio * 2) * PER_OCTAVE, 0), BAR)


def bar(ratio):
    eighths = round(cells(ratio) * 8)
    return "█" * (eighths // 8) + (BLOCKS[eighths % 8] if eighths % 8 else "")


def bars(f, names):
    left = max(map(len, f.units)) + 1
    right = max(map(len, f.guests)) + 1
    indent = " " * (left + right)
    scale = "".join(f"{x:<{PER_OCTAVE}}" for x in ("½", 1, 2, 4, 8, 16, 32, 64, 128))
    lines = [(indent + scale).rstrip(), indent + ("|" + " " * (PER_OCTAVE - 1)) * (BAR // PER_OCTAVE) + "|"]
    for w, ratios in drawn(f, names):
        for i, (p, r) in enumerate(ratios):
            lines.append(f"{'' if i else w:<{left}}{p:<{right}}{bar(r)} {number(r)}")
    return "```text\n" + "\n".join(lines) + "\n```"


def svg(f, names):
    """The same bars as a picture."""
    unit, line, left, y, out = 9, 11, 90, 24, []
    for octave in range(BAR // PER_OCTAVE + 1):
        x = left + octave * PER_OCTAVE * unit
        out.append(f'<line x1="{x}" y1="20" x2="{x}" y2="100%" stroke="#d0d7de"/><text x="{x}" y="14" '
                   f'text-anchor="middle">{2 ** octave / 2:g}</text>')
    for w, ratios in drawn(f, names):
        out.append(f'<text x="{left - 6}" y="{y + line}" text-anchor="end">{html.escape(w)}</text>')
        for p, r in ratios:
            width = cells(r) * unit
            out.append(f'<rect x="{left}" y="{y + 2}" width="{width:.1f}" height="{line - 2}" '
                       f'fill="{COLOURS.get(p, "#57606a")}"/><text x="{left + width + 4:.1f}" y="{y + line}">'
                       f'{html.escape(p)} {number(r)}</text>')
            y += line
        y += 6
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + BAR * unit + 110}" height="{y + 10}" '
            f'font-family="sans-serif" font-size="10"><rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(out) +
            "\n</svg>\n")


def behind(f):
    """In words, where another is faster."""
    worse = [(least, w, p) for w in f.rates if w not in f.data["groups"]["harts"] for least, p in [f.best(w)]
             if least and least < 1]
    if not worse:
        return "On no workload is another ahead of Lodge." if f.others else ""
    return "Another is ahead of Lodge on " + ", ".join(f"{w} ({p}: {number(1 / r)})" for r, w, p in sorted(worse)) + "."


def harts(f):
    """What a second hart helps."""
    names = [w for w in f.data["groups"]["harts"] if w in f.median]
    if not names:
        return "Not measured this time."
    said = []
    for p in f.peers:
        one, two = (f.median.get(w, {}).get(p) for w in ("threads1", "threads2"))
        if one and two:
            said.append(f"{p} {number(two / one)}")
    return (rates(f, names, "work a second, two harts") + "\n\nTwo threads against one, times as fast: " +
            ", ".join(said) + ".")


def short(f):
    """In words, what cannot be trusted."""
    few = [f"{w} ({p})" for w, by in f.used.items() for p, u in by.items() if u < f.data["short"]]
    return f"Measured over less than {f.data['short']} s of CPU, so noise: {', '.join(few)}." if few else ""


def where(f):
    h = f.data["host"]
    spread = ", ".join(f"{p} {s:.2f}" for p, s in f.spread.items())
    return (f"{h['date']}, Lodge {h['commit']}, {h['cores']} cores of a{' virtual' if h['virtual'] else ''} machine with "
            f"{h['cpu']}, {h['kernel']}, load {h['load']:.1f} before; runs of each: {f.runs}." +
            (f" Largest against smallest figure of a workload, median: {spread}." if spread else ""))


def page(f):
    template = string.Template((pathlib.Path(__file__).resolve().parent / "page.md").read_text())
    group = {g: names for g, names in f.data["groups"].items() if g != "harts"}
    group = {g: found for g, names in group.items() if (found := [w for w in names if w in f.median])}
    return template.substitute(
        where=where(f), summary=summary(f), notes="\n".join(filter(None, [behind(f), short(f)])), harts=harts(f),
        rest=rest(f), base=base(f),
        bars="\n\n".join(f"### {g.capitalize()}\n\n{bars(f, w)}\n\n{rates(f, w)}" for g, w in group.items()))


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("figures")
    a.add_argument("--svg", help="write the plot here, as a picture")
    a = a.parse_args()
    f = Figures(json.loads(pathlib.Path(a.figures).read_text()))
    if a.svg:
        pathlib.Path(a.svg).write_text(svg(f, f.counted))
    sys.stdout.write(page(f))


if __name__ == "__main__":
    main()
