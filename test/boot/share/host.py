#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""host.py echo PATH | send PATH PORT BYTES: the host's ends of the sockets of share_test.sh."""
import hashlib, os, socket, sys, threading, time


def echo(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    client, _ = listener.accept()
    while data := client.recv(1 << 18):
        client.sendall(data)
    client.shutdown(socket.SHUT_WR)
    client.recv(1)


def connect(path, port):
    """Until the guest listens."""
    while True:
        client = socket.socket(socket.AF_UNIX)
        client.connect(path)
        client.sendall(b"CONNECT %d\n" % port)
        line = b""
        while not line.endswith(b"\n"):
            byte = client.recv(1)
            if not byte:
                break
            line += byte
        if line.startswith(b"OK "):
            return client
        client.close()
        time.sleep(0.2)


def send(path, port, amount):
    client = connect(path, port)
    sent, back = hashlib.md5(), hashlib.md5()

    def write():
        left = amount
        while left:
            data = os.urandom(min(left, 1 << 18))
            sent.update(data)
            client.sendall(data)
            left -= len(data)
        client.shutdown(socket.SHUT_WR)

    writer = threading.Thread(target=write)
    writer.start()
    while data := client.recv(1 << 18):
        back.update(data)
    writer.join()
    print("SAME" if sent.digest() == back.digest() else "DIFFERENT", amount)


if sys.argv[1] == "echo":
    echo(sys.argv[2])
else:
    send(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
