# SPDX-License-Identifier: GPL-3.0-or-later
"""
Connections that are left alone, whose bytes go past the calls that a preloaded library sees: what protects them is told from what is
seen of them, and where that does not do, the audit says `unknown`, and why. Nothing is guessed.
"""
import socket
import socketserver
import ssl
import sys

import pytest

from audit import Audit
from built import built
from ja4 import ja4
from peers import client_context, server_context, start_plain_server
from servers import INETD

pytestmark = pytest.mark.tls_only
PROGRAM = ("tests", "programs", "unseen")
PYTHON = sys.executable
REQUEST = b"GET /700 HTTP/1.0\r\n\r\n"
OWN = b"\x07a protocol of nobody's\r\n"
ANSWERS = {"http": b"HTTP/1.1 200 OK\r\n\r\nword", "ssh": b"SSH-2.0-Server\r\n", "own": b"\x07an answer\r\n", "silent": b""}


def hello(seam):
    outgoing = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        client_context(seam.pki).wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


def answering(seam, kind):
    """A server that answers the first bytes of a client, by TLS or as said, and waits for its end."""
    context = server_context(seam.pki.good)

    class Answering(socketserver.BaseRequestHandler):
        def handle(self):
            sock = self.request._sock
            if kind == "tls":
                try:
                    context.wrap_socket(sock, server_side=True)
                except OSError:
                    return
            else:
                sock.recv(65536)
                sock.sendall(ANSWERS[kind])
                while sock.recv(65536):
                    pass

    return start_plain_server(seam, Answering)


def talk(seam, way, sent, kind, **keys):
    path = seam.make_dir() / "sent"
    path.write_bytes(sent)
    peer = answering(seam, kind)
    policy = seam.policy(**(keys or {"default": "observe"}))
    program = seam.run([built(*PROGRAM), way, peer.port, path], policy, status=None)
    if program.status == 77:
        pytest.skip("this machine has no io_uring")
    assert program.status == 0, program.story()
    program.port = peer.port
    return program


def told(program):
    """The second event of its one connection."""
    first, second = program.audit.wait("observe", 2)
    assert first["conn"] == second["conn"] and "protocol" not in first
    return second


SEEN = ["stream", "stream_for_both", "stream_at_exit", "asynchronous", "asynchronous_list"]


@pytest.mark.parametrize("way", SEEN)
@pytest.mark.parametrize("kind", ["http", "own", "tls"])
def test_what_passes_within_libc_is_seen(seam, way, kind):
    sent = {"http": REQUEST, "own": OWN, "tls": hello(seam)}[kind]
    event = told(talk(seam, way, sent, kind))
    assert event["protocol"] == ("tls" if kind == "tls" else "clear") and "cause" not in event
    assert event.get("application") == ("http" if kind == "http" else None)
    if kind == "tls":
        assert event["ja4"] == ja4(sent) and event["server_name"] == "localhost"
    if kind == "tls" and way in ("stream", "asynchronous", "stream_for_both"):
        assert event["version"] == "TLSv1.3", event


@pytest.mark.parametrize("way, kind, protocol", [
    ("sent_past_libc", "http", "clear"), ("sent_past_libc", "tls", "tls"), ("sent_past_libc", "ssh", "ssh"),
    ("sent_past_libc", "own", "clear"), ("nothing_read", "http", "clear"), ("nothing_read", "tls", "tls"), ("nothing_read", "ssh", "ssh"),
    ("sent_by_ring", "http", "clear"), ("sent_by_ring", "tls", "tls"), ("sent_by_ring", "ssh", "ssh"),
])
def test_the_peer_says_what_it_is(seam, way, kind, protocol):
    """What the program sends is not seen, and what it is answered is, if only as what lies unread at the end."""
    event = told(talk(seam, way, hello(seam) if kind == "tls" else OWN, kind))
    assert event["protocol"] == protocol and "cause" not in event
    if kind == "tls":
        assert event["version"] == "TLSv1.3" and "ja4" not in event


@pytest.mark.parametrize("way, cause", [("past_libc", "unseen"), ("ring", "io_uring"), ("stream_unbuffered", "stream")])
@pytest.mark.parametrize("kind", ["tls", "own"])
def test_what_cannot_be_known_is_not_guessed(seam, way, cause, kind):
    program = talk(seam, way, hello(seam) if kind == "tls" else OWN, kind)
    event = told(program)
    assert (event["protocol"], event["cause"]) == ("unknown", cause) and event["advice"] and event["reason"]
    assert program.audit.find("observe", cause=cause)


def test_too_few_bytes(seam):
    program = talk(seam, "asynchronous_list", b"\x16", "silent")
    event = told(program)
    assert (event["protocol"], event["cause"]) == ("unknown", "too_short")


def test_a_connection_that_another_program_began(seam):
    """It is handed on in the middle of TLS."""
    source = """
import os, socket, ssl, sys
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
context = ssl.create_default_context(cafile=sys.argv[2])
secure = context.wrap_socket(sock, server_hostname="localhost")
os.set_inheritable(secure.fileno(), True)
os.environ["LD_PRELOAD"] = sys.argv[3]
os.environ["SEAMTLS_POLICY"], os.environ["SEAMTLS_AUDIT"] = sys.argv[4:6]
os.dup2(secure.fileno(), 0)
os.execvp("cat", ["cat"])
"""
    peer = answering_with_data(seam)
    audit = seam.make_dir("audit")
    policy = seam.policy(default="observe")
    seam.run([PYTHON, "-c", source, peer.port, seam.pki.ca, seam.library, policy, audit])
    event = [e for e in Audit(seam.tool, audit).find("observe") if "protocol" in e][0]
    assert (event["protocol"], event["cause"]) == ("unknown", "unseen"), event


def answering_with_data(seam):
    context = server_context(seam.pki.good)

    class Data(socketserver.BaseRequestHandler):
        def handle(self):
            with context.wrap_socket(self.request._sock, server_side=True) as secure:
                secure.sendall(b"x" * 100)

    return start_plain_server(seam, Data)


@pytest.mark.parametrize("program", ["echo", "sh"])
def test_standard_streams_of_what_inetd_starts(seam, program):
    """Its standard output is the connection, and libc's own."""
    argv = {"echo": ["/bin/echo", "HTTP/1.0 200 OK"], "sh": ["sh", "-c", "read line; echo HTTP/1.0 200 OK"]}[program]
    server = seam.serve(lambda port: [PYTHON, "-c", INETD, port, *argv], lambda port: seam.policy(default="observe"))
    with socket.create_connection(("127.0.0.1", server.port), 20) as sock:
        sock.sendall(REQUEST)
        try:
            while sock.recv(100):
                pass
        except ConnectionResetError:
            pass
    event = server.audit.wait("observe", protocol="clear")[0]
    assert event["application"] == "http"
    # Two programs have had it, and it is one connection.
    first = server.audit.find("observe", protocol=None)
    assert [each["conn"] for each in first] == [event["conn"]] * 2 and {each["program"] for each in first} >= {event["program"]}
