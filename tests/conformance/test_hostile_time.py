# SPDX-License-Identifier: GPL-3.0-or-later
"""
Peers that cost time or memory rather than break a rule: that stop, drip, reset or go on and on; and certificates that are much work.
Each costs a bounded time, and others are served meanwhile.
"""
import socket
import struct
import subprocess
import time

import pytest

from misbehave import BOTH, MALFORMED, UNEXPECTED, run, settle
from peers import connect
from pki import openssl
from servers import ASYNC_ECHO, THREADS_ECHO, start_python
from subjects import GREETING, WORDS, CoveredClient, CoveredServer
from tls_bytes import *
from tls_peer import Client, Server, load_identity

TIMEOUT_S = 2
GIVEN_UP = {"ETIMEDOUT", "ECONNRESET", "EPROTO"}


@pytest.fixture(scope="module")
def server(shared):
    return CoveredServer(shared, handshake_timeout=TIMEOUT_S)


@pytest.fixture(scope="module")
def client(shared):
    return CoveredClient(shared, groups="x25519, secp256r1", handshake_timeout=TIMEOUT_S)


@pytest.fixture(scope="module")
def identity(pki):
    return load_identity(pki.good)


def good_client(server):
    """Somebody else, who is served."""
    peer = Client(server.connect())
    peer.open()
    peer.send_record(APPLICATION_DATA, b"others are served")
    while not peer.data.endswith(b"others are served"):
        peer.read_record()
    peer.send_alert(0, WARNING)
    settle(server, peer, {"close_notify"}, {""}, GREETING, "close")


# --- A byte now and then does not make the handshake last longer

def drip(sock, data, until):
    """Byte by byte, spread over more than the time that there is; waits for the other side to give up in between."""
    sock.settimeout(TIMEOUT_S * 2 / len(data))
    for byte in data:
        try:
            sock.send(bytes([byte]))
            if not sock.recv(65536):
                return
        except TimeoutError:
            assert time.monotonic() < until, "a byte now and then kept the handshake alive"
        except OSError:
            return


def test_client_that_drips(server):
    begun = time.monotonic()
    peer = Client(server.connect())
    hello = record(HANDSHAKE, message(CLIENT_HELLO, peer.hello_body()))
    drip(peer.sock, hello, begun + TIMEOUT_S + 10)
    took = time.monotonic() - begun
    assert TIMEOUT_S * 0.9 < took < TIMEOUT_S + 5, took
    port = peer.address[1]
    assert server.told(port)["errno"] == "ETIMEDOUT" and "handshake_timeout" in server.event("fail", port)["reason"]
    good_client(server)


def test_server_that_drips(client, identity):
    peer = Server(client.accept(), "1.3", identity)
    begun = time.monotonic()
    peer.read_hello()
    drip(peer.sock, bytes([HANDSHAKE, 3, 3, 0, 122, SERVER_HELLO, 0, 0, 118]) + bytes(60), begun + TIMEOUT_S + 10)
    took = time.monotonic() - begun
    assert TIMEOUT_S * 0.8 < took < TIMEOUT_S + 5, took
    port = peer.address[1]
    assert client.told(port)["errno"] == "ETIMEDOUT" and "handshake_timeout" in client.event("fail", port)["reason"]


def test_records_that_drip(server):
    """In an open connection a slow peer is no offence: what is whole is given out, and nobody else waits."""
    peer = Client(server.connect())
    peer.open()
    sealed = peer.seal(APPLICATION_DATA, b"slowly")
    for byte in sealed[:-1]:
        peer.send(bytes([byte]))
    good_client(server)
    peer.send(sealed[-1:])
    while not peer.data.endswith(b"slowly"):
        peer.read_record()
    peer.send_alert(0, WARNING)
    settle(server, peer, {"close_notify"}, {""}, GREETING, "close")


# --- Many at once

@pytest.mark.parametrize("serve", [ASYNC_ECHO, THREADS_ECHO], ids=["loop", "threads"])
def test_thousand_that_say_nothing(seam, serve):
    """A new one is served at once, and all of them are over in time."""
    server = start_python(seam, serve, handshake_timeout=TIMEOUT_S)
    begun = time.monotonic()
    silent = [socket.create_connection(("127.0.0.1", server.port), 20) for _ in range(1000)]
    for sock in silent[::2]:
        sock.send(b"\x16\x03\x01\x02\x00\x01\x00")
    for _ in range(3):
        asked = time.monotonic()
        with connect(seam, server.port) as sock:
            sock.sendall(b"hello")
            assert sock.recv(5) == b"hello"
        assert time.monotonic() - asked < TIMEOUT_S, "a new client had to wait for those that say nothing"
    for sock in silent:
        try:
            while sock.recv(1000):
                pass
        except ConnectionResetError:
            pass
        sock.close()
    assert time.monotonic() - begun < TIMEOUT_S + 20
    assert len(server.audit.wait("fail", 1000)) == 1000


# --- The end of TCP, everywhere

def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def steps_of_client(peer):
    yield "connected"
    peer.send_hello()
    yield "hello sent"
    peer.read_flight()
    yield "flight read"
    if peer.tls13:
        peer.send_change()
    else:
        peer.send_key_exchange()
    yield "half a flight"
    if not peer.tls13:
        peer.send_change()
    peer.send_finished()
    yield "Finished sent"


def steps_of_server(peer):
    yield "accepted"
    peer.read_hello()
    yield "hello read"
    peer.send_server_hello()
    yield "hello sent"
    peer.after_hello()
    yield "flight sent"
    peer.read_until(FINISHED) if peer.tls13 else peer.read_client_flight()
    yield "Finished read"


@pytest.mark.parametrize("end", ["reset", "close"])
def test_client_that_goes_away(server, version, end):
    for stop in range(5):
        peer = Client(server.connect(), version)
        for number, _ in enumerate(steps_of_client(peer)):
            if number == stop:
                break
        reset(peer.sock) if end == "reset" else peer.sock.close()
        told = server.told(peer.address[1])
        assert told["errno"] in {"ECONNRESET", "EPIPE"} and told["size"] == 0, (stop, told)
        # After its Finished the connection is open, and what then ends it may be no more than that the program sent in vain.
        assert stop == 4 or server.event("fail", peer.address[1])["reason"]
    good_client(server)


@pytest.mark.parametrize("end", ["reset", "close"])
def test_server_that_goes_away(client, identity, version, end):
    for stop in range(5):
        peer = Server(client.accept(), version, identity)
        for number, _ in enumerate(steps_of_server(peer)):
            if number == stop:
                break
        reset(peer.sock) if end == "reset" else peer.sock.close()
        told = client.told(peer.address[1])
        assert told["errno"] in {"ECONNRESET", "EPIPE"}, (stop, told)
        assert WORDS not in peer.raw


# --- Other protocols

@pytest.mark.parametrize("said, words", [
    (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "'GET / HTTP/1.1'"), (b"SSH-2.0-OpenSSH_9.2\r\n", "'SSH-2.0-OpenSSH_9.2'"),
    (b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + bytes(37), "80 2e 01 00 02"), (bytes(range(128, 256)), "80 81 82"),
    (b"\x16\x02\x00\x00\x2f\x01", "16 02 00 00 2f"), (b"\0", "00"),
], ids=["HTTP", "SSH", "SSL 2.0", "noise", "SSL of another kind", "a zero"])
def test_what_is_no_tls(server, said, words):
    peer = Client(server.connect())
    peer.send(said)
    event, _ = settle(server, peer, None, {"EPROTO"}, GREETING)
    assert "does not speak TLS" in event["reason"] and words in event["reason"], event


# --- In pieces, and in one

@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_client_in_pieces(server, version, size):
    """RFC 8446 5.1: handshake messages may be split over records as anybody likes."""
    peer = Client(server.connect(), version)
    peer.send_hello(pieces=size)
    peer.read_flight()
    peer.finish()
    peer.send_alert(0, WARNING)
    settle(server, peer, {"close_notify"}, {""}, GREETING, "close")


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_server_in_pieces(client, identity, version, size):
    """Behind the hello, wolfSSL wants a message's head to be in one piece."""
    peer = Server(client.accept(), version, identity)
    peer.read_hello()
    send = peer.send_message
    peer.send_server_hello(pieces=size)
    peer.send_message = lambda kind, body, **how: send(kind, body, **{"pieces": max(size, 5), **how})
    peer.after_hello()
    peer.send_message = send
    peer.finish()
    peer.send_alert(0, WARNING)
    settle(client, peer, {"close_notify"}, {""}, WORDS, "close")


def test_server_in_one_record(client, identity, version):
    """All that may be together is."""
    peer = Server(client.accept(), version, identity)
    peer.read_hello()
    if peer.tls13:
        peer.send_server_hello()
    sent, send = [], peer.send_record
    peer.send_record = lambda kind, body: sent.append(body)
    if peer.tls13:
        peer.after_hello()
    else:
        peer.flight()
    peer.send_record = send
    peer.send_record(HANDSHAKE, b"".join(sent))
    peer.finish()
    peer.send_alert(0, WARNING)
    settle(client, peer, {"close_notify"}, {""}, WORDS, "close")


# --- Certificates that are much work

def certificate(peer, chain, key):
    peer.key = key
    peer.read_hello()
    peer.send_server_hello()
    if peer.tls13:
        peer.send_encrypted_extensions()
    peer.send_certificate(chain)
    if peer.tls13:
        peer.send_verify()
        peer.finish_own()
    else:
        peer.send_key_exchange()
        peer.send_message(SERVER_HELLO_DONE, b"")
    peer.finish()


@pytest.fixture(scope="module")
def large_key(pki, tmp_path_factory):
    """A certificate of 16384 bits, which takes too long to make: of the shape of one, with a number of that length in it."""
    base = tmp_path_factory.mktemp("large")
    modulus = "00" + "c5" * 2047 + "c7"
    config = base / "key.cnf"
    config.write_text(f"asn1=SEQUENCE:spki\n[spki]\nalgorithm=SEQUENCE:alg\nkey=BITWRAP,SEQUENCE:rsa\n[alg]\noid=OID:rsaEncryption\n"
                      f"null=NULL\n[rsa]\nn=INTEGER:0x{modulus}\ne=INTEGER:65537\n")
    openssl("asn1parse", "-genconf", config, "-noout", "-out", base / "key.der")
    openssl("pkey", "-pubin", "-inform", "DER", "-in", base / "key.der", "-pubout", "-out", base / "key.pem")
    request, extensions = base / "csr.pem", base / "ext"
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", base / "any.key", "-out", request,
            "-subj", "/CN=localhost")
    extensions.write_text("subjectAltName=DNS:localhost\n")
    openssl("x509", "-req", "-in", request, "-CA", pki.ca, "-CAkey", pki.main.dir / "ca.key", "-CAcreateserial", "-CAserial", base / "srl",
            "-force_pubkey", base / "key.pem", "-extfile", extensions, "-days", "30", "-out", base / "large.pem")
    openssl("x509", "-in", base / "large.pem", "-outform", "DER", "-out", base / "large.der")
    return (base / "large.der").read_bytes()


@pytest.mark.parametrize("name", ["hundred", "same", "megabyte", "large key", "many short", "half a megabyte of nothing"])
def test_certificates_without_end(client, identity, large_key, version, name):
    chain, key = identity
    chains = {"hundred": chain * 100, "same": chain * 2 + chain, "megabyte": chain + [bytes(500_000), bytes(500_000)],
              "large key": [large_key], "many short": chain + [b"\x30\0"] * 15000,
              "half a megabyte of nothing": [bytes(400_000)]}
    before, begun = client.resident(), time.monotonic()
    peer = Server(client.accept(), version, identity)
    run(lambda peer: certificate(peer, chains[name], key), peer)
    took = time.monotonic() - begun
    if name == "same":  # useless, and harmless
        return
    event, _ = settle(client, peer, BROKEN, {"EPROTO", "EKEYREJECTED", "ECONNRESET"}, WORDS)
    assert took < 5, f"{took:.1f} s"
    assert client.resident() - before < 16 << 20, event


BROKEN = UNEXPECTED | MALFORMED | {"bad_certificate", "unknown_ca", "decrypt_error", "certificate_unknown", "unsupported_certificate",
                                  "handshake_failure"}
