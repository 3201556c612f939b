# SPDX-License-Identifier: GPL-3.0-or-later
"""Peers that do not speak TLS, say nothing, or go away: each costs one connection and a line of the audit."""
import socket
import socketserver
import struct
import time

import pytest

import nginx
from clients import FAILING_CALL, WAYS, probe
from peers import SMALL, connect, content, http_get, start_plain_server
from seam import need
from servers import ASYNC_ECHO, BLOCKING_ECHO, start_python

pytestmark = pytest.mark.tls_only

HANDSHAKE_TIMEOUT_S = 2
PLAIN_REQUEST = b"GET /%d HTTP/1.0\r\n\r\n" % SMALL


@pytest.fixture
def web(seam):
    need("nginx")
    folder = seam.make_dir("site")
    (folder / str(SMALL)).write_bytes(content(SMALL))
    return nginx.start(seam, folder, handshake_timeout=HANDSHAKE_TIMEOUT_S)


def still_serves(seam, server):
    assert http_get(seam, server.port, f"/{SMALL}") == content(SMALL)


def read_to_end(sock):
    """All that the peer sends until it closes or resets the connection."""
    received = b""
    try:
        while data := sock.recv(65536):
            received += data
    except ConnectionResetError:
        pass
    return received


@pytest.mark.parametrize("first", [
    PLAIN_REQUEST, b"\x80" * 200, b"\x16\x03\x01\xff\xff" + b"A" * 100, b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
    b"\x17\x03\x03\x00\x20" + b"B" * 32, b"\x15\x03\x03\x00\x02\x02\x28", b"\0" * 70_000,
], ids=["http", "noise", "too long", "short hello", "data first", "alert", "zeros"])
def test_garbage_is_refused(seam, web, first):
    with socket.create_connection(("127.0.0.1", web.port), 30) as sock:
        try:
            sock.sendall(first)
        except OSError:
            pass
        answer = read_to_end(sock)
    assert b"HTTP" not in answer, "a client that speaks no TLS got an answer from the program"
    assert len(answer) < 100 and answer[:1] in (b"", b"\x15"), f"at most an alert, not {answer[:100]!r}"
    failed, = web.audit.wait("fail", direction="inbound")
    assert failed["reason"], failed
    still_serves(seam, web)
    assert len(web.audit.find("open")) == 1


@pytest.mark.parametrize("abrupt", [False, True])
def test_port_scanner(seam, web, abrupt):
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", web.port), 30) as sock:
            if abrupt:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    still_serves(seam, web)
    # A scanner that is gone before nginx accepts it need not be seen by anybody.
    if not abrupt:
        web.audit.wait("fail", 50)


def test_client_that_stops_in_the_handshake(seam, web):
    """Half a ClientHello, and then the end."""
    for cut in (1, 4, 5, 6, 50):
        with socket.create_connection(("127.0.0.1", web.port), 30) as sock:
            sock.sendall((b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"R" * 60)[:cut])
            sock.shutdown(socket.SHUT_WR)
            read_to_end(sock)
    web.audit.wait("fail", 5)
    still_serves(seam, web)


def start_echo(seam, source):
    return start_python(seam, source, handshake_timeout=HANDSHAKE_TIMEOUT_S)


def echoes(seam, server):
    with connect(seam, server.port) as sock:
        sock.sendall(b"hello")
        assert sock.recv(5) == b"hello"


def test_silent_clients_block_nobody_in_nginx(seam, web):
    check_silent(seam, web, still_serves)


def test_silent_clients_block_nobody_in_asyncio(seam):
    check_silent(seam, start_echo(seam, ASYNC_ECHO), echoes)


def check_silent(seam, server, serves):
    """Ten clients say nothing, ten say half of something; others are served meanwhile; then the silent ones are closed."""
    begun = time.monotonic()
    silent = [socket.create_connection(("127.0.0.1", server.port), 30) for _ in range(20)]
    for sock in silent[10:]:
        sock.sendall(b"\x16\x03\x01\x02\x00\x01")
    serves(seam, server)
    assert time.monotonic() - begun < HANDSHAKE_TIMEOUT_S, "a client had to wait for others that say nothing"
    for sock in silent:
        read_to_end(sock)
        sock.close()
    took = time.monotonic() - begun
    assert HANDSHAKE_TIMEOUT_S * 0.9 < took < HANDSHAKE_TIMEOUT_S + 8, f"silent clients were closed after {took:.1f} s"
    failed = server.audit.wait("fail", 20)
    assert all("time" in event["reason"].lower() for event in failed), failed[0]
    serves(seam, server)


def test_silent_client_of_a_blocking_server(seam):
    """A server of one thread waits for a silent client, but not for ever."""
    server = start_echo(seam, BLOCKING_ECHO)
    with socket.create_connection(("127.0.0.1", server.port), 30):
        server.until(lambda: b"\n" in server.stdout, "its read of a silent client had failed", 30)
    assert b"timed out" in server.stdout, server.story()
    echoes(seam, server)


class Speaker(socketserver.BaseRequestHandler):
    """A server of another protocol, which speaks first."""

    def handle(self):
        self.request.sendall(b"220 mail.example ESMTP ready\r\n")
        self.request.seen.data = self.request.recv(65536)


class Answerer(socketserver.BaseRequestHandler):
    """A server that answers what it does not understand."""

    def handle(self):
        self.request.seen.data = self.request.recv(65536)
        self.request.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


class Closer(socketserver.BaseRequestHandler):
    """A server that reads and goes away."""

    def handle(self):
        self.request.seen.data = self.request.recv(65536)


class Mute(socketserver.BaseRequestHandler):
    """A server that reads and says nothing until the client goes away."""

    def handle(self):
        while data := self.request.recv(65536):
            self.request.seen.data += data


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("handler, errnos, words", [
    (Speaker, ("EPROTO",), ""), (Answerer, ("EPROTO",), ""),
    (Closer, ("ECONNRESET", "EPROTO"), ""), (Mute, ("ETIMEDOUT",), "time"),
], ids=["speaks first", "answers", "closes", "is mute"])
def test_server_without_tls(seam, how, handler, errnos, words):
    server = start_plain_server(seam, handler)
    policy = seam.policy(seam.outbound(server.port, handshake_timeout=HANDSHAKE_TIMEOUT_S))
    program = probe(seam, how, server.port, policy)
    assert program.call == FAILING_CALL[how] and program.errno in errnos, program.story()
    server.wait_ended()
    assert server.seen[0].data[:2] in (b"\x16\x03", b""), f"not a ClientHello: {server.seen[0].data[:40]!r}"
    assert b"application data" not in server.seen[0].data, "the program's data went to a server without TLS"
    failed, = program.audit.wait("fail", direction="outbound")
    assert failed["reason"] and words in failed["reason"].lower(), failed


@pytest.mark.parametrize("how", WAYS)
def test_dead_port(seam, how):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can have it
        program = probe(seam, how, taken.getsockname()[1], seam.policy(seam.outbound(taken.getsockname()[1])))
    assert (program.call, program.errno) == (FAILING_CALL[how], "ECONNREFUSED"), program.story()
