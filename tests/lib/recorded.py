# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS of the test's own over a socket, by way of buffers, so that what crosses the network is known, and keeps its secrets in a file."""
import ssl

RANDOM_AT = 11  # of a record with a ServerHello: behind the headers and the version
RANDOM_LEN = 32


class Recorded:
    def __init__(self, sock, context, **options):
        self.sock = sock
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.sent = self.received = b""
        self.is_server = options.get("server_side", False)
        self.tls = context.wrap_bio(self.incoming, self.outgoing, **options)
        self._do(self.tls.do_handshake)

    def _flush(self):
        data = self.outgoing.read()
        self.sock.sendall(data)
        self.sent += data

    def _do(self, call, *arguments):
        while True:
            try:
                result = call(*arguments)
            except ssl.SSLWantReadError:
                self._flush()
                data = self.sock.recv(65536)
                assert data, "the end of the connection"
                self.received += data
                self.incoming.write(data)
            else:
                self._flush()
                return result

    def send(self, data):
        self._do(self.tls.write, data)

    def receive(self, size):
        return self._do(self.tls.read, size)

    def server_random(self):
        hello = self.sent if self.is_server else self.received
        return hello[RANDOM_AT:RANDOM_AT + RANDOM_LEN]
