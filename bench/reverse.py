#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""reverse.py [-c CPU] [-t SECONDS] [-n VARIABLES] [-s SEED] [-m MEMORY]: how long reverse-continue takes from the end of a recording.

Records the guest of tools/guest.sh devices-CPU, with one CPU, at work (bench/guest/busy) for SECONDS of its time, and replays
that.  From its end on gdb's protocol asks for the last store to 8 bytes: to vm_swappiness, which was written once before the
work began, and to variables of the kernel that are taken at random.  Lodge is $LODGE or build/lodge.  Prints for each how many
seconds of the guest's time it was ago, and how many it took, by the clock and of CPU."""
import argparse, os, pathlib, random, re, statistics, subprocess, tempfile, time
from record import MACHINE, clock, make_initrd
from sockets import connect

root = pathlib.Path(__file__).resolve().parent.parent
lodge = os.environ.get("LODGE") or root / "build/lodge"
DISK = 16 << 20


class Debugger:
    """One that says packets as they are."""

    def __init__(self, path):
        self.socket = connect(path)
        self.heard = b""
        for packet in "qSupported:multiprocess+;hwbreak+", "?", "QStartNoAckMode":
            self.ask(packet)

    def hear(self):
        while not (m := re.search(rb"\$([^#]*)#..", self.heard)):
            more = self.socket.recv(1 << 16)
            if not more:
                raise SystemExit("reverse.py: lodge has gone")
            self.heard += more
        self.heard = self.heard[m.end():]
        return re.sub(r"(.)\*(.)", lambda r: r[1] * (ord(r[2]) - 28), m[1].decode("latin-1"))

    def ask(self, packet):
        self.socket.sendall(b"$%s#%02x" % (packet.encode(), sum(packet.encode()) & 255))
        return self.hear()

    def monitor(self, command):
        text, answer = "", self.ask("qRcmd," + command.encode().hex())
        while answer.startswith("O") and answer != "OK":
            text += bytes.fromhex(answer[1:]).decode()
            answer = self.hear()
        return text

    def when(self):
        """Seconds of the guest's time."""
        return float(re.search(r"([\d.]+) s\b", self.monitor("when"))[1])


def record(cpu, seconds, folder):
    """Its kernel's variables: {name: address}"""
    kernel, disk = make_initrd(cpu, folder, "busy"), folder / "disk"
    disk.write_bytes(os.urandom(DISK))
    command = [lodge, "run", "-q", "--record", folder / "recording", "-a", cpu, "-M", MACHINE[cpu], "-m", "256M", "-n", "user",
               "-k", kernel, "-i", folder / "initrd", "-d", f"{disk},format=raw",
               "-p", f"console=ttyS0 panic=-1 quiet loglevel=3 nokaslr lodge.run=busy_{seconds}"]
    done = subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    symbols = {name: int(at, 16) for at, name in re.findall(r"^([0-9a-f]{16}) \w (\w+)\r?$", done.stdout, re.M)}
    if done.returncode or "GUEST-DONE" not in done.stdout or "_text" not in symbols:
        raise SystemExit(f"reverse.py: the guest has not done its work: {done.stdout[-300:]}{done.stderr[-300:]}")
    return {name: at for name, at in symbols.items() if symbols["_text"] < at < symbols["_end"] and at % 8 == 0 or
            name == "vm_swappiness"}


def timed(pid, fn, *args):
    began, used = time.monotonic(), clock(pid)
    answer = fn(*args)
    return answer, time.monotonic() - began, clock(pid) - used


def ask_all(gdb, pid, wanted):
    """Seconds that each took."""
    answer, took, used = timed(pid, gdb.monitor, "seek end")
    end, all_took = gdb.when(), []
    print(f"# the recording: {answer.splitlines()[0]}\n# to play it to its end: {took:.1f} s, of CPU {used:.1f} s")
    print(f"# {gdb.monitor('checkpoints').strip()}\n| variable | written, s ago | answer, s | of CPU, s | a step back, s |")
    print("|---|--:|--:|--:|--:|")
    for name, at in wanted:
        gdb.monitor("seek end")
        gdb.ask(f"Z2,{at:x},8")
        answer, took, used = timed(pid, gdb.ask, "bc")
        ago = "never" if "replaylog:begin" in answer else f"{end - gdb.when():.1f}"
        gdb.ask(f"z2,{at:x},8")
        step = timed(pid, gdb.ask, "bs")[1]
        print(f"| {name} | {ago} | {took:.2f} | {used:.2f} | {step:.3f} |", flush=True)
        all_took.append(took)
    return all_took


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("-c", dest="cpu", choices=MACHINE, default="riscv64")
    p.add_argument("-t", dest="seconds", type=int, default=60)
    p.add_argument("-n", dest="variables", type=int, default=20)
    p.add_argument("-s", dest="seed", type=int, default=1)
    p.add_argument("-m", dest="memory", default="1G", help="for checkpoints: key reverse-memory")
    p.add_argument("-d", dest="folder", help="for the disk and the recording")
    a = p.parse_args()
    with tempfile.TemporaryDirectory(prefix="lodge-reverse.", dir=a.folder) as folder:
        folder = pathlib.Path(folder)
        symbols = record(a.cpu, a.seconds, folder)
        names = random.Random(a.seed).sample(sorted(symbols), a.variables)
        wanted = [(name, symbols[name]) for name in ["vm_swappiness", *names]]
        command = [lodge, "replay", "-q", "-S", "-g", f"unix:{folder}/gdb", "-o", f"reverse-memory={a.memory}",
                   folder / "recording"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as replay:
            took = ask_all(Debugger(folder / "gdb"), replay.pid, wanted)
            replay.terminate()
    print(f"# median {statistics.median(took):.2f} s, at most {max(took):.2f} s; {sum(t <= 2 for t in took)} of {len(took)} "
          "within 2 s")


if __name__ == "__main__":
    main()
