# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that go on while a server is reloaded: none of them may notice."""
import contextlib
import threading

from peers import BIG, SMALL, connect, content, digest, read_exactly

LARGE_TIMES = 30  # of BIG: far more than all buffers between the two ends hold
ROUNDS = 5


def add_large_file(folder):
    (folder / "large").write_bytes(content(BIG) * LARGE_TIMES)


def ask(sock, path, limit=None):
    """The head of the answer and its body, to its end or to that many bytes of it."""
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        assert byte, f"the answer ended after {head}"
        head += byte
    return head, read_exactly(sock, limit or BIG * LARGE_TIMES)


class Traffic:
    """A thread that makes one short connection after the other."""

    def __init__(self, seam, port):
        self.seam, self.port = seam, port
        self.done, self.error = 0, None
        self.ending = False
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        try:
            while not self.ending:
                with connect(self.seam, self.port) as sock:
                    head, body = ask(sock, f"/{SMALL}")
                assert b" 200 " in head and digest(body) == digest(content(SMALL)), head
                self.done += 1
        except (OSError, AssertionError) as error:
            self.error = error

    def flows(self, server, rounds=ROUNDS):
        """Waits until some more connections have come and gone."""
        want = self.done + rounds
        server.until(lambda: self.error or self.done >= want, "clients were served")
        self.check()

    def check(self):
        assert self.error is None, f"connection {self.done + 1} failed: {self.error!r}"

    def finish(self):
        self.ending = True
        self.thread.join(60)
        self.check()


@contextlib.contextmanager
def through(seam, server):
    """
    What is done within is done while a large file is on its way, and while new clients come. All must be well before
    and after.
    """
    traffic = Traffic(seam, server.port)
    with connect(seam, server.port) as sock:
        head, body = ask(sock, "/large", 100_000)
        assert b" 200 " in head, head
        traffic.flows(server)
        yield traffic
        traffic.flows(server)
        body += read_exactly(sock, BIG * LARGE_TIMES)
    assert digest(body) == digest(content(BIG) * LARGE_TIMES)
    traffic.flows(server)
    traffic.finish()
