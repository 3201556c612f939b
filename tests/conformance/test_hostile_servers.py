# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that break the rules, and what a covered client makes of them: as test_hostile_clients.py."""
import pytest

from misbehave import BOTH, MALFORMED, OFF_CURVE, SMALL_ORDER, UNEXPECTED, also, put, run, settle, twice, without
from subjects import WORDS, CoveredClient
from tls_bytes import *
from tls_peer import Server, load_identity

UNSOLICITED = {"unsupported_extension", "illegal_parameter"}
BAD_CERTIFICATE = {"bad_certificate", "decode_error", "illegal_parameter", "certificate_unknown", "unknown_ca"}


@pytest.fixture(scope="module")
def client(shared):
    return CoveredClient(shared, groups="x25519, secp256r1")


@pytest.fixture(scope="module")
def identity(pki):
    return load_identity(pki.good)


def hello(**how):
    """A ServerHello like this, and the rest as it should be."""
    def script(peer):
        peer.send_server_hello(**how)
        peer.after_hello()
        peer.finish()
    return script


def hello_share(group, key):
    return hello(change=put(KEY_SHARE, key_share(group, key)))


def retry(**how):
    """A HelloRetryRequest, and what the client makes of it."""
    def script(peer):
        peer.send_retry(**how)
        peer.read_hello()
        peer.flight()
        peer.finish()
    return script


def retry_twice(peer):
    peer.send_retry(cookie=b"one")
    peer.read_hello()
    peer.send_retry(cookie=b"two")
    peer.read_hello()


def retry_and_other_suite(peer):
    peer.send_retry(cookie=b"one")
    peer.read_hello()
    peer.send_server_hello(suite=0x1303)
    peer.after_hello()


def encrypted_extensions(*pairs):
    def script(peer):
        peer.send_server_hello()
        peer.send_encrypted_extensions(*pairs)
        peer.send_certificate()
        peer.send_verify()
        peer.finish_own()
        peer.finish()
    return script


def certificate(**how):
    def script(peer):
        peer.send_server_hello()
        if peer.tls13:
            peer.send_encrypted_extensions()
        peer.send_certificate(**how)
        if peer.tls13:
            peer.send_verify()
            peer.finish_own()
        else:
            peer.send_key_exchange()
            peer.send_message(SERVER_HELLO_DONE, b"")
        peer.finish()
    return script


def verify(**how):
    def script(peer):
        peer.send_server_hello()
        peer.send_encrypted_extensions()
        peer.send_certificate()
        peer.send_verify(**how)
        peer.finish_own()
        peer.finish()
    return script


def verify_as_client(peer):
    verify(content=None)  # the same but for its context
    peer.send_server_hello()
    peer.send_encrypted_extensions()
    peer.send_certificate()
    peer.send_verify(content=peer.verify_content("client"))
    peer.finish_own()


def key_exchange(**how):
    def script(peer):
        peer.send_server_hello()
        peer.send_certificate()
        peer.send_key_exchange(**how)
        peer.send_message(SERVER_HELLO_DONE, b"")
        peer.finish()
    return script


def instead_of(step, kind, body=b""):
    """Another message where EncryptedExtensions ("extensions"), Certificate, CertificateVerify ("verify") or Finished is due."""
    def script(peer):
        steps = {"extensions": peer.send_encrypted_extensions, "certificate": peer.send_certificate, "verify": peer.send_verify,
                 "finished": peer.finish_own} if peer.tls13 else {
                     "certificate": peer.send_certificate, "exchange": peer.send_key_exchange,
                     "done": lambda: peer.send_message(SERVER_HELLO_DONE, b""), "finished": None}
        peer.send_server_hello()
        for name, send in steps.items():
            if name == step == "finished" and not peer.tls13:
                peer.read_client_flight()
            if name == step:
                peer.send_message(kind, body)
                return
            send()
    return script


def in_the_flight(kind, body, sealed=True, count=1):
    """A record behind the ServerHello."""
    def script(peer):
        peer.send_server_hello()
        for _ in range(count):
            if not peer.cut:
                peer.send(peer.seal(kind, body) if sealed else record(kind, body))
        peer.after_hello()
        peer.finish()
    return script


def finished(body):
    def script(peer):
        if peer.tls13:
            peer.send_server_hello()
            peer.send_encrypted_extensions()
            peer.send_certificate()
            peer.send_verify()
        else:
            peer.flight()
            peer.read_client_flight()
            peer.send_change()
        peer.send_finished(body(peer.finished_body()))
    return script


def finished_without_change(peer):
    peer.flight()
    peer.read_client_flight()
    peer.send_finished()


def change_without_exchange(peer):
    """CVE-2014-0224."""
    peer.send_server_hello()
    peer.send_certificate()
    peer.send(record(CHANGE_CIPHER_SPEC, b"\x01"))
    peer.send_key_exchange()


def finished_and_more(peer):
    peer.send_server_hello()
    peer.send_encrypted_extensions()
    peer.send_certificate()
    peer.send_verify()
    peer.send_record(HANDSHAKE, message(FINISHED, peer.finished_body()) + message(KEY_UPDATE, b"\0"))


def hello_and_more(more):
    """In the record of the ServerHello, which is in the clear."""
    def script(peer):
        send = peer.send
        peer.send = lambda data: send(record(HANDSHAKE, data[5:] + more))
        peer.send_server_hello()
        peer.send = send
        peer.after_hello()
        peer.finish()
    return script


def first(kind, body):
    return lambda peer: peer.send(record(HANDSHAKE, message(kind, body)))


def first_record(kind, body):
    return lambda peer: peer.send(record(kind, body))


NO_CURVE_POINT = key_share(P256, OFF_CURVE)
LONG = bytes(40)

CASES = [
    # --- ServerHello
    ("TLS 1.1", ("1.2",), {"protocol_version"}, hello(version=0x0302)),
    ("TLS 1.0", ("1.2",), {"protocol_version"}, hello(version=0x0301)),
    ("SSL 3.0", BOTH, {"protocol_version"}, hello(version=0x0300)),
    ("TLS 1.4", ("1.2",), {"protocol_version", "illegal_parameter"}, hello(version=0x0304)),
    ("later version", ("1.3",), {"illegal_parameter"}, hello(change=put(VERSIONS, numbers(0x0305)))),
    ("reserved version", ("1.3",), {"illegal_parameter"}, hello(change=put(VERSIONS, numbers(0x7a7a)))),
    ("TLS 1.2 by extension", ("1.3",), {"illegal_parameter"}, hello(change=put(VERSIONS, numbers(TLS12)))),
    ("short version", ("1.3",), {"decode_error"}, hello(change=put(VERSIONS, b"\x03"))),
    ("suite that was not offered", ("1.3",), {"illegal_parameter"}, hello(suite=0x1304)),
    ("suite of TLS 1.2", ("1.3",), {"illegal_parameter"}, hello(suite=0xc02b)),
    ("suite that was not offered", ("1.2",), {"illegal_parameter"}, hello(suite=0x002f)),
    ("suite of TLS 1.3", ("1.2",), {"illegal_parameter"}, hello(suite=0x1301)),
    ("unknown suite", BOTH, {"illegal_parameter"}, hello(suite=0x7a7a)),
    ("compression", BOTH, {"illegal_parameter"}, hello(compression=1)),
    ("other session id", ("1.3",), {"illegal_parameter"}, hello(session_id=bytes(32))),
    ("no session id", ("1.3",), {"illegal_parameter"}, hello(session_id=b"")),
    ("long session id", BOTH, MALFORMED, hello(session_id=bytes(33))),
    ("downgrade to TLS 1.2", ("1.2",), {"illegal_parameter"}, hello(random=bytes(24) + DOWNGRADE_TO_12)),
    ("downgrade below TLS 1.2", ("1.2",), {"illegal_parameter"}, hello(random=bytes(24) + DOWNGRADE_BELOW)),
    ("extension twice", ("1.3",), {"illegal_parameter"}, hello(change=twice(KEY_SHARE))),
    ("extension twice", ("1.2",), {"illegal_parameter"}, hello(change=twice(EXTENDED_MASTER_SECRET))),
    ("unknown extension", BOTH, {"unsupported_extension"}, hello(change=also((0x7a7a, b"")))),
    ("ALPN that was not asked for", BOTH, {"unsupported_extension"}, hello(change=also((ALPN, vec16(vec8(b"h2")))))),
    ("PSK that was not offered", ("1.3",), {"unsupported_extension"}, hello(change=also((PRE_SHARED_KEY, b"\0\0")))),
    ("fragment length that was not asked for", ("1.2",), {"unsupported_extension"}, hello(change=also((MAX_FRAGMENT_LENGTH, b"\1")))),
    ("heartbeats", ("1.2",), {"unsupported_extension"}, hello(change=also((HEARTBEAT_EXT, b"\1")))),
    ("renegotiation at the start", ("1.2",), {"handshake_failure"}, hello(change=put(RENEGOTIATION_INFO, vec8(bytes(24))))),
    ("bytes behind", BOTH, {"decode_error"}, hello(tail=b"\0")),
    ("extension beyond the end", BOTH, {"decode_error"}, hello(change=also(b"\0\x17\xff\xff"))),
    ("no share", ("1.3",), {"missing_extension", "illegal_parameter", "handshake_failure"}, hello(change=without(KEY_SHARE))),
    ("no extensions", ("1.3",), {"illegal_parameter", "protocol_version", "missing_extension"}, hello(extensions=False)),
    ("short x25519", ("1.3",), {"illegal_parameter"}, hello_share(X25519, bytes(31))),
    ("long x25519", ("1.3",), {"illegal_parameter"}, hello_share(X25519, bytes(33))),
    ("empty x25519", ("1.3",), {"decode_error"}, hello_share(X25519, b"")),
    *[(f"small order {i}", ("1.3",), {"illegal_parameter"}, hello_share(X25519, point)) for i, point in enumerate(SMALL_ORDER)],
    ("group that was not offered", ("1.3",), {"illegal_parameter"}, hello_share(25, b"\4" + bytes(132))),
    ("group without a share", ("1.3",), {"illegal_parameter"}, hello_share(P256, OFF_CURVE)),
    ("hybrid that was not offered", ("1.3",), {"illegal_parameter"}, hello_share(X25519MLKEM768, bytes(1120))),
    # --- HelloRetryRequest
    ("retry for the group of the share", ("1.3",), {"illegal_parameter"}, retry(group=X25519)),
    ("retry for a group that was not offered", ("1.3",), {"illegal_parameter"}, retry(group=25)),
    ("retry for nothing", ("1.3",), {"illegal_parameter"}, retry()),
    ("retry twice", ("1.3",), UNEXPECTED, retry_twice),
    ("retry and another suite", ("1.3",), {"illegal_parameter"}, retry_and_other_suite),
    ("retry with an empty cookie", ("1.3",), {"decode_error"}, retry(change=also((COOKIE, vec16(b""))))),
    ("retry with an unknown extension", ("1.3",), {"unsupported_extension"}, retry(cookie=b"one", change=also((0x7a7a, b"")))),
    # --- EncryptedExtensions
    ("unknown encrypted extension", ("1.3",), {"unsupported_extension"}, encrypted_extensions((0x7a7a, b""))),
    ("encrypted ALPN that was not asked for", ("1.3",), {"unsupported_extension"}, encrypted_extensions((ALPN, vec16(vec8(b"h2"))))),
    ("encrypted share", ("1.3",), {"illegal_parameter"}, encrypted_extensions((KEY_SHARE, key_share(X25519, bytes(32))))),
    ("encrypted versions", ("1.3",), {"illegal_parameter"}, encrypted_extensions((VERSIONS, numbers(TLS13)))),
    ("early data that was not offered", ("1.3",), {"unsupported_extension"}, encrypted_extensions((EARLY_DATA, b""))),
    ("encrypted extension twice", ("1.3",), {"illegal_parameter"}, encrypted_extensions((SERVER_NAME, b""), (SERVER_NAME, b""))),
    ("half an encrypted extension", ("1.3",), {"decode_error"}, encrypted_extensions(b"\0\0\0")),
    # --- Certificate
    ("no certificate", BOTH, {"decode_error"}, certificate(chain=[])),
    ("empty certificate", BOTH, {"bad_certificate"}, certificate(chain=[b""])),
    ("certificate of noise", BOTH, {"bad_certificate"}, certificate(chain=[bytes(range(256)) * 4])),
    ("certificate of zeros", BOTH, {"bad_certificate"}, certificate(chain=[bytes(500)])),
    ("certificate beyond the end", BOTH, {"decode_error"}, certificate(entries=b"\0\xff\xff" + bytes(50))),
    ("certificate with a context", ("1.3",), {"illegal_parameter"}, certificate(context=b"context")),
    # --- Signatures
    ("wrong signature", ("1.3",), {"decrypt_error"}, verify(content=b"something else")),
    ("signature as if of a client", ("1.3",), {"decrypt_error"}, verify_as_client),
    ("signature of noise", ("1.3",), {"decrypt_error"}, verify(signature=b"\x30\x45" + bytes(69))),
    ("empty signature", ("1.3",), {"decrypt_error"}, verify(signature=b"")),
    ("signature of another kind of key", ("1.3",), {"illegal_parameter", "decrypt_error"}, verify(named=RSA_PSS_SHA256)),
    ("signature with SHA-1", ("1.3",), {"illegal_parameter"}, verify(named=ECDSA_SHA1)),
    ("unknown signature", ("1.3",), {"illegal_parameter"}, verify(named=0x7a7a)),
    ("Ed25519 for P-256", ("1.3",), {"decrypt_error"}, verify(named=ED25519)),
    ("wrong signature", ("1.2",), {"decrypt_error"}, key_exchange(signature=b"\x30\x06\x02\x01\x01\x02\x01\x01")),
    ("signature of noise", ("1.2",), {"decrypt_error"}, key_exchange(signature=bytes(70))),
    ("empty signature", ("1.2",), {"decrypt_error"}, key_exchange(signature=b"")),
    ("signature with SHA-1", ("1.2",), {"illegal_parameter", "handshake_failure"}, key_exchange(scheme=ECDSA_SHA1)),
    ("unknown signature", ("1.2",), {"illegal_parameter", "handshake_failure"}, key_exchange(scheme=0x7a7a)),
    ("signature of another kind of key", ("1.2",), {"illegal_parameter", "decrypt_error"}, key_exchange(scheme=RSA_PKCS1_SHA256)),
    ("curve that was not offered", ("1.2",), {"illegal_parameter", "handshake_failure"}, key_exchange(curve=25, share=OFF_CURVE)),
    ("curve of its own", ("1.2",), {"illegal_parameter", "handshake_failure"}, key_exchange(kind=1)),
    ("short x25519", ("1.2",), {"illegal_parameter"}, key_exchange(share=bytes(31))),
    ("x25519 of zeros", ("1.2",), {"illegal_parameter"}, key_exchange(share=bytes(32))),
    ("off curve", ("1.2",), {"illegal_parameter"}, key_exchange(curve=P256, share=OFF_CURVE)),
    # --- Messages that are not due
    *[(f"first {name}", BOTH, UNEXPECTED, first(kind, LONG)) for name, kind in [
        ("ClientHello", CLIENT_HELLO), ("NewSessionTicket", NEW_SESSION_TICKET), ("EndOfEarlyData", END_OF_EARLY_DATA),
        ("EncryptedExtensions", ENCRYPTED_EXTENSIONS), ("Certificate", CERTIFICATE), ("CertificateVerify", CERTIFICATE_VERIFY),
        ("CertificateRequest", CERTIFICATE_REQUEST), ("Finished", FINISHED), ("KeyUpdate", KEY_UPDATE), ("unknown", 77),
        ("ServerHelloDone", SERVER_HELLO_DONE), ("ServerKeyExchange", SERVER_KEY_EXCHANGE)]],
    *[(f"{name} for {step}", ("1.3",), UNEXPECTED, instead_of(step, kind, body)) for step in ("extensions", "certificate", "verify",
                                                                                           "finished")
      for name, kind, body in [
          ("ServerHello", SERVER_HELLO, LONG), ("ClientHello", CLIENT_HELLO, LONG), ("NewSessionTicket", NEW_SESSION_TICKET, LONG),
          ("KeyUpdate", KEY_UPDATE, b"\0"), ("HelloRequest", HELLO_REQUEST, b""), ("unknown", 77, b""),
          ("EndOfEarlyData", END_OF_EARLY_DATA, b"")]],
    *[(f"{name} for {step}", ("1.2",), UNEXPECTED, instead_of(step, kind, body)) for step in ("certificate", "exchange", "done",
                                                                                           "finished")
      for name, kind, body in [
          ("ServerHello", SERVER_HELLO, LONG), ("ClientHello", CLIENT_HELLO, LONG), ("KeyUpdate", KEY_UPDATE, b"\0"),
          ("unknown", 77, b""), ("Finished", FINISHED, bytes(12)), ("EncryptedExtensions", ENCRYPTED_EXTENSIONS, b"\0\0")]],
    ("Finished for CertificateVerify", ("1.3",), UNEXPECTED, instead_of("verify", FINISHED, bytes(32))),
    ("CertificateVerify for Certificate", ("1.3",), UNEXPECTED, instead_of("certificate", CERTIFICATE_VERIFY, LONG)),
    ("Finished for Certificate", ("1.3",), UNEXPECTED, instead_of("certificate", FINISHED, bytes(32))),
    ("Certificate for EncryptedExtensions", ("1.3",), UNEXPECTED, instead_of("extensions", CERTIFICATE, b"\0\0\0\0")),
    ("ServerHelloDone for key exchange", ("1.2",), UNEXPECTED, instead_of("exchange", SERVER_HELLO_DONE)),
    ("change without key exchange", ("1.2",), UNEXPECTED, change_without_exchange),
    ("Finished in the clear", ("1.2",), UNEXPECTED, finished_without_change),
    ("wrong Finished", BOTH, {"decrypt_error"}, finished(lambda body: bytes(len(body)))),
    ("short Finished", BOTH, {"decode_error"}, finished(lambda body: body[:-1])),
    ("empty Finished", BOTH, {"decode_error"}, finished(lambda body: b"")),
    ("more behind Finished", ("1.3",), UNEXPECTED, finished_and_more),
    ("more behind ServerHello", ("1.3",), UNEXPECTED, hello_and_more(message(ENCRYPTED_EXTENSIONS, b"\0\0"))),
    ("half a message behind ServerHello", ("1.3",), UNEXPECTED | MALFORMED, hello_and_more(b"\x08\0")),
    # --- Records
    ("first data", BOTH, UNEXPECTED, first_record(APPLICATION_DATA, LONG)),
    ("empty record", BOTH, UNEXPECTED, first_record(HANDSHAKE, b"")),
    ("data in the flight", BOTH, UNEXPECTED, in_the_flight(APPLICATION_DATA, b"data")),
    ("data in the clear in the flight", ("1.3",), {"bad_record_mac"}, in_the_flight(APPLICATION_DATA, LONG, False)),
    ("handshake in the clear in the flight", ("1.3",), UNEXPECTED,
     in_the_flight(HANDSHAKE, message(ENCRYPTED_EXTENSIONS, b"\0\0"), False)),
    ("heartbeat", BOTH, UNEXPECTED, in_the_flight(HEARTBEAT, b"\x01\x40\0", False)),
    ("sealed heartbeat", ("1.3",), UNEXPECTED, in_the_flight(HEARTBEAT, b"\x01\x40\0")),
    ("unknown record", BOTH, UNEXPECTED, in_the_flight(99, b"\0", False)),
    ("change of another value", BOTH, {"unexpected_message"}, in_the_flight(CHANGE_CIPHER_SPEC, b"\x02", False)),
    ("flood of changes", ("1.3",), UNEXPECTED | MALFORMED, in_the_flight(CHANGE_CIPHER_SPEC, b"\x01", False, 4000)),
    ("large record", BOTH, {"record_overflow"}, in_the_flight(HANDSHAKE, bytes(0x4001), False)),
    ("large sealed record", ("1.3",), {"record_overflow"}, in_the_flight(HANDSHAKE, bytes([8]) + vec24(bytes(0x4001)))),
    ("plain record in the handshake that does not authenticate", ("1.3",), {"bad_record_mac"},
     in_the_flight(APPLICATION_DATA, bytes(60), False)),
]


@pytest.mark.parametrize("version, alert, script", [
    pytest.param(version, alert, script, id=f"{name} {version}") for name, versions, alert, script in CASES for version in versions])
def test_hostile_server(client, identity, version, alert, script):
    peer = Server(client.accept(), version, identity)
    peer.read_hello()
    run(script, peer)
    settle(client, peer, alert, {"EPROTO", "EKEYREJECTED"}, WORDS)


@pytest.mark.parametrize("top_bit", [False, True], ids=["", "top bit of the share"])
def test_good_server(client, identity, version, top_bit):
    """The peer of these tests is a good one as long as nothing else is asked of it; RFC 7748 5 of the bit."""
    peer = Server(client.accept(), version, identity)
    peer.top_bit = top_bit
    peer.open()
    while peer.data != WORDS:
        peer.read_record()
    peer.send_alert(0, WARNING)
    event, told = settle(client, peer, {"close_notify"}, {""}, WORDS, "close")
    assert told["call"] == "none" and event["alert"]["received"] == "close_notify"
