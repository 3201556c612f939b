# SPDX-License-Identifier: GPL-3.0-or-later
"""Before the library is asked for anything: this kernel's TLS works, and so does the library without it."""
import socket
import struct

import pytest

import ktls
from peers import BIG, Echo, content, digest, start_server
from seam import check_opened

TCP_ULP, SOL_TLS, TLS_TX, TLS_RX = 31, 282, 1, 2
VERSIONS = {"1.2": 0x0303, "1.3": 0x0304}
# The number, and the bytes of key, explicit nonce and salt (linux/tls.h).
CIPHERS = {"AES_128_GCM_SHA256": (51, 16, 8, 4), "AES_256_GCM_SHA384": (52, 32, 8, 4), "CHACHA20_POLY1305_SHA256": (54, 32, 12, 0)}


def crypto_info(version, cipher):
    number, key, nonce, salt = CIPHERS[cipher]
    return struct.pack("=HH", VERSIONS[version], number) + bytes(nonce) + b"k" * key + bytes(salt) + bytes(8)


def has_kernel_tls(sock, info):
    sock.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
    sock.setsockopt(SOL_TLS, TLS_TX, info)
    sock.setsockopt(SOL_TLS, TLS_RX, info)


@pytest.mark.parametrize("cipher", CIPHERS)
def test_kernel_tls(version, cipher):
    before = ktls.counters()
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        server, _ = listener.accept()
        with server:
            for end in (client, server):
                has_kernel_tls(end, crypto_info(version, cipher))
            client.sendall(content(16_384))
            assert server.recv(16_384, socket.MSG_WAITALL) == content(16_384)
            assert ktls.local(listener.getsockname()[1]) == [(version, ktls.CIPHERS[cipher], "sw", "sw")]
    after = ktls.counters()
    assert [after[name] - before[name] for name in ("TlsTxSw", "TlsRxSw", "TlsDecryptError")] == [2, 2, 0]


def test_library_alone(seam, version):
    """`plane = user` on a kernel that could."""
    server = start_server(seam, Echo, version=version)
    policy = seam.policy(seam.outbound(server.port, plane="user"))
    before = ktls.counters()
    program = seam.run(["socat", "-", f"TCP:localhost:{server.port}"], policy, stdin=content(BIG))
    assert digest(program.stdout) == digest(content(BIG))
    assert check_opened(program)[0]["plane"] == "user"
    assert ktls.counters() == before
