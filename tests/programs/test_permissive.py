# SPDX-License-Identifier: GPL-3.0-or-later
"""`accept = both`: clients with TLS and without on one port, told apart by what they say first."""
import concurrent.futures
import select
import socket
import ssl
import sys

import pytest

import nginx
from capture import Capture
from peers import client_context, connect, http_get, read_exactly
from seam import need
from servers import INETD, start_redis

pytestmark = pytest.mark.tls_only

CLEAR = "the client does not speak TLS, and the rule says 'accept = both'"

# An echo that forks for each client; one thread with epoll; one with poll and a blocking listener; asyncio.
SERVERS = {
    "fork": """
import os, signal, socket, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=512)
while True:
    sock, _ = listener.accept()
    if os.fork() == 0:
        while data := sock.recv(65536):
            sock.sendall(data)
        os._exit(0)
    sock.close()
""",
    "epoll": """
import select, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=512)
listener.setblocking(False)
epoll, socks = select.epoll(), {}
epoll.register(listener, select.EPOLLIN)
while True:
    for fd, events in epoll.poll():
        if fd == listener.fileno():
            sock, _ = listener.accept()
            sock.setblocking(False)
            socks[sock.fileno()] = sock
            epoll.register(sock, select.EPOLLIN)
            continue
        sock = socks[fd]
        try:
            data = sock.recv(65536)
        except BlockingIOError:
            continue
        except OSError:
            data = b""
        if data:
            sock.setblocking(True)
            sock.sendall(data)
            sock.setblocking(False)
        else:
            del socks[fd]
            sock.close()
""",
    "asyncio": """
import asyncio, sys
async def echo(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()
async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", int(sys.argv[1]), backlog=512)
    await server.serve_forever()
asyncio.run(main())
""",
}


def serve(seam, text, **keys):
    return seam.serve(lambda port: [sys.executable, "-c", text, str(port)],
                      lambda port: seam.policy(seam.inbound(port, accept="both", **keys)))


def clear(port):
    sock = socket.create_connection(("127.0.0.1", port), 30)
    return sock


def echoes(sock, data):
    sock.sendall(data)
    return read_exactly(sock, len(data)) == data


@pytest.mark.parametrize("kind", SERVERS)
def test_both_interleaved(seam, kind, version):
    """A client of either kind gets what it came for, whatever the others do, and only those with TLS are never in the clear."""
    server = serve(seam, SERVERS[kind], version=version)
    capture = Capture(seam, server.port)
    silent = [clear(server.port) for _ in range(3)]
    held = clear(server.port)
    assert echoes(held, b"plain-word 1")
    with connect(seam, server.port, version) as sock:
        assert echoes(sock, b"sealed-word " * 1000)
        assert echoes(held, b"plain-word 2")
        assert echoes(sock, b"sealed-word again")
    assert echoes(held, b"plain-word 3")
    assert echoes(silent[0], b"plain-word 4")
    with client_context(seam.pki, version).wrap_socket(silent[1], server_hostname="localhost") as late:
        assert echoes(late, b"sealed-word late")
        late.unwrap()
    held.close()
    seen = capture.finish()
    assert b"sealed" not in seen and seen.count(b"plain-word") == 8
    opened, passed = server.audit.wait("open", 2), server.audit.wait("pass", 2, protocol=None)
    assert len(opened) == len(passed) == 2 and {event["reason"] for event in passed} == {CLEAR}
    assert all(event["direction"] == "inbound" and event["rule"] for event in passed)
    for sock in silent:
        sock.close()


@pytest.mark.parametrize("kind", SERVERS)
def test_many_at_once(seam, kind):
    server = serve(seam, SERVERS[kind])
    context = client_context(seam.pki)

    def one(number):
        sock = clear(server.port)
        if number % 2:
            sock = context.wrap_socket(sock, server_hostname="localhost")
        with sock:
            return all(echoes(sock, b"%d " % number * 500) for _ in range(3))

    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        assert all(pool.map(one, range(120)))
    assert len(server.audit.wait("open", 60)) == len(server.audit.wait("pass", 60, protocol=None)) == 60
    assert not server.audit.find("fail")


def hello(seam):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context(seam.pki).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return tls, incoming, outgoing


@pytest.mark.parametrize("kind", SERVERS)
def test_hello_byte_by_byte(seam, kind):
    server = serve(seam, SERVERS[kind])
    tls, incoming, outgoing = hello(seam)
    with clear(server.port) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in outgoing.read():
            sock.send(bytes([byte]))
            select.select([], [], [], 0.0005)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                incoming.write(sock.recv(65536))
        tls.write(b"sealed")
        sock.sendall(outgoing.read())
        while True:
            try:
                assert tls.read(6) == b"sealed"
                break
            except ssl.SSLWantReadError:
                incoming.write(sock.recv(65536))
    assert len(server.audit.wait("open")) == 1


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        return sum(map(int, stat.read().rpartition(")")[2].split()[11:13]))


@pytest.mark.parametrize("kind", ["epoll", "asyncio", "fork"])
@pytest.mark.parametrize("rest, works", [(b"\x03\x01", False), (b"\x02ello", True), (b"x", True)])
def test_first_byte_alone_is_waited_for_without_spinning(seam, kind, rest, works):
    server = serve(seam, SERVERS[kind], handshake_timeout=60)
    with clear(server.port) as sock:
        sock.sendall(b"\x16")
        before = sum(cpu_ticks(pid) for pid in server.group())
        assert not select.select([sock], [], [], 0.25)[0], "one byte is no decision"
        assert sum(cpu_ticks(pid) for pid in server.group()) - before < 12
        sock.sendall(rest)
        if works:
            assert read_exactly(sock, 1 + len(rest)) == b"\x16" + rest
            server.audit.wait("pass", reason=CLEAR)
        else:
            sock.sendall(b"no length, no hello, and no TLS at all" * 10)
            assert b"hello" not in read_exactly(sock, 1000)
            server.audit.wait("fail")


@pytest.mark.parametrize("kind", SERVERS)
@pytest.mark.parametrize("data", [b"GET / HTTP/1.0\r\n\r\n", b"\0", b"\xff" * 100, b"\x17\x03\x03\x00\x05hello", b"\x80\x01\x00\x05"])
def test_anything_else_is_in_the_clear(seam, kind, data):
    server = serve(seam, SERVERS[kind])
    with clear(server.port) as sock:
        assert echoes(sock, data)
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""
    assert [event["reason"] for event in server.audit.wait("pass", protocol=None)] == [CLEAR]


def test_old_hello_is_neither(seam):
    server = serve(seam, SERVERS["epoll"])
    with clear(server.port) as sock:
        sock.sendall(b"\x80\x2e\x01\x03\x01" + b"\0" * 43)
        assert read_exactly(sock, 100) == b""
    assert "SSL 2.0" in server.audit.wait("fail")[0]["reason"]


def test_client_that_leaves_without_a_word(seam):
    server = serve(seam, SERVERS["fork"])
    clear(server.port).close()
    assert server.audit.wait("pass", protocol=None)[0]["reason"] == "the client closed the connection without a word"


@pytest.mark.parametrize("kind", SERVERS)
def test_silent_client_is_not_guessed_about(seam, kind):
    """Nothing is decided at the end of handshake_timeout, which is for who has begun."""
    server = serve(seam, SERVERS[kind], handshake_timeout=1)
    with clear(server.port) as silent, clear(server.port) as later, clear(server.port) as half:
        half.sendall(b"\x16\x03")
        assert read_exactly(half, 1) == b""
        assert "began as TLS does, with 2 bytes" in server.audit.wait("fail")[0]["reason"]
        assert not server.audit.find("pass")
        assert echoes(silent, b"at last")
        tls = client_context(seam.pki).wrap_socket(later, server_hostname="localhost")
        assert echoes(tls, b"at last, with TLS")
        tls.close()
    assert len(server.audit.wait("open")) == len(server.audit.wait("pass", protocol=None)) == 1


GREETER = """
import os, select, socket, sys, tempfile
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    sock, _ = listener.accept()
    how = sys.argv[2]
    sock.setblocking(how in ("blocking", "file"))
    try:
        if how == "poll":
            poll = select.poll()
            poll.register(sock, select.POLLOUT)
            poll.poll()
        elif how == "epoll":
            epoll = select.epoll()
            epoll.register(sock, select.EPOLLOUT)
            epoll.poll()
        if how == "file":
            with tempfile.TemporaryFile() as file:
                file.write(b"220 hello\\r\\n")
                file.flush()
                os.sendfile(sock.fileno(), file.fileno(), 0, 100)
        else:
            sock.send(b"220 hello\\r\\n")
        sock.setblocking(True)
        sock.sendall(sock.recv(100))
    except OSError as error:
        print(error, flush=True)
    sock.close()
"""


@pytest.mark.parametrize("how", ["blocking", "not blocking", "poll", "epoll", "file"])
def test_server_that_speaks_first(seam, how):
    """It cannot work with a client that waits for it, which is told; what it said is not lost for one that speaks."""
    server = seam.serve(lambda port: [sys.executable, "-c", GREETER, str(port), how],
                        lambda port: seam.policy(seam.inbound(port, accept="both", handshake_timeout=1)))
    capture = Capture(seam, server.port)
    with clear(server.port) as sock:
        assert read_exactly(sock, 1) == b""
    assert "the program spoke first, and the client said nothing" in server.audit.wait("fail")[0]["reason"]
    assert b"220 hello" not in capture.finish(), "in the clear, to a client of which nothing is known"
    with clear(server.port) as sock:
        sock.sendall(b"hello")
        assert read_exactly(sock, 16) == b"220 hello\r\nhello"
    with connect(seam, server.port) as sock:
        assert read_exactly(sock, 11) == b"220 hello\r\n"
        sock.sendall(b"hello")
        assert read_exactly(sock, 5) == b"hello"


LATE = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 4)
while True:
    sock, _ = listener.accept()
    print(sock.recv(100, socket.MSG_PEEK), sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT), sock.recv(100), flush=True)
    sock.close()
"""


def test_options_are_the_program_s_own_afterwards(seam):
    server = serve(seam, LATE)
    with clear(server.port) as sock:
        sock.sendall(b"hello")
        assert read_exactly(sock, 1) == b""
    assert server.stdout == b"b'hello' 4 b'hello'\n"


def test_program_that_closes_on_a_silent_client(seam):
    server = seam.serve(lambda port: [sys.executable, "-c", """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    listener.accept()[0].close()
""", str(port)], lambda port: seam.policy(seam.inbound(port, accept="both", handshake_timeout=60)))
    with clear(server.port) as sock:
        assert sock.recv(1) == b""
    assert "before the client had said" in server.audit.wait("fail")[0]["reason"]


def test_handed_on_before_it_is_known(seam, version):
    """As inetd does: the next program has an end of a relay, which decides as any other would."""
    server = seam.serve(lambda port: [sys.executable, "-c", INETD, str(port), "cat"],
                        lambda port: seam.policy(seam.inbound(port, accept="both", version=version)))
    for _ in range(2):
        with clear(server.port) as sock:
            assert not select.select([sock], [], [], 0.05)[0]
            assert echoes(sock, b"in the clear")
        with connect(seam, server.port, version) as sock:
            assert echoes(sock, b"sealed" * 10000)
    assert len(server.audit.wait("open", 2)) == len(server.audit.wait("pass", 2, protocol=None)) == 2


def test_nginx(seam, version):
    need("nginx")
    folder = seam.make_dir("www")
    (folder / "file").write_bytes(b"some words " * 20000)
    server = nginx.start(seam, folder, version, accept="both")
    for _ in range(3):
        with clear(server.port) as sock:
            sock.sendall(b"GET /file HTTP/1.0\r\n\r\n")
            assert read_exactly(sock, 10**7).endswith(b"some words " * 20000)
        assert http_get(seam, server.port, "/file", version, requests=3) == b"some words " * 20000
    assert len(server.audit.wait("open", 3)) == len(server.audit.wait("pass", 3, protocol=None)) == 3


def test_redis(seam, version):
    server = start_redis(seam, lambda port: seam.policy(seam.inbound(port, version=version, accept="both")))
    for _ in range(3):
        with clear(server.port) as sock:
            sock.sendall(b"PING\r\n")
            assert read_exactly(sock, 7) == b"+PONG\r\n"
        with connect(seam, server.port, version) as sock:
            sock.sendall(b"PING\r\n")
            assert read_exactly(sock, 7) == b"+PONG\r\n"
    server.audit.wait("open", 3)
    server.audit.wait("pass", 3, protocol=None)
