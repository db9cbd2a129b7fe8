#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""disk.py [-c CPU] [-n RUNS] [-s SECONDS] [-d FOLDER]: a guest's disk in Lodge beside QEMU.

Boots the Debian guest of tools/guest.sh in both, in turn, with the same raw file (in FOLDER, default /dev/shm) as a
virtio disk, and runs bench/guest/disk.c in it.  Lodge is $LODGE or build/lodge, QEMU is $QEMU or the machine's.  Prints,
for each way of reading and writing, the best run's requests a second by the clock, and by CPU seconds of the peer."""
import argparse, os, pathlib, re, shutil, subprocess, tempfile, time

root = pathlib.Path(__file__).resolve().parent.parent
CPUS = {"riscv64": ("riscv64-linux-gnu-gcc", "virt", ["-M", "virt"], "qemu-system-riscv64"),
        "x86_64": ("gcc", "microvm", ["-M", "microvm,rtc=on"], "qemu-system-x86_64")}
ARGS = "console=ttyS0 panic=-1 quiet loglevel=3 lodge.run="


def clock(pid):
    """CPU seconds of a process with all its threads (as in bench.py)."""
    try:
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:
        return 0


def make_initrd(cpu, folder, guest):
    """The guest's, with the program behind it: the kernel takes several archives in a row."""
    (folder / "x" / "bin").mkdir(parents=True)
    subprocess.run([CPUS[cpu][0], "-O2", "-static", "-D_GNU_SOURCE", "-o", folder / "x/bin/disk", root / "bench/guest/disk.c"], check=True)
    more = subprocess.run("find . | cpio -o -H newc -R 0:0 --quiet", shell=True, cwd=folder / "x", check=True,
                          capture_output=True).stdout
    old = (guest / "initrd.gz").read_bytes()
    (folder / "initrd").write_bytes(old + bytes(-len(old) % 4) + more)
    return folder / "initrd"


def commands(cpu, kernel, initrd, disk, seconds):
    args = ARGS + f"disk /dev/vda {seconds}".replace(" ", "_")
    _, machine, qemu_machine, qemu = CPUS[cpu]
    return {
        "lodge": [os.environ.get("LODGE") or root / "build/lodge", "run", "-q", "-a", cpu, "-M", machine, "-m", "256M",
                  "-k", kernel, "-i", initrd, "-d", f"{disk},format=raw", "-p", args],
        "qemu": [os.environ.get("QEMU") or qemu, *qemu_machine, "-nodefaults", "-no-user-config", "-display", "none",
                 "-serial", "stdio", "-no-reboot", "-m", "256", "-accel", "tcg", "-kernel", kernel, "-initrd", initrd,
                 "-drive", f"file={disk},format=raw,if=none,id=d", "-device", "virtio-blk-device,drive=d", "-append", args]}


def run(command):
    """{way: (requests a second, requests a CPU second, bytes a second)}"""
    found, began = {}, 0
    with subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, errors="replace") as p:
        for line in p.stdout:
            if re.search(r"disk: begin", line):
                began = clock(p.pid)
            m = re.search(r"disk: end (\S+) (\d+) (\d+) ([\d.]+)", line)
            if m:
                n, size, seconds = int(m[2]), int(m[3]), float(m[4])
                found[m[1]] = (n / seconds, n / max(clock(p.pid) - began, 1e-9), size / seconds)
            elif "disk: " in line and "begin" not in line:
                p.kill()
                raise SystemExit(f"{command[0]}: {line.strip()}")
    if not found:
        raise SystemExit(f"{command[0]}: the guest has not come to the program")
    return found


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("-c", dest="cpu", choices=CPUS, default="riscv64")
    p.add_argument("-n", dest="runs", type=int, default=3)
    p.add_argument("-s", dest="seconds", type=float, default=1)
    p.add_argument("-d", dest="folder", default="/dev/shm")
    a = p.parse_args()
    guest = pathlib.Path(subprocess.run([root / "tools/guest.sh", a.cpu], check=True, capture_output=True,
                                        text=True).stdout.strip())
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lodge-disk.", dir=a.folder))
    try:
        (folder / "disk").write_bytes(bytes(range(256)) * (128 << 12))
        best = {}
        cmds = commands(a.cpu, guest / "vmlinux", make_initrd(a.cpu, folder, guest), folder / "disk", a.seconds)
        for _ in range(a.runs):
            for peer, command in cmds.items():
                for way, figures in run(command).items():
                    old = best.setdefault((way, peer), figures)
                    best[way, peer] = tuple(map(max, old, figures))
    finally:
        shutil.rmtree(folder)
    print(f"| {a.cpu}: way | lodge /s | MB/s | qemu /s | MB/s | lodge / qemu | by CPU time |\n|---|--:|--:|--:|--:|--:|--:|")
    for way in dict.fromkeys(w for w, _ in best):
        l, q = best[way, "lodge"], best[way, "qemu"]
        print(f"| {way} | {l[0]:.0f} | {l[2] / 1e6:.0f} | {q[0]:.0f} | {q[2] / 1e6:.0f} | {l[0] / q[0]:.2f} | {l[1] / q[1]:.2f} |")


if __name__ == "__main__":
    main()
