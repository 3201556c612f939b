# SPDX-License-Identifier: GPL-3.0-or-later
"""
Python's multiprocessing: each of its ways to start a process, given a connection, and its own servers and clients
over TCP.
"""
import pytest

from peers import BIG, connect, content, digest, echo_exchange
from seam import check_opened
from servers import PYTHON

# A process for each connection, which it is given as an argument: inherited, by number, or over a Unix socket.
PROCESS_EACH = """
import multiprocessing, socket, sys
def serve(connection):
    assert connection.family == socket.AF_INET and connection.getpeername()[0] == "127.0.0.1"
    while data := connection.recv(65536):
        connection.sendall(data)
    connection.close()
if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[2])
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    while True:
        connection, _ = listener.accept()
        process = context.Process(target=serve, args=(connection,))
        process.start()
        connection.close()
        process.join()
"""

# A pool of workers that were there before the connections.
POOL = """
import multiprocessing, socket, sys
def serve(connection):
    while data := connection.recv(65536):
        connection.sendall(data)
    connection.close()
if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    with multiprocessing.get_context(sys.argv[2]).Pool(2) as pool:
        while True:
            connection, _ = listener.accept()
            pool.apply_async(serve, (connection,))
            del connection  # or the stream would not end before the next one comes
"""

MANAGER = """
import sys
from multiprocessing.managers import BaseManager
store = {}
class Store(BaseManager):
    pass
Store.register("store", callable=lambda: store, exposed=["get", "update", "__len__"])
Store(("127.0.0.1", int(sys.argv[1])), b"key").get_server().serve_forever()
"""

MANAGED = """
import hashlib, sys
from multiprocessing.managers import BaseManager
class Store(BaseManager):
    pass
Store.register("store")
manager = Store(("localhost", int(sys.argv[1])), b"key")
manager.connect()
store = manager.store()
data = bytes(range(256)) * 3000
store.update({str(n): data[n:] for n in range(20)})
assert len(store) == 20 and all(store.get(str(n)) == data[n:] for n in range(20))
print(hashlib.sha256(store.get("7")).hexdigest())
"""


def start(seam, source, *argv, **keys):
    path = seam.make_dir("source") / "server.py"  # what is spawned reads it again
    path.write_text(source)
    return seam.serve(lambda port: [PYTHON, path, port, *argv], lambda port: seam.policy(seam.inbound(port, **keys)))


@pytest.mark.parametrize("source", [PROCESS_EACH, POOL], ids=["process", "pool"])
@pytest.mark.parametrize("how", ["fork", "spawn", "forkserver"])
def test_connection_for_a_process(seam, source, how):
    server = start(seam, source, how)
    for _ in range(2):
        with connect(seam, server.port) as sock:
            assert digest(echo_exchange(sock, content(BIG))) == digest(content(BIG))
    check_opened(server, 2, direction="inbound")


def test_manager(seam, version):
    """Both ends."""
    server = start(seam, MANAGER, version=version)
    client = seam.run([PYTHON, "-c", MANAGED, server.port], seam.policy(seam.outbound(server.port)))
    assert client.stdout.decode().strip() == digest((bytes(range(256)) * 3000)[7:]), client.story()
    opened = check_opened(client, 2, version=f"TLSv{version}")
    check_opened(server, len(opened))
