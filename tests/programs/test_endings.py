# SPDX-License-Identifier: GPL-3.0-or-later
"""How connections end: cut, reset, half closed, with tickets unread; and what the program and the audit get to see of it."""
import socket
import struct
import sys

import pytest

from peers import SMALL, Echo, Server, client_context, content, server_context, start_server
from seam import check_opened

pytestmark = pytest.mark.tls_only

READER = """
import socket, sys
sock = socket.create_connection(("localhost", int(sys.argv[1])))
got, end = 0, "EOF"
try:
    while part := sock.recv(100):
        got += len(part)
except OSError as error:
    import errno
    end = errno.errorcode[error.errno]
print(got, end)
"""

ONE_SHOT_SERVER = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    sock, _ = listener.accept()
    sock.sendall(bytes(100000))
    sock.close()
"""


class Cut(Server):
    """Sends, and closes TCP without the close_notify that says that this was all."""

    def serve_one(self, request, client_address, seen):
        secure = self.context.wrap_socket(request, server_side=True)
        secure.sendall(content(SMALL))
        socket.socket(fileno=secure.detach()).close()


class Reset(Server):
    """Sends, waits for the client to have had it, and resets."""

    def serve_one(self, request, client_address, seen):
        secure = self.context.wrap_socket(request, server_side=True)
        secure.sendall(content(SMALL))
        secure.recv(1)
        secure.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.socket(fileno=secure.detach()).close()


def serve(seam, server_class, version=None):
    server = server_class(None, server_context(seam.pki.good, version))
    seam.cleanups.append(server.shutdown)
    return server


@pytest.mark.parametrize("keys, end", [({}, "ECONNRESET"), ({"truncation": "accept"}, "EOF")])
def test_truncation(seam, version, keys, end):
    server = serve(seam, Cut, version)
    policy = seam.policy(seam.outbound(server.port, **keys))
    program = seam.run([sys.executable, "-c", READER, server.port], policy)
    assert program.stdout.split() == [str(SMALL).encode(), end.encode()], program.story()
    closed, = program.audit.wait("close")
    assert closed["bytes_in"] == SMALL
    assert ("close_notify" in closed.get("reason", "")) == (end != "EOF"), closed
    assert closed.get("cause") == ("truncated" if end != "EOF" else None), closed


def test_reset(seam, version):
    server = serve(seam, Reset, version)
    program = seam.start([sys.executable, "-c", READER.replace("got += len(part)", "got += len(part); got >= 1000 and sock.send(b'x')"),
                          server.port], seam.policy(seam.outbound(server.port)))
    program.wait(60)
    assert program.stdout.split() == [str(SMALL).encode(), b"ECONNRESET"], program.story()


def test_close_after_sending_is_no_reset(seam, version):
    """A server that writes and closes at once: all of it arrives, and then close_notify, although the client's tickets or alerts
    were never read."""
    server = seam.serve(lambda port: [sys.executable, "-c", ONE_SHOT_SERVER, port],
                        lambda port: seam.policy(seam.inbound(port, version=version)))
    for _ in range(20):
        with client_context(seam.pki, version).wrap_socket(
                socket.create_connection(("127.0.0.1", server.port)), server_hostname="localhost",
                suppress_ragged_eofs=False) as secure:
            got = 0
            while part := secure.recv(65536):
                got += len(part)
            assert got == 100000


def test_client_that_never_reads_is_no_reset(seam, version):
    """The server's tickets lie unread when the client closes; what it sent has to arrive all the same."""
    server = start_server(seam, Echo, version=version)
    script = "import socket, sys; s = socket.create_connection(('localhost', int(sys.argv[1]))); s.sendall(bytes(5000)); s.close()"
    program = seam.run([sys.executable, "-c", script, server.port], seam.policy(seam.outbound(server.port)))
    check_opened(program)
    server.wait_ended()
    assert server.seen[0].error is None or "reset" not in str(server.seen[0].error).lower(), server.seen[0].error


def test_exit_without_close_says_close_notify(seam, version):
    """A program that just ends has its connection ended properly: the peer sees no truncation."""
    server = start_server(seam, Echo, version=version)
    script = "import os, socket, sys; s = socket.create_connection(('localhost', int(sys.argv[1]))); s.sendall(b'x'); s.recv(1); os._exit(0)"
    seam.run([sys.executable, "-c", script, server.port], seam.policy(seam.outbound(server.port)))
    server.wait_ended()
    assert server.seen[0].error is None, server.seen[0].error
