#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""lint.py [BUILD]: the limits that keep the tree simple, as TAP lines.

layers: includes only go down (tools/layers.txt), start at the root, never name a .c file
size: files of at most 1,000 lines, functions of at most 80, nesting of at most 4
reach: a .c file reaches at most 36 headers of ours (instruction bodies are headers, too)
globals: no variable that can change outside a function's stack (nm over BUILD)
format: clang-format agrees, where it is installed
licence: every source file says its licence in its first three lines
"""
import pathlib, re, shutil, subprocess, sys

FILE_LINES, FUNCTION_LINES, NESTING, REACH = 1000, 80, 4, 36

root = pathlib.Path(".")
allow = {}
for line in open("tools/layers.txt"):
    line = line.split("#")[0].strip()
    if line:
        name, _, names = line.partition(":")
        allow[name.strip()] = set(names.split()) | {name.strip(), "base"}

files = sorted(f for top in allow for f in (root / top).rglob("*.[ch]"))
text = {f: f.read_text() for f in files}
include = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def layers():
    for f in files:
        for m in include.finditer(text[f]):
            name, line = m[1], text[f].count("\n", 0, m.start()) + 1
            top = name.split("/")[0]
            if "/" not in name and f.parts[0] not in ("cmd", "lib", "test") and name != "lodge.h":
                yield f"{f}:{line}: includes {name} without its folder"
            elif name.endswith(".c"):
                yield f"{f}:{line}: includes a .c file"
            elif "/" in name and top not in allow[f.parts[0]]:
                yield f"{f}:{line}: {f.parts[0]}/ may not include {name}"


def strip(source):
    """Comments, strings and preprocessor lines out, line breaks kept."""
    source = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), source, flags=re.S)
    source = re.sub(r'"(\\.|[^"\\\n])*"|\'(\\.|[^\'\\\n])*\'', "0", source)
    return re.sub(r"^[ \t]*#(.*\\\n)*.*$", lambda m: "\n" * m[0].count("\n"), source, flags=re.M)


def size():
    for f in files:
        n = text[f].count("\n")
        if n > FILE_LINES:
            yield f"{f}: {n} lines, the limit is {FILE_LINES}"
        depth, start, deepest, table, last = 0, 0, 0, False, ""
        for number, line in enumerate(strip(text[f]).split("\n"), 1):
            for c in line:
                if c == "{":
                    if depth == 0:
                        start, deepest = number, 0
                        table = (any(w in last + line for w in ("=", "enum", "extern"))
                                 or re.match(r"struct \w+ {", line))
                    depth += 1
                    deepest = max(deepest, depth)
                elif c == "}":
                    depth -= 1
                    if depth == 0 and not table:
                        if number - start - 1 > FUNCTION_LINES:
                            yield f"{f}:{start}: a function of {number - start - 1} lines"
                        if deepest - 1 > NESTING:
                            yield f"{f}:{start}: nesting of {deepest - 1}"
            if line.strip():
                last = line


def reach():
    graph = {str(f): [m[1] for m in include.finditer(text[f])] for f in files}
    for f in files:
        if f.suffix != ".c" or f.parts[0] == "test":
            continue
        seen, todo = set(), list(graph[str(f)])
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                todo += graph.get(name, [])
        if len(seen) > REACH:
            yield f"{f}: reaches {len(seen)} headers of ours"


def globals_():
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build")
    for o in sorted(build.rglob("*.o")):
        if "test" in o.parts or not shutil.which("nm"):
            continue
        for line in subprocess.run(["nm", str(o)], capture_output=True, text=True).stdout.splitlines():
            kind, name = line.split()[-2:]
            # Tables of pointers are relocated data in a position-independent object: .data.rel.ro.
            if kind in "bBcC" or (kind in "dD" and not is_relro(o, name)):
                yield f"{o}: {name} can change"


def is_relro(o, name):
    out = subprocess.run(["objdump", "-t", str(o)], capture_output=True, text=True).stdout
    return any(line.endswith(" " + name) and ".data.rel.ro" in line for line in out.splitlines())


def format_():
    if not shutil.which("clang-format"):
        return
    for f in files:
        out = subprocess.run(["clang-format", "--dry-run", "-Werror", str(f)], capture_output=True)
        if out.returncode:
            yield f"{f}: run clang-format -i on it"


def licence():
    names = files + sorted(root.glob("tools/*.py")) + sorted(root.glob("tools/*.sh"))
    for f in names:
        if "SPDX-License-Identifier: BSD-2-Clause" not in "\n".join(f.read_text().split("\n")[:3]):
            yield f"{f}: no SPDX line"


bad = 0
for n, check in enumerate((layers, size, reach, globals_, format_, licence), 1):
    found = list(check())
    print(f"{'not ok' if found else 'ok'} {n} - lint {check.__name__.rstrip('_')}")
    for line in found:
        print(f"# {line}")
    bad |= bool(found)
print("1..6")
sys.exit(bad)
