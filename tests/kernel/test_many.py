# SPDX-License-Identifier: GPL-3.0-or-later
"""Many connections at once, both ends of each the kernel's. SEAMTLS_TEST_CONNECTIONS says how many. All but the first resume its
session, since a machine that is emulated takes its time for a full handshake."""
import os
import sys

import ktls
from seam import check_opened
from servers import ASYNC_ECHO

CONNECTIONS = int(os.environ.get("SEAMTLS_TEST_CONNECTIONS", "1000"))

CLIENT = """
import resource, socket, sys
port, count = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
socks = [socket.create_connection(("localhost", port)) for _ in range(count)]
for round in range(2):
    for number, sock in enumerate(socks):
        sock.sendall(b"%07d-" % number * 300)
    for number, sock in enumerate(socks):
        assert sock.recv(2400, socket.MSG_WAITALL) == b"%07d-" % number * 300, number
"""


def test_many_connections(seam):
    policy = seam.policy(seam.inbound("1-65535", version="1.2"), seam.outbound("1-65535", version="1.2"))
    server = seam.serve(lambda port: ["sh", "-c", 'ulimit -n 5000; exec "$@"', "sh", sys.executable, "-c", ASYNC_ECHO, port],
                        lambda _port: policy)
    before = ktls.counters()
    client = seam.start([sys.executable, "-c", CLIENT, server.port, CONNECTIONS], policy)
    assert client.wait(240) == 0, client.story()
    check_opened(client, CONNECTIONS)
    opened = check_opened(server, CONNECTIONS)
    assert {event["plane"] for event in opened} == {"kernel"}
    after = ktls.counters()
    assert all(after[name] - before[name] >= 2 * CONNECTIONS for name in ("TlsTxSw", "TlsRxSw"))
    assert after["TlsDecryptError"] == before["TlsDecryptError"]
