# SPDX-License-Identifier: BSD-2-Clause
"""ask.py SOCKET COMMAND [JSON]: one command on a control socket; prints what it returns."""
import json, socket, sys

s = socket.socket(socket.AF_UNIX)
s.settimeout(60)
s.connect(sys.argv[1])
f = s.makefile("rw")
json.loads(f.readline())
for command, args in (("qmp_capabilities", {}), (sys.argv[2], json.loads(sys.argv[3]) if len(sys.argv) > 3 else {})):
    print(json.dumps({"execute": command, "arguments": args}), file=f, flush=True)
    answer = json.loads(f.readline() or "{}")
    while "event" in answer:
        answer = json.loads(f.readline() or "{}")
print(json.dumps(answer.get("return", answer)))
sys.exit("error" in answer)
