#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""net.py [-c CPU] [-n RUNS] [-m MIB]: TCP between a guest and its host through user mode networks (libslirp), Lodge beside
QEMU, in turn, with the same guest (tools/guest.sh devices-CPU) and its virtio driver.  Prints MiB per second of the wall's
clock, and of the CPU seconds of the peer's process (all its threads), medians of all runs.
Lodge is $LODGE, or build/lodge; QEMU is $QEMU, or qemu-system-CPU."""
import argparse, os, pathlib, re, shutil, socket, statistics, subprocess, sys, tempfile, threading, time

root = pathlib.Path(__file__).resolve().parent.parent
COMPILER = {"x86_64": "x86_64-linux-gnu-gcc", "riscv64": "riscv64-linux-gnu-gcc"}
BOARD = {"x86_64": ["-machine", "pc", "-cpu", "max", "-accel", "tcg"], "riscv64": ["-machine", "virt"]}


class Host:
    """Answers bench/net.c, and takes the peer's CPU time from the first byte to the last."""

    def __init__(self):
        self.pid, self.figures = None, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def clock(self):
        # Linux's number for clock_getcpuclockid(3), as in bench.py.
        return time.monotonic(), time.clock_gettime(~self.pid << 3 | 2)

    def serve(self):
        block = bytearray(1 << 20)
        while True:
            client, _ = self.listener.accept()
            head = b""
            while len(head) < 64:
                head += client.recv(64 - len(head))
            way, n = head.split(b"\n")[0].decode().split()
            left, start = int(n), self.clock()
            try:
                while left > 0:
                    left -= client.recv_into(block) if way == "up" else client.send(memoryview(block)[:left])
                if way == "up":
                    client.send(b".")
                else:
                    client.shutdown(socket.SHUT_WR)
                    client.recv(1)
            except OSError:
                pass
            end = self.clock()
            self.figures.append((way, end[0] - start[0], end[1] - start[1]))
            client.close()


def make_guest(cpu, folder):
    out = subprocess.run([root / "tools/guest.sh", f"devices-{cpu}"], capture_output=True, text=True, check=True).stdout
    guest = pathlib.Path(out.strip())
    (folder / "tree/bin").mkdir(parents=True)
    compiler = COMPILER[cpu] if shutil.which(COMPILER[cpu]) else "gcc"
    subprocess.run([compiler, "-O2", "-static", "-o", folder / "tree/bin/net", root / "bench/net.c"], check=True)
    extra = subprocess.run("find . | cpio -o -H newc --quiet", shell=True, cwd=folder / "tree", capture_output=True, check=True)
    initrd = (guest / "initrd.gz").read_bytes()
    # Linux looks for the next archive at a multiple of 4.
    (folder / "initrd").write_bytes(initrd + bytes(-len(initrd) % 4) + extra.stdout)
    return guest / "vmlinux", folder / "initrd"


def commands(cpu, kernel, initrd, args):
    found = {"Lodge": [os.environ.get("LODGE", str(root / "build/lodge")), "run", "-q", "-m", "256M", "-n", "user",
                       "-k", kernel, "-i", initrd, "-p", args]}
    qemu = shutil.which(os.environ.get("QEMU", f"qemu-system-{cpu}"))
    if qemu:
        found["QEMU"] = [qemu, "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot",
                         *BOARD[cpu], "-m", "256", "-netdev", "user,id=n", "-device", "virtio-net-pci,netdev=n",
                         "-kernel", kernel, "-initrd", initrd, "-append", args]
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--cpu", default="x86_64", choices=sorted(COMPILER))
    parser.add_argument("-n", "--runs", type=int, default=3)
    parser.add_argument("-m", "--mib", type=int, default=200)
    options = parser.parse_args()
    host, results = Host(), {}
    with tempfile.TemporaryDirectory() as folder:
        kernel, initrd = make_guest(options.cpu, pathlib.Path(folder))
        work = ["ip addr add 10.0.2.15/24 dev eth0", "ip link set eth0 up", "sleep 1"]
        work += [f"net 10.0.2.2 {host.port} {way} {options.mib}" for way in ("down", "up")]
        args = "console=ttyS0 panic=-1 quiet lodge.run=" + ";".join(work).replace(" ", "_")
        for run in range(options.runs):
            for name, command in commands(options.cpu, str(kernel), str(initrd), args).items():
                host.figures = []
                peer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
                host.pid = peer.pid
                out = peer.communicate(timeout=900)[0]
                for way, wall, used in host.figures:
                    results.setdefault((way, name), []).append((options.mib / wall, options.mib / used))
                if len(host.figures) != 2:
                    sys.exit(f"net.py: {name} did not do its work:\n{out[-2000:]}")
    for (way, name), figures in sorted(results.items()):
        wall, used = (statistics.median(f[i] for f in figures) for i in (0, 1))
        print(f"{options.cpu} {way:5} {name:6} {wall:8.1f} MiB/s {used:8.1f} MiB per CPU second")


main()
