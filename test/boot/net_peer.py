#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""net_peer.py serve FILE [ADDRESS]: what guests of net_test.sh talk to, on loopback: GET /N gives N bytes, of which
    FILE gets the port; a second port, for what guests send, and a DNS server on port 53 where that is allowed
net_peer.py data N: the bytes of GET /N     net_peer.py port: a free port
net_peer.py get PORT|PATH: connects, until somebody answers, and prints what comes
net_peer.py pcap FILE: prints what is in it, a line each"""
import os, socket, struct, sys, threading, time


def data(n):
    block = bytes((i * 31 + (i >> 8)) & 255 for i in range(1 << 20))
    while n > 0:
        yield block[:n]
        n -= len(block)


def give(client):
    words = client.recv(4096).decode().split()
    n = int(words[1].strip("/"))
    client.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % n)
    for piece in data(n):
        client.sendall(piece)
    client.close()


def take(client):
    while client.recv(1 << 20):
        pass
    client.close()


def serve(listener, handle):
    while True:
        client, _ = listener.accept()
        threading.Thread(target=handle, args=(client,), daemon=True).start()


def answer_names(server):
    """Whatever the name is, its address is 192.0.2.7; there is no other record."""
    while True:
        query, client = server.recvfrom(512)
        end = query.index(0, 12) + 5
        is_a = query[end - 4:end - 2] == b"\0\1"
        head = query[:2] + b"\x81\x80\0\1" + (b"\0\1" if is_a else b"\0\0") + b"\0\0\0\0"
        record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\7" if is_a else b""
        server.sendto(head + query[12:end] + record, client)


def serve_all(path, address="127.0.0.1"):
    ports = []
    for handle in (give, take):
        listener = socket.create_server((address, 0))
        ports.append(str(listener.getsockname()[1]))
        threading.Thread(target=serve, args=(listener, handle), daemon=True).start()
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        names.bind((address, 53))
        ports.append("dns")
        threading.Thread(target=answer_names, args=(names,), daemon=True).start()
    except OSError:
        pass
    with open(path + ".new", "w") as f:
        f.write(" ".join(ports) + "\n")
    os.rename(path + ".new", path)
    threading.Event().wait()


def get(where):
    for _ in range(600):
        time.sleep(0.5)
        try:
            if where.isdigit():
                s = socket.create_connection(("127.0.0.1", int(where)), 5)
            else:
                s = socket.socket(socket.AF_UNIX)
                s.connect(where)
            s.settimeout(20)
            got = s.recv(1000)
        except OSError:
            continue
        if got:
            print(got.decode(), end="")
            return


def pcap(path):
    text = open(path, "rb").read()
    magic, major, minor, _, _, _, link = struct.unpack_from("<IHHIIII", text)
    assert (magic, major, minor, link) == (0xA1B23C4D, 2, 4, 1)
    at = 24
    while at < len(text):
        _, ns, have, full = struct.unpack_from("<IIII", text, at)
        frame = text[at + 16:at + 16 + have]
        assert ns < 10**9 and have == len(frame) and have <= full
        kind, = struct.unpack_from(">H", frame, 12)
        name = {0x806: "arp", 0x86DD: "ip6"}.get(kind, "?")
        if kind == 0x800:
            name = {1: "icmp", 6: "tcp", 17: "udp"}.get(frame[23], "ip")
            if frame[23] == 17 and struct.unpack_from(">H", frame, 36)[0] in (67, 68):
                name = "dhcp"
        print(name, full)
        at += 16 + have


def main():
    what, args = sys.argv[1], sys.argv[2:]
    if what == "serve":
        serve_all(*args)
    elif what == "data":
        for piece in data(int(args[0])):
            sys.stdout.buffer.write(piece)
    elif what == "port":
        print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])
    elif what == "get":
        get(args[0])
    elif what == "pcap":
        pcap(args[0])


main()
