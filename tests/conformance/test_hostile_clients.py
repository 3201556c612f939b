# SPDX-License-Identifier: GPL-3.0-or-later
"""
Clients that break the rules, and what a covered server makes of them: the alert of RFC 8446 or RFC 5246, an errno for the program, a
line of the audit, and nothing in the clear.
"""
import pytest

from misbehave import BOTH, MALFORMED, OFF_CURVE, SMALL_ORDER, UNEXPECTED, also, put, run, settle, share, twice, without
from subjects import GREETING, CoveredServer
from tls_bytes import *
from tls_keys import binder
from tls_peer import Client

@pytest.fixture(scope="module")
def server(shared):
    return CoveredServer(shared)


# Name, versions, alert (or several that will do), what becomes of the hello.
HELLOS = [
    ("extension twice", BOTH, {"illegal_parameter"}, {"change": twice(GROUPS)}),
    ("versions twice", ("1.3",), {"illegal_parameter"}, {"change": twice(VERSIONS)}),
    ("shares twice", ("1.3",), {"illegal_parameter"}, {"change": twice(KEY_SHARE)}),
    ("unknown extension twice", BOTH, {"illegal_parameter"}, {"change": also((0x7a7a, b""), (0x7a7a, b""))}),
    ("no groups", ("1.3",), {"missing_extension"}, {"change": without(GROUPS)}),
    ("no signatures", ("1.3",), {"missing_extension"}, {"change": without(SIGNATURES)}),
    ("no share", ("1.3",), {"missing_extension"}, {"change": without(KEY_SHARE)}),
    ("no extensions", ("1.3",), {"protocol_version", "missing_extension", "handshake_failure"}, {"extensions": False}),
    ("compression", ("1.3",), {"illegal_parameter"}, {"compression": b"\x01"}),
    ("compression too", ("1.3",), {"illegal_parameter"}, {"compression": b"\x01\0"}),
    ("no null compression", ("1.2",), {"illegal_parameter"}, {"compression": b"\x01"}),
    ("no compression at all", BOTH, MALFORMED, {"compression": b""}),
    ("long session id", BOTH, MALFORMED, {"session_id": bytes(33)}),
    ("unknown suites", BOTH, {"handshake_failure"}, {"suites": [0x1399, 0xc0ff]}),
    ("weak suites", BOTH, {"handshake_failure"}, {"suites": [0x002f, 0x000a, 0x0005, 0xc013, 0x0000]}),
    ("bytes behind the extensions", BOTH, {"decode_error"}, {"tail": b"\0"}),
    ("extension beyond the end", BOTH, {"decode_error"}, {"change": also(b"\x7a\x7a\xff\xff\0")}),
    ("half an extension", BOTH, {"decode_error"}, {"change": also(b"\x7a\x7a\0")}),
    ("short x25519", ("1.3",), {"illegal_parameter"}, {"change": share(X25519, bytes(31))}),
    ("long x25519", ("1.3",), {"illegal_parameter"}, {"change": share(X25519, b"\x09" + bytes(32))}),
    ("empty x25519", ("1.3",), {"decode_error"}, {"change": share(X25519, b"")}),
    *[(f"small order {i}", ("1.3",), {"illegal_parameter"}, {"change": share(X25519, point)})
      for i, point in enumerate(SMALL_ORDER)],
    ("off curve", ("1.3",), {"illegal_parameter"}, {"change": share(P256, OFF_CURVE)}),
    ("point at infinity", ("1.3",), {"illegal_parameter"}, {"change": share(P256, b"\0")}),
    ("short point", ("1.3",), {"illegal_parameter"}, {"change": share(P256, OFF_CURVE[:64])}),
    ("compressed point", ("1.3",), {"illegal_parameter"}, {"change": share(P256, b"\x02" + b"\x01" * 32)}),
    ("short hybrid", ("1.3",), {"illegal_parameter"}, {"change": share(X25519MLKEM768, bytes(1000))}),
    ("long hybrid", ("1.3",), {"illegal_parameter"}, {"change": share(X25519MLKEM768, bytes(1300))}),
    ("hybrid of no key", ("1.3",), {"illegal_parameter"}, {"change": share(X25519MLKEM768, b"\xff" * 1216)}),
    ("hybrid of small order", ("1.3",), {"illegal_parameter"}, {"change": share(X25519MLKEM768, bytes(1216))}),
    ("two shares of a group", ("1.3",), {"illegal_parameter"},
     {"change": put(KEY_SHARE, vec16(key_share(X25519, b"\x09" + bytes(31)) * 2))}),
    ("share beyond the end", ("1.3",), {"decode_error"}, {"change": put(KEY_SHARE, vec16(b"\0\x1d\0\x40" + bytes(32)))}),
    ("unknown groups", BOTH, {"handshake_failure"}, {"change": lambda pairs: put(GROUPS, vec16(numbers(0x7a7a)))(
        put(KEY_SHARE, vec16(key_share(0x7a7a, bytes(8))))(pairs) if KEY_SHARE in dict(pairs) else pairs)}),
    ("empty groups", BOTH, {"decode_error"}, {"change": put(GROUPS, vec16(b""))}),
    ("odd groups", BOTH, {"decode_error"}, {"change": put(GROUPS, vec16(b"\0\x1d\0"))}),
    ("only a later version", ("1.3",), {"protocol_version"}, {"change": put(VERSIONS, vec8(numbers(0x0305)))}),
    ("only reserved versions", ("1.3",), {"protocol_version"}, {"change": put(VERSIONS, vec8(numbers(0x7a7a, 0x0a0a)))}),
    ("only older versions", ("1.3",), {"protocol_version"}, {"change": put(VERSIONS, vec8(numbers(0x0302, 0x0301, 0x0300)))}),
    ("no versions", ("1.3",), {"decode_error"}, {"change": put(VERSIONS, vec8(b""))}),
    ("odd versions", ("1.3",), {"decode_error"}, {"change": put(VERSIONS, vec8(b"\x03\x04\x03"))}),
    ("SSL 3.0", BOTH, {"protocol_version"}, {"version": 0x0300}),
    ("TLS 1.0", ("1.2",), {"protocol_version"}, {"version": 0x0301}),
    ("TLS 1.1", ("1.2",), {"protocol_version"}, {"version": 0x0302}),
    ("fallback", ("1.2",), {"inappropriate_fallback"}, {"suites": [ECDHE_ECDSA_AES_128_GCM_SHA256, 0x5600]}),
    ("empty list of names", BOTH, {"decode_error"}, {"change": put(SERVER_NAME, vec16(b""))}),
    ("empty name", BOTH, {"decode_error"}, {"change": put(SERVER_NAME, vec16(b"\0" + vec16(b"")))}),
    ("two names", BOTH, {"decode_error"}, {"change": put(SERVER_NAME, vec16((b"\0" + vec16(b"localhost")) * 2))}),
    ("name beyond the end", BOTH, {"decode_error"}, {"change": put(SERVER_NAME, vec16(b"\0\0\x40local"))}),
    ("empty list of protocols", BOTH, {"decode_error"}, {"change": put(ALPN, vec16(b""))}),
    ("empty protocol", BOTH, {"decode_error"}, {"change": put(ALPN, vec16(b"\0"))}),
    ("protocol beyond the end", BOTH, {"decode_error"}, {"change": put(ALPN, vec16(b"\x09h2"))}),
    ("unknown fragment length", BOTH, {"illegal_parameter"}, {"change": put(MAX_FRAGMENT_LENGTH, b"\x09")}),
    ("long fragment length", BOTH, {"decode_error"}, {"change": put(MAX_FRAGMENT_LENGTH, b"\x01\x01")}),
    ("empty signatures", BOTH, {"decode_error"}, {"change": put(SIGNATURES, vec16(b""))}),
    ("odd signatures", BOTH, {"decode_error"}, {"change": put(SIGNATURES, vec16(b"\x04\x03\x08"))}),
    ("unknown signatures", BOTH, {"handshake_failure"}, {"change": put(SIGNATURES, vec16(numbers(0x7a7a)))}),
    ("old signatures", ("1.3",), {"handshake_failure"},
     {"change": put(SIGNATURES, vec16(numbers(ECDSA_SHA1, RSA_PKCS1_SHA1, RSA_PKCS1_SHA256)))}),
    ("renegotiation at the start", ("1.2",), {"handshake_failure"}, {"change": put(RENEGOTIATION_INFO, vec8(bytes(12)))}),
    ("no uncompressed points", ("1.2",), {"illegal_parameter"}, {"change": put(POINT_FORMATS, vec8(b"\x01"))}),
    ("extended master secret with a body", ("1.2",), {"decode_error"}, {"change": put(EXTENDED_MASTER_SECRET, b"\0")}),
    ("PSK not last", ("1.3",), {"illegal_parameter"},
     {"change": lambda pairs: [(PRE_SHARED_KEY, vec16(vec16(b"x") + bytes(4)) + vec16(vec8(bytes(32))))] + pairs}),
    ("PSK without modes", ("1.3",), {"missing_extension"}, {"change": lambda pairs: also(
        (PRE_SHARED_KEY, vec16(vec16(b"x") + bytes(4)) + vec16(vec8(bytes(32)))))(without(PSK_MODES)(pairs))}),
    ("PSK without binder", ("1.3",), {"decode_error"},
     {"change": also((PRE_SHARED_KEY, vec16(vec16(b"x") + bytes(4)) + vec16(b"")))}),
    ("more binders than PSKs", ("1.3",), {"decode_error"},
     {"change": also((PRE_SHARED_KEY, vec16(vec16(b"x") + bytes(4)) + vec16(vec8(bytes(32)) * 2)))}),
    ("short binder", ("1.3",), {"decode_error"},
     {"change": also((PRE_SHARED_KEY, vec16(vec16(b"x") + bytes(4)) + vec16(vec8(bytes(8)))))}),
    ("no PSK in the list", ("1.3",), {"decode_error"}, {"change": also((PRE_SHARED_KEY, vec16(b"") + vec16(vec8(bytes(32)))))}),
    ("malformed status request", BOTH, {"decode_error"}, {"change": put(STATUS_REQUEST, b"\x01\xff\xff")}),
    ("cookie", ("1.3",), MALFORMED | {"unsupported_extension"}, {"change": also((COOKIE, vec16(b"cookie")))}),
]


@pytest.mark.parametrize("version, alert, hello", [
    pytest.param(version, alert, hello, id=f"{name} {version}") for name, versions, alert, hello in HELLOS for version in versions])
def test_hello(server, version, alert, hello):
    peer = Client(server.connect(), version)
    run(lambda peer: peer.open(**hello), peer)
    settle(server, peer, alert, {"EPROTO"}, GREETING)


# --- Messages that are not due, or not as they should be

CLIENT_RANDOM_LEN = 32


def hello_and_flight(peer):
    peer.send_hello()
    peer.read_flight()


def first(kind, body=b"", **how):
    """A message before any other."""
    return lambda peer: peer.send_message(kind, body, **how)


def before_finished(kind, body=b""):
    """A message where the Finished, or the ClientKeyExchange, is due."""
    def script(peer):
        hello_and_flight(peer)
        peer.send_message(kind, body)
    return script


def first_record(kind, body, version=TLS12):
    return lambda peer: peer.send(record(kind, body, version))


def record_before_finished(kind, body, sealed=True):
    def script(peer):
        hello_and_flight(peer)
        peer.send(peer.seal(kind, body) if sealed else record(kind, body))
    return script


def hello_with_more(*messages):
    """In the record of the hello."""
    def script(peer):
        whole = message(CLIENT_HELLO, peer.hello_body())
        peer.send(record(HANDSHAKE, whole + b"".join(messages)))
        peer.transcript += whole
        peer.read_flight()
        peer.finish()
    return script


def bad_finished(body):
    def script(peer):
        hello_and_flight(peer)
        if not peer.tls13:
            peer.send_key_exchange()
            peer.send_change()
        peer.send_finished(body(peer.finished_body()))
    return script


def key_exchange(share):
    def script(peer):
        hello_and_flight(peer)
        peer.send_message(CLIENT_KEY_EXCHANGE, share)
        peer.use_master(bytes(32))
        peer.send_change()
        peer.send_finished()
    return script


def early_change(peer):
    """CVE-2014-0224."""
    hello_and_flight(peer)
    peer.send(record(CHANGE_CIPHER_SPEC, b"\x01"))
    peer.send_key_exchange()


def finished_in_the_clear(peer):
    hello_and_flight(peer)
    peer.send_key_exchange()
    peer.send_finished()


def finished_without_exchange(peer):
    hello_and_flight(peer)
    peer.use_master(bytes(32))
    peer.send_change()
    peer.send_finished()


def unasked_certificate(peer):
    hello_and_flight(peer)
    peer.send_certificate()
    peer.finish()


def exchange_twice(peer):
    hello_and_flight(peer)
    peer.send_key_exchange()
    peer.send_key_exchange()


def flood(piece, count=4000):
    """Of records that are allowed one by one."""
    def script(peer):
        peer.send(piece * count)
    return script


def flood_before_finished(kind, body, count=4000):
    def script(peer):
        hello_and_flight(peer)
        for _ in range(count):
            if peer.cut:
                break
            peer.send(peer.seal(kind, body))
    return script


def finished_and_more(peer):
    """In one record, which ends under another key than it began with."""
    hello_and_flight(peer)
    peer.send_record(HANDSHAKE, message(FINISHED, peer.finished_body()) + message(KEY_UPDATE, b"\0"))
    peer.write_key = peer.own_data


HUGE = bytes([CLIENT_HELLO]) + vec24(bytes(0xfffff))[:3] + bytes(100_000)
OTHER_HELLO = bytes([3, 3]) + bytes(CLIENT_RANDOM_LEN) + b"\0" + b"\0\x02\x13\x01" + b"\x01\0" + b"\0\0"

STATES = [
    *[(f"first {name}", BOTH, UNEXPECTED, first(kind, bytes(40))) for name, kind in [
        ("ServerHello", SERVER_HELLO), ("NewSessionTicket", NEW_SESSION_TICKET), ("EndOfEarlyData", END_OF_EARLY_DATA),
        ("EncryptedExtensions", ENCRYPTED_EXTENSIONS), ("Certificate", CERTIFICATE), ("CertificateVerify", CERTIFICATE_VERIFY),
        ("ClientKeyExchange", CLIENT_KEY_EXCHANGE), ("Finished", FINISHED), ("KeyUpdate", KEY_UPDATE), ("HelloRequest", HELLO_REQUEST),
        ("unknown message", 77), ("message_hash", MESSAGE_HASH)]],
    *[(f"{name} for Finished", BOTH, UNEXPECTED, before_finished(kind, body)) for name, kind, body in [
        ("ClientHello", CLIENT_HELLO, OTHER_HELLO), ("ServerHello", SERVER_HELLO, OTHER_HELLO),
        ("NewSessionTicket", NEW_SESSION_TICKET, bytes(40)), ("EndOfEarlyData", END_OF_EARLY_DATA, b""),
        ("EncryptedExtensions", ENCRYPTED_EXTENSIONS, b"\0\0"), ("CertificateVerify", CERTIFICATE_VERIFY, bytes(40)),
        ("CertificateRequest", CERTIFICATE_REQUEST, b"\0\0\0"), ("KeyUpdate", KEY_UPDATE, b"\0"), ("unknown message", 77, b""),
        ("HelloRequest", HELLO_REQUEST, b""), ("message_hash", MESSAGE_HASH, bytes(32))]],
    ("certificate that was not asked for", BOTH, UNEXPECTED, unasked_certificate),
    ("key exchange for Finished", ("1.3",), UNEXPECTED, before_finished(CLIENT_KEY_EXCHANGE, bytes(33))),
    ("first change", BOTH, UNEXPECTED, first_record(CHANGE_CIPHER_SPEC, b"\x01")),
    ("first data", BOTH, UNEXPECTED, first_record(APPLICATION_DATA, bytes(40))),
    ("empty record first", BOTH, {"unexpected_message"}, first_record(HANDSHAKE, b"")),
    ("change of another value", BOTH, {"unexpected_message"}, record_before_finished(CHANGE_CIPHER_SPEC, b"\x02", False)),
    ("change of two bytes", BOTH, {"unexpected_message"}, record_before_finished(CHANGE_CIPHER_SPEC, b"\x01\x01", False)),
    ("sealed change", ("1.3",), UNEXPECTED, record_before_finished(CHANGE_CIPHER_SPEC, b"\x01")),
    ("data before Finished", BOTH, UNEXPECTED, record_before_finished(APPLICATION_DATA, b"data")),
    ("data in the clear", ("1.3",), {"bad_record_mac"}, record_before_finished(APPLICATION_DATA, b"data" * 10, False)),
    ("handshake in the clear", ("1.3",), UNEXPECTED, record_before_finished(HANDSHAKE, message(FINISHED, bytes(32)), False)),
    ("unknown record", BOTH, UNEXPECTED, record_before_finished(99, b"\0")),
    ("unknown record in the clear", BOTH, UNEXPECTED, record_before_finished(99, b"\0", False)),
    ("heartbeat", BOTH, UNEXPECTED, record_before_finished(HEARTBEAT, b"\x01\x40\0")),
    ("empty record", BOTH, UNEXPECTED | MALFORMED, record_before_finished(HANDSHAKE, b"")),
    ("short alert", BOTH, MALFORMED | UNEXPECTED, record_before_finished(ALERT, b"\x02")),
    ("long alert", BOTH, MALFORMED | UNEXPECTED, record_before_finished(ALERT, b"\x02\x28\0")),
    ("empty alert", BOTH, {"unexpected_message"}, record_before_finished(ALERT, b"")),
    ("large record", BOTH, {"record_overflow"}, record_before_finished(HANDSHAKE, bytes([FINISHED]) + vec24(bytes(0x4400)), False)),
    ("large sealed record", ("1.3",), {"record_overflow"}, record_before_finished(HANDSHAKE, bytes([FINISHED]) + vec24(bytes(0x4001)))),
    ("record that does not authenticate", ("1.3",), {"bad_record_mac"}, lambda peer: (
        hello_and_flight(peer), peer.send(record(APPLICATION_DATA, bytes(53))))),
    ("hello and Finished", ("1.3",), UNEXPECTED, hello_with_more(message(FINISHED, bytes(32)))),
    ("hello and half a message", ("1.3",), UNEXPECTED, hello_with_more(b"\x14\0")),
    ("two hellos", BOTH, UNEXPECTED, hello_with_more(message(CLIENT_HELLO, OTHER_HELLO))),
    ("huge hello", BOTH, MALFORMED, lambda peer: [peer.send(record(HANDSHAKE, HUGE[at:at + 16384])) for at in range(0, len(HUGE), 16384)]),
    ("wrong Finished", BOTH, {"decrypt_error"}, bad_finished(lambda body: bytes(len(body)))),
    ("short Finished", BOTH, {"decode_error"}, bad_finished(lambda body: body[:-1])),
    ("long Finished", BOTH, {"decode_error"}, bad_finished(lambda body: body + b"\0")),
    ("empty Finished", BOTH, {"decode_error"}, bad_finished(lambda body: b"")),
    ("more behind Finished", ("1.3",), UNEXPECTED, finished_and_more),
    ("early change", ("1.2",), UNEXPECTED, early_change),
    ("Finished in the clear", ("1.2",), UNEXPECTED, finished_in_the_clear),
    ("Finished without key exchange", ("1.2",), UNEXPECTED, finished_without_exchange),
    ("key exchange twice", ("1.2",), UNEXPECTED, exchange_twice),
    ("key exchange of zeros", ("1.2",), {"illegal_parameter"}, key_exchange(vec8(bytes(32)))),
    ("short key exchange", ("1.2",), MALFORMED, key_exchange(vec8(bytes(31)))),
    ("empty key exchange", ("1.2",), {"decode_error"}, key_exchange(b"")),
    ("key exchange beyond the end", ("1.2",), {"decode_error"}, key_exchange(b"\x40" + bytes(32))),
    ("key exchange with more", ("1.2",), {"decode_error"}, key_exchange(vec8(b"\x09" + bytes(31)) + b"\0")),
    ("flood of changes", ("1.3",), UNEXPECTED | MALFORMED, flood_before_finished(CHANGE_CIPHER_SPEC, b"\x01")),
    ("flood of empty records", BOTH, {"unexpected_message"}, flood(record(HANDSHAKE, b""))),
    ("flood of warnings", BOTH, None, flood(record(ALERT, b"\x01\x70"))),
]


@pytest.mark.parametrize("version, alert, script", [
    pytest.param(version, alert, script, id=f"{name} {version}") for name, versions, alert, script in STATES for version in versions])
def test_state(server, version, alert, script):
    peer = Client(server.connect(), version)
    run(script, peer)
    settle(server, peer, alert, {"EPROTO"}, GREETING)


# --- Alerts of the client's

FATAL_ALERTS = [number for number in ALERTS if number]


def test_alert_first(server, version, number=None):
    """Every alert that there is, before anything else."""
    for number in FATAL_ALERTS + [199]:
        peer = Client(server.connect(), version)
        peer.send_alert(number)
        event, _ = settle(server, peer, None, {"EPROTO", "EKEYREJECTED", "ECONNRESET"}, GREETING)
        assert event["alert"]["received"] == ALERTS.get(number, f"alert_{number}"), event


def test_alert_in_the_handshake(server, version):
    for number in FATAL_ALERTS + [199]:
        peer = Client(server.connect(), version)
        peer.send_hello()
        peer.read_flight()
        peer.send_alert(number)
        event, _ = settle(server, peer, None, {"EPROTO", "EKEYREJECTED", "ECONNRESET"}, GREETING)
        assert event["alert"]["received"] == ALERTS.get(number, f"alert_{number}"), event


def test_alert_after_the_handshake(server, version):
    for number in FATAL_ALERTS + [199]:
        peer = Client(server.connect(), version)
        peer.open()
        peer.send_alert(number)
        peer.finish_sending()
        if number == 90:
            continue
        peer.read_to_end()
        port = peer.sock.getsockname()[1]
        event = server.event("close", port)
        assert server.told(port)["errno"] == "ECONNRESET" and event["alert"]["received"] == ALERTS.get(number, f"alert_{number}"), event


# --- Sessions

def resumed_hello(peer, ticket, psk, spoil):
    """A hello that offers the ticket, with the binder that it should have, or one that `spoil` makes of it."""
    age, size = 4, ticket[8]
    nonce_end = 9 + size
    length = int.from_bytes(ticket[nonce_end:nonce_end + 2], "big")
    identity = ticket[nonce_end + 2:nonce_end + 2 + length]
    identities = vec16(vec16(identity) + ticket[4:4 + age])
    body = peer.hello_body(change=also((PRE_SHARED_KEY, identities + vec16(vec8(bytes(32))))))
    whole = message(CLIENT_HELLO, body)
    made = binder(psk(ticket[9:nonce_end]), whole[:-35])
    return body[:-32] + spoil(made)


@pytest.mark.parametrize("spoil, alert", [
    (lambda made: bytes(32), {"decrypt_error"}), (lambda made: made[:-1] + bytes([made[-1] ^ 1]), {"decrypt_error"}),
], ids=["zeros", "a bit"])
def test_wrong_binder(server, spoil, alert):
    """RFC 8446 4.2.11.2, of a ticket that is good."""
    first = Client(server.connect())
    first.open()
    while GREETING not in first.data:
        first.read_record()
    transcript = first.transcript
    peer = Client(server.connect())
    body = resumed_hello(peer, first.ticket, lambda nonce: first.schedule.resumption_psk(transcript, nonce), spoil)
    peer.send_message(CLIENT_HELLO, body)
    settle(server, peer, alert, {"EPROTO"}, GREETING)
    first.send_alert(0, WARNING)
    settle(server, first, {"close_notify"}, {""}, GREETING, "close")


@pytest.mark.parametrize("version", BOTH)
def test_top_bit_of_share(server, version):
    """RFC 7748 5: it is ignored."""
    peer = Client(server.connect(), version)
    peer.top_bit = True
    peer.open()
    while GREETING not in peer.data:
        peer.read_record()
    peer.send_alert(0, WARNING)
    settle(server, peer, {"close_notify"}, {""}, GREETING, "close")


@pytest.mark.parametrize("where", [0, 20, 80])
def test_spoilt_ticket(server, where):
    """It is no ticket of ours, and the handshake is a full one."""
    first = Client(server.connect())
    first.open()
    while GREETING not in first.data:
        first.read_record()
    ticket = bytearray(first.ticket)
    ticket[9 + ticket[8] + 2 + where] ^= 0x55
    peer = Client(server.connect())
    peer.send_message(CLIENT_HELLO, resumed_hello(peer, bytes(ticket), lambda nonce: bytes(32), lambda made: made))
    peer.read_flight()
    assert CERTIFICATE in peer.heard
    peer.finish()
    for one in (peer, first):
        one.send_alert(0, WARNING)
        settle(server, one, {"close_notify"}, {""}, GREETING, "close")
