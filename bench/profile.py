#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""profile.py WORKLOAD...: where Lodge's time goes in the benchmark's guest (bench/guest.py makes it), by what the code
is for, as a Markdown table.  Needs perf (Debian: linux-perf) and a build with symbols; LODGE names another program."""
import argparse, collections, os, pathlib, re, subprocess, sys, tempfile, time

import bench, guest

root = pathlib.Path(__file__).resolve().parent.parent
classes = [  # what code is for, by the object file that a function comes from: the first match counts
    ("translating", r"jit/(?!cache)|ir/|cpu/(riscv64|x86)/(lift|path|decode|ops_ir)|cpu/path"),
    ("finding code", r"jit/cache|cpu/(riscv64|x86)/(jit|code)|cpu/jit"),
    ("memory", r"cpu/(riscv64|x86)/(access|mmu|tlb|pmp|page)|cpu/tlb|core/mem"),
    ("interpreting", r"cpu/riscv64/interp|cpu/x86/run"),
    ("helpers, traps", r"fp/|cpu/"),
    ("devices, machine", r"dev/|machine/|core/|engine/|lib/|host/|base/|cmd/"),
]
ARCH = {"riscv64": "riscv64", "x86_64": "amd64"}  # Debian's names
names = ["compiled code"] + [name for name, _ in classes] + ["host"]


def owners(build):
    """The object file of each function."""
    owner = {}
    for o in build.rglob("*.o"):
        for line in subprocess.run(["nm", o], capture_output=True, text=True).stdout.splitlines():
            word = line.split()
            if len(word) == 3 and word[1] in "tT":
                owner.setdefault(word[2], str(o.relative_to(build)))
    return owner


def class_of(symbol, where, owner):
    if "memfd" in where:
        return "compiled code"
    # slow.c is in the generator's folder, but runs with the guest.
    if symbol == "x86_slow":
        return "memory"
    path = owner.get(re.sub(r"\.(part|constprop|isra|cold).*", "", symbol), "")
    return next((name for name, what in classes if re.match(what, path)), "host")


def profile(program, cpu, workload, skip, seconds):
    """How many samples fell on what."""
    tree = guest.make(ARCH[cpu])
    machine = {"riscv64": "virt", "x86_64": "microvm"}[cpu]
    with tempfile.TemporaryDirectory() as tmp:
        out, data = f"{tmp}/out", f"{tmp}/data"
        command = [program, "run", "-q", "-M", machine, "-m", "1024M", "-k", f"{tree}/kernel", "-i", f"{tree}/full.cpio", "-p",
                   f"console=ttyS0 panic=-1 quiet loglevel=3 bench={workload}:{bench.WORK[workload][1]}:50"]
        with open(out, "wb") as console:
            lodge = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.DEVNULL)
        try:
            while f"@@BEGIN {workload}" not in pathlib.Path(out).read_text(errors="replace"):
                if lodge.poll() is not None:
                    sys.exit(f"profile: the guest ended before {workload}:\n{pathlib.Path(out).read_text(errors='replace')}")
                time.sleep(0.1)
            time.sleep(skip)
            subprocess.run(["perf", "record", "-q", "-e", "cpu-clock", "-F", "2000", "-o", data, "-p", str(lodge.pid), "--",
                            "sleep", str(seconds)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        finally:
            lodge.kill()
            lodge.wait()
        return subprocess.run(["perf", "script", "-i", data, "-F", "ip,sym,dso"], capture_output=True,
                              text=True).stdout.splitlines()


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("workload", nargs="+")
    p.add_argument("-c", "--cpu", choices=ARCH, default="riscv64", help="the guest's")
    p.add_argument("--skip", type=float, default=2, help="seconds of the workload before the first sample")
    p.add_argument("--seconds", type=float, default=4)
    args = p.parse_args()
    program = os.environ.get("LODGE", str(root / "build/lodge"))
    owner = owners(pathlib.Path(program).resolve().parent)
    print("| % of samples | " + " | ".join(names) + " |\n|---|" + "--:|" * len(names))
    for workload in args.workload:
        count = collections.Counter()
        for line in profile(program, args.cpu, workload, args.skip, args.seconds):
            found = re.match(r"\s*[0-9a-f]+\s+(\S+)\s+\((.*)\)\s*$", line)
            if found:
                count[class_of(found[1], found[2], owner)] += 1
        total = sum(count.values()) or 1
        print(f"| {workload} | " + " | ".join(f"{100 * count[n] / total:.1f}" for n in names) + " |", flush=True)


main()
