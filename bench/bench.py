#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""bench.py [-n RUNS] [WORKLOAD...]: Lodge beside other emulators, in turn, on the same guests.

Workloads: mix (bench/bare/mix.c, bare metal), boot (Debian's kernel to user land).
Peers: every engine of $LODGE (build/lodge), qemu-system-riscv64 ($QEMU), spike ($SPIKE), as far as they are
there; for spike's boot $SPIKE_FIRMWARE names an OpenSBI fw_jump.elf.  Figures are user+system seconds of the process, which a busy machine disturbs least; medians.
Prints the table of doc/performance.md."""
import argparse, os, pathlib, shutil, statistics, subprocess, sys, tempfile, time

ROUNDS = 20000
root = pathlib.Path(__file__).resolve().parent.parent
lodge = os.environ.get("LODGE", str(root / "build/lodge"))
qemu = shutil.which(os.environ.get("QEMU", "qemu-system-riscv64"))
spike = shutil.which(os.environ.get("SPIKE", "spike"))
fdt_kernel = "console=ttyS0 quiet lodge.run=true"


def run(command, until):
    """CPU seconds, wall seconds, peak KiB, output, status; ended when it prints `until`."""
    start = time.monotonic()
    p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = b""
    while chunk := os.read(p.stdout.fileno(), 65536):
        text += chunk
        if until and until in text:
            p.kill()
            break
    _, status, usage = os.wait4(p.pid, 0)
    p.stdout.close()
    wall = time.monotonic() - start
    return (usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss, text.decode(errors="replace"), status)


def build_mix(folder):
    elf = f"{folder}/mix"
    subprocess.run(["riscv64-linux-gnu-gcc", "-O2", "-march=rv64gc", "-mabi=lp64d", "-mcmodel=medany", "-static",
                    "-nostdlib", "-nostartfiles", "-ffreestanding", "-fno-pie", "-no-pie", "-fno-stack-protector",
                    "-Wl,--build-id=none", f"-DROUNDS={ROUNDS}", "-T", root / "bench/bare/link.ld", "-o", elf,
                    root / "bench/bare/start.S", root / "bench/bare/mix.c"], check=True)
    return elf


def mix(folder):
    elf = build_mix(folder)
    peers = {f"lodge {e}": [lodge, "run", "-q", "-E", e, "--exit-from-guest", "-k", elf] for e in engines()}
    if qemu:
        peers["qemu"] = [qemu, "-M", "spike", "-nographic", "-bios", "none", "-kernel", elf]
    if spike:
        peers["spike"] = [spike, "--isa=rv64gc", elf]
    return peers, None, lambda text, status: status == 0


def boot(folder):
    guest = subprocess.run([root / "tools/guest.sh", "riscv64"], capture_output=True, text=True, check=True).stdout.strip()
    kernel, initrd = f"{guest}/vmlinux", f"{guest}/initrd.gz"
    peers = {f"lodge {e}": [lodge, "run", "-q", "-E", e, "-m", "256M", "-k", kernel, "-i", initrd, "-p", fdt_kernel]
             for e in engines()}
    if qemu:
        peers["qemu"] = [qemu, "-M", "virt", "-m", "256", "-nographic", "-no-reboot", "-kernel", kernel,
                         "-initrd", initrd, "-append", fdt_kernel]
    firmware = os.environ.get("SPIKE_FIRMWARE")  # an fw_jump.elf
    if spike and firmware:
        peers["spike"] = [spike, "-m256", f"--kernel={kernel}", f"--initrd={initrd}", f"--bootargs={fdt_kernel}", firmware]
    return peers, b"GUEST-DONE 0", lambda text, status: "GUEST-DONE 0" in text


def engines():
    out = subprocess.run([lodge, "engines"], capture_output=True, text=True).stdout
    return [e for e in ("soft", "interp") if e in out]


def measure(name, peers, until, good, runs):
    figures = {p: [] for p in peers}
    for _ in range(runs):
        for peer, command in peers.items():
            r = run(command, until)
            if not good(r[3], r[4]):
                sys.exit(f"bench.py: {name} on {peer} failed: {' '.join(map(str, command))}\n{r[3][-500:]}")
            figures[peer].append(r)
    base = statistics.median(f[0] for f in figures[next(iter(figures))])
    print(f"\n| {name} | CPU s | min-max | wall s | peak MiB | against {next(iter(figures))} |\n|---|---|---|---|---|---|")
    for peer, f in figures.items():
        cpu = [x[0] for x in f]
        m = statistics.median(cpu)
        print(f"| {peer} | {m:.2f} | {min(cpu):.2f}-{max(cpu):.2f} | {statistics.median(x[1] for x in f):.2f} "
              f"| {statistics.median(x[2] for x in f) / 1024:.0f} | {m / base:.2f} |", flush=True)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("-n", type=int, default=5, help="runs of each, in turn (5)")
    a.add_argument("workload", nargs="*", default=["mix", "boot"])
    a = a.parse_args()
    print(f"{a.n} runs each, in turn; load before: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        for w in a.workload:
            measure(w, *{"mix": mix, "boot": boot}[w](folder), a.n)


main()
