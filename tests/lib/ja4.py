# SPDX-License-Identifier: GPL-3.0-or-later
"""JA4 of a ClientHello, written from FoxIO's description and not from our C: what the library says is compared with this."""
import hashlib
import struct


class Reader:
    def __init__(self, data):
        self.data = data

    def take(self, length):
        taken, self.data = self.data[:length], self.data[length:]
        assert len(taken) == length
        return taken

    def number(self, width):
        return int.from_bytes(self.take(width), "big")

    def vector(self, width):
        return self.take(self.number(width))


def is_grease(value):
    return value & 0x0F0F == 0x0A0A and value >> 8 == value & 0xFF


def numbers(data):
    return [value for value, in struct.iter_unpack(">H", data) if not is_grease(value)]


def handshake(records):
    """The first handshake message that the records hold."""
    message = b""
    while records and records[0] == 22:
        length = int.from_bytes(records[3:5], "big")
        message += records[5:5 + length]
        records = records[5 + length:]
    return message[4:4 + int.from_bytes(message[1:4], "big")]


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:12] if text else "0" * 12


def alpn_of(first):
    if not first:
        return "00"
    ends = bytes([first[0], first[-1]])
    if all(chr(c).isalnum() and c < 128 for c in ends):
        return ends.decode()
    return first.hex()[0] + first.hex()[-1]


def ja4(records):
    """Of what a client sends first: records of TLS."""
    hello = Reader(handshake(records))
    version = hello.number(2)
    hello.take(32)
    hello.vector(1)
    suites = numbers(hello.vector(2))
    hello.vector(1)
    extensions = {}
    if hello.data:
        rest = Reader(hello.vector(2))
        while rest.data:
            kind = rest.number(2)
            extensions[kind] = rest.vector(2)
    versions = numbers(extensions[43][1:]) if 43 in extensions else [version]
    kinds = [kind for kind in extensions if not is_grease(kind)]
    first = Reader(extensions[16][2:]).vector(1) if 16 in extensions and len(extensions[16]) > 2 else b""
    signatures = numbers(extensions[13][2:]) if 13 in extensions else []
    names = {0x304: "13", 0x303: "12", 0x302: "11", 0x301: "10", 0x300: "s3", 2: "s2"}
    hashed = ",".join(f"{kind:04x}" for kind in sorted(kinds) if kind not in (0, 16))
    if hashed and signatures:
        hashed += "_" + ",".join(f"{value:04x}" for value in signatures)
    return (f"t{names.get(max(versions), '00')}{'d' if 0 in extensions else 'i'}{min(len(suites), 99):02}{min(len(kinds), 99):02}"
            f"{alpn_of(first)}_{digest(','.join(f'{suite:04x}' for suite in sorted(suites)))}_{digest(hashed)}")
