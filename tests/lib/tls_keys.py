# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of TLS 1.3 and 1.2 with AES-128-GCM and SHA-256, and records under them."""
import hashlib
import hmac
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tls_bytes import APPLICATION_DATA, TLS12, record, vec8

EMPTY = hashlib.sha256(b"").digest()


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def expand_label(secret, label, context, size):
    """RFC 8446 7.1; one block is enough for all there is."""
    info = struct.pack(">H", size) + vec8(b"tls13 " + label.encode()) + vec8(context)
    return mac(secret, info + b"\x01")[:size]


class Schedule:
    """The secrets of a TLS 1.3 handshake without a PSK."""

    def __init__(self, shared):
        early = mac(bytes(32), bytes(32))
        self.handshake = mac(expand_label(early, "derived", EMPTY, 32), shared)
        self.master = mac(expand_label(self.handshake, "derived", EMPTY, 32), bytes(32))

    def handshake_secret(self, who, transcript):
        return expand_label(self.handshake, f"{who} hs traffic", hashlib.sha256(transcript).digest(), 32)

    def traffic_secret(self, who, transcript):
        return expand_label(self.master, f"{who} ap traffic", hashlib.sha256(transcript).digest(), 32)


    def resumption_psk(self, transcript, nonce):
        """Of a ticket with this nonce; the transcript ends with the client's Finished."""
        resumption = expand_label(self.master, "res master", hashlib.sha256(transcript).digest(), 32)
        return expand_label(resumption, "resumption", nonce, 32)


def finished_13(secret, transcript):
    return mac(expand_label(secret, "finished", b"", 32), hashlib.sha256(transcript).digest())


def binder(psk, hello):
    """RFC 8446 4.2.11.2, of a resumption."""
    early = mac(bytes(32), psk)
    return finished_13(expand_label(early, "res binder", EMPTY, 32), hello)


def prf(secret, label, seed, size):
    """RFC 5246 5."""
    seed, out, a = label.encode() + seed, b"", label.encode() + seed
    while len(out) < size:
        a = mac(secret, a)
        out += mac(secret, a + seed)
    return out[:size]


class Key13:
    """One direction."""

    def __init__(self, secret):
        self.secret, self.seq = secret, 0
        self.aead = AESGCM(expand_label(secret, "key", b"", 16))
        self.iv = expand_label(secret, "iv", b"", 12)

    def _nonce(self):
        return bytes(a ^ b for a, b in zip(self.iv, bytes(4) + struct.pack(">Q", self.seq)))

    def seal(self, kind, body, padding=0):
        inner = body + bytes([kind]) + bytes(padding)
        header = struct.pack(">BHH", APPLICATION_DATA, TLS12, len(inner) + 16)
        sealed = header + self.aead.encrypt(self._nonce(), inner, header)
        self.seq += 1
        return sealed

    def open(self, header, body):
        """(kind, content), or None."""
        try:
            inner = self.aead.decrypt(self._nonce(), body, header).rstrip(b"\0")
        except InvalidTag:
            return None
        self.seq += 1
        return inner[-1], inner[:-1]

    def update(self):
        self.__init__(expand_label(self.secret, "traffic upd", b"", 32))


class Key12:
    def __init__(self, key, salt):
        self.aead, self.salt, self.seq = AESGCM(key), salt, 0

    def _covered(self, kind, size):
        return struct.pack(">QBHH", self.seq, kind, TLS12, size)

    def seal(self, kind, body):
        explicit = struct.pack(">Q", self.seq)
        sealed = explicit + self.aead.encrypt(self.salt + explicit, body, self._covered(kind, len(body)))
        self.seq += 1
        return record(kind, sealed)

    def open(self, header, body):
        try:
            content = self.aead.decrypt(self.salt + body[:8], body[8:], self._covered(header[0], len(body) - 24))
        except (InvalidTag, ValueError, struct.error):
            return None
        self.seq += 1
        return header[0], content


def keys_12(master, client_random, server_random):
    """The client's and the server's."""
    block = prf(master, "key expansion", server_random + client_random, 40)
    return Key12(block[:16], block[32:36]), Key12(block[16:32], block[36:40])
