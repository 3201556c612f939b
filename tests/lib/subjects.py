# SPDX-License-Identifier: GPL-3.0-or-later
"""Covered programs that say of each of their connections how it ended, and what the audit has of it: for peers that misbehave."""
import json
import os
import socket

from seam import rule
from servers import PYTHON

GREETING = b"the server speaks first\n"
WORDS = b"what the client has to say\n"

# Speaks first, then gives back what comes. One line for each connection, by the client's port.
SERVER = """
import errno, json, socket, sys, threading
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=2048)
lock = threading.Lock()
def serve(sock, port):
    call, number, size = "send", 0, 0
    try:
        sock.sendall(sys.argv[2].encode())
        call = "recv"
        while data := sock.recv(65536):
            size += len(data)
            sock.sendall(data)
        call = "none"
    except OSError as error:
        number = error.errno
    with lock:
        print(json.dumps({"port": port, "call": call, "errno": errno.errorcode[number] if number else "", "size": size}), flush=True)
    sock.close()
while True:
    sock, address = listener.accept()
    threading.Thread(target=serve, args=(sock, address[1]), daemon=True).start()
"""

# Makes a connection for each line of a FIFO, and says how that one ended.
CLIENT = """
import errno, json, socket, sys
for line in open(sys.argv[1]):
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    port, call, number, size = sock.getsockname()[1], "connect", 0, 0
    try:
        sock.connect(socket.getaddrinfo("localhost", int(line), socket.AF_INET, socket.SOCK_STREAM)[0][4])
        call = "send"
        sock.sendall(sys.argv[2].encode())
        call = "recv"
        while data := sock.recv(65536):
            size += len(data)
        call = "none"
    except OSError as error:
        number = error.errno
    print(json.dumps({"port": port, "call": call, "errno": errno.errorcode[number] if number else "", "size": size}), flush=True)
    sock.close()
"""


class Subject:
    """A program, and the ends of its connections."""

    def __init__(self, program, field):
        self.program, self.field = program, field
        self.heard, self.seen = set(), set()  # ports are used again

    def told(self, port):
        """The program's line of the connection with this port of the client; each is given once."""
        lines = {}

        def found():
            lines.clear()
            whole = self.program.stdout.rpartition(b"\n")[0]
            lines.update((number, line) for number, line in enumerate(map(json.loads, whole.splitlines()))
                         if line["port"] == port and number not in self.heard)
            return lines
        self.program.until(found, f"the connection of port {port} had ended", 40)
        number = min(lines)
        self.heard.add(number)
        return lines[number]

    def event(self, kind, port):
        """The same of the audit."""
        where = {self.field: f"127.0.0.1:{port}"}
        known = sum(event["conn"] in self.seen for event in self.program.audit.find(kind, **where))
        event = self.program.audit.wait(kind, known + 1, **where)[-1]
        self.seen.add(event["conn"])
        return event

    def resident(self):
        """The memory of it, in bytes."""
        with open(f"/proc/{self.program.pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class CoveredServer(Subject):
    def __init__(self, seam, **keys):
        super().__init__(seam.serve(lambda port: [PYTHON, "-c", SERVER, port, GREETING.decode()],
                                    lambda port: seam.policy(seam.inbound(port, **keys))), "remote")

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.program.port), 20)


class CoveredClient(Subject):
    """Its servers are ours: accept() has the next connection that it makes."""

    def __init__(self, seam, **keys):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(20)
        seam.cleanups.append(self.listener.close)
        self.port = self.listener.getsockname()[1]
        fifo = seam.dir / f"connect-{self.port}"
        os.mkfifo(fifo)
        policy = seam.policy(rule("outbound", self.port, **{"ca": seam.pki.ca, **keys}))
        super().__init__(seam.start([PYTHON, "-c", CLIENT, fifo, WORDS.decode()], policy), "local")
        self.orders = open(fifo, "w", encoding="ascii")
        seam.cleanups.append(self.orders.close)

    def accept(self):
        self.orders.write(f"{self.port}\n")
        self.orders.flush()
        return self.listener.accept()[0]
