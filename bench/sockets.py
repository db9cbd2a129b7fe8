# SPDX-License-Identifier: BSD-2-Clause
"""Sockets of a Lodge that has just been started."""
import socket, time


def connect(path):
    """To a Unix socket, which may come to be within half a minute."""
    for _ in range(600):
        try:
            s = socket.socket(socket.AF_UNIX)
            s.connect(str(path))
            return s
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nobody is at {path}")
