# SPDX-License-Identifier: GPL-3.0-or-later
"""
TLS peers that do each step when they are told to, and what they are told: a right handshake by default, and anything wrong that a
test asks for. Messages are sent as they are given; what comes back is taken apart, with the alert that ended it.
"""
import os
import socket
import struct

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, x25519

from tls_bytes import (AES_128_GCM_SHA256, ALERT, ALERTS, APPLICATION_DATA, CERTIFICATE, CERTIFICATE_VERIFY, CHANGE_CIPHER_SPEC,
                       CLIENT_HELLO, CLIENT_KEY_EXCHANGE, ECDHE_ECDSA_AES_128_GCM_SHA256, ECDSA_P256_SHA256, ENCRYPTED_EXTENSIONS,
                       EXTENDED_MASTER_SECRET, FATAL, FINISHED, GROUPS, HANDSHAKE, HELLO_REQUEST, Hello, KEY_SHARE, KEY_UPDATE, NEW_SESSION_TICKET,
                       P256, POINT_FORMATS, PSK_MODES, RENEGOTIATION_INFO, RETRY, RSA_PSS_SHA256, SERVER_HELLO, SERVER_HELLO_DONE,
                       SERVER_KEY_EXCHANGE, SERVER_NAME, SIGNATURES, TLS12, TLS13, VERSIONS, X25519, encode_extensions, key_share,
                       message, numbers, record, vec8, vec16, vec24)
from tls_keys import Key13, Schedule, finished_13, keys_12, prf

TIMEOUT_S = 20
ENDS = {"1.2": TLS12, "1.3": TLS13}


class Ended(Exception):
    """The other side has closed the connection, or said an alert."""


class Peer:
    """What both roles have: a socket, records, messages, and how it ended."""

    def __init__(self, sock, version):
        self.sock, self.version = sock, version
        sock.settimeout(TIMEOUT_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.address = sock.getsockname() if self.letter == "c" else sock.getpeername()  # the client's
        self.tls13 = version == "1.3"
        self.raw = b""              # all that came, as it came
        self.unread = b""
        self.messages = b""         # of the handshake, not taken apart yet
        self.transcript = b""
        self.write_key = None
        self.read_keys = []         # any of them may have been used
        self.alert = None           # (level, description) that came
        self.data = b""             # application data that came
        self.cut = False            # what we send is not read any more
        self.heard = []             # kinds of messages that came
        self.ticket = None          # the last that came behind the handshake
        self.private = x25519.X25519PrivateKey.generate()
        self.top_bit = False        # whether our share has it set, which is to be ignored

    def own_share(self):
        share = self.private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return share[:-1] + bytes([share[-1] | 0x80]) if self.top_bit else share

    # --- Out

    def send(self, data):
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            self.cut = True

    def seal(self, kind, body):
        return self.write_key.seal(kind, body) if self.write_key else record(kind, body)

    def send_record(self, kind, body):
        self.send(self.seal(kind, body))

    def send_alert(self, description, level=FATAL):
        self.send_record(ALERT, bytes([level, description]))

    def send_message(self, kind, body, pieces=None, noted=True):
        """A handshake message, which the transcript knows of unless it is not `noted`, in records of `pieces` bytes."""
        whole = message(kind, body)
        if noted:
            self.transcript += whole
        size = pieces or 16384
        for at in range(0, len(whole), size):
            self.send_record(HANDSHAKE, whole[at:at + size])

    # --- In

    def _fill(self, size):
        while len(self.unread) < size:
            try:
                part = self.sock.recv(65536)
            except ConnectionResetError:
                part = b""
            if not part:
                raise Ended()
            self.raw += part
            self.unread += part

    def _open(self, header, body):
        if header[0] == CHANGE_CIPHER_SPEC or not self.read_keys or (self.tls13 and header[0] != APPLICATION_DATA):
            return header[0], body
        for key in self.read_keys:
            opened = key.open(header, body)
            if opened:
                return opened
        raise AssertionError(f"a record that no key opens: {header.hex()} {body[:40].hex()}")

    def read_record(self):
        self._fill(5)
        size, = struct.unpack_from(">H", self.unread, 3)
        self._fill(5 + size)
        header, body = self.unread[:5], self.unread[5:5 + size]
        self.unread = self.unread[5 + size:]
        kind, content = self._open(header, body)
        if kind == ALERT:
            assert len(content) == 2, content
            if self.alert is None or content[0] == FATAL:
                assert self.alert is None or self.alert[0] != FATAL, f"{self.alert}, and another alert: {content}"
                self.alert = (content[0], content[1])
        elif kind == APPLICATION_DATA:
            self.data += content
        elif kind == HANDSHAKE and content[0] == NEW_SESSION_TICKET:
            self.ticket = content[4:]
        return kind, content

    def read_message(self):
        """(kind, body) of the next one; it is in the transcript then. A fatal alert is the end."""
        while len(self.messages) < 4 or len(self.messages) < 4 + int.from_bytes(self.messages[1:4], "big"):
            kind, content = self.read_record()
            if kind == ALERT and content[0] == FATAL:
                raise Ended()
            if kind == HANDSHAKE:
                self.messages += content
            if kind == CHANGE_CIPHER_SPEC and not self.tls13:
                self.changed()
        size = 4 + int.from_bytes(self.messages[1:4], "big")
        whole, self.messages = self.messages[:size], self.messages[size:]
        self.heard.append(whole[0])
        self.before_last = self.transcript
        self.transcript += whole
        return whole[0], whole[4:]

    def read_until(self, *kinds):
        """All messages up to one of these kinds: [(kind, body), ...]."""
        found = []
        while not found or found[-1][0] not in kinds:
            found.append(self.read_message())
        return found

    def changed(self):
        """The other side's ChangeCipherSpec, in TLS 1.2."""
        self.read_keys = [self.peer_key]

    def finish_sending(self):
        """So that whoever waits for more gets the end."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def read_to_end(self):
        """Until the other side closes. All it said is in here."""
        try:
            while True:
                self.read_record()
        except Ended:
            pass

    @property
    def alert_name(self):
        return ALERTS.get(self.alert[1], self.alert[1]) if self.alert else None

    # --- Keys

    def use_shared(self, shared):
        """TLS 1.3, once the ServerHello is in the transcript."""
        self.schedule = Schedule(shared)
        self.own_secret = self.schedule.handshake_secret(self.letter, self.transcript)
        self.peer_secret = self.schedule.handshake_secret(self.other_letter, self.transcript)
        self.write_key = Key13(self.own_secret)
        self.read_keys = [Key13(self.peer_secret)]

    def prepare_data_keys(self):
        """TLS 1.3, once the server's Finished is in the transcript."""
        self.own_data = Key13(self.schedule.traffic_secret(self.letter, self.transcript))
        self.peer_data = Key13(self.schedule.traffic_secret(self.other_letter, self.transcript))
        self.read_keys.append(self.peer_data)

    def use_master(self, shared, extended=True):
        """TLS 1.2, once the ClientKeyExchange is in the transcript."""
        digest = hashes.Hash(hashes.SHA256())
        digest.update(self.transcript)
        seed = digest.finalize() if extended else self.client_random + self.server_random
        self.master = prf(shared, "extended master secret" if extended else "master secret", seed, 48)
        client, server = keys_12(self.master, self.client_random, self.server_random)
        self.own_key, self.peer_key = (client, server) if self.letter == "c" else (server, client)

    def finished_body(self, whose=None):
        """Of the transcript as it stands."""
        whose = whose or self.letter
        if self.tls13:
            return finished_13(self.own_secret if whose == self.letter else self.peer_secret, self.transcript)
        digest = hashes.Hash(hashes.SHA256())
        digest.update(self.transcript)
        return prf(self.master, "client finished" if whose == "c" else "server finished", digest.finalize(), 12)

    def send_change(self, body=b"\x01"):
        """ChangeCipherSpec: in TLS 1.2 the key changes with it."""
        self.send(record(CHANGE_CIPHER_SPEC, body))
        if not self.tls13:
            self.write_key = self.own_key

    def send_finished(self, body=None, **how):
        self.send_message(FINISHED, self.finished_body() if body is None else body, **how)

    def send_certificate(self, chain=(), context=b"", entries=None):
        """`chain`: DER; `entries`: the list as it is instead."""
        if entries is None:
            entries = b"".join(vec24(der) + (vec16(b"") if self.tls13 else b"") for der in chain)
        self.send_message(CERTIFICATE, (vec8(context) if self.tls13 else b"") + vec24(entries))

    def sign(self, key, content, scheme=None):
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return scheme or ECDSA_P256_SHA256, key.sign(content, ec.ECDSA(hashes.SHA256()))
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256().digest_size)
        return scheme or RSA_PSS_SHA256, key.sign(content, pss, hashes.SHA256())

    def verify_content(self, who):
        digest = hashes.Hash(hashes.SHA256())
        digest.update(self.transcript)
        return b" " * 64 + f"TLS 1.3, {who} CertificateVerify".encode() + b"\0" + digest.finalize()

    def send_key_update(self, body=b"\0"):
        self.send_message(KEY_UPDATE, body, noted=False)
        self.write_key.update()


class Client(Peer):
    """A client; the server under test is at the other end."""
    letter, other_letter, who = "c", "s", "client"

    def __init__(self, sock, version="1.3"):
        super().__init__(sock, version)
        self.client_random, self.session_id = os.urandom(32), os.urandom(32)

    def default_extensions(self):
        name = b"localhost"
        both = [(SERVER_NAME, vec16(b"\0" + vec16(name))), (GROUPS, vec16(numbers(X25519, P256))),
                (SIGNATURES, vec16(numbers(ECDSA_P256_SHA256, RSA_PSS_SHA256))), (EXTENDED_MASTER_SECRET, b"")]
        if self.tls13:
            return both + [(VERSIONS, vec8(numbers(TLS13))), (PSK_MODES, vec8(b"\x01")),
                           (KEY_SHARE, vec16(key_share(X25519, self.own_share())))]
        return both + [(POINT_FORMATS, vec8(b"\0")), (RENEGOTIATION_INFO, vec8(b""))]

    def hello_body(self, change=None, version=TLS12, suites=None, compression=b"\0", session_id=None, random=None, tail=b"",
                   extensions=True):
        """`change`: what becomes of the list of extensions."""
        suite = AES_128_GCM_SHA256 if self.tls13 else ECDHE_ECDSA_AES_128_GCM_SHA256
        pairs = self.default_extensions()
        if change:
            pairs = change(pairs)
        return (numbers(version) + (random or self.client_random) + vec8(self.session_id if session_id is None else session_id) +
                vec16(numbers(*(suites or [suite]))) + vec8(compression) +
                (encode_extensions(pairs) if extensions else b"") + tail)

    def send_hello(self, pieces=None, **how):
        self.send_message(CLIENT_HELLO, self.hello_body(**how), pieces=pieces)

    def read_server_hello(self):
        kind, body = self.read_message()
        assert kind == SERVER_HELLO, kind
        self.server = Hello(body, client=False)
        self.server_random = self.server.random
        if self.tls13 and self.server_random != RETRY:
            share = self.server.extensions[KEY_SHARE][4:]
            self.use_shared(self.private.exchange(x25519.X25519PublicKey.from_public_bytes(share)))

    def read_flight(self):
        """The server's, from its hello on to where it waits for us."""
        self.read_server_hello()
        self.flight = self.read_until(FINISHED if self.tls13 else SERVER_HELLO_DONE)
        if self.tls13:
            self.prepare_data_keys()

    def hello(self, **how):
        self.send_hello(**how)
        self.read_flight()

    def send_key_exchange(self, share=None):
        exchange = dict(self.flight)[SERVER_KEY_EXCHANGE]
        self.send_message(CLIENT_KEY_EXCHANGE, vec8(self.own_share() if share is None else share))
        theirs = x25519.X25519PublicKey.from_public_bytes(exchange[4:4 + exchange[3]])
        self.use_master(self.private.exchange(theirs), EXTENDED_MASTER_SECRET in self.server.extensions)

    def finish(self):
        """From the server's flight on; then data may flow."""
        if self.tls13:
            self.send_finished()
            self.write_key = self.own_data
            self.read_keys = [self.peer_data]
        else:
            self.send_key_exchange()
            self.send_change()
            self.send_finished()
            self.read_until(FINISHED)

    def open(self, **how):
        self.hello(**how)
        self.finish()


class Server(Peer):
    """A server with a certificate; the client under test is at the other end."""
    letter, other_letter, who = "s", "c", "server"

    def __init__(self, sock, version, identity):
        super().__init__(sock, version)
        self.chain, self.key = identity
        self.server_random = os.urandom(32)

    def read_hello(self):
        kind, body = self.read_message()
        assert kind == CLIENT_HELLO, kind
        self.client = Hello(body, client=True)
        self.client_random = self.client.random

    def default_extensions(self):
        if self.tls13:
            return [(VERSIONS, numbers(TLS13)), (KEY_SHARE, key_share(X25519, self.own_share()))]
        return [(RENEGOTIATION_INFO, vec8(b"")), (EXTENDED_MASTER_SECRET, b"")]

    def send_server_hello(self, change=None, version=TLS12, suite=None, compression=0, session_id=None, random=None, tail=b"",
                          keys=True, pieces=None, extensions=True):
        pairs = self.default_extensions()
        if change:
            pairs = change(pairs)
        self.server_random = random or self.server_random
        default = AES_128_GCM_SHA256 if self.tls13 else ECDHE_ECDSA_AES_128_GCM_SHA256
        echo = self.client.session_id if self.tls13 else b""
        body = (numbers(version) + self.server_random + vec8(echo if session_id is None else session_id) +
                numbers(default if suite is None else suite) + bytes([compression]) +
                (encode_extensions(pairs) if extensions else b"") + tail)
        self.send_message(SERVER_HELLO, body, pieces=pieces)
        if self.tls13 and keys:
            theirs = x25519.X25519PublicKey.from_public_bytes(self.client.shares()[X25519])
            self.use_shared(self.private.exchange(theirs))

    def send_retry(self, group=None, cookie=None, change=None):
        """A HelloRetryRequest; the first hello becomes its digest (RFC 8446 4.4.1)."""
        digest = hashes.Hash(hashes.SHA256())
        digest.update(self.transcript)
        self.transcript = message(254, digest.finalize())
        pairs = [(VERSIONS, numbers(TLS13))]
        pairs += [(KEY_SHARE, numbers(group))] if group else []
        pairs += [(44, vec16(cookie))] if cookie else []
        if change:
            pairs = change(pairs)
        body = (numbers(TLS12) + RETRY + vec8(self.client.session_id) + numbers(AES_128_GCM_SHA256) + b"\0" +
                encode_extensions(pairs))
        self.send_message(SERVER_HELLO, body)

    def send_encrypted_extensions(self, *pairs):
        self.send_message(ENCRYPTED_EXTENSIONS, encode_extensions(pairs))

    def send_certificate(self, chain=None, **how):
        super().send_certificate(self.chain if chain is None else chain, **how)

    def send_verify(self, scheme=None, signature=None, content=None, named=None):
        """CertificateVerify; `named`: another scheme than the one that it is signed with."""
        used, made = self.sign(self.key, self.verify_content(self.who) if content is None else content, scheme)
        self.send_message(CERTIFICATE_VERIFY, numbers(named or used) + vec16(made if signature is None else signature))

    def send_key_exchange(self, share=None, curve=X25519, kind=3, scheme=None, signature=None):
        """TLS 1.2."""
        share = self.own_share() if share is None else share
        params = bytes([kind]) + numbers(curve) + vec8(share)
        used, made = self.sign(self.key, self.client_random + self.server_random + params)
        self.send_message(SERVER_KEY_EXCHANGE, params + numbers(scheme or used) + vec16(made if signature is None else signature))

    def flight(self):
        """All that a server says before it waits for the client, its hello included."""
        self.send_server_hello()
        self.after_hello()

    def after_hello(self):
        if self.tls13:
            self.send_encrypted_extensions()
            self.send_certificate()
            self.send_verify()
            self.finish_own()
        else:
            self.send_certificate()
            self.send_key_exchange()
            self.send_message(SERVER_HELLO_DONE, b"")

    def finish_own(self, **how):
        """TLS 1.3: our Finished; data may be sent then."""
        self.send_finished(**how)
        self.prepare_data_keys()

    def read_client_flight(self):
        """TLS 1.2: up to the client's Finished."""
        kind, body = self.read_message()
        while kind != CLIENT_KEY_EXCHANGE:
            kind, body = self.read_message()
        self.use_master(self.private.exchange(x25519.X25519PublicKey.from_public_bytes(body[1:])))
        self.read_until(FINISHED)

    def finish(self):
        if self.tls13:
            self.read_until(FINISHED)
            self.write_key = self.own_data
            self.read_keys = [self.peer_data]
        else:
            self.read_client_flight()
            self.send_change()
            self.send_finished()

    def open(self):
        self.read_hello()
        self.flight()
        self.finish()


def load_identity(cert):
    """(chain in DER, key) of a pki.Cert."""
    from cryptography import x509
    pem = x509.load_pem_x509_certificate(cert.cert.read_bytes())
    key = serialization.load_pem_private_key(cert.key.read_bytes(), None)
    assert isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey))
    return [pem.public_bytes(serialization.Encoding.DER)], key
