# SPDX-License-Identifier: GPL-3.0-or-later
"""Of the peers whose certificate is good, those that allow_peer lets in: in both roles, against peers of OpenSSL's."""
import ssl
import sys

import pytest

from clients import FAILING_CALL, WAYS, probe
from peers import Echo, Sink, connect, start_server
from seam import check_opened

pytestmark = pytest.mark.tls_only

SPIFFE = "uri:spiffe://example.org/ns/*/sa/web"


def client_cert(seam):
    return seam.pki.main.issue("workload", "workload", "URI:spiffe://example.org/ns/prod/sa/web", usage="clientAuth")


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("allowed, refused", [("dns:localhost", False), ("dns:elsewhere, ip:127.0.0.0/8", False),
                                              ("dns:elsewhere.example, cn:other", True)])
def test_server_has_to_be_allowed(seam, version, how, allowed, refused):
    """Besides its name, which is verified all the same."""
    server = start_server(seam, Sink if refused else Echo, version=version)
    program = probe(seam, how, server.port, seam.policy(seam.outbound(server.port, name="out", allow_peer=allowed)))
    if not refused:
        assert program.call == "none", program.story()
        return
    assert (program.call, program.errno) == (FAILING_CALL[how], "EKEYREJECTED"), program.story()
    failed, = program.audit.wait("fail", rule="out")
    assert "matches none of allow_peer" in failed["reason"] and failed["alert"]["sent"] == "access_denied", failed
    assert failed["peer"]["subject"] == "CN=localhost" and "dns:localhost" in failed["peer"]["san"], failed
    server.wait_ended()
    assert "access denied" in str(server.seen[0].error).lower() and server.seen[0].data == b""


def start_server_program(seam, version, **keys):
    folder = seam.make_dir("site")
    (folder / "index.html").write_text("secret")
    return seam.serve(lambda port: [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "-d", folder, port],
                      lambda port: seam.policy(seam.inbound(port, name="in", version=version, ca=seam.pki.ca, **keys)))


def ask(seam, server, version, cert):
    try:
        with connect(seam, server.port, version, cert) as sock:
            sock.sendall(b"GET /index.html HTTP/1.0\r\n\r\n")
            return b"".join(iter(lambda: sock.recv(65536), b""))
    except OSError as error:
        return error


@pytest.mark.parametrize("client_auth", ["required", "optional"])
def test_client_has_to_be_allowed(seam, version, client_auth):
    server = start_server_program(seam, version, client_auth=client_auth, allow_peer=SPIFFE)
    assert b"secret" in ask(seam, server, version, client_cert(seam))
    opened, = check_opened(server)
    assert opened["verify"] == "ok" and opened["peer"]["san"] == ["uri:spiffe://example.org/ns/prod/sa/web"], opened
    answer = ask(seam, server, version, seam.pki.client)
    assert isinstance(answer, ssl.SSLError) and "access denied" in str(answer).lower(), answer
    failed, = server.audit.wait("fail", rule="in")
    assert "a certificate of 'CN=client one' for 'dns:client.example' matches none of allow_peer" in failed["reason"], failed
    assert failed["peer"]["subject"] == "CN=client one" and failed["alert"]["sent"] == "access_denied", failed
    assert b"GET" not in server.stdout.replace(b"GET /index.html", b"", 1), "the server program got to see the request"


def test_optional_client_without_certificate_passes(seam, version):
    server = start_server_program(seam, version, client_auth="optional", allow_peer=SPIFFE)
    assert b"secret" in ask(seam, server, version, None)
    opened, = check_opened(server)
    assert "peer" not in opened and opened["verify"] == "none"
