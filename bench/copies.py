#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""copies.py LODGE GUEST-FOLDER [N [OPTIONS OF LODGE RUN...]]: how long an idle guest of 512 MiB stands still while it is
copied N times, how long a copy takes until it runs, and how much memory all of them have; then how long a snapshot takes to
execute its first instructions."""
import json, os, pathlib, socket, statistics, subprocess, sys, tempfile, time


RAM = 512 << 20


class Control:
    def __init__(self, path):
        for _ in range(600):
            try:
                self.socket = socket.socket(socket.AF_UNIX)
                self.socket.connect(str(path))
                break
            except OSError:
                time.sleep(0.05)
        self.file = self.socket.makefile("r")
        self.file.readline()
        self("qmp_capabilities")

    def __call__(self, command, **arguments):
        text = json.dumps({"execute": command, "arguments": arguments})
        self.socket.sendall(text.encode() + b"\n")
        while True:
            answer = json.loads(self.file.readline())
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise RuntimeError(answer["error"]["desc"])


def memory(pids):
    """KiB, each page divided by how many have it: of the guests' RAM, and of Lodge's own; what of the RAM is one's alone."""
    ram, own, alone = 0, 0, 0
    for pid in pids:
        is_ram = False
        for line in open(f"/proc/{pid}/smaps"):
            words = line.split()
            if not words[0].endswith(":"):
                first, end = (int(x, 16) for x in words[0].split("-"))
                is_ram = end - first == RAM
            elif words[0] == "Pss:":
                ram, own = ram + int(words[1]) * is_ram, own + int(words[1]) * (not is_ram)
            elif words[0] == "Private_Dirty:":
                alone += int(words[1]) * is_ram
    return ram, own, alone


def mib(kib):
    return f"{kib / 1024:.1f} MiB"


def spread(values):
    return f"median {statistics.median(values):.1f}, {min(values):.1f} to {max(values):.1f} ms"


def copy_all(control, count):
    pids, stood, took = [], [], []
    for n in range(count):
        began = time.monotonic()
        control("vm-fork", name=f"copy{n}", ctl="none")
        while True:
            status = control("query-vm-fork")
            if status["status"] != "active":
                break
        took.append((time.monotonic() - began) * 1e3)
        if status["status"] != "completed":
            raise RuntimeError(status)
        pids.append(status["pid"])
        stood.append(status["downtime"])
    return pids, stood, took


def main():
    lodge, guest = sys.argv[1], pathlib.Path(sys.argv[2])
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 100
    tmp = pathlib.Path(tempfile.mkdtemp())
    os.environ["XDG_RUNTIME_DIR"] = str(tmp)
    vm = subprocess.Popen(
        [lodge, "run", "-q", "-m", "512M", "--ctl", str(tmp / "ctl"), "-o", "sandbox=off", *sys.argv[4:], "-k",
         str(guest / "vmlinux"), "-i", str(guest / "initrd.gz"), "-p", "console=ttyS0 quiet panic=-1"],
        stdin=subprocess.PIPE, stdout=open(tmp / "out", "wb"))
    while b"GUEST-READY" not in (tmp / "out").read_bytes():
        time.sleep(0.1)
    time.sleep(5)
    control = Control(tmp / "ctl")
    one = memory([vm.pid])
    print(f"one machine: RAM {mib(one[0])}, Lodge's own {mib(one[1])}")
    pids, stood, took = copy_all(control, count)
    for wait in 0, 10:
        time.sleep(wait)
        ram, own, alone = memory([vm.pid] + pids)
        print(f"it and {count} copies, after {wait} s: RAM {mib(ram)} ({ram / one[0]:.2f} times), of which {mib(alone)} were "
              f"written by one; Lodge's own {mib(own)}, {mib((own - one[1]) / count)} a copy")
    print("stands still:", spread(stood))
    print("until the copy runs:", spread(took))
    for pid in pids:
        os.kill(pid, 9)
    control("quit")
    vm.wait()


if __name__ == "__main__":
    main()
