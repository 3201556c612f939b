# SPDX-License-Identifier: GPL-3.0-or-later
"""A lot of data, and a lot of connections."""
import asyncio
import resource

import pytest

from peers import NATIVE, client_context, content
from seam import check_opened
from servers import ASYNC_ECHO, PYTHON, start_python

GIB = 1 << 30
CONNECTIONS = 1000

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
