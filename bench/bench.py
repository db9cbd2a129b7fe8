#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""bench.py [-c CPU] [-n RUNS] [-s SCALE] [-p PEERS] [-o FILE] [WORKLOAD|GROUP...]: Lodge beside other emulators.

Boots one Debian guest (guest.py makes it) in each peer, in turn, and takes the time of workloads in it with the host's
clocks.  Peers, as far as they are there: lodge ($LODGE, or build/lodge), Debian's newest QEMU (qemu-new; $QEMU_NEW), the
machine's (qemu; $QEMU), RVVM (rvvm; $RVVM), and native: the same programs on the host; if asked for, interp: Lodge's
interpreter.
Groups: integer float memory kernel more (not among the 26 of the mean) harts boot idle start fresh.
A figure is work per CPU second (user and system, all threads of the peer's process), medians of all runs; harts are work
per second of two harts together; boot, idle and start are seconds and MiB; fresh is what code costs that is new.
Prints tables, and writes all figures to FILE, of which plot.py makes doc/performance.md."""
import argparse, collections, datetime, json, os, pathlib, platform, pty, re, select, signal, subprocess, sys, tempfile
import time, tty

import guest, peers, plot

# name: (unit, amount of work, work that each of it is, repeats in a guest, on the host, how a program says its own rate).
# Repeats are what it takes to use the CPU for half a second or more: shorter windows are noise.
OPENSSL = r"\+F:\d+:[^:]+:([\d.]+)"
GROUPS = {
    "integer": {
        "mix": ("rounds", 40, 2000, 1, 2, None), "records": ("rounds", 6000, 1000, 1, 3, None),
        "xz": ("KiB", 512, 1, 1, 3, None), "zstd": ("KiB", 1024, 1, 1, 5, None), "gzip": ("KiB", 4096, 1, 1, 2, None),
        "aes": ("bytes", 1, 0, 1, 1, OPENSSL), "sha256": ("bytes", 1, 0, 1, 1, OPENSSL),
        "rsa2048": ("signs", 1, 0, 1, 1, r"\+F2:\d+:2048:([\d.]+)"), "python": ("loops", 60000, 1, 2, 10, None),
        "perl": ("loops", 300000, 1, 1, 8, None), "sqlite": ("rows", 25000, 1, 3, 10, None),
        "cc1": ("runs", 1, 1, 1, 3, None), "primes": ("events", 800, 1, 1, 4, None)},
    "float": {
        "nbody": ("steps", 20000, 1, 2, 12, None), "lame": ("seconds", 4, 1, 1, 5, None),
        "whetstone": ("rounds", 300, 1000, 3, 10, None), "linpack": ("systems", 60, 1, 2, 10, None),
        "matrix": ("ops", 60, 1, 3, 8, None)},
    "memory": {
        "memcpy": ("MiB", 60, 32, 1, 3, None), "qsort": ("sorts", 6, 1, 2, 8, None), "tree": ("ops", 3, 1, 1, 5, None)},
    "kernel": {
        "syscall": ("calls", 300000, 2, 1, 5, None), "forkexec": ("execs", 100, 1, 1, 10, None),
        "fork": ("forks", 300, 1, 1, 5, None), "switch": ("switches", 8000, 1, 2, 15, None),
        "fault": ("ops", 8000, 1, 2, 20, None)},
    "more": {
        "nbench": ("rounds", 200, 1, 2, 15, None), "fft": ("transforms", 400, 1, 1, 20, None),
        "chase": ("steps", 8, 1000000, 1, 2, None), "stream": ("passes", 40, 1, 1, 20, None),
        "pipe": ("turns", 4000, 1, 4, 40, None), "exec": ("execs", 100, 1, 2, 20, None),
        "signal": ("signals", 20000, 1, 2, 15, None)},
    "harts": {"threads1": ("Mrounds", 200, 1, 1, 3, None), "threads2": ("Mrounds", 200, 1, 1, 3, None)},
}
MEAN = [w for g in ("integer", "float", "memory", "kernel") for w in GROUPS[g]]
WORK = {name: work for g in GROUPS.values() for name, work in g.items()}
SPECIAL = ("boot", "idle", "start", "fresh")
SHORT = 0.3  # seconds of CPU: less is noise
QUIET = "panic=-1 quiet loglevel=3"


def clock(pid):
    """CPU seconds of a process with all its threads, those that ended too; 0 when it is gone.  The number is Linux's
    for clock_getcpuclockid(3), which Python does not have: nanoseconds, where /proc/PID/stat has hundredths."""
    try:
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:
        return 0


def cpu(pid):
    """CPU seconds of a process and of all below it, running or waited for.  Exact where nothing ends meanwhile, as at
    the marks: a native workload's processes have been waited for when its shell says so."""
    try:
        waited = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[13:15]
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return clock(pid)
    return clock(pid) + sum(map(int, waited)) / os.sysconf("SC_CLK_TCK") + sum(cpu(int(c)) for c in children)


def memory(pid, ram):
    """Peak MiB of the process, and MiB now beyond the guest's RAM: without the largest mapping of at least that size."""
    try:
        peak = int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])
        text = pathlib.Path(f"/proc/{pid}/smaps").read_text()
    except (OSError, TypeError):
        return None, None
    maps = [(int(size), int(pss)) for size, pss in re.findall(r"^Size:\s+(\d+).*?^Pss:\s+(\d+)", text, re.M | re.S)]
    guests = [pss for size, pss in maps if size >= ram * 1024 * 9 // 10]
    return peak / 1024, (sum(p for _, p in maps) - max(guests, default=0)) / 1024


class Run:
    """One guest from its start to @@DONE, or a chroot to its end: lines are (text, wall seconds, CPU seconds)."""

    def __init__(self, command, limit, ram):
        self.lines, self.pss, self.peak = [], None, None
        self.start, self.text = time.monotonic(), ""
        pid, fd = pty.fork()
        if pid == 0:
            os.execvp(command[0], list(map(str, command)))
        try:
            tty.setraw(fd)
            self.read(pid, fd, limit)
            # The guest rests after @@DONE, so that this finds it alive.  Not earlier: it would take CPU time.
            self.peak, self.pss = memory(pid, ram)
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(fd)

    def read(self, pid, fd, limit):
        rest, used = b"", 0
        while (left := self.start + limit - time.monotonic()) > 0 and not self.has("@@DONE"):
            if not select.select([fd], [], [], left)[0]:
                break
            try:
                got = os.read(fd, 65536)
            except OSError:
                break
            # A chroot may have ended before its last line is read.
            now, used = time.monotonic() - self.start, max(used, cpu(pid))
            *ready, rest = (rest + got).split(b"\n")
            self.text += got.decode(errors="replace")
            self.lines += [(line.decode(errors="replace").strip(), now, used) for line in ready]

    def has(self, word):
        return any(word in line[0] for line in self.lines[-20:])

    def find(self, word):
        return next((line for line in self.lines if word in line[0]), None)

    def results(self):
        """(workload, wall, CPU seconds, the guest's seconds, its lines, good) of each workload that ended."""
        began = None
        for i, (line, wall, used) in enumerate(self.lines):
            words = line[line.find("@@"):].split()
            if "@@BEGIN" in line:
                began = (i, wall, used, float(words[2]))
            elif "@@END" in line and began:
                yield (words[1], wall - began[1], used - began[2], float(words[2]) - began[3], self.lines[began[0]:i],
                       words[3] == "ok")
                began = None


class Bench:
    def __init__(self, options):
        self.options, self.peers = options, peers.find(options.cpu)
        if not options.peers:
            self.peers.pop("interp", None)  # takes ten times as long
        else:
            unknown = set(options.peers.split(",")) - set(self.peers)
            if unknown:
                sys.exit(f"bench.py: not here: {' '.join(sorted(unknown))}; there are: {' '.join(self.peers)}")
            self.peers = {p: self.peers[p] for p in options.peers.split(",")}
        folder = guest.make({"x86_64": "amd64"}.get(options.cpu, options.cpu))
        self.kernel, self.full, self.tiny = folder / "kernel", folder / "full.cpio", folder / "tiny.cpio"
        # name: peer: [(figure, CPU seconds that it was taken over)]
        self.figures = collections.defaultdict(lambda: collections.defaultdict(list))
        self.beyond = {}  # peer: most MiB beyond the guest's RAM in this run

    def run(self, peer, initrd, args, mem, harts=1):
        with tempfile.TemporaryDirectory() as folder:
            command = self.peers[peer][0](str(self.kernel), str(initrd), f"{QUIET} {args}", mem, harts, folder)
            r = Run(command, self.options.limit, mem)
        if not r.has("@@DONE") and peer != "native":
            print(f"bench: {peer} did not end: {r.text[-300:]!r}", file=sys.stderr, flush=True)
        return r

    def note(self, name, peer, value, used=None):
        if value is not None:
            self.figures[name][peer].append((value, used))

    def amount(self, name, peer):
        """How much of the work, and how often."""
        _, base, per, guests, hosts, _ = WORK[name]
        often = (hosts if peer == "native" else guests) if per else 1
        if not per or self.options.scale >= 1:
            return base, max(1, round(often * self.options.scale)) if per else 1
        return max(1, round(base * self.options.scale)), often

    def work(self, peer, names, harts=1):
        amounts = {w: self.amount(w, peer) for w in names}
        r = self.run(peer, self.full, "bench=" + ",".join(f"{w}:{n}:{often}" for w, (n, often) in amounts.items()), 1024,
                     harts)
        for name, wall, used, inside, lines, good in r.results():
            self.result(peer, name, amounts[name], wall, used, inside, "\n".join(x[0] for x in lines), good)
        if r.pss is not None and peer != "native":
            self.beyond[peer] = max(self.beyond.get(peer, 0), r.pss)

    def result(self, peer, name, amount, wall, used, inside, text, good):
        _, _, per, _, _, rate = WORK[name]
        said = re.findall(rate, text) if rate else None
        if not good or not used or (rate and not said):
            print(f"bench: {name} failed on {peer}: {text[-200:]!r}", file=sys.stderr, flush=True)
            return
        if wall > 1 and abs(inside - wall) > 0.1 * wall and peer != "native":
            print(f"bench: the clock in {peer} went {inside:.2f} s in {wall:.2f} s", file=sys.stderr, flush=True)
        if used < SHORT and self.options.scale >= 1:
            print(f"bench: {name} on {peer} took {used:.2f} s of CPU only", file=sys.stderr, flush=True)
        if name.startswith("threads"):
            score = amount[0] * amount[1] * per / wall
        elif not said:
            score = amount[0] * amount[1] * per / used
        elif peer == "native":
            score = float(said[-1])  # a rate by CPU time
        else:
            score = float(said[-1]) * wall / used  # a rate by the guest's clock, which is the wall's
        self.note(name, peer, score, used)

    def boot(self, peer):
        if peer != "native":
            up = self.run(peer, self.tiny, "", 256).find("@@UP")
            if up:
                self.note("boot: CPU s to user land", peer, up[2])
                self.note("boot: wall s to user land", peer, up[1])

    def idle(self, peer):
        if peer != "native":
            r = self.run(peer, self.tiny, "rest=5", 128)
            begin, end = r.find("@@REST"), r.find("@@DONE")
            self.note("idle: peak MiB with a guest of 128", peer, r.peak)
            if begin and end:
                self.note("idle: CPU ms a second", peer, (end[2] - begin[2]) * 1000 / 5)

    def start(self, peer):
        command = self.peers[peer][1]
        if command:
            begin = time.monotonic()
            subprocess.run([*command, "--version"], stdin=subprocess.DEVNULL, capture_output=True)
            self.note("start: ms of --version", peer, (time.monotonic() - begin) * 1000)
            self.note("size: MiB of program and libraries", peer, peers.size(command))

    def fresh(self, peer):
        if peer == "native":
            return
        r = self.run(peer, self.full, "bench=fresh:8:1", 1024)
        marks = [(line.split(), used) for _, _, _, _, lines, good in r.results() if good
                 for line, _, used in lines if line.startswith("fresh ")]
        cost, count = 0, 0
        for (begin, known, end) in zip(marks[::3], marks[1::3], marks[2::3]):
            cost += (known[1] - begin[1]) - (end[1] - known[1])
            count += int(begin[0][2])
        if count:
            self.note("new code: ns an instruction", peer, cost / count * 1e9)

    def harts(self, peer):
        self.work(peer, ["threads1", "threads2"], 2)

    def all(self, wanted, save):
        special = {"boot": self.boot, "idle": self.idle, "start": self.start, "harts": self.harts, "fresh": self.fresh}
        for n in range(self.options.runs):
            self.beyond = {}
            for group, names in wanted.items():
                for peer in self.peers:
                    print(f"bench: run {n + 1}, {group}, {peer}", file=sys.stderr, flush=True)
                    special[group](peer) if group in special else self.work(peer, names)
                    save()
            for peer, most in self.beyond.items():
                self.note("memory: most MiB beyond 1 GiB of RAM", peer, most)
            save()


def first(command, fallback=""):
    out = subprocess.run(command, capture_output=True, text=True, cwd=peers.root)
    return out.stdout.strip().split("\n")[0] if out.returncode == 0 else fallback


def host():
    """What a reader must know of the machine."""
    text = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*:\s*(.*)", text, re.M)
    return {"date": datetime.date.today().isoformat(), "cpu": (model[1] if model else platform.machine()),
            "cores": os.cpu_count(), "virtual": " hypervisor " in text, "kernel": f"{platform.system()} {platform.release().split('-')[0]}",
            "load": os.getloadavg()[0], "commit": first(["git", "describe", "--always", "--dirty"])}


def groups(what):
    """Group: workloads, of what the command line asks for."""
    wanted = {}
    for w in what:
        if w in GROUPS:
            wanted[w] = list(GROUPS[w])
        elif w in WORK:
            wanted.setdefault("chosen", []).append(w)
        elif w in SPECIAL:
            wanted[w] = []
        else:
            sys.exit(f"bench.py: no workload or group {w}")
    return wanted


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("-c", "--cpu", choices=list(peers.MACHINE), default="riscv64", help="the guest's (riscv64)")
    a.add_argument("-n", "--runs", type=int, default=5, help="runs of each, in turn (5)")
    a.add_argument("-s", "--scale", type=float, default=1, help="how much of the work to do (1)")
    a.add_argument("-p", "--peers", help="only these, with commas between")
    a.add_argument("-l", "--limit", type=int, default=900, help="seconds that a guest may take (900)")
    a.add_argument("-o", "--output", help="write figures here, as JSON")
    a.add_argument("what", nargs="*", default=[*GROUPS, *SPECIAL], help="workloads and groups (all)")
    a = a.parse_args()
    wanted = groups(a.what)
    b = Bench(a)
    data = {"host": host(), "peers": {p: what for p, (_, _, what) in b.peers.items()}, "mean": MEAN, "short": SHORT,
            "groups": {g: list(names) for g, names in GROUPS.items()},
            "units": {w: work[0] for w, work in WORK.items()}, "figures": b.figures}
    try:
        b.all(wanted, lambda: a.output and pathlib.Path(a.output).write_text(json.dumps(data, indent=1) + "\n"))
    except KeyboardInterrupt:
        print("bench: stopped; what there is:", file=sys.stderr)
    print(plot.tables(plot.Figures(json.loads(json.dumps(data)))))


if __name__ == "__main__":
    main()
