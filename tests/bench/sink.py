# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server that takes what is uploaded and forgets it: sink.py PORT [CERT KEY], with a certificate over TLS."""
import re
import socket
import ssl
import sys

PIECE = bytearray(1 << 18)


def take(stream):
    head = b""
    while b"\r\n\r\n" not in head:
        got = stream.recv(65536)
        if not got:
            return
        head += got
    left = int(re.search(rb"(?i)content-length: *(\d+)", head)[1]) - len(head.partition(b"\r\n\r\n")[2])
    while left > 0:
        got = stream.recv_into(PIECE)
        assert got > 0, "the upload ended early"
        left -= got
    stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def main():
    port, *files = sys.argv[1:]
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if files else None
    if context:
        context.load_cert_chain(*files)
    with socket.create_server(("127.0.0.1", int(port))) as listener:
        while True:
            stream, _ = listener.accept()
            try:
                with context.wrap_socket(stream, server_side=True) if context else stream as stream:
                    take(stream)
            except (ssl.SSLError, ConnectionError) as problem:
                print(problem, file=sys.stderr)


main()
