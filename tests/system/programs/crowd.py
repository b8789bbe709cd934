#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# Many application processes as the daemon sees them: each a connection with a context of its own.
# All come, each asks for the token, and all ask again while all are there.
#
#   crowd.py SOCKET COUNT
import os
import socket
import struct
import sys
import time

HEADER = struct.Struct("<IHH16sQIIQ")  # docs/protocol.md: length, operation, flags, context, number, ...
HELLO, TOKEN, REPLY = 1, 5, 1
WAVE = 500  # requests under way


def frame(operation, number, body=b""):
    return HEADER.pack(len(body), operation, 0, bytes(16), number, 0, 0, 0) + body


def hello():
    key = os.urandom(16)
    # No ticket, no page, and certificates in the HSM.
    return frame(HELLO, 1, struct.pack("<II16sIBI?IIII?", 1, len(key), key, os.getpid(), 0, 0,
                                       False, 0, 0, 0, 0, False))


def answer(connection):
    """Operation and code of one reply."""
    head = b""
    while len(head) < HEADER.size:
        more = connection.recv(HEADER.size - len(head))
        assert more, "the daemon hung up"
        head += more
    length, operation, flags, _, _, _, code, _ = HEADER.unpack(head)
    while length > 0:
        length -= len(connection.recv(length))
    assert flags & REPLY
    return operation, code


def ask_all(connections, number):
    good = 0
    for at in range(0, len(connections), WAVE):
        for connection in connections[at:at + WAVE]:
            connection.sendall(frame(TOKEN, number))
        for connection in connections[at:at + WAVE]:
            good += answer(connection) == (TOKEN, 0)
    return good


def check(held, name):
    print("%s - %s" % ("ok" if held else "not ok", name), flush=True)
    return held


def main():
    path, count = sys.argv[1], int(sys.argv[2])
    connections, start = [], time.monotonic()
    for _ in range(count):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(60)
        connection.connect(path)
        connection.sendall(hello())
        assert answer(connection) == (HELLO, 0), "the daemon does not take it"
        connections.append(connection)
    came = time.monotonic()
    fine = check(len(connections) == count, "%d processes are connected" % count)
    fine &= check(ask_all(connections, 2) == count, "each is answered")
    asked = time.monotonic()
    fine &= check(ask_all(connections, 3) == count, "and again, now that the node knows all")
    print("# connected in %.2f s, first answers in %.2f s, second in %.2f s"
          % (came - start, asked - came, time.monotonic() - asked), flush=True)
    if len(sys.argv) > 3:  # stays until it is told
        sys.stdin.readline()
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
