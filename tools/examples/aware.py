#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
aware.c in Python: a protocol of lines in which the client says when TLS starts and ends.

    aware.py server PORT
    aware.py client HOST PORT LINE...
"""
import os
import socket
import struct
import sys

SOL_SEAMTLS = 0x5EA7
INFO, RULE, SERVER_NAME, CIPHER, VERIFY, PEER_SUBJECT, PEER_SAN = 1, 2, 4, 6, 8, 9, 13
START, STOP = 32, 33

# struct seamtls_info, and struct seamtls_start
INFO_FORMAT = "=6I3H2hHi5Q"
START_FORMAT = "=4I256s"
STATES = ["unknown", "passthrough", "waiting", "establishing", "open", "closing", "failed"]
ROLES = ["-", "client", "server"]


def ask(sock, name):
    """Texts, the NULs between them made commas."""
    try:
        return sock.getsockopt(SOL_SEAMTLS, name, 1024)[:-1].replace(b"\0", b",").decode() or "-"
    except OSError:
        return "-"


def describe(sock):
    """All of the connection in one line."""
    try:
        info = struct.unpack(INFO_FORMAT, sock.getsockopt(SOL_SEAMTLS, INFO, struct.calcsize(INFO_FORMAT)))
    except OSError as error:
        # The kernel has answered: seamtls is not loaded.
        return f"no seamtls: {error.strerror}"
    _size, state, _policy, role, _plane, _flags, version = info[:7]
    return (f"conn={info[13]:016x} state={STATES[state]} role={ROLES[role]} version={version:04x} "
            f"rule={ask(sock, RULE)} name={ask(sock, SERVER_NAME)} cipher={ask(sock, CIPHER)} "
            f"verify={ask(sock, VERIFY)} subject={ask(sock, PEER_SUBJECT)} san={ask(sock, PEER_SAN)}")


def start(sock, name=""):
    """Blocking sockets: the handshake is done, and the peer verified, when this returns."""
    sock.setsockopt(SOL_SEAMTLS, START, struct.pack(START_FORMAT, 0, 0, 0, 0, name.encode()))


def stop(sock):
    sock.setsockopt(SOL_SEAMTLS, STOP, b"")


def read_line(sock):
    """
    A byte at a time: what comes behind the line may be the beginning of a handshake, which is not for this program to
    read. b"" at the end.
    """
    line = b""
    while not line.endswith(b"\n") and (byte := sock.recv(1)):
        line += byte
    return line


def serve(sock):
    while line := read_line(sock):
        sock.sendall(describe(sock).encode() + b"\n" if line == b"WHO\n" else line)
        if line == b"STARTTLS\n":
            start(sock)
        elif line == b"STOPTLS\n":
            stop(sock)


def run_server(port):
    with socket.create_server(("127.0.0.1", port)) as listener:
        while True:
            sock, _ = listener.accept()
            if os.fork() == 0:
                serve(sock)
                sys.exit()
            sock.close()


def run_client(host, port, lines):
    with socket.create_connection((host, port)) as sock:
        for line in lines:
            sock.sendall(line.encode() + b"\n")
            answer = read_line(sock)
            if not answer:
                break
            print(answer.decode(), end="")
            if answer == b"STARTTLS\n":
                start(sock, host)
            elif answer == b"STOPTLS\n":
                stop(sock)
            print("#", describe(sock), flush=True)


def main(args):
    if len(args) == 2 and args[0] == "server":
        run_server(int(args[1]))
    elif len(args) >= 3 and args[0] == "client":
        run_client(args[1], int(args[2]), args[3:])
    else:
        sys.exit("usage: aware.py server PORT | aware.py client HOST PORT LINE...")


if __name__ == "__main__":
    main(sys.argv[1:])
