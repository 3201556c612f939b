# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenSSL as the peer, in both roles: the kernel has both directions, and nobody can tell."""
import pytest

import ktls
from peers import BIG, Echo, connect, content, digest, echo_exchange, start_server
from seam import check_opened

SUITES = {"1.2": "TLS_ECDHE_ECDSA_WITH_", "1.3": "TLS_"}


def suite(version, cipher):
    return SUITES[version] + cipher


def both_directions(version, cipher):
    return [(version, ktls.CIPHERS[cipher], "sw", "sw")]


class LookAndEcho(Echo):
    """Notes what the kernel says of the client's end, which waits for ours."""

    def handle(self):
        super().handle()
        self.request.seen.kernel = ktls.remote(self.request.getsockname()[1])


@pytest.mark.parametrize("cipher", ktls.CIPHERS)
def test_client(seam, version, cipher):
    server = start_server(seam, LookAndEcho, version=version)
    policy = seam.policy(seam.outbound(server.port, ciphers=suite(version, cipher)))
    program = seam.run(["socat", "-", f"TCP:localhost:{server.port}"], policy, stdin=content(BIG))
    assert digest(program.stdout) == digest(content(BIG)), program.story()
    check_kernel(program, version, cipher)
    server.wait_ended()
    assert server.seen[0].kernel == both_directions(version, cipher)
    assert server.seen[0].error is None


@pytest.mark.parametrize("cipher", ktls.CIPHERS)
def test_server(seam, version, cipher):
    server = seam.serve(lambda port: ["socat", f"TCP-LISTEN:{port},bind=127.0.0.1", "PIPE"],
                        lambda port: seam.policy(seam.inbound(port, ciphers=suite(version, cipher))))
    with connect(seam, server.port, version) as sock:
        assert digest(echo_exchange(sock, content(BIG))) == digest(content(BIG))
        assert ktls.local(server.port) == both_directions(version, cipher)
    check_kernel(server, version, cipher)


def check_kernel(program, version, cipher):
    opened, = check_opened(program)
    assert (opened["plane"], opened["cipher"], opened.get("reason")) == ("kernel", suite(version, cipher), None), opened
    closed, = program.audit.find("close")
    assert (closed["plane"], closed["bytes_in"], closed["bytes_out"]) == ("kernel", BIG, BIG), closed
    assert closed["alert"] == {"sent": "close_notify", "received": "close_notify"}, closed
