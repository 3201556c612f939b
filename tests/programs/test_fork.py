# SPDX-License-Identifier: GPL-3.0-or-later
"""One connection in several processes."""
import socket

import pytest

from peers import BIG, Echo, connect, content, digest, echo_exchange, start_server
from seam import check_opened
from servers import PYTHON, start_python

FORKING_SERVER = """
import socketserver, sys
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)
class Server(socketserver.ForkingTCPServer):
    allow_reuse_address = True
Server(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever(0.05)
"""

PREFORK_SERVER = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
for _ in range(2):
    if os.fork() == 0:
        break
while True:
    connection, _ = listener.accept()
    while data := connection.recv(65536):
        connection.sendall(data)
    connection.close()
"""

# The parent writes and the child reads, as rsync does; then both write.
TWO_PROCESSES = """
import hashlib, os, random, socket, sys
size = int(sys.argv[2])
data = random.Random(size).randbytes(size)
sock = socket.create_connection(("localhost", int(sys.argv[1])))
child = os.fork()
if child == 0:
    got = b""
    while len(got) < size:
        part = sock.recv(1 << 20)
        assert part, f"the stream ended after {len(got)} bytes"
        got += part
    assert got == data, "the child read something else than the parent had written"
    sock.sendall(b"from the child")
    sock.close()
    os._exit(0)
sock.sendall(data)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "the child failed"
sock.sendall(b", from the parent")
want = b"from the child, from the parent"
got = b""
while len(got) < len(want):
    part = sock.recv(100)
    assert part, got
    got += part
assert got == want, got
print("good")
"""


# A child begins with the handshake, and ends or is killed before it is done.
LOST_CHILD = """
import errno, os, select, signal, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
connection, _ = listener.accept()
child = os.fork()
if child == 0:
    try:
        connection.recv(1, socket.MSG_DONTWAIT)
    except BlockingIOError:
        if sys.argv[3] == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
    os._exit(0)
os.waitpid(child, 0)
if sys.argv[2] == "poll":
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    poll.poll()
elif sys.argv[2] == "epoll":
    epoll = select.epoll()
    epoll.register(connection, select.EPOLLIN)
    epoll.poll()
try:
    print("data", connection.recv(1))
except OSError as error:
    print(errno.errorcode[error.errno])
"""


def check_echo_server(seam, version, source):
    server = start_python(seam, source, version=version)
    for _ in range(4):
        with connect(seam, server.port, version) as sock:
            assert digest(echo_exchange(sock, content(BIG))) == digest(content(BIG))
    check_opened(server, 4, version=f"TLSv{version}")


def test_fork_for_each_connection(seam, version):
    check_echo_server(seam, version, FORKING_SERVER)


def test_fork_before_accept(seam, version):
    """Three processes accept from one socket; no two may give the same random, or reuse each other's keys."""
    check_echo_server(seam, version, PREFORK_SERVER)


def test_parent_writes_while_child_reads(seam, version):
    server = start_server(seam, Echo, version=version)
    program = seam.run([PYTHON, "-c", TWO_PROCESSES, server.port, 8_000_003], seam.policy(seam.outbound(server.port)))
    assert program.stdout == b"good\n", program.story()
    if seam.covering:
        opened = program.audit.wait("open", 1, version=f"TLSv{version}")
        assert len(opened) == 1


@pytest.mark.tls_only
@pytest.mark.parametrize("how, end", [("recv", "killed"), ("poll", "killed"), ("epoll", "exit"), ("recv", "exit")])
def test_handshake_whose_process_is_gone(seam, how, end):
    """Nobody else can go on with it, so the others are told when its time is over, and wait no longer."""
    server = seam.serve(lambda port: [PYTHON, "-c", LOST_CHILD, port, how, end],
                        lambda port: seam.policy(seam.inbound(port, handshake_timeout=1)))
    # The beginning of a ClientHello: a whole one might be answered, and the handshake done, within the child's one call.
    with socket.create_connection(("127.0.0.1", server.port), 60) as sock:
        sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
        try:
            while sock.recv(100):
                pass
        except ConnectionResetError:
            pass
    assert server.wait(30) == 0 and server.stdout == b"ETIMEDOUT\n", server.story()
    failed, = server.audit.wait("fail")
    assert "did not finish" in failed["reason"] and failed["pid"] == server.pid, failed
