# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that speak TLS themselves on a port that a rule protects: if_program_tls says what becomes of that."""
import socketserver
import ssl
import sys

import pytest

from peers import Http, content, server_context, start_server
from seam import need

pytestmark = pytest.mark.tls_only


def curl(seam, port, scheme="https"):
    return ["curl", "-sS", "--cacert", seam.pki.ca, "--resolve", f"localhost:{port}:127.0.0.1", f"{scheme}://localhost:{port}/700"]


def test_pass_leaves_it_alone(seam):
    """And covers what the same program says without TLS."""
    need("curl")
    peer = start_server(seam, Http)
    policy = seam.policy(seam.outbound(peer.port, if_program_tls="pass", server_name="localhost"))
    own = seam.run(curl(seam, peer.port), policy)
    assert own.stdout == content(700)
    assert own.audit.wait("pass", protocol=None)[0]["reason"] == "the program speaks TLS itself, and the rule says 'if_program_tls = pass'"
    assert not own.audit.find("open")
    covered = seam.run(curl(seam, peer.port, "http"), policy)
    assert covered.stdout == content(700)
    assert covered.audit.wait("open") and not covered.audit.find("pass")


def test_deny_says_nothing(seam):
    need("curl")
    peer = start_server(seam, Http)
    program = seam.run(curl(seam, peer.port), seam.policy(seam.outbound(peer.port, if_program_tls="deny", server_name="localhost")),
                       status=None)
    assert program.status != 0 and not program.stdout
    ended = program.audit.wait("close")[0]
    assert ended["reason"] == "the program speaks TLS itself, and the rule says 'if_program_tls = deny'" and ended["bytes_out"] == 0
    covered = seam.run(curl(seam, peer.port, "http"), seam.policy(
        seam.outbound(peer.port, if_program_tls="deny", server_name="localhost")))
    assert covered.stdout == content(700)


class Twice(socketserver.BaseRequestHandler):
    """TLS in TLS: what is inside is answered through two memory buffers."""
    inner = None

    def handle(self):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        inner = self.inner.wrap_bio(incoming, outgoing, server_side=True)

        def run(call):
            while True:
                try:
                    return call()
                except ssl.SSLWantReadError:
                    self.request.sendall(outgoing.read())
                    incoming.write(self.request.recv(65536))

        run(inner.do_handshake)
        assert run(lambda: inner.read(65536)).startswith(b"GET /700 ")
        inner.write(b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nword")
        self.request.sendall(outgoing.read())


@pytest.mark.parametrize("keys", [{}, {"if_program_tls": "wrap"}], ids=["default", "said"])
def test_wrap_is_warned_about(seam, keys):
    need("curl")
    handler = type("Handler", (Twice,), {"inner": server_context(seam.pki.good)})
    peer = start_server(seam, handler)
    program = seam.run(curl(seam, peer.port), seam.policy(seam.outbound(peer.port, server_name="localhost", **keys)))
    assert program.stdout == b"word"
    assert len(program.audit.wait("open")) == 1
    warned = program.audit.find("observe", protocol=None)
    assert [event["reason"] for event in warned] == [
        "warning: the program speaks TLS itself, inside the protected connection (if_program_tls = wrap)"]
    assert warned[0]["remote"] == f"127.0.0.1:{peer.port}"


FIRST = """
import socket, sys
sock = socket.create_connection(("localhost", int(sys.argv[1])))
sock.sendall(bytes.fromhex(sys.argv[2]))
sock.shutdown(socket.SHUT_WR)
print(sock.recv(100))
"""


@pytest.mark.parametrize("first", ["16", "1603", "160301", "16030100", "1602010005010000", "1603017fff01", "474554"])
def test_what_is_no_hello_is_protected(seam, first):
    """Anything that is not wholly the beginning of a ClientHello goes into TLS: never in the clear."""
    peer = start_server(seam, type("Short", (socketserver.BaseRequestHandler,), {"handle": lambda self: self.request.sendall(
        self.request.recv(100)[:0] + b"ok")}))
    program = seam.run([sys.executable, "-c", FIRST, str(peer.port), first],
                       seam.policy(seam.outbound(peer.port, if_program_tls="pass")))
    assert program.stdout == b"b'ok'\n"
    assert program.audit.wait("open") and not program.audit.find("pass")
