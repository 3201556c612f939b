# SPDX-License-Identifier: GPL-3.0-or-later
"""What nobody but a covered program may know, by name, and where it is found."""
import base64
import hmac
import re
import subprocess

from tls_keys import prf

NUMBERS = {"ecdsa": ["priv"], "rsa": ["privateExponent", "prime1", "prime2", "exponent1", "exponent2", "coefficient"]}
PEM_LINE = 64


def expand(secret, label, length, hash_name):
    """HKDF-Expand-Label (RFC 8446, 7.1) with no context; one block is enough."""
    label = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes([len(label)]) + label + b"\0"
    return hmac.new(secret, info + b"\x01", hash_name).digest()[:length]


def of_connection(keylog, server_random):
    """The secrets in a key log (of the peer's), and the record keys that come of them: in TLS 1.2 of AES-128-GCM and SHA-256."""
    found = {}
    for line in keylog.read_text().splitlines():
        if line.startswith("#"):
            continue
        name, client_random, text = line.split()
        secret = bytes.fromhex(text)
        found[name] = secret
        if "TRAFFIC_SECRET_0" in name:
            hash_name, key_len = ("sha384", 32) if len(secret) == 48 else ("sha256", 16)
            found[f"{name.partition('_')[0]}: key"] = expand(secret, b"key", key_len, hash_name)
        elif name == "CLIENT_RANDOM":
            block = prf(secret, "key expansion", server_random + bytes.fromhex(client_random), 32)
            found |= {"CLIENT: key": block[:16], "SERVER: key": block[16:]}
    return found


def private_key(cert):
    """The secret numbers of a key, in both orders of bytes, since wolfSSL may keep them in either, and its file."""
    text = subprocess.run(["openssl", "pkey", "-in", cert.key, "-noout", "-text"], capture_output=True, text=True, check=True).stdout
    found = {}
    for name in NUMBERS["rsa" if "prime1" in text else "ecdsa"]:
        part = re.search(rf"{name}:\n((?:\s+[0-9a-f:]+\n)+)", text).group(1)
        number = bytes.fromhex(re.sub(r"[\s:]", "", part)).lstrip(b"\0")
        found |= {f"private key, {name}": number, f"private key, {name}, reversed": number[::-1]}
    lines = [line for line in cert.key.read_text().splitlines() if len(line) == PEM_LINE]
    # The first of RSA's are the modulus, which is public.
    return found | {f"private key, PEM, line {at}": line.encode() for at, line in enumerate(lines) if "prime1" not in text or at >= 8}


def names_in(text, known):
    return {name for name, value in known.items() if value in text}


def spelled(known):
    """In the ways in which a line of text might tell of it."""
    return {f"{name}, {way}": spelling
            for name, value in known.items()
            for way, spelling in {"as it is": value, "hex": value.hex().encode(), "HEX": value.hex().upper().encode(),
                                  "base64": base64.b64encode(value).rstrip(b"=")[:-1]}.items()}
