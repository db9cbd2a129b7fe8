#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""disk_power.py LOG SEED N BASE NEW [BASE NEW...]: what a host leaves of image files when it loses power.

LOG is of disk_record.c, BASE what its files were before; makes each NEW as it may be after a moment of the log that the
seed and N choose: what a flush that ended had to keep is there, in its order; of all other writes each is there, or not,
or only some of its sectors are.  Prints what the guest had said until then."""
import random, shutil, struct, sys

SECTOR = 512
RECORD = struct.Struct("<BBHIQQ")


def read_log(path):
    """[(kind, file, id, offset, length, data)]"""
    log, data, at = [], open(path, "rb").read(), 0
    while at + RECORD.size <= len(data):
        kind, which, _, number, off, length = RECORD.unpack_from(data, at)
        at += RECORD.size
        body = data[at:at + length] if kind in b"wo" else b""
        if kind in b"wo" and len(body) < length:
            break  # the program was killed in the middle of it
        at += len(body)
        log.append((chr(kind), which, number, off, length, body))
    return log


def tear(rng, length):
    """The parts of a write that are done: [(from, to)]"""
    n = (length + SECTOR - 1) // SECTOR
    way = rng.randrange(6)
    if way == 0:
        return []
    if way == 1 and n > 1:
        return [(0, rng.randrange(1, n) * SECTOR)]
    if way == 2 and n > 1:
        return [(rng.randrange(1, n) * SECTOR, length)]
    if way == 3:
        return [(i * SECTOR, min(length, (i + 1) * SECTOR)) for i in range(n) if rng.random() < 0.5]
    return [(0, length)]


def apply(f, op, parts):
    kind, _, _, off, length, body = op
    if kind == "t":
        f.truncate(length)
    for first, end in parts if kind in "wz" else ():
        # Zeroes by fallocate do not make a file longer.
        if kind == "z":
            size = f.seek(0, 2)
            end = min(end, max(size - off, 0))
        if end > first:
            f.seek(off + first)
            f.write(body[first:end] if kind == "w" else bytes(end - first))


def main():
    path, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    files = list(zip(sys.argv[4::2], sys.argv[5::2]))
    rng = random.Random(seed * 1000003 + count)
    log = read_log(path)
    said = [i for i, op in enumerate(log) if op[0] == "o" and b"-has" in op[5]]
    cut = rng.randrange(said[0] if said else 0, len(log)) + 1
    began = {op[2]: i for i, op in enumerate(log[:cut]) if op[0] in "wztf"}
    ended = {op[2]: i for i, op in enumerate(log[:cut]) if op[0] == "e"}
    # For each file: what ended before a flush of it began that ended too is kept.
    kept = {}
    for number, i in began.items():
        if log[i][0] == "f" and number in ended:
            kept[log[i][1]] = max(kept.get(log[i][1], 0), i)
    lost = 0
    for which, (base, new) in enumerate(files):
        shutil.copyfile(base, new)
        with open(new, "r+b") as f:
            for number, i in began.items():
                op = log[i]
                if op[1] != which or op[0] == "f":
                    continue
                if ended.get(number, cut) < kept.get(which, 0):
                    parts = [(0, op[4])]
                elif op[0] == "t" and rng.random() < 0.5:
                    continue
                else:
                    parts = tear(rng, op[4])
                lost += parts != [(0, op[4])]
                apply(f, op, parts)
    sys.stderr.write(f"# at {cut} of {len(log)}: {lost} writes lost or torn\n")
    sys.stdout.write("".join(op[5].decode("latin-1") for op in log[:cut] if op[0] == "o"))


if __name__ == "__main__":
    main()
