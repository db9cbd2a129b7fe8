# SPDX-License-Identifier: BSD-2-Clause
"""client.py SOCKET FOLDER: a script for QEMU's own QMP client, driving a machine; TAP.

The client is QEMU's, where LODGE_QMP names the folder that qmp.py or qemu/qmp is in, or the package qemu.qmp is
installed; else one of our own with the same methods."""
import json, os, socket, struct, sys, time, zlib


class OwnClient:
    def __init__(self, address):
        self.address, self.events = address, []

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.address)
        self.text = b""
        greeting = self.read()
        self.cmd("qmp_capabilities")
        return greeting

    def read(self):
        while b"\n" not in self.text:
            more = self.sock.recv(4096)
            if not more:
                return None
            self.text += more
        line, self.text = self.text.split(b"\n", 1)
        return json.loads(line)

    def cmd(self, name, args=None):
        self.sock.settimeout(60)
        self.sock.sendall(json.dumps({"execute": name, "arguments": args or {}}).encode() + b"\n")
        while True:
            answer = self.read()
            if answer is None or "event" not in answer:
                return answer
            self.events.append(answer)

    def close(self):
        self.sock.close()

    def pull_event(self, wait):
        while not self.events:
            self.sock.settimeout(wait)
            event = self.read()
            if event is None:
                return None
            self.events.append(event)
        return self.events.pop(0)


def find_client():
    folder = os.environ.get("LODGE_QMP")
    if folder:
        sys.path.insert(0, folder)
    try:
        from qemu.qmp.legacy import QEMUMonitorProtocol
        # Later ones have another name for the method that gives the whole answer.
        QEMUMonitorProtocol.cmd = getattr(QEMUMonitorProtocol, "cmd_raw", QEMUMonitorProtocol.cmd)
        return QEMUMonitorProtocol, "qemu.qmp"
    except ImportError:
        if not folder:
            return OwnClient, "our own"
    import qmp
    return qmp.QEMUMonitorProtocol, "QEMU's qmp.py"


count = 0


def ok(good, text, more=None):
    global count
    count += 1
    print("%s %d - %s" % ("ok" if good else "not ok", count, text))
    if not good:
        print("# %r" % (more,))


def event(client, name, wait=20.0):
    while True:
        e = client.pull_event(wait)
        if e is None or e["event"] == name:
            return e


def is_png(path):
    data = open(path, "rb").read()
    width, height = struct.unpack(">II", data[16:24])
    return data[:8] == b"\x89PNG\r\n\x1a\n" and data[-12:] == b"\0\0\0\0IEND\xaeB`\x82" and width * height > 0


make, what = find_client()
print("# the client is " + what)
vm = make(sys.argv[1])
folder = sys.argv[2]
greeting = vm.connect()
ok(greeting is None or "version" in greeting["QMP"], "a client connects", greeting)
r = vm.cmd("query-status")["return"]
ok(r["status"] == "running" and r["running"] is True, "the machine runs", r)
vm.cmd("stop")
ok(event(vm, "STOP"), "it is paused, and says so")
r = vm.cmd("query-status")["return"]
ok(r["status"] == "paused" and r["running"] is False, "its status says so, too", r)
vm.cmd("cont")
ok(event(vm, "RESUME"), "it goes on, and says so")
r = vm.cmd("query-cpus-fast")["return"]
ok([c["cpu-index"] for c in r] == [0, 1] and all(c["target"] == "x86_64" for c in r), "its CPUs", r)
ok(len({c["thread-id"] for c in r}) == 2 and all(c["thread-id"] > 0 for c in r), "each has a thread", r)
r = vm.cmd("query-memory-size-summary")["return"]
ok(r["base-memory"] == 64 << 20, "its memory", r)
ok(vm.cmd("query-target")["return"]["arch"] == "x86_64", "its architecture")
ok(vm.cmd("query-name")["return"]["name"] == "client", "its name")
ok(any(m["name"] == "pc" for m in vm.cmd("query-machines")["return"]), "its board")
# Until the guest has set its mode.
for i in range(100):
    r = vm.cmd("screendump", {"filename": folder + "/allowed/a.png", "format": "png"})
    if "return" in r:
        break
    time.sleep(0.1)
ok(r.get("return") == {} and is_png(folder + "/allowed/a.png"), "a picture in a folder that is allowed", r)
r = vm.cmd("screendump", {"filename": folder + "/allowed/a.ppm", "format": "ppm"})
ok(r.get("return") == {} and open(folder + "/allowed/a.ppm", "rb").read(3) == b"P6\n", "one in QEMU's usual form", r)
r = vm.cmd("screendump", {"filename": folder + "/b.png", "format": "png"})
if os.environ.get("SANDBOX") == "on":
    ok("sandbox" in r.get("error", {}).get("desc", ""), "none elsewhere, because of the sandbox", r)
else:
    ok(r.get("return") == {}, "and elsewhere, without a sandbox", r)
r = vm.cmd("nonsense")
ok(r["error"]["class"] == "CommandNotFound", "a command that is none", r)
vm.cmd("system_reset")
ok(event(vm, "RESET"), "it is reset, and says so")
vm.cmd("system_powerdown")
ok(event(vm, "POWERDOWN"), "the button is pressed")
# The reset may have come after that; then it is pressed again, by a new client, as a late answer is the end of QEMU's.
e = None
for i in range(20):
    try:
        e = event(vm, "SHUTDOWN", 2.0)
        break
    except Exception:
        try:
            vm.close()
        except Exception:
            pass
        vm = make(sys.argv[1])
        vm.connect()
        vm.cmd("system_powerdown")
ok(e and e["data"] == {"guest": True, "reason": "guest-shutdown"}, "and the guest powers off", e)
try:
    vm.close()
except Exception:
    pass  # it went with the machine
print("1..%d" % count)
