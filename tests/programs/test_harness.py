# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests' own tools, with no library anywhere: TLS spoken natively at both ends."""
import socket
import ssl
import sys

import pytest

import stunnel
from peers import (BIG, Echo, Http, client_context, connect, content, digest, echo_exchange, http_get,
                   start_plain_server, start_server)
from process import children

pytestmark = pytest.mark.tls_only


def test_native_ends_agree(seam, version):
    server = start_server(seam, Echo, version=version)
    with connect(seam, server.port, version) as sock:
        assert sock.version() == f"TLSv{version}"
        assert echo_exchange(sock, content(BIG)) == content(BIG)
    server.wait_ended()
    assert server.seen[0].server_name == "localhost"
    assert server.seen[0].error is None


def test_http_server_gives_the_content(seam, version):
    server = start_server(seam, Http, version=version, cert=seam.pki.good_rsa)
    assert http_get(seam, server.port, f"/{BIG}", version, requests=3) == content(BIG)
    done = seam.run(["curl", "-sSf", "--cacert", seam.pki.ca, f"https://localhost:{server.port}/{BIG}"])
    assert digest(done.stdout) == digest(content(BIG))


def test_truncation_is_seen(seam):
    # TLS 1.2, because there a client has no tickets unread that would turn its FIN into a reset.
    server = start_server(seam, Echo, version="1.2")
    with socket.create_connection(("127.0.0.1", server.port)) as plain:
        client_context(seam.pki, "1.2").wrap_socket(plain, server_hostname="localhost").close()  # without close_notify
    server.wait_ended()
    assert "unexpected eof" in str(server.seen[0].error)


@pytest.mark.parametrize("cert, words", [
    ("wrong_name", "Hostname mismatch"), ("expired", "expired"), ("self_signed", "self-signed"),
    ("other", "unable to get local issuer"), ("name_only", "IP address mismatch")])
def test_bad_certificates_are_bad(seam, cert, words):
    """Each is refused for the one thing that is wrong with it."""
    server = start_server(seam, Echo, cert=getattr(seam.pki, cert))
    name = "127.0.0.1" if cert == "name_only" else "localhost"
    with socket.create_connection(("127.0.0.1", server.port)) as plain:
        with pytest.raises(ssl.SSLCertVerificationError, match=words):
            client_context(seam.pki).wrap_socket(plain, server_hostname=name)


def test_stunnels_agree(seam, version):
    server = start_plain_server(seam, Echo)
    port = stunnel.originate(seam, stunnel.terminate(seam, server.port, version=version), version=version)
    with socket.create_connection(("127.0.0.1", port)) as sock:
        assert echo_exchange(sock, content(BIG)) == content(BIG)


def test_programs_are_ended_with_their_children(seam):
    before = children()
    fork = "import os, signal\nif os.fork() == 0: signal.signal(15, signal.SIG_IGN)\nprint(1, flush=True)\nwhile 1: signal.pause()"
    program = seam.start([sys.executable, "-c", fork])
    program.until(lambda: program.stdout.count(b"1") == 2, "both processes had started")
    program.stop()
    assert children() == before


def test_a_program_that_ends_early_tells_why(seam):
    with pytest.raises(AssertionError, match="no such option"):
        seam.serve(lambda port: [sys.executable, "-c", "import sys; sys.exit('no such option')"])
