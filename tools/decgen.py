#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""decgen.py ARCH.dec: write a C decoder to standard output.  Run by the build.

A line of the text is one of

    prefix NAME
        what the names in the output begin with, and which struct holds the operands
    include HEADER
        says what PREFIX_SINK is
    fields FORMAT  operand=SLICES...
        SLICES: bits of the word, high part first, separated by commas: 31:25 or 7; 0*3 and 1*1 are
        that many constant bits; a leading s sign-extends.  operand==NUMBER is a constant.
        `rd` is an integer destination: register 0 becomes PREFIX_SINK.  `fd` is stored in rd too,
        as it is.
    NAME [= BASE] BITS [FORMAT] [operand!=NUMBER...] [KIND]
        an instruction of 16 or 32 bits (blanks between them do not count); '.' is an operand bit.
        With BASE it is a short form of that instruction and decodes to it.
        KIND: next (if not said), branch, jump, jump_to, end: where control goes after it.

The body of an instruction is sem_NAME; PREFIX_BODIES, if defined, is how bodies are declared:
`static`.
PREFIX_NAMES makes the table of names, PREFIX_FORMATS that of formats ("": none), PREFIX_PATTERNS that
of the lines, for tests.

Of two lines that match one word, the one that fixes more bits wins; it must fix all bits that the
other fixes.  Every operand bit must be read by the format."""
import re
import sys

KINDS = ("next", "branch", "jump", "jump_to", "end")
MEMBERS = ("imm", "rd", "rs1", "rs2", "rs3")


class Bad(Exception):
    pass


class Insn:
    """One line of the text."""

    def __init__(self, line, words, formats):
        self.line, self.name, words = line, words[0], words[1:]
        self.base = self.name
        if words and words[0] == "=":
            self.base, words = words[1], words[2:]
        bits = "".join(w for w in words if re.fullmatch(r"[01.]+", w))
        words = [w for w in words if not re.fullmatch(r"[01.]+", w)]
        if len(bits) not in (16, 32):
            raise Bad(f"{self.name}: {len(bits)} bits, want 16 or 32")
        self.width = len(bits)
        self.mask = int(bits.replace("0", "1").replace(".", "0"), 2)
        self.want = int(bits.replace(".", "0"), 2)
        self.kind = words.pop() if words and words[-1] in KINDS else "next"
        self.fmt = words.pop(0) if words and words[0] in formats else None
        self.not_equal = []
        for w in words:
            m = re.fullmatch(r"(\w+)!=(-?\d+)", w)
            if not m or not self.fmt or m[1] not in formats[self.fmt]:
                raise Bad(f"{self.name}: what is '{w}'?")
            self.not_equal.append((m[1], int(m[2])))
        read = used_bits(formats[self.fmt]) if self.fmt else 0
        lost = ~(self.mask | read) & ((1 << self.width) - 1)
        if lost:
            raise Bad(f"{self.name}: nobody reads the operand bits {lost:#x}")

    def overlaps(self, other):
        both = self.mask & other.mask
        if self.width != other.width or (self.want ^ other.want) & both:
            return False
        return self.mask == other.mask or both not in (self.mask, other.mask)


def ident(name):
    return name.replace(".", "_")


def parts(spec):
    """The slices of an operand as (high, low) or ('0' or '1', count)."""
    for part in spec.lstrip("s").split(","):
        m = re.fullmatch(r"([01])\*(\d+)", part)
        if m:
            yield m[1], int(m[2])
            continue
        m = re.fullmatch(r"(\d+)(?::(\d+))?", part)
        if not m:
            raise Bad(f"what is the slice '{part}'?")
        yield int(m[1]), int(m[2] or m[1])


def used_bits(fmt):
    bits = 0
    for spec in fmt.values():
        if spec.startswith("="):
            continue
        for hi, lo in parts(spec):
            if not isinstance(hi, str):
                bits |= (2 << hi) - (1 << lo)
    return bits


def extract(spec):
    """The C expression for one operand of the word w."""
    if spec.startswith("="):
        return spec[1:]
    expr, width = "", 0
    for hi, lo in parts(spec):
        if isinstance(hi, str):
            n = lo
            piece = f"{(1 << n) - 1:#x}u" if hi == "1" else ""
        else:
            n = hi - lo + 1
            piece = f"(w >> {lo} & {(1 << n) - 1:#x}u)"
        if expr:
            expr = f"({expr}) << {n}" + (f" | {piece}" if piece else "")
        else:
            expr = piece or "0u"
        width += n
    if spec.startswith("s"):
        return f"(int32_t)(({expr}) << {32 - width}) >> {32 - width}"
    return f"(int32_t)({expr})"


def parse(path):
    prefix, header, formats, insns = "", "", {}, []
    with open(path, encoding="ascii") as f:
        for n, text in enumerate(f, 1):
            words = text.split("#")[0].split()
            if not words:
                continue
            try:
                if words[0] == "prefix":
                    prefix = words[1]
                elif words[0] == "include":
                    header = words[1]
                elif words[0] == "fields":
                    formats[words[1]] = dict(w.split("=", 1) for w in words[2:])
                    used_bits(formats[words[1]])
                else:
                    insns.append(add(Insn(n, words, formats), insns))
            except Bad as e:
                sys.exit(f"{path}:{n}: {e}")
    for i in insns:
        if i.base not in (o.name for o in insns if o.base == o.name):
            sys.exit(f"{path}:{i.line}: {i.name}: no instruction {i.base}")
    return prefix, header, formats, insns


def add(insn, others):
    for o in others:
        if o.name == insn.name:
            raise Bad(f"{insn.name} is on line {o.line} already")
        if insn.overlaps(o):
            raise Bad(f"{insn.name} overlaps {o.name} (line {o.line})")
    return insn


def leaf(i, ind, prefix, formats):
    test = f"(w & {i.mask:#x}u) == {i.want:#x}u"
    for name, value in i.not_equal:
        test += f" && ({extract(formats[i.fmt][name])}) != {value}"
    fill = f"{prefix}_args_{i.fmt}(w)" if i.fmt else f"(struct {prefix}_args){{ 0 }}"
    return [f"{ind}if ({test}) {{", f"{ind}\t*a = {fill};",
            f"{ind}\treturn {prefix.upper()}_OP_{ident(i.base)};", f"{ind}}}"]


def tree(insns, seen, ind, prefix, formats):
    """A switch on the bits that every remaining line fixes and nobody has looked at."""
    common = ~seen
    for i in insns:
        common &= i.mask
    if len(insns) == 1 or not common:
        # What fixes more comes first.  A group of one at a time: the rest may still have a switch.
        most = max(insns, key=lambda i: bin(i.mask).count("1"))
        out = leaf(most, ind, prefix, formats)
        rest = [i for i in insns if i is not most]
        return out + (tree(rest, seen, ind, prefix, formats) if rest else [])
    out = [f"{ind}switch (w & {common:#x}u) {{"]
    for v in sorted({i.want & common for i in insns}):
        out.append(f"{ind}case {v:#x}u:")
        some = [i for i in insns if i.want & common == v]
        out += tree(some, seen | common, ind + "\t", prefix, formats)
        out.append(f"{ind}\tbreak;")
    return out + [f"{ind}}}"]


def decoder(width, insns, prefix, formats):
    out = [f"static inline enum {prefix}_op {prefix}_decode{width}(uint32_t w, "
           f"struct {prefix}_args *a)", "{"]
    out += tree([i for i in insns if i.width == width], 0, "\t", prefix, formats)
    return out + [f"\t*a = (struct {prefix}_args){{ 0 }};",
                  f"\treturn {prefix.upper()}_OP_illegal;", "}"]


def args(name, fmt, prefix):
    inits = []
    for operand, spec in fmt.items():
        member = "rd" if operand == "fd" else operand
        if member not in MEMBERS:
            raise Bad(f"format {name}: no operand is called {operand}")
        expr = extract(spec)
        if operand == "rd":
            expr = f"{prefix}_rd({expr})"
        inits.append(f".{member} = " + (expr if member == "imm" else f"(uint8_t)({expr})"))
    return [f"static inline struct {prefix}_args {prefix}_args_{name}(uint32_t w)", "{", "\t(void)w;",
            f"\treturn (struct {prefix}_args){{ {', '.join(inits)} }};", "}"]


def main(path):
    prefix, header, formats, insns = parse(path)
    upper = prefix.upper()
    ops = [("illegal", "illegal", "end")]
    ops += [(i.name, ident(i.name), i.kind) for i in insns if i.base == i.name]
    out = [f"/* made by tools/decgen.py from {path}: do not edit */",
           f"#ifndef {upper}_DEC_H", f"#define {upper}_DEC_H", "#include <stdint.h>",
           f'#include "{header}"', f"struct {prefix}_args {{", "\tint32_t imm;", "\tuint8_t rd, rs1, rs2, rs3;", "};",
           f"#define {upper}_OPS(X) \\"]
    out += [f"\tX({c}, {kind}) \\" for _, c, kind in ops] + [""]
    short = {ident(i.base) for i in insns if i.width == 16} | {"illegal"}
    out += [f"#define {upper}_OPS16(X) /* those that 16 bits can say */ \\"]
    out += [f"\tX({c}, {kind}) \\" for _, c, kind in ops if c in short] + [""]
    out += [f"enum {prefix}_op {{"] + [f"\t{upper}_OP_{c}," for _, c, _ in ops]
    out += [f"\t{upper}_NOPS", "};", f"#ifdef {upper}_NAMES",
            f"static const char *const {prefix}_names[] = {{"]
    formats_of = {i.name: i.fmt or "" for i in insns}
    out += [f"\t\"{name}\"," for name, _, _ in ops] + ["};", "#endif", f"#ifdef {upper}_FORMATS",
            f"static const char *const {prefix}_formats[] = {{"]
    out += [f"\t\"{formats_of.get(name, '')}\"," for name, _, _ in ops]
    out += ["};", "#endif", f"#ifdef {upper}_PATTERNS",
            "static const struct {", "\tuint32_t mask, want;", "\tuint8_t width;",
            f"}} {prefix}_patterns[] = {{"]
    out += [f"\t{{ {i.mask:#x}, {i.want:#x}, {i.width} }}," for i in insns]
    out += ["};", "#endif", f"#ifdef {upper}_BODIES", "struct ctx;"]
    out += [f"{upper}_BODIES void sem_{c}(struct ctx *, const struct {prefix}_args *);"
            for _, c, _ in ops] + ["#endif"]
    out += [f"static inline int32_t {prefix}_rd(int32_t r)", "{",
            f"\treturn r ? r : {upper}_SINK;", "}"]
    try:
        for name, fmt in formats.items():
            out += args(name, fmt, prefix)
    except Bad as e:
        sys.exit(f"{path}: {e}")
    out += decoder(32, insns, prefix, formats) + decoder(16, insns, prefix, formats)
    print("\n".join(out + ["#endif"]))


main(sys.argv[1])
