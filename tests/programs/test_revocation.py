# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates that were good once: revocation lists and stapled responses, in both roles, against other implementations."""
import re
import ssl
import sys

import pytest

from clients import FAILING_CALL, WAYS, probe
from peers import Echo, Sink, connect, start_server
from pki import Authority
from seam import check_opened

pytestmark = pytest.mark.tls_only


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A CA of which certificates are revoked: not the one of all other tests."""
    base = tmp_path_factory.mktemp("revocation")
    base.chmod(0o755)
    made = Authority(base, "revoking-ca")
    made.good = made.issue("good", "localhost", "DNS:localhost,IP:127.0.0.1")
    made.bad = made.issue("bad", "localhost", "DNS:localhost,IP:127.0.0.1")
    made.client = made.issue("client", "client", "DNS:client.example", usage="clientAuth")
    made.bad_client = made.issue("bad-client", "bad client", "DNS:client.example", usage="clientAuth")
    made.old_list = made.crl("old", dates=("20200101000000Z", "20200201000000Z"))
    made.list = made.crl("new", made.bad, made.bad_client)
    return made


@pytest.mark.parametrize("how", WAYS)
def test_revoked_server_is_refused(seam, authority, version, how):
    server = start_server(seam, Sink, cert=authority.bad, version=version)
    policy = seam.policy(seam.outbound(server.port, name="out", ca=authority.ca, crl=authority.list))
    program = probe(seam, how, server.port, policy)
    assert (program.call, program.errno) == (FAILING_CALL[how], "EKEYREJECTED"), program.story()
    failed, = program.audit.wait("fail", rule="out")
    assert re.search(r"is revoked: serial number [0-9A-F]+, on 20[0-9-]+ .key compromise.", failed["reason"]), failed
    assert failed["peer"]["serial"] in failed["reason"] and failed["alert"]["sent"] == "certificate_revoked", failed
    server.wait_ended()
    assert "certificate revoked" in str(server.seen[0].error).lower() and server.seen[0].data == b""


def test_server_that_is_not_revoked_is_trusted(seam, authority, version):
    server = start_server(seam, Echo, cert=authority.good, version=version)
    program = probe(seam, "blocking", server.port, seam.policy(seam.outbound(server.port, ca=authority.ca, crl=authority.list)))
    assert program.call == "none", program.story()
    opened, = check_opened(program)
    assert opened["verify"] == "ok"


@pytest.mark.parametrize("check, verdict", [("required", None), ("available", "ok, revocation unknown")])
def test_expired_list(seam, authority, check, verdict):
    server = start_server(seam, Echo if verdict else Sink, cert=authority.good)
    policy = seam.policy(seam.outbound(server.port, ca=authority.ca, crl=authority.old_list, crl_check=check))
    program = probe(seam, "blocking", server.port, policy)
    if verdict:
        opened, = check_opened(program)
        closed, = program.audit.find("close")
        assert opened["verify"] == closed["verify"] == verdict
        return
    assert (program.call, program.errno) == ("connect", "EKEYREJECTED"), program.story()
    failed, = program.audit.wait("fail")
    assert "the revocation list of 'CN=Test revoking-ca' has expired on 2020-02-01" in failed["reason"], failed


def test_revoked_client_is_refused(seam, authority, version):
    folder = seam.make_dir("site")
    (folder / "index.html").write_text("secret")
    server = seam.serve(
        lambda port: [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "-d", folder, port],
        lambda port: seam.policy(seam.inbound(port, name="in", version=version, client_auth="required", ca=authority.ca,
                                              crl=authority.list)))

    def ask(cert):
        try:
            with connect(seam, server.port, version, cert) as sock:
                sock.sendall(b"GET /index.html HTTP/1.0\r\n\r\n")
                return b"".join(iter(lambda: sock.recv(65536), b""))
        except OSError as error:
            return error
    assert b"secret" in ask(authority.client)
    answer = ask(authority.bad_client)
    assert isinstance(answer, ssl.SSLError) and "certificate revoked" in str(answer).lower(), answer
    failed, = server.audit.wait("fail", rule="in")
    assert "is revoked" in failed["reason"] and failed["peer"]["subject"] == "CN=bad client", failed


def test_list_that_cannot_be_used_is_an_error(seam, authority):
    server = start_server(seam, Sink, cert=authority.good)
    program = probe(seam, "blocking", server.port, seam.policy(seam.outbound(server.port, ca=authority.ca, crl=authority.ca)))
    assert (program.call, program.errno) == ("connect", "EACCES"), program.story()
    assert "no revocation list in" in program.stderr
