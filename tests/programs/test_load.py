# SPDX-License-Identifier: GPL-3.0-or-later
"""A lot of data, and a lot of connections; and what would make them slow."""
import asyncio
import fcntl
import os
import re
import resource
import sys
import termios
import time
from pathlib import Path

import pytest

from peers import NATIVE, Sink, client_context, connect, content, start_server
from seam import check_opened, need
from servers import ASYNC_ECHO, PYTHON, start_python, start_redis

GIB = 1 << 30
CONNECTIONS = 1000
MANY = 10000
CONNECTION_MOST = 8192  # bytes of memory for an idle connection

# Sends or receives so many bytes, and prints their SHA-256. Each block begins with its number, so that none can be
# lost, doubled or swapped unseen.
STREAM = """
import hashlib, random, socket, sys
role, port, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
BLOCK = 1 << 20
hashed = hashlib.sha256()
if role == "send":
    sock = socket.create_connection(("localhost", port))
    block = bytearray(random.Random(1).randbytes(BLOCK))
    for number in range(size // BLOCK):
        block[:8] = number.to_bytes(8, "big")
        hashed.update(block)
        sock.sendall(block)
    sock.shutdown(socket.SHUT_WR)
    assert sock.recv(1) == b"", "nothing comes back"
else:
    listener = socket.create_server(("127.0.0.1", port))
    sock, _ = listener.accept()
    buffer, got = bytearray(BLOCK), 0
    while count := sock.recv_into(buffer):
        hashed.update(memoryview(buffer)[:count])
        got += count
    assert got == size, f"{got} of {size} bytes"
sock.close()
print(hashed.hexdigest())
"""


@pytest.mark.slow
def test_a_gibibyte(seam):
    server = seam.serve(lambda port: [PYTHON, "-c", STREAM, "receive", port, GIB],
                        lambda port: seam.policy(seam.inbound(port)))
    client = seam.run([PYTHON, "-c", STREAM, "send", server.port, GIB], seam.policy(seam.outbound(server.port)))
    assert server.wait(60) == 0, server.story()
    assert len(client.stdout) == 65 and client.stdout == server.stdout, "what arrived is not what was sent"
    check_opened(client)
    if seam.covering:
        assert server.audit.wait("close")[0]["bytes_in"] == GIB
        assert client.audit.wait("close")[0]["bytes_out"] == GIB


# What of a first write the kernel keeps to itself, right after it (SIOCOUTQNSD). Twenty times, since a peer delays some
# of its acknowledgements only.
FIRST_WRITE = """
import fcntl, socket, sys
role, port = sys.argv[1], int(sys.argv[2])
listener = socket.create_server(("127.0.0.1", port)) if role == "server" else None
for _ in range(20):
    sock = listener.accept()[0] if listener else socket.create_connection(("localhost", port))
    sock.send(b"hello")
    print(int.from_bytes(fcntl.ioctl(sock, 0x894B, bytes(4)), sys.byteorder))
    sock.shutdown(socket.SHUT_WR)
    sock.recv(1)
    sock.close()
"""


def test_first_write_is_sent_at_once(seam, version):
    """The end of the handshake before it is not acknowledged yet, for which Nagle's algorithm would wait."""
    peer = start_server(seam, Sink, version=version)
    client = seam.run([PYTHON, "-c", FIRST_WRITE, "client", peer.port], seam.policy(seam.outbound(peer.port)))
    assert client.stdout.split() == [b"0"] * 20, client.story()
    server = seam.serve(lambda port: [PYTHON, "-c", FIRST_WRITE, "server", port],
                        lambda port: seam.policy(seam.inbound(port, version=version)))
    for _ in range(20):
        with connect(seam, server.port, version) as sock:
            assert sock.recv(100) == b"hello"
    assert server.wait(30) == 0
    assert server.stdout.split() == [b"0"] * 20, server.story()


@pytest.mark.tls_only
def test_end_of_a_handshake_is_acknowledged_at_once(seam):
    """A client that has Nagle's algorithm waits for that with its first request: 40 ms if the kernel takes its time."""
    server = start_python(seam, ASYNC_ECHO, version="1.3")
    waits_s = []
    for _ in range(10):
        with connect(seam, server.port, "1.3") as sock:
            begin = time.monotonic()
            while int.from_bytes(fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)), sys.byteorder) > 0:
                os.sched_yield()
            waits_s.append(time.monotonic() - begin)
    assert min(waits_s) < 0.025, waits_s


@pytest.fixture
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = CONNECTIONS + 200
    if hard != resource.RLIM_INFINITY and hard < need:
        pytest.skip(f"{need} descriptors are needed, the limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, need), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def talk(port, number, context, all_open):
    name = {} if NATIVE else {"ssl": context, "server_hostname": "localhost"}
    reader, writer = await asyncio.open_connection("127.0.0.1", port, **name)
    for text in (b"first", b"second"):
        # The second exchange begins when every connection is open.
        message = b"%s of %d " % (text, number) + content(3000)
        writer.write(message)
        assert await reader.readexactly(len(message)) == message, f"connection {number} got another answer"
        await all_open()
    writer.close()
    return True


async def talk_all(port, context):
    opened, everyone = 0, asyncio.Event()

    async def all_open():
        nonlocal opened
        opened += 1
        if opened == CONNECTIONS:
            everyone.set()
        await everyone.wait()

    talks = (talk(port, number, context, all_open) for number in range(CONNECTIONS))
    return await asyncio.wait_for(asyncio.gather(*talks), 100)


@pytest.mark.slow
def test_a_thousand_connections_at_once(seam, many_descriptors):
    server = start_python(seam, ASYNC_ECHO)
    context = None if NATIVE else client_context(seam.pki)
    assert sum(asyncio.run(talk_all(server.port, context))) == CONNECTIONS
    check_opened(server, CONNECTIONS)


# Opens `count` connections to a redis, with as many descriptors as it then needs, and talks on each; says when all are
# open, and closes them when it is to end.
MANY_CLIENTS = """
import resource, signal, socket, sys
port, count = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

def ask(sock, number):
    text = b"%06d" % number
    sock.sendall(b"ECHO " + text + b"\\r\\n")
    answer = b""
    while answer != b"$6\\r\\n" + text + b"\\r\\n":
        more = sock.recv(100)
        assert more and len(answer) < 20, (number, answer)
        answer += more

socks = []
for number in range(count):
    socks.append(socket.create_connection(("localhost", port)))
    ask(socks[-1], number)
for number, sock in enumerate(socks):
    ask(sock, count + number)
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
print("open", flush=True)
signal.pause()
"""


def resident(program):
    """Bytes of memory, those included that it shares."""
    return int(re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{program.pid}/status").read_text()).group(1)) * 1024


def open_many(seam, server, policy, count):
    """The memory of the server with so many connections open."""
    client = seam.start([PYTHON, "-c", MANY_CLIENTS, server.port, count], policy)
    client.until(lambda: client.stdout == b"open\n", "all were open")
    memory = resident(server)
    client.stop()
    assert client.popen.returncode == 0, client.story()
    return memory


def start_roomy_redis(seam, policy=None):
    return start_redis(seam, policy, "--maxclients", MANY + 50)


@pytest.mark.slow
def test_ten_thousand_connections(seam):
    """A covered server and a covered client, which both raise their limits after they have started."""
    need("redis-server")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < MANY + 200:
        pytest.skip(f"{MANY + 200} descriptors are needed, the limit is {hard}")
    # Twice: what closed connections had is used again. (redis itself takes more the second time.)
    plain_server = start_roomy_redis(seam)
    plain = [open_many(seam, plain_server, None, MANY) for _ in range(2)]
    server = start_roomy_redis(seam, lambda port: seam.policy(seam.inbound(port)))
    policy = seam.policy(seam.outbound(server.port))
    covered = [open_many(seam, server, policy, MANY) for _ in range(2)]
    for without, having in zip(plain, covered):
        assert having - without <= MANY * CONNECTION_MOST, f"{(having - without) // MANY} bytes for an idle connection"
    check_opened(server, 2 * MANY)
