#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""dns_server.py PORT MODE -- answers reverse look-ups and counts them; on SIGTERM it prints what it was asked, as JSON.

MODE: name = hFIRST-LABEL.example, TTL 3600; hostile = a name with all that could break an output; silence = no answer."""
import json
import signal
import socket
import struct
import sys
import time

HOSTILE = [b"a\x1b]0;x\x07\x1b[2J", b"<script>alert(1)</script>", b"'\");DROP TABLE name;--", b"a\nb\tc\r,=cmd|x",
           b"\xff\x9b\x00\\"]
LONG = [b"\x01" * 63, b"\x02" * 63, b"\x03" * 63, b"\x04" * 61]  # 255 bytes on the wire


def labels(parts):
    return b"".join(bytes([len(p)]) + p for p in parts) + b"\0"


def answer(message, mode):
    if mode == "hostile":
        name = labels(LONG if message[13] % 2 else HOSTILE)
    else:
        name = labels([b"h" + message[13:13 + message[12]], b"example"])
    head = message[:2] + b"\x81\x80" + struct.pack(">HHHH", 1, 1, 0, 0)
    end = message.index(b"\0", 12) + 5
    return head + message[12:end] + b"\xc0\x0c" + struct.pack(">HHIH", 12, 1, 3600, len(name)) + name


def main():
    port, mode = int(sys.argv[1]), sys.argv[2]
    heard, names = {}, {}
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    sock.bind(("127.0.0.1", port))

    def end(*_):
        print(json.dumps({"questions": sum(heard.values()), "names": len(names), "most_of_one": max(names.values(), default=0),
                          "most_a_second": max(heard.values(), default=0)}), flush=True)
        sys.exit(0)
    signal.signal(signal.SIGTERM, end)
    print("ready", flush=True)
    while True:
        message, peer = sock.recvfrom(4096)
        second = int(time.monotonic())
        heard[second] = heard.get(second, 0) + 1
        name = message[12:message.index(b"\0", 12)]
        names[name] = names.get(name, 0) + 1
        if mode != "silence":
            sock.sendto(answer(message, mode), peer)


main()
