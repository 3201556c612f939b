# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS as bytes (RFC 8446 4 and 5, RFC 5246 7): numbers, and records, messages and extensions put together or taken apart."""
import struct

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA, HEARTBEAT = 20, 21, 22, 23, 24

HELLO_REQUEST, CLIENT_HELLO, SERVER_HELLO, NEW_SESSION_TICKET, END_OF_EARLY_DATA = 0, 1, 2, 4, 5
ENCRYPTED_EXTENSIONS, CERTIFICATE, SERVER_KEY_EXCHANGE, CERTIFICATE_REQUEST = 8, 11, 12, 13
SERVER_HELLO_DONE, CERTIFICATE_VERIFY, CLIENT_KEY_EXCHANGE, FINISHED = 14, 15, 16, 20
CERTIFICATE_STATUS, KEY_UPDATE, COMPRESSED_CERTIFICATE, MESSAGE_HASH = 22, 24, 25, 254

SERVER_NAME, MAX_FRAGMENT_LENGTH, STATUS_REQUEST, GROUPS, POINT_FORMATS = 0, 1, 5, 10, 11
SIGNATURES, USE_SRTP, HEARTBEAT_EXT, ALPN, EXTENDED_MASTER_SECRET = 13, 14, 15, 16, 23
RECORD_SIZE_LIMIT, SESSION_TICKET, PRE_SHARED_KEY, EARLY_DATA, VERSIONS = 28, 35, 41, 42, 43
COOKIE, PSK_MODES, POST_HANDSHAKE_AUTH, KEY_SHARE, RENEGOTIATION_INFO = 44, 45, 49, 51, 0xff01

TLS12, TLS13 = 0x0303, 0x0304
AES_128_GCM_SHA256 = 0x1301
ECDHE_ECDSA_AES_128_GCM_SHA256, ECDHE_RSA_AES_128_GCM_SHA256 = 0xc02b, 0xc02f
P256, P384, X25519, X25519MLKEM768 = 23, 24, 29, 0x11ec
ECDSA_P256_SHA256, RSA_PSS_SHA256, RSA_PKCS1_SHA256, ECDSA_SHA1, RSA_PKCS1_SHA1 = 0x0403, 0x0804, 0x0401, 0x0203, 0x0201
ED25519 = 0x0807

# RFC 8446 4.1.3: the random of a ServerHello that asks for another ClientHello; the ends of one that was talked down.
RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
DOWNGRADE_TO_12, DOWNGRADE_BELOW = b"DOWNGRD\x01", b"DOWNGRD\x00"

ALERTS = {
    0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 21: "decryption_failed", 22: "record_overflow",
    30: "decompression_failure", 40: "handshake_failure", 41: "no_certificate", 42: "bad_certificate",
    43: "unsupported_certificate", 44: "certificate_revoked", 45: "certificate_expired", 46: "certificate_unknown",
    47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied", 50: "decode_error", 51: "decrypt_error",
    60: "export_restriction", 70: "protocol_version", 71: "insufficient_security", 80: "internal_error",
    86: "inappropriate_fallback", 90: "user_canceled", 100: "no_renegotiation", 109: "missing_extension",
    110: "unsupported_extension", 111: "certificate_unobtainable", 112: "unrecognized_name",
    113: "bad_certificate_status_response", 114: "bad_certificate_hash_value", 115: "unknown_psk_identity",
    116: "certificate_required", 120: "no_application_protocol", 121: "ech_required",
}
WARNING, FATAL = 1, 2


def vec8(data):
    return bytes([len(data)]) + data


def vec16(data):
    return struct.pack(">H", len(data)) + data


def vec24(data):
    return struct.pack(">I", len(data))[1:] + data


def numbers(*values):
    return b"".join(struct.pack(">H", value) for value in values)


def record(kind, body, version=TLS12):
    return struct.pack(">BHH", kind, version, len(body)) + body


def message(kind, body):
    return bytes([kind]) + vec24(body)


def extension(kind, body=b""):
    return numbers(kind) + vec16(body)


def key_share(group, share):
    return numbers(group) + vec16(share)


def encode_extensions(pairs):
    """`pairs`: (number, body), or bytes as they are."""
    return vec16(b"".join(pair if isinstance(pair, bytes) else extension(*pair) for pair in pairs))


def parse_extensions(data):
    """{number: body} of what follows a hello's compression."""
    found, at = {}, 2
    while at < len(data):
        kind, size = struct.unpack_from(">HH", data, at)
        found[kind] = data[at + 4:at + 4 + size]
        at += 4 + size
    return found


class Hello:
    """A ClientHello or ServerHello, taken apart."""

    def __init__(self, body, client):
        self.version, = struct.unpack_from(">H", body)
        self.random = body[2:34]
        size = body[34]
        self.session_id = body[35:35 + size]
        at = 35 + size
        if client:
            size, = struct.unpack_from(">H", body, at)
            self.suites = struct.unpack_from(f">{size // 2}H", body, at + 2)
            at += 2 + size
            at += 1 + body[at]
        else:
            self.suite, = struct.unpack_from(">H", body, at)
            at += 3
        self.extensions = parse_extensions(body[at:])

    def shares(self):
        """{group: share} that a client offers."""
        data, found, at = self.extensions[KEY_SHARE], {}, 2
        while at < len(data):
            group, size = struct.unpack_from(">HH", data, at)
            found[group] = data[at + 4:at + 4 + size]
            at += 4 + size
        return found
