# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile records: what the program and the peer get to see of them must not depend on who opens the records."""
import json
import socket
import ssl
import sys

import pytest

from peers import TLS
from process import free_port
from service import Dribble

PLANES = ("user", "kernel")

# One connection after the other; says how each ended.
SERVER = """
import errno, json, select, socket, sys
listeners = [socket.create_server(("127.0.0.1", int(port))) for port in sys.argv[1:]]
while True:
    for listener in select.select(listeners, [], [])[0]:
        sock, address = listener.accept()
        got, end = b"", "EOF"
        try:
            got += sock.recv(1)
            sock.sendall(got)
            while data := sock.recv(65536):
                got += data
        except OSError as error:
            end = errno.errorcode[error.errno]
        try:
            sock.sendall(b"still there")
            after = "sent"
        except OSError as error:
            after = errno.errorcode[error.errno]
        sock.close()
        print(json.dumps({address[1]: [got.decode(errors="replace"), end, after]}), flush=True)
"""


def header(kind, length, version=b"\x03\x03"):
    return bytes([kind]) + version + length.to_bytes(2, "big")


def with_type(kind):
    return lambda record: bytes([kind]) + record[1:]


RECORDS = {
    "changed at its end": lambda record: record[:-1] + bytes([record[-1] ^ 1]),
    "changed in its middle": lambda record: record[:12] + bytes([record[12] ^ 0x80]) + record[13:],
    "too long": lambda record: header(23, 16_384 + 257) + bytes(16_384 + 257),
    "as long as can be": lambda record: header(23, 65_535) + bytes(100),
    "shorter than a tag": lambda record: header(23, 7) + bytes(7),
    "empty": lambda record: header(23, 0),
    "of no type": with_type(0),
    "of an unknown type": with_type(99),
    "a handshake": with_type(22),
    "an alert in the clear": lambda record: header(21, 2) + b"\x01\x00",
    "a change of ciphers": lambda record: header(20, 1) + b"\x01",
    "of SSL 3": lambda record: header(record[0], len(record) - 5, b"\x03\x00") + record[5:],
    "of no version": lambda record: header(record[0], len(record) - 5, b"\x09\x09") + record[5:],
    "twice": lambda record: record + record,
    "text": lambda record: b"GET / HTTP/1.1\r\n\r\n" * 10,
}

GOOD = "good\n"
# With TLS 1.2 the kernel reads a header together with GCM's nonce behind it: what is shorter it takes for the beginning of a record.
# It looks at a type when the record has been opened; and with TLS 1.3 only at the one inside. TLS 1.3's version it does look at.
BEGUN = [GOOD, "ECONNRESET", "EPIPE", "end"]
CHANGED = [GOOD, "ECONNRESET", "EPIPE", "SSLV3_ALERT_BAD_RECORD_MAC"]
NONE = [GOOD, "ECONNRESET", "EPIPE", "SSLV3_ALERT_UNEXPECTED_MESSAGE"]
TAKEN = [GOOD + "more words", "ECONNRESET", "EPIPE", "end"]
KERNEL_SAYS = {
    ("1.2", "shorter than a tag"): BEGUN,
    ("1.2", "empty"): BEGUN,
    ("1.2", "an alert in the clear"): BEGUN,
    ("1.2", "a change of ciphers"): BEGUN,
    ("1.2", "of no type"): CHANGED,
    ("1.2", "of an unknown type"): CHANGED,
    ("1.3", "of no type"): TAKEN,
    ("1.3", "of an unknown type"): TAKEN,
    ("1.3", "a handshake"): TAKEN,
    ("1.3", "an alert in the clear"): CHANGED,
    ("1.3", "a change of ciphers"): CHANGED,
    ("1.3", "of SSL 3"): NONE,
}


class Judge:
    """A covered server with a port for each plane."""

    def __init__(self, seam):
        self.seam = seam
        self.ports = {(version, plane): free_port() for version in TLS for plane in PLANES}
        policy = seam.policy(*(seam.inbound(port, version=version, plane=plane) for (version, plane), port in self.ports.items()))
        self.program = seam.start([sys.executable, "-c", SERVER, *self.ports.values()], policy)
        self.program.until(lambda: all(self.program.listens(port) for port in self.ports.values()), "it listened")

    def said(self, port):
        """What the program saw of the connection from `port`; None while it is open."""
        for line in self.program.stdout.splitlines():
            if str(port) in (result := json.loads(line)):
                return result[str(port)]
        return None

    def verdict(self, plane, version, change):
        """What the program saw of a good record and a changed one, and which alert came back."""
        peer = Dribble(self, (version, plane), "good")
        port = peer.plain.getsockname()[1]
        with peer.plain:
            assert read(peer) == b"g"  # the handshake is over, for the program too
            peer.plain.sendall(change(peer.record(b"more words")))
            try:
                peer.plain.shutdown(socket.SHUT_WR)  # and no more: whoever waits for the rest of a record learns of it
            except OSError:
                pass
            self.program.until(lambda: self.said(port), "it was done with the connection")
            return [*self.said(port), alert(peer)]


def read(peer):
    """The next plaintext; None at the end of TCP."""
    while True:
        try:
            return peer.tls.read(65536)
        except ssl.SSLWantReadError:
            data = peer.plain.recv(65536)
            if not data:
                return None
            peer.inward.write(data)


def alert(peer):
    """How the stream ends for the peer: the name of an alert, or of an error."""
    try:
        while (data := read(peer)):
            pass
        return "end" if data is None else "close_notify"
    except ssl.SSLZeroReturnError:
        return "close_notify"
    except ssl.SSLError as error:
        return error.reason
    except ConnectionResetError:
        return "reset"


@pytest.fixture(scope="module")
def judge(shared):
    return Judge(shared)


@pytest.mark.parametrize("what", RECORDS)
def test_record(judge, version, what):
    user, kernel = (judge.verdict(plane, version, RECORDS[what]) for plane in PLANES)
    assert kernel == KERNEL_SAYS.get((version, what), user)
