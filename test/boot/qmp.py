#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""qmp.py SOCKET STEP...: a client of a control socket.  A STEP is a command, as JSON or as its name and arguments
("eject id=disk1 force=true"), whose answer is printed; or "wait EVENT [WORD]", which waits for an event that has the
word in it.  Ends with 1 when a command fails or nothing comes."""
import json, socket, sys, time

PATIENCE = 300


def connect(path):
    for _ in range(PATIENCE):
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect(path)
            return s
        except OSError:
            time.sleep(1)
    sys.exit(f"qmp.py: nobody is at {path}")


def command(text):
    if text.startswith("{"):
        return json.loads(text)
    name, *words = text.split()
    args = {}
    for word in words:
        key, value = word.split("=", 1)
        args[key] = json.loads(value) if value in ("true", "false") or value.isdigit() else value
    return {"execute": name, "arguments": args}


class Client:
    def __init__(self, path):
        self.socket = connect(path)
        self.socket.settimeout(PATIENCE)
        self.lines = self.socket.makefile("r")
        self.events = []
        self.read()
        self.run({"execute": "qmp_capabilities"})

    def read(self):
        line = self.lines.readline()
        if not line:
            sys.exit("qmp.py: the machine has ended")
        return json.loads(line)

    def run(self, what):
        self.socket.sendall((json.dumps(what) + "\n").encode())
        while True:
            answer = self.read()
            if "event" not in answer:
                return answer
            self.events.append(answer)

    def wait(self, event, word=""):
        while True:
            while self.events:
                e = self.events.pop(0)
                if e["event"] == event and word in json.dumps(e.get("data", {})):
                    return e
            e = self.read()
            if "event" in e:
                self.events.append(e)


def main():
    client = Client(sys.argv[1])
    for step in sys.argv[2:]:
        if step.startswith("wait "):
            print(json.dumps(client.wait(*step.split()[1:])))
            continue
        answer = client.run(command(step))
        print(json.dumps(answer))
        if "error" in answer:
            sys.exit(1)


main()
