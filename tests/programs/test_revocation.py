# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates that were good once: revocation lists and stapled responses, in both roles, against other implementations."""
import re
import ssl
import subprocess
import sys

import pytest

from clients import FAILING_CALL, WAYS, probe
from peers import Echo, Sink, connect, start_server
from pki import Authority, Cert
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
    made.stapler = made.issue("stapler", "localhost", "DNS:localhost,IP:127.0.0.1", more="tlsfeature=status_request")
    # curl looks for the issuer in what the server sends, and nowhere else.
    made.with_ca = Cert(made.good.cert.with_suffix(".chain"), made.good.key)
    made.with_ca.cert.write_text(made.good.cert.read_text() + made.ca.read_text())
    made.response = made.ocsp_response(made.good)
    made.stapler_response = made.ocsp_response(made.stapler)
    made.old_list = made.crl("old", dates=("20200101000000Z", "20200201000000Z"))
    made.list = made.crl("new", made.bad, made.bad_client)
    made.bad_response = made.ocsp_response(made.bad)
    return made


@pytest.mark.parametrize("how", WAYS)
def test_revoked_server_is_refused(seam, authority, version, how):
    server = start_server(seam, Sink, cert=authority.bad, version=version)
    policy = seam.policy(seam.outbound(server.port, name="out", ca=authority.ca, crl=authority.list))
    program = probe(seam, how, server.port, policy)
    assert (program.call, program.errno) == (FAILING_CALL[how], "EKEYREJECTED"), program.story()
    failed, = program.audit.wait("fail", rule="out")
    assert re.search(r"is revoked: serial number [0-9A-F]+, on 20[0-9-]+ .key compromise.", failed["reason"]), failed
    assert failed["cause"] == "revoked" and failed["advice"], failed
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
    assert failed["cause"] == "revoked", failed


def test_list_that_cannot_be_used_is_an_error(seam, authority):
    server = start_server(seam, Sink, cert=authority.good)
    program = probe(seam, "blocking", server.port, seam.policy(seam.outbound(server.port, ca=authority.ca, crl=authority.ca)))
    assert (program.call, program.errno) == ("connect", "EACCES"), program.story()
    assert "no revocation list in" in program.stderr


def start_openssl_server(seam, cert, version, response=None):
    """OpenSSL's own server, which staples whatever it is given."""
    return seam.serve(
        lambda port: ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", cert.cert, "-key", cert.key, "-www",
                      "-tls1_2" if version == "1.2" else "-tls1_3", *(["-status_file", response] if response else [])],
        None)


def get(seam, port, name="out", **keys):
    policy = seam.policy(seam.outbound(port, name=name, server_name="localhost", **keys))
    return seam.run(["curl", "-sS", "-o", "/dev/null", f"http://127.0.0.1:{port}/"], policy, status=None)


@pytest.mark.parametrize("cert, response, keys", [
    ("good", None, {}),
    ("good", "response", {}),
    ("good", "response", {"must_staple": "yes"}),
    ("stapler", "stapler_response", {}),
])
def test_stapled_response_is_good(seam, authority, version, cert, response, keys):
    server = start_openssl_server(seam, getattr(authority, cert), version, response and getattr(authority, response))
    program = get(seam, server.port, ca=authority.ca, **keys)
    assert program.status == 0, program.story()
    opened, = check_opened(program)
    assert opened["verify"] == "ok"


@pytest.mark.parametrize("cert, response, keys, words, alert", [
    ("good", None, {"must_staple": "yes"}, "there is no stapled OCSP response, and must_staple asks for one",
     "bad_certificate_status_response"),
    ("stapler", None, {}, "there is no stapled OCSP response, and the certificate asks for one",
     "bad_certificate_status_response"),
    ("bad", "bad_response", {}, "the stapled OCSP response says that it is revoked: serial number", "certificate_revoked"),
    ("bad", "response", {}, "the stapled OCSP response is not about this certificate", "bad_certificate_status_response"),
])
def test_stapled_response_is_refused(seam, authority, version, cert, response, keys, words, alert):
    server = start_openssl_server(seam, getattr(authority, cert), version, response and getattr(authority, response))
    program = get(seam, server.port, ca=authority.ca, **keys)
    assert program.status != 0
    failed, = program.audit.wait("fail", rule="out")
    assert words in failed["reason"] and failed["alert"]["sent"] == alert, failed
    assert not program.audit.find("open")


def start_stapling(seam, version, cert, response):
    folder = seam.make_dir("site")
    (folder / "index.html").write_text("secret")
    return seam.serve(
        lambda port: [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "-d", folder, port],
        lambda port: seam.policy(seam.inbound(port, cert=cert, name="in", version=version,
                                              ocsp_staple=response)))


ASKING = {
    "curl": lambda port, ca: ["curl", "-sSf", "--cert-status", "--cacert", ca, f"https://localhost:{port}/index.html"],
    "gnutls-cli": lambda port, ca: ["gnutls-cli", "--ocsp", "--x509cafile", ca, "-p", port, "localhost"],
    "openssl": lambda port, ca: ["openssl", "s_client", "-status", "-CAfile", ca, "-connect", f"127.0.0.1:{port}"],
}


@pytest.mark.parametrize("client", ASKING)
def test_server_staples(seam, authority, version, client):
    server = start_stapling(seam, version, authority.with_ca, authority.response)
    command = [str(word) for word in ASKING[client](server.port, authority.ca)]
    done = subprocess.run(command, input="GET /index.html HTTP/1.0\r\n\r\n", capture_output=True, text=True, timeout=60,
                          check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    if client == "openssl":
        assert "OCSP Response Status: successful" in said and "Cert Status: good" in said, said
    if client == "gnutls-cli":
        assert re.search("(?i)ocsp status request|verified", said) and "not verified" not in said.lower(), said


@pytest.mark.parametrize("response, words", [
    ("bad_response", "is not stapled: it is not about a certificate of the rule"),
    ("ca", "is not stapled: it cannot be parsed"),
])
def test_response_that_is_no_good_is_not_stapled(seam, authority, version, response, words):
    server = start_stapling(seam, version, authority.good, getattr(authority, response))
    done = subprocess.run(["openssl", "s_client", "-status", "-CAfile", authority.ca, "-connect", f"127.0.0.1:{server.port}"],
                          input="", capture_output=True, text=True, timeout=60, check=False)
    assert "OCSP response: no response sent" in done.stdout, done.stdout
    # Written before the handshake; there may be warnings of other things beside it.
    told = server.audit.wait("policy", rule="in")
    assert any(words in event["reason"] for event in told), told
