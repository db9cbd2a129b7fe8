#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""record.py [-c CPU] [-n RUNS]: what recording costs a guest with one CPU.

Boots the guest of tools/guest.sh devices-CPU and runs bench/guest/work in it: as usual, deterministic, and recorded; once
each in every round, in another order each time.  Lodge is $LODGE or build/lodge.  Prints, for each job, the median seconds
of CPU of the whole process, and how much more they are when it is recorded: the median of the rounds' ratios, least and most."""
import argparse, os, pathlib, re, socket, statistics, subprocess, tempfile, threading, time

root = pathlib.Path(__file__).resolve().parent.parent
MACHINE = {"riscv64": "virt", "x86_64": "microvm"}
WAYS = {"usual": [], "deterministic": ["-o", "deterministic=on"], "recorded": None}
DISK, SENT = 128 << 20, 128 << 20


def clock(pid):
    """CPU seconds of a process with all its threads (Linux's number for clock_getcpuclockid(3), as in bench.py)."""
    return time.clock_gettime(~pid << 3 | 2)


def serve(listener):
    block = bytes(1 << 20)
    while True:
        client, _ = listener.accept()
        with client:
            try:
                if client.recv(3) == b"up\n":
                    while client.recv(1 << 20):
                        pass
                else:
                    for _ in range(SENT // len(block)):
                        client.sendall(block)
            except OSError:
                pass


def make_initrd(cpu, folder, program="work"):
    out = subprocess.run([root / "tools/guest.sh", f"devices-{cpu}"], check=True, capture_output=True, text=True).stdout
    guest = pathlib.Path(out.strip())
    (folder / "x/bin").mkdir(parents=True)
    (folder / "x/bin" / program).write_bytes((root / "bench/guest" / program).read_bytes())
    (folder / "x/bin" / program).chmod(0o755)
    more = subprocess.run("find . | cpio -o -H newc -R 0:0 --quiet", shell=True, cwd=folder / "x", check=True,
                          capture_output=True).stdout
    old = (guest / "initrd.gz").read_bytes()
    (folder / "initrd").write_bytes(old + bytes(-len(old) % 4) + more) # Linux looks for the next one at a multiple of 4
    return guest / "vmlinux"


def run(command):
    """{job: seconds of CPU}"""
    found, began = {}, 0
    with subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          errors="replace") as p:
        for line in p.stdout:
            m = re.search(r"work: (begin|end|\w+ failed) ?(\w*)", line)
            if "GUEST-READY" in line:
                found["boot"] = clock(p.pid)
            elif m and m[1] == "begin":
                began = clock(p.pid)
            elif m and m[1] == "end":
                found[m[2]] = clock(p.pid) - began
            elif m:
                raise SystemExit(f"record.py: {line.strip()}")
    if p.returncode or len(found) < 2:
        raise SystemExit(f"record.py: {command}: the guest has not done its jobs")
    return found


def rounds(cpu, runs, folder):
    """One {way: {job: seconds}} after the other."""
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    kernel, disk, recording = make_initrd(cpu, folder), folder / "disk", folder / "recording"
    args = f"console=ttyS0 panic=-1 quiet loglevel=3 lodge.run=work_{listener.getsockname()[1]}"
    common = ["-q", "-a", cpu, "-M", MACHINE[cpu], "-m", "256M", "-n", "user", "-k", kernel, "-i", folder / "initrd",
              "-d", f"{disk},format=raw", "-p", args]
    for n in range(runs):
        ways, found = list(WAYS), {}
        for way in ways[n % len(ways):] + ways[:n % len(ways)]:
            recording.unlink(missing_ok=True)
            disk.write_bytes(os.urandom(DISK)) # the guest has written it
            extra = ["--record", recording] if WAYS[way] is None else WAYS[way]
            found[way] = run([os.environ.get("LODGE") or root / "build/lodge", "run", *common, *extra])
            size = recording.stat().st_size >> 20 if WAYS[way] is None else 0
            print(f"# round {n + 1}, {way}:", " ".join(f"{j} {s:.2f}" for j, s in found[way].items()),
                  f"({size} MiB)" if size else "", flush=True)
        yield found


def more(all_rounds, way, seconds):
    ratios = [100 * (seconds(r["recorded"]) / seconds(r[way]) - 1) for r in all_rounds]
    return f"{statistics.median(ratios):+.1f} % ({min(ratios):+.1f} to {max(ratios):+.1f})"


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("-c", dest="cpu", choices=MACHINE, default="riscv64")
    p.add_argument("-n", dest="runs", type=int, default=5)
    p.add_argument("-d", dest="folder", help="for the disk and the recording")
    a = p.parse_args()
    with tempfile.TemporaryDirectory(prefix="lodge-record.", dir=a.folder) as folder:
        found = list(rounds(a.cpu, a.runs, pathlib.Path(folder)))
    print(f"| {a.cpu}, seconds of CPU | as usual | deterministic | recorded | more than usual | than deterministic |")
    print("|---|--:|--:|--:|--:|--:|")
    for job in [*found[0]["usual"], "all"]:
        def seconds(jobs):
            return sum(jobs.values()) if job == "all" else jobs[job]
        medians = [f"{statistics.median(seconds(r[way]) for r in found):.2f}" for way in WAYS]
        print(f"| {job} |", " | ".join(medians), "|", more(found, "usual", seconds), "|",
              more(found, "deterministic", seconds), "|")


if __name__ == "__main__":
    main()
