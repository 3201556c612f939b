# SPDX-License-Identifier: GPL-3.0-or-later
"""One process, many threads: each has its own connection, or both use the same one."""
import pytest

from peers import BIG, Echo, start_server
from seam import check_opened
from servers import PYTHON

THREADS, ROUNDS = 6, 10

# Every thread opens connections of its own. Nobody's handshake may wait for another thread's.
OWN_CONNECTIONS = """
import concurrent.futures, select, socket, sys, time
how, port, threads, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])

def opened():
    if how == "blocking":
        return socket.create_connection(("localhost", port))
    address = socket.getaddrinfo("localhost", port, socket.AF_INET, socket.SOCK_STREAM)[0][4]
    sock = socket.socket()
    sock.setblocking(False)
    sock.connect_ex(address)
    if how == "poll":
        poll = select.poll()
        poll.register(sock, select.POLLOUT)
        assert poll.poll(30000)
    elif how == "select":
        assert select.select([], [sock], [], 30)[1]
    else:
        with select.epoll() as epoll:
            epoll.register(sock, select.EPOLLOUT)
            assert epoll.poll(30)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    sock.setblocking(True)
    return sock

def one(number):
    begun = time.monotonic()
    for round in range(rounds):
        with opened() as sock:
            text = b"thread %d, round %d" % (number, round)
            sock.sendall(text)
            sock.shutdown(socket.SHUT_WR)
            got = b""
            while part := sock.recv(100):
                got += part
            assert got == text, (got, text)
    return time.monotonic() - begun

with concurrent.futures.ThreadPoolExecutor(threads) as pool:
    print(max(pool.map(one, range(threads))))
"""

# One thread writes and one reads, on the same connection.
SAME_CONNECTION = """
import hashlib, random, socket, sys, threading
data = random.Random(5).randbytes(int(sys.argv[2]))
sock = socket.create_connection(("localhost", int(sys.argv[1])))

def send():
    for at in range(0, len(data), 5000):
        sock.sendall(data[at:at + 5000])
    sock.shutdown(socket.SHUT_WR)

sender = threading.Thread(target=send)
sender.start()
got = hashlib.sha256()
while part := sock.recv(100000):
    got.update(part)
sender.join()
assert got.digest() == hashlib.sha256(data).digest()
print("good")
"""


@pytest.mark.parametrize("how", ["blocking", "poll", "select", "epoll"])
def test_each_thread_its_own_connections(seam, how):
    server = start_server(seam, Echo)
    program = seam.run([PYTHON, "-c", OWN_CONNECTIONS, how, server.port, THREADS, ROUNDS],
                       seam.policy(seam.outbound(server.port)))
    assert float(program.stdout) < 5, f"a thread waited for others, {program.stdout.decode().strip()} s in all:\n{program.story()}"
    check_opened(program, THREADS * ROUNDS)


def test_two_threads_one_connection(seam, version):
    server = start_server(seam, Echo, version=version)
    program = seam.run([PYTHON, "-c", SAME_CONNECTION, server.port, 10 * BIG], seam.policy(seam.outbound(server.port)))
    assert program.stdout == b"good\n", program.story()
    check_opened(program)
