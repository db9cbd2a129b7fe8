# SPDX-License-Identifier: BSD-2-Clause
# The command on a terminal: a pseudo terminal of Python's, on which somebody types.
. test/tap.sh
command -v python3 >/dev/null || skip_all "terminal" "no python3 here"
# Sends back what it gets: see test/cmd/cli_test.sh.
printf '\267\002\000\020\067\003\020\000\003\305\122\000\023\165\025\000\343\014\005\376\003\305\002\000' >"$tmp/echo"
printf '\043\200\242\000\223\005\020\007\343\024\265\376\067\125\000\000\023\005\125\125\043\040\243\000' >>"$tmp/echo"
printf '\157\000\000\000' >>"$tmp/echo"

cat >"$tmp/terminal.py" <<'END'
import os, pty, select, signal, subprocess, sys, termios, time
lodge, kernel = sys.argv[1:3]
has_edit = sys.argv[3] == "yes"
count = 0

def ok(good, text, more=b""):
    global count
    count += 1
    print("%s %d - %s" % ("ok" if good else "not ok", count, text))
    if not good:
        print("#   %r" % more)

class Terminal:
    def __init__(self, *options, command=None):
        self.master, slave = pty.openpty()
        self.slave, self.text = slave, b""
        self.before = termios.tcgetattr(slave)
        args = [lodge, "run", "-a", "riscv64", "-b", "none", "-m", "16M", "-k", kernel] + list(options)
        args = [lodge] + command if command else args
        self.pid = os.fork()
        if not self.pid:
            try:
                os.setsid()
                for fd in 0, 1, 2:
                    os.dup2(slave, fd)
                os.execv(lodge, args)
            finally:
                os._exit(127)

    def wait_for(self, want):
        end = time.monotonic() + 20
        while want not in self.text and time.monotonic() < end:
            if select.select([self.master], [], [], 0.1)[0]:
                self.text += os.read(self.master, 4096)
        return want in self.text

    def send(self, data):
        os.write(self.master, data)

    def raw(self):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if not termios.tcgetattr(self.slave)[3] & termios.ICANON:
                return True
            time.sleep(0.01)
        return False

    def end(self):
        status = os.waitpid(self.pid, 0)[1]
        restored = termios.tcgetattr(self.slave) == self.before
        os.close(self.master)
        os.close(self.slave)
        return os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1, restored

t = Terminal()
ok(t.wait_for(b"kernel echo\r\n") and t.raw(), "the terminal becomes raw", t.text)
t.send(b"hi\x03\x1a")
ok(t.wait_for(b"hi\x03\x1a"), "keys go to the guest, Ctrl-c and Ctrl-z too", t.text)
t.send(b"\x01\x01.")
ok(t.wait_for(b"\x01."), "Ctrl-a Ctrl-a sends one", t.text)
t.send(b"\x01h")
ok(t.wait_for(b"Ctrl-a x  quit"), "Ctrl-a h lists the keys", t.text)
t.send(b"\x01c")
ok(t.wait_for(b"lodge monitor NAME"), "Ctrl-a c says where the monitor is", t.text)
t.send(b"\x01?\x01z")
ok(t.wait_for(b"no such key"), "another key after Ctrl-a does not reach the guest", t.text)
t.send(b"\x01x")
status, restored = t.end()
ok(status == 0, "Ctrl-a x ends the run: 0", b"%d" % status)
ok(restored, "and the terminal is as it was")

t = Terminal("-q")
t.raw()
t.send(b"q")
status, restored = t.end()
ok(status == 0 and restored, "the terminal is as it was after the guest powered off")

for name in "TERM", "INT", "HUP":
    t = Terminal()
    t.raw()
    os.kill(t.pid, getattr(signal, "SIG" + name))
    status, restored = t.end()
    ok(status == 128 + getattr(signal, "SIG" + name) and restored, "and after signal " + name, b"%d" % status)

t = Terminal("--timeout", "200ms")
status, restored = t.end()
ok(status == 4 and restored, "and after --timeout")

t = Terminal("-S")
ok(t.wait_for(b"guest waits"), "-S waits", t.text)
t.send(b"\x01sxq")
status, restored = t.end()
ok(status == 0 and restored, "Ctrl-a s starts the guest", t.text)

t = Terminal()
t.raw()
os.kill(t.pid, signal.SIGTSTP)
os.waitpid(t.pid, os.WUNTRACED)
ok(termios.tcgetattr(t.slave) == t.before, "the terminal is as it was while the run is suspended")
os.kill(t.pid, signal.SIGCONT)
ok(t.raw(), "and raw again when it goes on")
t.send(b"\x01x")
t.end()

subprocess.run([lodge, "run", "-Dq", "-a", "riscv64", "-b", "none", "-m", "16M", "-k", kernel, "tty"])
t = Terminal(command=["console", "tty"])
ok(t.wait_for(b"Ctrl-a x leaves") and t.raw(), "the console of a machine that runs: the terminal becomes raw", t.text)
t.send(b"hi\x03")
ok(t.wait_for(b"hi\x03"), "keys go to the guest, Ctrl-c too", t.text)
t.send(b"\x01\x01.")
ok(t.wait_for(b"\x01."), "Ctrl-a Ctrl-a sends one", t.text)
t.send(b"\x01h")
ok(t.wait_for(b"leave it"), "Ctrl-a h lists the keys", t.text)
u = Terminal(command=["console", "tty"])
ok(u.wait_for(b"hi\x03"), "another one sees what was printed before", u.text)
ok(t.wait_for(b"somebody else is at its console"), "and takes the console over", t.text)
status, restored = t.end()
ok(status == 0 and restored, "the terminal is as it was")
u.raw()
u.send(b"\x01x")
status, restored = u.end()
ok(status == 0 and restored, "Ctrl-a x leaves the console")
t = Terminal(command=["console", "tty"])
t.raw()
os.kill(t.pid, signal.SIGTERM)
status, restored = t.end()
ok(status == 128 + signal.SIGTERM and restored, "and so does a signal", b"%d" % status)

t = Terminal(command=["monitor", "tty"])
ok(t.wait_for(b"(tty) "), "the monitor prompts", t.text)
t.send(b"query-st\t\r" if has_edit else b"query-status\r")
ok(t.wait_for(b"status: running"), "it answers, and completes commands", t.text)
subprocess.run([lodge, "pause", "tty"])
ok(t.wait_for(b"STOP"), "it tells of events while nobody types", t.text)
t.send(b"\x1b[A\r" if has_edit else b"query-status\r")
ok(t.wait_for(b"status: paused"), "it knows the line before", t.text)
t.send(b"quit\r")
ok(t.wait_for(b"SHUTDOWN"), "quit ends the machine", t.text)
status, restored = t.end()
ok(status == 0 and restored, "and with it the monitor", b"%d" % status)
print("1..%d" % count)
END
XDG_RUNTIME_DIR=$tmp
export XDG_RUNTIME_DIR
edit=no
! ldd "$(readlink -f "$LODGE")" 2>/dev/null | grep -q libedit || edit=yes
python3 "$tmp/terminal.py" "$LODGE" "$tmp/echo" "$edit"
