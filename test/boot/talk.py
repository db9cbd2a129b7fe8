#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""talk.py LIMIT COMMAND...: run a command and talk with it over its standard input and output.

The talk comes on standard input, a step a line: "< TEXT" waits until the text was seen, behind what the step before
saw; "> TEXT" sends it and a carriage return.  Each step of waiting may take LIMIT seconds.  What the command says goes
to standard output; the exit status is the command's, or 99 when a text was never seen.
"""
import os
import select
import subprocess
import sys
import time


def main():
    limit, command = float(sys.argv[1]), sys.argv[2:]
    steps = sys.stdin.read().splitlines()
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    out, seen = child.stdout.fileno(), b""
    for step in steps:
        what, text = step[:1], step[2:].encode()
        if what == ">":
            child.stdin.write(text + b"\r")
            child.stdin.flush()
            continue
        end = time.monotonic() + limit
        while text not in seen:
            if not select.select([out], [], [], max(0, end - time.monotonic()))[0]:
                break
            data = os.read(out, 65536)
            if not data:
                break
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            seen += data
        if text not in seen:
            print(f"\ntalk.py: never saw {text.decode()!r}", flush=True)
            child.kill()
            child.wait()
            return 99
        seen = seen[seen.index(text) + len(text):]
    # The end of its output, for it must not wait for us.
    while data := os.read(out, 65536):
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    return child.wait()


sys.exit(main())
