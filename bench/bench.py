#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""bench.py [-n RUNS] [-s SCALE] [-p PEERS] [-o FILE] [WORKLOAD|GROUP...]: Lodge beside other emulators.

Boots one Debian guest (guest.py makes it) in each peer, in turn, and takes the time of workloads in it with the host's
clocks.  Peers, as far as they are there: lodge ($LODGE, or build/lodge) and its interpreter (interp), Debian's newest
QEMU (qemu-new; $QEMU_NEW), the machine's (qemu; $QEMU), RVVM (rvvm; $RVVM), and native: the same programs on the host.
Groups: integer float memory kernel more (not among the 26 of the mean), boot idle start harts.
A figure is work per CPU second (user and system, all threads of the peer's process), medians of all runs; boot, idle and
start are seconds and MiB.  Prints the tables of doc/performance.md, and writes all figures to FILE for plot.py."""
import argparse, collections, json, math, os, pathlib, pty, re, select, statistics, subprocess, sys, tempfile, time, tty

import guest, peers

# name: (unit, amount of work at scale 1, work that each of it is, how a program says its own rate)
OPENSSL = r"\+F:\d+:[^:]+:([\d.]+)"
GROUPS = {
    "integer": {
        "mix": ("rounds", 40, 2000, None), "records": ("rounds", 6000, 1000, None), "xz": ("KiB", 512, 1, None),
        "zstd": ("KiB", 1024, 1, None), "gzip": ("KiB", 4096, 1, None), "aes": ("kB", 1, 0, OPENSSL),
        "sha256": ("kB", 1, 0, OPENSSL), "rsa2048": ("signs", 1, 0, r"\+F2:\d+:2048:([\d.]+)"),
        "python": ("loops", 60000, 1, None), "perl": ("loops", 300000, 1, None), "sqlite": ("rows", 25000, 1, None),
        "cc1": ("runs", 1, 1, None), "primes": ("events", 800, 1, None)},
    "float": {
        "nbody": ("steps", 20000, 1, None), "lame": ("seconds", 4, 1, None), "whetstone": ("rounds", 300, 1000, None),
        "linpack": ("systems", 60, 1, None), "matrix": ("ops", 60, 1, None)},
    "memory": {"memcpy": ("MiB", 60, 32, None), "qsort": ("sorts", 6, 1, None), "tree": ("ops", 3, 1, None)},
    "kernel": {
        "syscall": ("calls", 300000, 2, None), "forkexec": ("execs", 100, 1, None), "fork": ("forks", 300, 1, None),
        "switch": ("switches", 8000, 1, None), "fault": ("ops", 8000, 1, None)},
    "more": {
        "nbench": ("rounds", 200, 1, None), "fft": ("transforms", 400, 1, None), "chase": ("steps", 20, 1000000, None),
        "stream": ("passes", 40, 1, None), "pipe": ("turns", 4000, 1, None), "exec": ("execs", 100, 1, None),
        "signal": ("signals", 20000, 1, None)},
    "harts": {"threads1": ("Mrounds", 60, 1, None), "threads2": ("Mrounds", 60, 1, None)},
}
MEAN = [w for g in ("integer", "float", "memory", "kernel") for w in GROUPS[g]]
WORK = {name: work for g in GROUPS.values() for name, work in g.items()}
QUIET = "panic=-1 quiet loglevel=3"


def cpu(pid):
    """User and system seconds of a process with its threads, and of the children that it has waited for."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return float("nan")
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def descendants(pid):
    """Native programs run below a process that waits: their times count as soon as they are waited for."""
    try:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        children = []
    return [pid] + [d for c in children for d in descendants(int(c))]


def memory(pid, ram):
    """Peak MiB of the process, and MiB now beyond the guest's RAM: without the largest mapping of at least that size."""
    try:
        peak = int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])
        text = pathlib.Path(f"/proc/{pid}/smaps").read_text()
    except (OSError, TypeError):
        return 0, 0
    maps = [(int(size), int(pss)) for size, pss in re.findall(r"^Size:\s+(\d+).*?^Pss:\s+(\d+)", text, re.M | re.S)]
    guests = [pss for size, pss in maps if size >= ram * 1024 * 9 // 10]
    return peak / 1024, (sum(p for _, p in maps) - max(guests, default=0)) / 1024


class Run:
    """One guest from its start to @@DONE: lines are (text, wall seconds, CPU seconds)."""

    def __init__(self, command, limit, ram):
        self.lines, self.ram, self.first, self.pss, self.peak = [], ram, None, 0, 0
        start, buffer, out = time.monotonic(), b"", b""
        pid, fd = pty.fork()
        if pid == 0:
            os.execvp(command[0], list(map(str, command)))
        tty.setraw(fd)
        while (left := start + limit - time.monotonic()) > 0 and not self.has("@@DONE"):
            if not select.select([fd], [], [], left)[0]:
                break
            try:
                got = os.read(fd, 65536)
            except OSError:
                break
            if not got:
                break
            now, used = time.monotonic() - start, sum(cpu(p) for p in descendants(pid))
            self.first = self.first or now
            *ready, buffer = (buffer + got).split(b"\n")
            out += got
            self.lines += [(line.decode(errors="replace").strip(), now, used) for line in ready]
            if b"@@END" in got or b"@@DONE" in got:
                self.peak, pss = memory(pid, ram)
                self.pss = max(self.pss, pss)
        os.kill(pid, 9)
        os.wait4(pid, 0)
        os.close(fd)
        self.text = out.decode(errors="replace")

    def has(self, word):
        return any(word in line[0] for line in self.lines[-20:])

    def results(self):
        """(workload, wall, CPU seconds, the guest's seconds, output, good) of each workload that ended."""
        began = None
        for i, (line, wall, used) in enumerate(self.lines):
            words = line[line.find("@@"):].split()
            if "@@BEGIN" in line:
                began = (i, wall, used, float(words[2]))
            elif "@@END" in line and began:
                text = "\n".join(x[0] for x in self.lines[began[0]:i])
                yield words[1], wall - began[1], used - began[2], float(words[2]) - began[3], text, words[3] == "ok"
                began = None


class Bench:
    def __init__(self, options):
        self.options, self.peers = options, peers.find()
        if options.peers:
            self.peers = {p: self.peers[p] for p in options.peers.split(",") if p in self.peers}
        folder = guest.make("riscv64")
        self.kernel, self.full, self.tiny = folder / "kernel", folder / "full.cpio", folder / "tiny.cpio"
        self.figures = collections.defaultdict(lambda: collections.defaultdict(list))

    def run(self, peer, initrd, args, mem, harts=1):
        with tempfile.TemporaryDirectory() as folder:
            command = self.peers[peer][0](str(self.kernel), str(initrd), f"{QUIET} {args}", mem, harts, folder)
            r = Run(command, self.options.limit, mem)
        if not r.has("@@DONE") and peer != "native":
            print(f"bench: {peer} did not end: {r.text[-300:]!r}", file=sys.stderr, flush=True)
        return r

    def note(self, name, peer, value):
        self.figures[name][peer].append(value)

    def work(self, peer, names, harts=1):
        amount = lambda w: WORK[w][1] if not WORK[w][2] else max(1, round(WORK[w][1] * self.options.scale))
        r = self.run(peer, self.full, "bench=" + ",".join(f"{w}:{amount(w)}" for w in names), 1024, harts)
        for name, wall, used, inside, text, good in r.results():
            unit, _, per, rate = WORK[name]
            said = re.findall(rate, text) if rate else None
            score = float(said[-1]) * wall if said else amount(name) * per
            if not good or not score or (rate and not said):
                print(f"bench: {name} failed on {peer}: {text[-200:]!r}", file=sys.stderr, flush=True)
                continue
            if wall > 1 and abs(inside - wall) > 0.1 * wall and peer != "native":
                print(f"bench: the clock in {peer} went {inside:.2f} s in {wall:.2f} s", file=sys.stderr)
            self.note(name, peer, score / (wall if name.startswith("threads") else max(used, 0.01)))
        if peer != "native":
            self.note("MiB beyond 1 GiB of RAM", peer, r.pss)

    def boot(self, peer):
        if peer != "native":
            r = self.run(peer, self.tiny, "", 256)
            up = next((x for x in r.lines if "@@UP" in x[0]), None)
            if up:
                self.note("boot: CPU s to user land", peer, up[2])
                self.note("boot: wall s to user land", peer, up[1])

    def idle(self, peer):
        if peer != "native":
            r = self.run(peer, self.tiny, "rest=5", 128)
            times = [x[2] for x in r.lines if "@@UP" in x[0] or "@@DONE" in x[0]]
            self.note("idle: peak MiB with a guest of 128", peer, r.peak)
            if len(times) == 2:
                self.note("idle: CPU ms a second", peer, (times[1] - times[0]) * 1000 / 5)

    def start(self, peer):
        command = self.peers[peer][1]
        if command:
            begin = time.monotonic()
            subprocess.run([*command, "--version"], stdin=subprocess.DEVNULL, capture_output=True)
            self.note("start: ms of --version", peer, (time.monotonic() - begin) * 1000)

    def harts(self, peer):
        self.work(peer, ["threads1", "threads2"], 2)

    def all(self, wanted):
        for n in range(self.options.runs):
            for group, names in wanted.items():
                for peer in self.peers:
                    print(f"bench: run {n + 1}, {group}, {peer}", file=sys.stderr, flush=True)
                    special = {"boot": self.boot, "idle": self.idle, "start": self.start, "harts": self.harts}.get(group)
                    special(peer) if special else self.work(peer, names)


def number(x):
    return f"{x:.3g}" if x < 1000 else f"{x:.0f}"


def mean(values):
    values = list(values)
    return math.exp(sum(map(math.log, values)) / len(values)) if values else float("nan")


def tables(medians, names, unit):
    """Markdown: the figures, and what Lodge's is against each peer's."""
    others = [p for p in names if p != "lodge"]
    rates = [w for w in WORK if w in medians]
    rest = [w for w in medians if w not in WORK]
    head = lambda *cells: print("| " + " | ".join(cells) + " |\n|" + "---|" * len(cells))
    cell = lambda w, p: number(medians[w][p]) if p in medians[w] else ""
    ratio = lambda w, p: medians[w]["lodge"] / medians[w][p]
    both = lambda w, p: "lodge" in medians[w] and p in medians[w]
    if rates:
        print()
        head("work a CPU second", *names, *(f"lodge / {p}" for p in others))
        for w in rates:
            print("| " + " | ".join([f"{w}, {unit(w)}"] + [cell(w, p) for p in names] +
                                    [f"{ratio(w, p):.2f}" if both(w, p) else "" for p in others]) + " |")
        counted = [w for w in rates if w in MEAN]
        print("| " + " | ".join([f"geometric mean of {len(counted)}"] + [""] * len(names) +
                                [f"{mean(ratio(w, p) for w in counted if both(w, p)):.2f}" for p in others]) + " |")
    if rest:
        print()
        head("less is better", *names)
        for w in rest:
            print("| " + " | ".join([w] + [cell(w, p) for p in names]) + " |")


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("-n", "--runs", type=int, default=5, help="runs of each, in turn (5)")
    a.add_argument("-s", "--scale", type=float, default=1, help="how much of the work to do (1)")
    a.add_argument("-p", "--peers", help="only these, with commas between")
    a.add_argument("-l", "--limit", type=int, default=600, help="seconds that a guest may take")
    a.add_argument("-o", "--output", help="write figures here, as JSON")
    a.add_argument("what", nargs="*", default=[*GROUPS, "boot", "idle", "start"])
    a = a.parse_args()
    wanted = {}
    for w in a.what:
        if w in GROUPS:
            wanted[w] = list(GROUPS[w])
        elif w in WORK:
            wanted.setdefault("chosen", []).append(w)
        elif w in ("boot", "idle", "start"):
            wanted[w] = []
        else:
            sys.exit(f"bench.py: no workload or group {w}")
    b = Bench(a)
    print(f"{a.runs} runs of each, in turn; load before: {os.getloadavg()[0]:.1f}")
    for name, (_, _, what) in b.peers.items():
        print(f"{name}: {what}")
    try:
        b.all(wanted)
    except KeyboardInterrupt:
        print("bench: stopped; what there is:", file=sys.stderr)
    medians = {w: {p: statistics.median(v) for p, v in f.items()} for w, f in b.figures.items()}
    tables(medians, list(b.peers), lambda w: WORK[w][0])
    if a.output:
        with open(a.output, "w") as f:
            json.dump({"runs": b.figures, "medians": medians, "mean": MEAN,
                       "peers": {p: what for p, (_, _, what) in b.peers.items()}}, f, indent=1)


main()
