#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""symbols.py MACHINE OUT: an ELF file that has nothing but the symbols of a kernel, for gdb.  Lines of
/proc/kallsyms (address, type, name), among others, come on standard input.  MACHINE: x86_64 or riscv64."""
import re
import struct
import sys

MACHINES = {"x86_64": 62, "riscv64": 243}


def main():
    machine, out = sys.argv[1:]
    symbols = {}
    for line in sys.stdin:
        m = re.match(r"([0-9a-f]{16}) ([A-Za-z]) ([\w.]+)\s*$", line)
        if m and int(m[1], 16):
            symbols[m[3]] = (int(m[1], 16), m[2].lower())
    if not symbols:
        sys.exit("symbols.py: there are none")
    order = sorted((at, kind, name) for name, (at, kind) in symbols.items())
    low = order[0][0] & ~0xfff
    high = order[-1][0] + 0x1000
    names = b"\0"
    table = struct.pack("<IBBHQQ", 0, 0, 0, 0, 0, 0)
    for i, (at, kind, name) in enumerate(order):
        after = min((a for a, _, _ in order[i + 1:] if a > at), default=at + 64)
        table += struct.pack("<IBBHQQ", len(names), 0x12 if kind == "t" else 0x11, 0, 1, at, min(after - at, 4096))
        names += name.encode() + b"\0"
    strings = b"\0.text\0.symtab\0.strtab\0.shstrtab\0"
    at = 64
    sections = [(0, 0, 0, 0, 0, 0, 0, 0, 0, 0), (strings.index(b".text"), 8, 6, low, at, high - low, 0, 0, 4096, 0)]
    body = b""
    for name, kind, data, link, info, entry in ((b".symtab", 2, table, 3, 1, 24), (b".strtab", 3, names, 0, 0, 0),
                                                (b".shstrtab", 3, strings, 0, 0, 0)):
        sections.append((strings.index(name), kind, 0, 0, at + len(body), len(data), link, info, 8, entry))
        body += data + bytes(-len(data) % 8)
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, MACHINES[machine], 1, low, 0, at + len(body),
                         5 if machine == "riscv64" else 0, 64, 0, 0, 64, len(sections), 4)
    with open(out, "wb") as f:
        f.write(header + body)
        for s in sections:
            f.write(struct.pack("<IIQQQQIIQQ", *s))


main()
