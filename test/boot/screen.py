#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""screen.py PNG [VGABIOS]: what a screenshot shows: its size, or with the BIOS whose font it was drawn
with (8x16, in cells of 9x16 or 8x16 dots), its text."""
import struct, sys, zlib

WIDTH, HEIGHT = 8, 16
# The letter A, by which the font is found.
A = bytes.fromhex("00001038 6cc6c6fe c6c6c6c6 00000000".replace(" ", ""))


def read_png(path):
    data = open(path, "rb").read()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", "not a PNG file"
    at, packed = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size:at + 12 + size])[0] == zlib.crc32(kind + body), "bad CRC"
        if kind == b"IHDR":
            width, height, depth, colours = struct.unpack(">IIBB", body[:10])
            assert (depth, colours) == (8, 2)
        if kind == b"IDAT":
            packed += body
        at += 12 + size
    raw, line, rows = zlib.decompress(packed), 1 + 3 * width, []
    assert len(raw) == line * height
    above = bytes(3 * width)
    for y in range(height):
        kind, row = raw[y * line], raw[y * line + 1:(y + 1) * line]
        assert kind in (0, 2)
        above = row if kind == 0 else bytes((a + b) & 255 for a, b in zip(row, above))
        rows.append(above)
    return width, height, rows


def read_font(path):
    rom = open(path, "rb").read()
    at = rom.find(A)
    assert at >= 0, "no font of 8x16 in " + path
    start = at - ord("A") * HEIGHT
    font = {}
    for code in list(range(128, 256)) + list(range(127, -1, -1)):
        font[rom[start + code * HEIGHT:start + (code + 1) * HEIGHT]] = code
    return font


def cell(rows, x, y):
    """A glyph, with the colour of its top left dot, which is the background's in nearly all, as 0."""
    lines = [rows[y + i][3 * x:3 * (x + WIDTH)] for i in range(HEIGHT)]
    back, out = lines[0][:3], []
    for l in lines:
        bits = 0
        for i in range(WIDTH):
            bits = bits << 1 | (l[3 * i:3 * i + 3] != back)
        out.append(bits)
    return bytes(out)


def main():
    width, height, rows = read_png(sys.argv[1])
    if len(sys.argv) < 3:
        colours = {row[i:i + 3] for row in rows for i in range(0, len(row), 3)}
        print(f"{width}x{height} {len(colours)} colours")
        return
    font = read_font(sys.argv[2])
    step = 9 if width % 9 == 0 else 8
    for y in range(0, height - HEIGHT + 1, HEIGHT):
        codes = [font.get(cell(rows, x, y), 0) for x in range(0, width - WIDTH + 1, step)]
        print("".join(chr(c) if 32 <= c < 127 else " " if c in (0, 255) else "?" for c in codes).rstrip())


main()
