# SPDX-License-Identifier: Apache-2.0
"""hostile_blobs.py PORTS CERT KEY OTHERCERT OTHERKEY: a storage account that is up to no good, for tests, in the
way that the query says: https://127.0.0.1:PORT/account/container?way=WAY. Also the same as an identity service, over HTTP:
there the client id names the way. Writes its ports to PORTS: blobs, those with another certificate, those where
redirects lead, identities. Each request is a line on stdout: PORT METHOD WAY."""

import json
import os
import re
import socket
import ssl
import sys
import threading
import time

LISTING = b'<?xml version="1.0"?><EnumerationResults><Blobs>%s</Blobs><NextMarker>%s</NextMarker></EnumerationResults>'
BLOB = b"<Blob><Name>pkcs11_certificate_%d</Name><Properties><Etag>0x8</Etag></Properties></Blob>"
XML, JSON = "application/xml", "application/json"
TOKEN = {"access_token": "Secret.Identity.Token", "expires_in": "3600"}


def head(status, length=None, *more):
    lines = ["HTTP/1.1 %d Reason" % status] + list(more)
    if length is not None:
        lines.append("Content-Length: %d" % length)
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def plain(connection, status, body=b"", *more):
    connection.sendall(head(status, len(body), *more) + body)


def endless(connection, status, *more):
    connection.sendall(head(status, None, "Connection: close", *more))
    while True:
        connection.sendall(b"<Blob>" * 10000)


def slow(connection, status, *more):
    for byte in head(status, 1000, *more) + b"x" * 1000:
        connection.sendall(bytes([byte]))
        time.sleep(1)


def headers(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-More: " + b"a" * 60000 + b"\r\n")


def continues(connection):
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


def silent(connection):
    time.sleep(60)


def ways_of_both(way, connection, redirect):
    """True: done."""
    number = re.fullmatch("status-([0-9]+)", way)
    if number:
        plain(connection, int(number[1]), b"<Error><Code>Whatever</Code></Error>", "x-ms-error-code: Whatever")
    elif way == "later":
        plain(connection, 429, b"", "Retry-After: 1")
    elif way == "much-later":
        plain(connection, 503, b"", "Retry-After: 86400")
    elif way.startswith("redirect-"):
        plain(connection, int(way[9:]), b"", "Location: %s" % redirect)
    elif way == "slow":
        slow(connection, 200, "Content-Type: " + XML)
    elif way == "silent":
        silent(connection)
    elif way == "endless":
        endless(connection, 200, "Content-Type: " + XML)
    elif way == "endless-error":
        endless(connection, 404)
    elif way == "headers":
        headers(connection)
    elif way == "continues":
        continues(connection)
    elif way == "html":
        plain(connection, 200, b"<html><body>Sign in to the network</body></html>", "Content-Type: text/html")
    elif way == "nothing":
        plain(connection, 200, b"")
    elif way == "garbage":
        connection.sendall(os.urandom(4096))
    elif way == "hangs-up":
        connection.sendall(head(200, 1000)[:-2])
    elif way == "half":
        connection.sendall(head(200, 100000, "Content-Type: " + XML) + LISTING[:60])
    else:
        return False
    return True


def blobs(way, method, path, connection, redirect):
    if ways_of_both(way, connection, redirect):
        return
    is_list = "comp=list" in path
    lied = re.fullmatch("put-([0-9]+)", way)
    if way == "paging" and is_list:
        plain(connection, 200, LISTING % (b"", b"again"))
    elif way == "more-paging" and is_list:
        plain(connection, 200, LISTING % (b"", b"%d" % time.time_ns()))
    elif way == "slow-paging" and is_list:
        time.sleep(3)
        plain(connection, 200, LISTING % (b"", b"%d" % time.time_ns()))
    elif way == "wide" and is_list:  # more certificates than there can be, again and again
        handle = 4293918720
        page = b"".join(BLOB % (handle + i) for i in range(50000))
        plain(connection, 200, LISTING % (page, b"%d" % time.time_ns()))
    elif way == "truncated" and is_list:
        plain(connection, 200, (LISTING % (BLOB % 4293918720, b""))[:120])
    elif way == "entities" and is_list:
        plain(connection, 200, b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>' +
              LISTING % (BLOB % 4293918720, b"&b;"))
    elif is_list:
        plain(connection, 200, LISTING % (b"", b""))
    elif lied and method == "PUT":
        plain(connection, int(lied[1]))
    else:
        plain(connection, 404, b"", "x-ms-error-code: BlobNotFound")


def identities(way, connection, redirect):
    if ways_of_both(way, connection, redirect):
        return
    text = json.dumps(TOKEN).encode()
    if way == "truncated":
        plain(connection, 200, text[:-10])
    elif way == "deep":
        plain(connection, 200, b"[" * 60000)
    elif way == "two-lines":
        plain(connection, 200, json.dumps(dict(TOKEN, access_token="a\r\nX-Evil: yes")).encode())
    elif way == "long":
        plain(connection, 200, json.dumps(dict(TOKEN, access_token="a" * 60000)).encode())
    elif way == "number":
        plain(connection, 200, json.dumps(dict(TOKEN, access_token=5)).encode())
    else:
        plain(connection, 200, text)


def serve(connection, port, answer, context, redirect):
    try:
        connection.settimeout(60)
        if context is not None:
            connection = context.wrap_socket(connection, server_side=True)
        text = b""
        while b"\r\n\r\n" not in text:
            more = connection.recv(65536)
            if not more:
                return
            text += more
        begin, _, body = text.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *([0-9]+)", begin)
        left = int(length[1]) - len(body) if length else 0
        while left > 0:
            more = connection.recv(65536)
            if not more:
                return
            left -= len(more)
        method, path = begin.decode("latin-1").split(" ")[:2]
        way = re.search("client_id=([^&]*)" if answer is identities else "way=([^&]*)", path)
        way = way[1] if way else ""
        os.write(1, b"%d %s %s\n" % (port, method.encode(), way.encode()))  # whole, whoever else writes
        if answer is identities:
            identities(way, connection, redirect)
        else:
            blobs(way, method, path, connection, redirect)
    except (OSError, ValueError, IndexError):
        pass
    finally:
        connection.close()


def listen(answer, context, redirect):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    port = listener.getsockname()[1]

    def accept():
        while True:
            connection = listener.accept()[0]
            threading.Thread(target=serve, args=(connection, port, answer, context, redirect), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return port


def tls(certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


right, wrong = tls(*sys.argv[2:4]), tls(*sys.argv[4:6])
elsewhere = listen(blobs, right, "")
ports = [listen(blobs, right, "https://127.0.0.1:%d/account/c" % elsewhere),
         listen(blobs, wrong, ""), elsewhere,
         listen(identities, None, "http://127.0.0.1:%d/" % elsewhere)]
with open(sys.argv[1] + ".new", "w") as file:
    file.write(" ".join(map(str, ports)))
os.rename(sys.argv[1] + ".new", sys.argv[1])
threading.Event().wait()
