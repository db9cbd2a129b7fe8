#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""x86gen.py FILE.ops...: write the list of x86 operations to standard output.  Run by the build.

A line of a text is

    MNEMONIC[:WHEN] BODY [WORD...]

MNEMONIC is as Zydis spells it.  Where one mnemonic is several instructions, WHEN tells which one
this is: the one with such an operand (seg, cr, dr, vec, mmx, mem), or that goes to another segment
(far) or does not (near), or (vex) is encoded so, or
(bare) has no operands to write.  Lines with a WHEN go before the one without, in their order; that one has no operands seg,
cr, dr.  The body is sem_BODY.
Words:
    =NUMBER     what the body finds in insn.arg: a condition, a variant
    need=NAME   a feature (cpu/x86/insn.h) that the CPU must have, beside those of the encoding
    lock        LOCK is allowed where the first operand is memory
    end         control goes elsewhere, or what follows is to be decoded anew: it ends a block
    system      nothing of it is in registers that blocks know: IR calls it as a whole
    protected   undefined in real and virtual-8086 mode
    no64        undefined in 64-bit code (where the encoding does not say so)

X86_BODIES, if defined, is how bodies are declared: `static`."""
import re
import sys

WHEN = ("", "seg", "cr", "dr", "vec", "mmx", "mem", "far", "near", "vex", "bare")
FLAGS = ("lock", "end", "system", "protected", "no64")
# Made by the decoder itself.
OWN = (("ud", "ud"), ("too_long", "too_long"))


class Bad(Exception):
    pass


class Op:
    """One line of a text."""

    def __init__(self, where, words):
        self.where = where
        self.mnemonic, _, self.when = words[0].partition(":")
        if self.when not in WHEN:
            raise Bad(f"{where}: what is '{self.when}'?")
        if len(words) < 2 or not re.fullmatch(r"\w+", words[1]):
            raise Bad(f"{where}: {words[0]} has no body")
        self.name = self.mnemonic + ("_" + self.when if self.when else "")
        self.body, self.arg, self.need, self.flags = words[1], "0", "NOTHING", []
        for w in words[2:]:
            if w.startswith("="):
                self.arg = w[1:]
            elif w.startswith("need="):
                self.need = w[5:]
            elif w in FLAGS:
                self.flags.append(w)
            else:
                raise Bad(f"{where}: what is '{w}'?")


def parse(paths):
    ops = {}
    for path in paths:
        with open(path, encoding="ascii") as f:
            for n, text in enumerate(f, 1):
                words = text.split("#")[0].split()
                if not words:
                    continue
                op = Op(f"{path}:{n}", words)
                if op.name in ops:
                    raise Bad(f"{op.where}: {words[0]} is at {ops[op.name].where} already")
                ops[op.name] = op
    return list(ops.values())


def main(paths):
    try:
        ops = parse(paths)
    except Bad as e:
        sys.exit(str(e))
    groups = {}
    for op in ops:
        groups.setdefault(op.mnemonic, []).append(op)
    for group in groups.values():
        group.sort(key=lambda o: o.when == "")
    bodies = list(dict.fromkeys([b for _, b in OWN] + [o.body for o in ops]))
    out = ["/* made by tools/x86gen.py: do not edit */", "#ifndef X86_OPS_H", "#define X86_OPS_H",
           "enum x86_op {"]
    out += [f"\tX86_OP_{name}," for name, _ in OWN] + [f"\tX86_OP_{o.name}," for o in ops]
    out += ["\tX86_NOPS", "};", "enum x86_op_flags {"]
    out += [f"\tX86_OPF_{f.upper()} = {1 << i}," for i, f in enumerate(FLAGS)] + ["};"]
    out += ["enum x86_when {"] + [f"\tX86_WHEN_{(w or 'any').upper()}," for w in WHEN] + ["};"]
    out += ["/* X(op, body) */", "#define X86_OPS(X) \\"]
    out += [f"\tX({name}, {body}) \\" for name, body in OWN]
    out += [f"\tX({o.name}, {o.body}) \\" for o in ops] + [""]
    out += ["/* X(body), each once */", "#define X86_SEMS(X) \\"]
    out += [f"\tX({b}) \\" for b in bodies] + [""]
    out += ["#ifdef X86_BODIES", "struct ctx;", "struct x86_insn;"]
    out += [f"X86_BODIES void sem_{b}(struct ctx *, const struct x86_insn *);" for b in bodies]
    out += ["#endif", "/* X(op, name, flags, arg, when, need, next) */", "#define X86_OP_INFOS(X) \\"]
    out += [f"\tX({name}, \"{name}\", X86_OPF_END, 0, ANY, NOTHING, ud) \\" for name, _ in OWN]
    for o in ops:
        group = groups[o.mnemonic]
        at = group.index(o) + 1
        after = group[at].name if at < len(group) else "ud"
        flags = " | ".join(f"X86_OPF_{f.upper()}" for f in o.flags) or "0"
        out += [f"\tX({o.name}, \"{o.name}\", {flags}, {o.arg}, {(o.when or 'any').upper()}, "
                f"{o.need}, {after}) \\"]
    out += ["", "/* X(Zydis's mnemonic, first op) */", "#define X86_MNEMONICS(X) \\"]
    out += [f"\tX({m.upper()}, {g[0].name}) \\" for m, g in groups.items()]
    print("\n".join(out + ["", "#endif"]))


main(sys.argv[1:])
