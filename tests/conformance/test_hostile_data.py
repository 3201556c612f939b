# SPDX-License-Identifier: GPL-3.0-or-later
"""Peers that keep to the rules in the handshake and break them afterwards, in both roles."""
import pytest

from misbehave import BOTH, MALFORMED, UNEXPECTED, run, settle
from subjects import GREETING, WORDS, CoveredClient, CoveredServer
from tls_bytes import *
from tls_peer import Client, Server, load_identity

ROLES = ("server", "client")  # of the covered program


@pytest.fixture(scope="module")
def server(shared):
    return CoveredServer(shared)


@pytest.fixture(scope="module")
def client(shared):
    return CoveredClient(shared, groups="x25519, secp256r1")


@pytest.fixture(scope="module")
def identity(pki):
    return load_identity(pki.good)


class Link:
    """A peer whose connection with the covered program is open."""

    def __init__(self, role, subjects, identity, version):
        self.subject, self.secret = (subjects[0], GREETING) if role == "server" else (subjects[1], WORDS)
        if role == "server":
            self.peer = Client(self.subject.connect(), version)
        else:
            self.peer = Server(self.subject.accept(), version, identity)
        self.peer.open()


@pytest.fixture
def link(server, client, identity):
    return lambda role, version: Link(role, (server, client), identity, version)


def sealed(kind, body=b"", count=1):
    def script(peer):
        for _ in range(count):
            if not peer.cut:
                peer.send_record(kind, body)
    return script


def clear(kind, body, version=TLS12):
    return lambda peer: peer.send(record(kind, body, version))


def handshake(kind, body=b"", more=b""):
    return lambda peer: peer.send_record(HANDSHAKE, message(kind, body) + more)


def key_updates(count, body=b"\0"):
    def script(peer):
        for _ in range(count):
            if not peer.cut:
                peer.send_key_update(body)
    return script


def half_and(kind, body):
    """Half a message, and a record of another type."""
    def script(peer):
        peer.send_record(HANDSHAKE, message(KEY_UPDATE, b"\0")[:3])
        peer.send_record(kind, body)
    return script


TICKET = bytes(8) + vec8(b"nonce") + vec16(bytes(100)) + vec16(b"")

CASES = [
    ("KeyUpdate of another value", ("1.3",), ROLES, {"illegal_parameter"}, key_updates(1, b"\2")),
    ("long KeyUpdate", ("1.3",), ROLES, {"decode_error"}, handshake(KEY_UPDATE, b"\0\0")),
    ("empty KeyUpdate", ("1.3",), ROLES, {"decode_error"}, handshake(KEY_UPDATE)),
    ("more behind KeyUpdate", ("1.3",), ROLES, UNEXPECTED, handshake(KEY_UPDATE, b"\0", message(KEY_UPDATE, b"\0"))),
    ("KeyUpdate", ("1.2",), ROLES, UNEXPECTED, handshake(KEY_UPDATE, b"\0")),
    ("flood of KeyUpdates", ("1.3",), ROLES, UNEXPECTED, key_updates(1000)),
    ("flood of KeyUpdates that ask", ("1.3",), ROLES, UNEXPECTED, key_updates(1000, b"\1")),
    ("flood of empty data", BOTH, ROLES, UNEXPECTED, sealed(APPLICATION_DATA, b"", 1000)),
    ("flood of warnings", ("1.2",), ROLES, UNEXPECTED, sealed(ALERT, b"\1\x64", 1000)),
    ("flood of user_canceled", ("1.3",), ROLES, UNEXPECTED, sealed(ALERT, b"\1\x5a", 1000)),
    ("flood of tickets", ("1.3",), ("client",), UNEXPECTED, sealed(HANDSHAKE, message(NEW_SESSION_TICKET, TICKET), 1000)),
    ("empty handshake", BOTH, ROLES, UNEXPECTED, sealed(HANDSHAKE)),
    ("empty alert", BOTH, ROLES, UNEXPECTED, sealed(ALERT)),
    ("short alert", BOTH, ROLES, UNEXPECTED | MALFORMED, sealed(ALERT, b"\2")),
    ("two alerts", BOTH, ROLES, UNEXPECTED | MALFORMED, sealed(ALERT, b"\1\0\1\0")),
    ("change", ("1.3",), ROLES, UNEXPECTED, clear(CHANGE_CIPHER_SPEC, b"\1")),
    ("sealed change", BOTH, ROLES, UNEXPECTED, sealed(CHANGE_CIPHER_SPEC, b"\1")),
    ("heartbeat", BOTH, ROLES, UNEXPECTED, sealed(HEARTBEAT, b"\1\x40\0")),
    ("unknown record", BOTH, ROLES, UNEXPECTED, sealed(99, b"\0")),
    ("no type at all", ("1.3",), ROLES, UNEXPECTED, sealed(0, bytes(100))),
    ("unknown record in the clear", BOTH, ROLES, UNEXPECTED, clear(99, b"\0")),
    ("alert in the clear", BOTH, ROLES, UNEXPECTED | {"bad_record_mac"}, clear(ALERT, b"\2\x28")),
    ("handshake in the clear", BOTH, ROLES, UNEXPECTED | {"bad_record_mac"}, clear(HANDSHAKE, message(FINISHED, bytes(32)))),
    ("data in the clear", BOTH, ROLES, {"bad_record_mac"}, clear(APPLICATION_DATA, b"data" * 20)),
    ("short record", BOTH, ROLES, {"bad_record_mac"}, clear(APPLICATION_DATA, b"data")),
    ("empty record", BOTH, ROLES, {"bad_record_mac"} | UNEXPECTED, clear(APPLICATION_DATA, b"")),
    ("other version", ("1.2",), ROLES, UNEXPECTED | {"protocol_version"}, clear(APPLICATION_DATA, bytes(60), 0x0302)),
    ("plain HTTP", BOTH, ROLES, UNEXPECTED, lambda peer: peer.send(b"GET / HTTP/1.1\r\n\r\n")),
    ("large record", BOTH, ROLES, {"record_overflow"}, clear(APPLICATION_DATA, bytes(16384 + 257))),
    ("large content", BOTH, ROLES, {"record_overflow"}, sealed(APPLICATION_DATA, bytes(16385))),
    ("data amid a message", ("1.3",), ROLES, UNEXPECTED, half_and(APPLICATION_DATA, b"data")),
    ("alert amid a message", ("1.3",), ROLES, UNEXPECTED, half_and(ALERT, b"\1\0")),
    *[(name, BOTH, ROLES, UNEXPECTED, handshake(kind, body)) for name, kind, body in [
        ("ServerHello", SERVER_HELLO, bytes(40)), ("EncryptedExtensions", ENCRYPTED_EXTENSIONS, b"\0\0"),
        ("Certificate", CERTIFICATE, b"\0\0\0\0"), ("CertificateVerify", CERTIFICATE_VERIFY, bytes(40)),
        ("CertificateRequest", CERTIFICATE_REQUEST, b"\1x\0\x08\0\x0d\0\x04\0\x02\4\3"), ("Finished", FINISHED, bytes(32)),
        ("EndOfEarlyData", END_OF_EARLY_DATA, b""), ("unknown message", 77, b"")]],
    ("NewSessionTicket", BOTH, ("server",), UNEXPECTED, handshake(NEW_SESSION_TICKET, TICKET)),
    ("NewSessionTicket", ("1.2",), ("client",), UNEXPECTED, handshake(NEW_SESSION_TICKET, TICKET)),
    ("renegotiation", ("1.3",), ("server",), UNEXPECTED, handshake(CLIENT_HELLO, bytes(40))),
    ("request for renegotiation", ("1.3",), ("client",), UNEXPECTED, handshake(HELLO_REQUEST)),
    ("ClientHello", BOTH, ("client",), UNEXPECTED, handshake(CLIENT_HELLO, bytes(40))),
    ("HelloRequest", BOTH, ("server",), UNEXPECTED, handshake(HELLO_REQUEST)),
    ("huge message", ("1.3",), ("client",), UNEXPECTED, sealed(HANDSHAKE, bytes([NEW_SESSION_TICKET]) + b"\xff\xff\xff" + bytes(9000), 200)),
]


@pytest.mark.parametrize("role, version, alert, script", [
    pytest.param(role, version, alert, script, id=f"{name} {version} {role}")
    for name, versions, roles, alert, script in CASES for version in versions for role in roles])
def test_refused(link, role, version, alert, script):
    made = link(role, version)
    run(script, made.peer)
    event, told = settle(made.subject, made.peer, alert, {"ECONNRESET"}, made.secret, "close")
    assert told["call"] == "recv" and event["reason"], event


def exchange(peer, words=b"more words"):
    """The covered server gives back what it is told."""
    peer.send_record(APPLICATION_DATA, words)
    while not peer.data.endswith(words):
        peer.read_record()


def leave(made):
    made.peer.send_alert(0, WARNING)
    return settle(made.subject, made.peer, {"close_notify"}, {""}, made.secret, "close")


def test_renegotiation_is_declined(link):
    """RFC 5246 7.4.1: with a warning, and the connection goes on."""
    made = link("server", "1.2")
    hello = message(CLIENT_HELLO, made.peer.hello_body())
    for at in range(0, len(hello), 50):
        made.peer.send_record(HANDSHAKE, hello[at:at + 50])
    exchange(made.peer)
    assert made.peer.alert == (WARNING, 100)
    made.peer.alert = None
    leave(made)


def test_request_for_renegotiation_is_declined(link):
    made = link("client", "1.2")
    made.peer.send_record(HANDSHAKE, message(HELLO_REQUEST, b""))
    while made.peer.data != WORDS or made.peer.alert is None:
        made.peer.read_record()
    assert made.peer.alert == (WARNING, 100)
    made.peer.alert = None
    leave(made)


def test_what_is_allowed(link):
    """One byte a record, empty data, padding, KeyUpdates in pieces: unusual, and right."""
    made = link("server", "1.3")
    peer = made.peer
    for _ in range(20):
        peer.send_record(APPLICATION_DATA, b"")
    for byte in b"one by one":
        peer.send_record(APPLICATION_DATA, bytes([byte]))
    peer.send(peer.write_key.seal(APPLICATION_DATA, b"padded", padding=5000))
    for byte in message(KEY_UPDATE, b"\0"):
        peer.send_record(HANDSHAKE, bytes([byte]))
    peer.write_key.update()
    exchange(peer)
    assert peer.data == GREETING + b"one by one" + b"padded" + b"more words"
    leave(made)


def test_memory_is_bounded(link, server):
    """Each of these ends; none of them leaves something behind."""
    flood = sealed(HANDSHAKE, message(NEW_SESSION_TICKET, bytes(9000)), 500)
    run(flood, link("server", "1.3").peer)
    before = server.resident()
    for _ in range(20):
        made = link("server", "1.3")
        run(flood, made.peer)
        settle(server, made.peer, UNEXPECTED, {"ECONNRESET"}, GREETING, "close")
    assert server.resident() - before < 8 << 20
