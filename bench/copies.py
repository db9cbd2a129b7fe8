#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""copies.py [-m MIB] LODGE GUEST-FOLDER [N [OPTIONS OF LODGE RUN...]]: how long an idle guest of 512 MiB (or so many) stands
still while it is copied N times, how long a copy takes until it runs, and how much memory all of them have, by what it is
for."""
import json, os, pathlib, statistics, struct, subprocess, sys, tempfile, time
from sockets import connect


KINDS = "RAM", "tables", "heap", "compiled code", "stacks", "program, libraries"


class Control:
    def __init__(self, path):
        self.socket = connect(path)
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


def kind_of(words, size, ram):
    """What a mapping is for.  The host may show RAM with a neighbour as one: some CPU's tables (see beside)."""
    name = words[5] if len(words) > 5 else ""
    if not name and ram <= size < ram + (64 << 20):
        return "RAM"
    if name == "[heap]":
        return "heap"
    if "memfd:" in name:
        return "compiled code"
    if name == "[stack]" or (not name and size == 8 << 20):
        return "stacks"
    return "program, libraries" if name else "tables"


def beside(pid, first, end, ram):
    """KiB that the process alone has of what is shown with the RAM as one mapping, and is not it.  The host puts RAM at a
    multiple of 2 MiB, below what is there already, so what has come above it since is smaller than that."""
    at = max(first, (end - ram) // (2 << 20) * (2 << 20))
    alone = 0
    with open(f"/proc/{pid}/pagemap", "rb") as f:
        for start, stop in (first, at), (at + ram, end):
            f.seek(start // 4096 * 8)
            pages = struct.unpack(f"<{(stop - start) // 4096}Q", f.read((stop - start) // 4096 * 8))
            alone += 4 * sum(page >> 63 & page >> 56 & 1 for page in pages)  # there, and nobody else's: proc_pid_pagemap(5)
    return alone


def memory(pids, ram):
    """KiB by kind, each page divided by how many have it; what of the RAM is one's alone."""
    pss, alone = dict.fromkeys(KINDS, 0), 0
    for pid in pids:
        for line in open(f"/proc/{pid}/smaps"):
            words = line.split()
            if not words[0].endswith(":"):
                first, end = (int(x, 16) for x in words[0].split("-"))
                kind = kind_of(words, end - first, ram)
                if kind == "RAM":
                    own_part = beside(pid, first, end, ram)
                    pss["tables"] += own_part
                    pss["RAM"] -= own_part
                    alone -= own_part
            elif words[0] == "Pss:":
                pss[kind] += int(words[1])
            elif words[0] == "Private_Dirty:":
                alone += int(words[1]) * (kind == "RAM")
    return pss, alone


def own(pss):
    return sum(pss.values()) - pss["RAM"]


def cpu_ms(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


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
    argv = sys.argv[1:]
    ram = 512
    if argv[:1] == ["-m"]:
        ram, argv = int(argv[1]), argv[2:]
    lodge, guest = argv[0], pathlib.Path(argv[1])
    count = int(argv[2]) if len(argv) > 2 else 100
    tmp = pathlib.Path(tempfile.mkdtemp())
    os.environ["XDG_RUNTIME_DIR"] = str(tmp)
    vm = subprocess.Popen(
        [lodge, "run", "-q", "-m", f"{ram}M", "--ctl", str(tmp / "ctl"), "-o", "sandbox=off", *argv[3:], "-k",
         str(guest / "vmlinux"), "-i", str(guest / "initrd.gz"), "-p", "console=ttyS0 quiet panic=-1"],
        stdin=subprocess.PIPE, stdout=open(tmp / "out", "wb"))
    ram <<= 20
    while b"GUEST-READY" not in (tmp / "out").read_bytes():
        time.sleep(0.1)
    time.sleep(5)
    control = Control(tmp / "ctl")
    one, _ = memory([vm.pid], ram)
    total = sum(one.values())
    print(f"one machine: {mib(total)}, RAM {mib(one['RAM'])}, Lodge's own {mib(own(one))}")
    pids, stood, took = copy_all(control, count)
    for wait in 0, 10:
        time.sleep(wait)
        pss, alone = memory([vm.pid] + pids, ram)
        all_of = sum(pss.values())
        print(f"it and {count} copies, after {wait} s: {mib(all_of)}, {all_of / total:.2f} times; RAM {mib(pss['RAM'])}, "
              f"{mib(alone)} of it written by one alone; Lodge's own {mib(own(pss))}")
        print(f"without what was written: {(all_of - alone) / total:.2f} times; a copy beside RAM: "
              f"{mib((own(pss) - own(one)) / count)}")
    pss, alone = memory(pids, ram)
    print("a copy, KiB:", ", ".join(f"{kind} {pss[kind] / count:.0f}" for kind in KINDS))
    print("stands still:", spread(stood))
    print("until the copy runs:", spread(took))
    spent = {pid: cpu_ms(pid) for pid in pids}
    time.sleep(20)
    print(f"CPU of a copy: median {statistics.median((cpu_ms(pid) - spent[pid]) / 20 for pid in pids):.1f} ms a second")
    for pid in pids:
        os.kill(pid, 9)
    control("quit")
    vm.wait()


if __name__ == "__main__":
    main()
