#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""fuzz.py [-s SECONDS] [-l LOG] [TARGET...]: runs each fuzz target (all of devices, of images and of what else comes from
outside, if none is named) under ASan and UBSan again and again, with new seeds, until it has had so much CPU time (600 s).
What is found goes to the log, with what the target has said and how to run it again.  For hours when the machine has nothing
else to do: chrt -i 0 tools/fuzz.py &"""
import argparse, os, pathlib, random, re, resource, subprocess, sys, time

ROOT = pathlib.Path(__file__).resolve().parent.parent
# The same as tools/check.sh has.
ASAN = "CFLAGS=-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all"
# Tests that feed on random numbers, too, whose names do not say so.
OTHERS = ("dev/virtio_evil", "dev/virtio_pci", "dev/pci", "dev/pcie_port", "dev/vga_bochs", "host/vsock", "host/net", "core/net",
          "mon/mon")
SLICE = 60


def targets():
    streams = ["fuzz-" + p.name[:-len("_fuzz.c")] for p in sorted((ROOT / "test/fuzz").glob("*_fuzz.c"))]
    tests = [str(p.relative_to(ROOT / "test"))[:-len("_test.c")] for p in sorted((ROOT / "test").glob("*/*fuzz_test.c"))]
    return streams + sorted(tests + [t for t in OTHERS if (ROOT / f"test/{t}_test.c").exists()])


def cpu_time():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def make(*words):
    subprocess.run(["make", "-s", "-j2", *words], cwd=ROOT, check=True)


def build(target):
    """Compiled before the clock runs."""
    if target.startswith("fuzz-"):
        make(target, "FUZZ_SECONDS=1")
    else:
        make("O=build-asan", ASAN, f"build-asan/test/{target}_test")


def run_once(target, seed, left):
    """What it said, how often it has done something, and whether something is wrong."""
    env = dict(os.environ, LODGE_SEED=str(seed))
    if target.startswith("fuzz-"):
        command = ["make", "-s", target, f"FUZZ_SECONDS={max(1, min(SLICE, int(left) + 1))}"]
    else:
        command = [f"build-asan/test/{target}_test"]
    done = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace")
    runs = re.search(r"^Done (\d+) runs", done.stdout, re.M)
    return done.stdout, int(runs.group(1)) if runs else 1, done.returncode


def run(target, seconds, log):
    build(target)
    began, runs, findings = cpu_time(), 0, 0
    while cpu_time() - began < seconds and findings < 3:
        seed = random.getrandbits(63) | 1
        text, n, status = run_once(target, seed, seconds - (cpu_time() - began))
        runs += n
        if status:
            findings += 1
            log.write(f"--- {target} with LODGE_SEED={seed} ended with {status}:\n{text[-20000:]}\n---\n")
            log.flush()
    log.write(f"{time.strftime('%H:%M:%S')} {target}: {cpu_time() - began:.0f} s of CPU, {runs} runs, {findings} findings\n")
    log.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-s", "--seconds", type=float, default=600)
    parser.add_argument("-l", "--log", type=argparse.FileType("a"), default=sys.stdout)
    parser.add_argument("target", nargs="*")
    args = parser.parse_args()
    for target in args.target or targets():
        run(target, args.seconds, args.log)


if __name__ == "__main__":
    main()
