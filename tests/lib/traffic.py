# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that go on while a server is reloaded: none of them may notice."""
import contextlib
import threading

from peers import BIG, SMALL, TIMEOUT_S, connect, content, digest, read_exactly

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
        self.news = threading.Condition()
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        while not self.ending and self.error is None:
            error = None
            try:
                with connect(self.seam, self.port) as sock:
                    head, body = ask(sock, f"/{SMALL}")
                assert b" 200 " in head and digest(body) == digest(content(SMALL)), head
            except (OSError, AssertionError) as problem:
                error = problem
            with self.news:
                self.done += 1
                self.error = error
                self.news.notify_all()

    def flows(self, rounds=ROUNDS):
        """Waits until some more connections have come and gone."""
        want = self.done + rounds
        with self.news:
            came = self.news.wait_for(lambda: self.error or self.done >= want, TIMEOUT_S)
        assert self.error is None, f"connection {self.done} failed: {self.error!r}"
        assert came, f"connection {self.done + 1} was not served in {TIMEOUT_S} s"

    def finish(self):
        self.flows()
        self.ending = True
        self.thread.join(TIMEOUT_S)


@contextlib.contextmanager
def through(seam, port):
    """
    What is done within is done while a large file is on its way, and while new clients come. All must be well before
    and after.
    """
    traffic = Traffic(seam, port)
    with connect(seam, port) as sock:
        head, body = ask(sock, "/large", 100_000)
        assert b" 200 " in head, head
        traffic.flows()
        yield traffic
        traffic.flows()
        body += read_exactly(sock, BIG * LARGE_TIMES)
    assert digest(body) == digest(content(BIG) * LARGE_TIMES)
    traffic.finish()
