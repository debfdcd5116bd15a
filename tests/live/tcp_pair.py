#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A server that sends as many bytes as it is asked for and then says what TCP_INFO has of each connection, and its client.

tcp_pair.py serve ADDRESS PORT                          "ready", then a line of JSON for each connection, until SIGTERM
tcp_pair.py fetch ADDRESS PORT COUNT BYTES [PIECE PAUSE_MS] [--together]
    COUNT connections, one after the other or all at once, each of BYTES, sent in pieces with pauses; prints what came"""
import json
import selectors
import signal
import socket
import struct
import sys
import threading

# struct tcp_info, linux/tcp.h
INFO = struct.Struct("=8B24I4Q6I4Q2I2Q")
NAMES = {"total_retrans": 31, "bytes_acked": 34, "data_segs_out": 41, "bytes_sent": 48, "bytes_retrans": 49}


def tcp_info(connection):
    values = INFO.unpack(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, INFO.size))
    return {name: values[at] for name, at in NAMES.items()}


def answer(connection, peer, say):
    with connection:
        want = connection.makefile("r").readline().split()
        size, piece, pause = (*map(int, want), 0, 0)[:3]
        piece = piece or size
        block = bytes(piece)
        try:
            while size:
                connection.sendall(block[:size])
                size -= min(size, piece)
                threading.Event().wait(pause / 1000 if size else 0)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):  # until the client has closed: the counters are final then
                pass
        except OSError as error:
            say({"error": str(error), "port": peer[1], **tcp_info(connection)})
        else:
            say({"port": peer[1], **tcp_info(connection)})


def serve(address, port):
    lock = threading.Lock()

    def say(what):
        with lock:
            print(json.dumps(what), flush=True)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((address, int(port)))
        listener.listen(1024)
        print("ready", flush=True)
        while True:
            threading.Thread(target=answer, args=(*listener.accept(), say), daemon=True).start()


def drain(connection):
    got = 0
    while block := connection.recv(1 << 18):
        got += len(block)
    connection.close()
    return got


def fetch(address, port, count, size, piece=0, pause=0, together=False):
    request = f"{size} {piece} {pause}\n".encode()

    def connect():
        connection = socket.create_connection((address, int(port)))
        connection.sendall(request)
        return connection
    if not together:
        print(sum(drain(connect()) for _ in range(int(count))))
        return
    waiting, got = selectors.DefaultSelector(), 0
    for _ in range(int(count)):
        waiting.register(connect(), selectors.EVENT_READ)
    while waiting.get_map():
        for ready, _ in waiting.select():
            block = ready.fileobj.recv(1 << 18)
            got += len(block)
            if not block:
                waiting.unregister(ready.fileobj)
                ready.fileobj.close()
    print(got)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    words = [word for word in sys.argv[2:] if word != "--together"]
    if sys.argv[1] == "serve":
        serve(*words)
    else:
        fetch(*words, together="--together" in sys.argv)


main()
