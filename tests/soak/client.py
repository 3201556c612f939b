# SPDX-License-Identifier: GPL-3.0-or-later
"""
Exchanges bytes with a server that sends them back, of every size and in every manner, until it is told to end (SIGTERM):

    client.py PORT SEED [--tls CA] [--greeting]

A line for each exchange: `ok BYTES`; `error PORT BEGAN CONNECTED WHAT` (this end's port, 0 if there was none yet, and the monotonic
times between which it connected); `wrong WHAT`, if anything else than what was sent came back, or less of it with a good end.
"""
import hashlib
import random
import select
import signal
import socket
import ssl
import sys
import time

TIMEOUT_S = 60
SIZES = [(1, 100), (1, 20_000), (16_000, 17_000), (1, 300_000), (1_000_000, 4_000_000)]


class Exchanges:
    def __init__(self, port, seed, ca, greeting):
        self.port, self.greeting = port, greeting
        self.random = random.Random(seed)
        self.ending = False
        self.context = None
        if ca:
            self.context = ssl.create_default_context(cafile=ca)
            self.context.options &= ~(1 << 7)  # OP_IGNORE_UNEXPECTED_EOF: a truncated stream is an error
        self.session = None

    def connect(self):
        self.local, self.began, self.connected = 0, time.monotonic(), None
        sock = socket.create_connection(("localhost", self.port), TIMEOUT_S)
        self.local, self.connected = sock.getsockname()[1], time.monotonic()
        if self.context:
            sock = self.context.wrap_socket(sock, server_hostname="localhost", session=self.session, suppress_ragged_eofs=False)
        return sock

    def one(self):
        low, high = self.random.choice(SIZES)
        data = self.random.randbytes(self.random.randint(low, high))
        with self.connect() as sock:
            if self.greeting:
                self.read_line(sock)
            got = self.in_parts(sock, data) if self.random.random() < 0.5 else self.at_once(sock, data)
            if self.context:
                self.session = sock.session
                sock.unwrap()
        if got.digest() != hashlib.sha256(data).digest():
            raise ValueError(f"another hash, of {len(data)} bytes")
        return len(data)

    def read_line(self, sock):
        line = b""
        while not line.endswith(b"\n"):
            more = sock.recv(1)
            if not more:
                raise ConnectionError("no greeting")
            line += more

    def in_parts(self, sock, data):
        """Each part is waited for before the next."""
        got, at = hashlib.sha256(), 0
        while at < len(data):
            part = data[at:at + self.random.randint(1, 40_000)]
            sock.sendall(part)
            left = len(part)
            while left:
                more = sock.recv(left)
                if not more:
                    raise ValueError(f"the end {left} bytes early")
                got.update(more)
                left -= len(more)
            at += len(part)
        return got

    def at_once(self, sock, data):
        """Both ways at the same time, without blocking."""
        got, sent, received = hashlib.sha256(), 0, 0
        sock.setblocking(False)
        while received < len(data):
            pending = self.context and sock.pending()
            want = [sock] if sent < len(data) else []
            readable, writable, _ = ([sock], [], []) if pending else select.select([sock], want, [], TIMEOUT_S)
            if not readable and not writable:
                raise TimeoutError(f"nothing for {TIMEOUT_S} s")
            try:
                if writable:
                    sent += sock.send(data[sent:sent + 100_000])
                if readable:
                    more = sock.recv(65536)
                    if not more:
                        raise ValueError(f"the end {len(data) - received} bytes early")
                    got.update(more)
                    received += len(more)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
        sock.settimeout(TIMEOUT_S)
        return got

    def run(self):
        while not self.ending:
            try:
                print("ok", self.one(), flush=True)
            except OSError as error:
                print("error", self.local, self.began, self.connected or time.monotonic(), repr(error), flush=True)
                time.sleep(0.1)
            except ValueError as error:
                print("wrong", repr(error), flush=True)


def main():
    port, seed, *more = sys.argv[1:]
    ca = more[more.index("--tls") + 1] if "--tls" in more else None
    exchanges = Exchanges(int(port), int(seed), ca, "--greeting" in more)

    def end(*_):
        exchanges.ending = True
    signal.signal(signal.SIGTERM, end)
    exchanges.run()


if __name__ == "__main__":
    main()
