# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is trusted: bad certificates are refused before the first byte of data, and what policy relaxes is relaxed."""
import base64
import hashlib
import re
import ssl
import subprocess
import sys

import pytest

from clients import FAILING_CALL, WAYS, probe
from peers import Echo, Http, Sink, connect, start_plain_server, start_server
from seam import check_opened

pytestmark = pytest.mark.tls_only

# The certificate, what the client looks up, and what the audit has to say.
BAD = [
    ("wrong_name", "localhost", "certificate is for|name|match"),
    ("expired", "localhost", "expired|date"),
    ("self_signed", "localhost", "self|issuer|trust|signer|CA|authority"),
    ("other", "localhost", "issuer|trust|signer|CA|authority|unknown"),
    ("name_only", "127.0.0.1", "certificate is for|name|match"),
    ("critical", "localhost", "critical extension that is not supported"),
]


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("cert, host, words", BAD, ids=[row[0] for row in BAD])
def test_bad_certificate_is_refused(seam, version, how, cert, host, words):
    server = start_server(seam, Sink, cert=getattr(seam.pki, cert), version=version)
    program = probe(seam, how, server.port, seam.policy(seam.outbound(server.port, name="out")), host)
    assert (program.call, program.errno) == (FAILING_CALL[how], "EKEYREJECTED"), program.story()
    server.wait_ended()
    assert server.seen[0].data == b"", "the server got application data from a client that did not trust it"
    assert server.seen[0].error is not None, "the server was told that the handshake failed"
    failed, = program.audit.wait("fail", rule="out", remote=f"127.0.0.1:{server.port}", direction="outbound")
    assert re.search(words, f"{failed['reason']} {failed.get('verify', '')}", re.IGNORECASE), failed
    assert failed["alert"]["sent"] and "received" not in failed["alert"], f"the client gave up, not the server: {failed}"
    assert not program.audit.find("open") and not program.audit.find("close")


@pytest.mark.parametrize("how", WAYS)
def test_handshake_at_first_use(seam, version, how):
    """The connection is there for the program when it is for TCP; what is not trusted gets nothing for all that."""
    server = start_server(seam, Sink, cert=seam.pki.wrong_name, version=version)
    policy = seam.policy(seam.outbound(server.port, handshake_at="first_use"))
    program = probe(seam, how, server.port, policy)
    assert (program.call, program.errno) == ("send", "EKEYREJECTED"), program.story()
    server.wait_ended()
    assert server.seen[0].data == b"", "the server got application data from a client that did not trust it"
    program.audit.wait("fail", remote=f"127.0.0.1:{server.port}")
    assert not program.audit.find("open")


# To a listener of its own, so that what it sends is kept until the handshake is done.
OWN_HELLO = """
import errno, socket
listener = socket.create_server(("127.0.0.1", 0))
sock = socket.create_connection(listener.getsockname())
try:
    sock.send(bytes.fromhex("1603010100010000fc0303") + bytes(249))
    print("sent")
except OSError as error:
    print(errno.errorcode[error.errno])
"""


def test_program_tls_is_denied_before_the_handshake_is_done(seam):
    policy = seam.policy(seam.outbound("1-65535", if_program_tls="deny"))
    program = seam.run([sys.executable, "-c", OWN_HELLO], policy)
    assert program.stdout == b"EACCES\n", program.story()
    assert "if_program_tls = deny" in program.audit.wait("fail")[0]["reason"]


# As Ruby connects: SO_ERROR is cleared first, then waited, and what SO_ERROR says after that is the outcome.
CLEAR_AND_WAIT = """
import errno, select, socket, sys
for _ in range(20):
    sock = socket.socket()
    sock.setblocking(False)
    sock.connect_ex(("127.0.0.1", int(sys.argv[1])))
    poll = select.poll()
    poll.register(sock, select.POLLIN | select.POLLOUT)
    seen = []
    while not seen or not poll.poll(0):
        seen.append(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    seen.append(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    print(*(errno.errorcode[number] for number in seen if number), seen.index(errno.EKEYREJECTED) == len(seen) - 1)
"""


def test_error_is_kept_until_it_was_waited_for(seam):
    server = start_server(seam, Sink, cert=seam.pki.wrong_name)
    program = seam.run([sys.executable, "-c", CLEAR_AND_WAIT, server.port], seam.policy(seam.outbound(server.port)))
    assert program.stdout == b"EKEYREJECTED True\n" * 20, program.story()


@pytest.mark.parametrize("cert, host, keys", [
    ("wrong_name", "localhost", {"verify": "chain"}),
    ("wrong_name", "localhost", {"verify": "none"}),
    ("wrong_name", "localhost", {"server_name": "elsewhere.example"}),
    ("name_only", "127.0.0.1", {"server_name": "localhost"}),
    ("expired", "localhost", {"verify": "none"}),
    ("self_signed", "localhost", {"verify": "none"}),
    ("other", "localhost", {"verify": "none"}),
])
def test_policy_may_relax(seam, version, cert, host, keys):
    """Relaxing is a key of the policy, and the audit shows it."""
    server = start_server(seam, Echo, cert=getattr(seam.pki, cert), version=version)
    program = probe(seam, "blocking", server.port, seam.policy(seam.outbound(server.port, **keys)), host)
    assert program.call == "none", program.story()
    opened, = check_opened(program)
    assert server.seen[0].server_name == opened.get("server_name")
    assert opened["verify"] == keys.get("verify", "ok"), opened
    closed, = program.audit.wait("close", rule=opened["rule"])
    assert closed["verify"] == opened["verify"], f"what is relaxed shows in every event: {closed}"


@pytest.mark.parametrize("verify", ["full", "chain", "none"])
def test_relaxed_rule_shows_in_a_failure(seam, verify):
    """Nothing came to be verified; what would have been left out is told all the same."""
    server = start_server(seam, Sink, version="1.2")
    policy = seam.policy(seam.outbound(server.port, verify=verify, version="1.3"))
    program = probe(seam, "blocking", server.port, policy)
    failed, = program.audit.wait("fail")
    assert failed.get("verify") == (None if verify == "full" else verify), failed


@pytest.mark.parametrize("cert", ["expired", "self_signed", "other"])
def test_chain_is_verified_without_the_name(seam, cert):
    server = start_server(seam, Sink, cert=getattr(seam.pki, cert))
    program = probe(seam, "blocking", server.port, seam.policy(seam.outbound(server.port, verify="chain")))
    assert (program.call, program.errno) == ("connect", "EKEYREJECTED"), program.story()


def spki_pin(cert):
    """The pin of a certificate as the policy wants it, computed by OpenSSL."""
    public = subprocess.run(["openssl", "x509", "-in", cert.cert, "-noout", "-pubkey"], check=True, capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=public, check=True, capture_output=True).stdout
    return "sha256/" + base64.b64encode(hashlib.sha256(der).digest()).decode()


@pytest.mark.parametrize("verify, verdict", [("full", "ok"), ("chain", "chain"), ("none", "pin")])
@pytest.mark.parametrize("pinned, refused", [("good", False), ("good_rsa", True)])
def test_pin(seam, version, verify, verdict, pinned, refused):
    server = start_server(seam, Echo, version=version)
    policy = seam.policy(seam.outbound(server.port, verify=verify, pin=spki_pin(getattr(seam.pki, pinned))))
    program = probe(seam, "blocking", server.port, policy)
    assert (program.call, program.errno) == (("connect", "EKEYREJECTED") if refused else ("none", "")), program.story()
    if refused:
        failed, = program.audit.wait("fail")
        assert "pinned" in failed["verify"] and failed["alert"]["sent"] == "bad_certificate", failed
    else:
        opened, = check_opened(program)
        assert opened["verify"] == verdict


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("server_version, client_version", [("1.2", "1.3"), ("1.3", "1.2")])
def test_no_common_version(seam, how, server_version, client_version):
    server = start_server(seam, Sink, version=server_version)
    program = probe(seam, how, server.port, seam.policy(seam.outbound(server.port, version=client_version)))
    assert (program.call, program.errno) == (FAILING_CALL[how], "EPROTO"), program.story()
    failed, = program.audit.wait("fail")
    assert failed["reason"] and server.seen[0].data == b""


WEB_SERVER = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "-d"]


def start_authenticating(seam, version, client_auth):
    folder = seam.make_dir("site")
    (folder / "index.html").write_text("secret")
    return seam.serve(
        lambda port: [*WEB_SERVER, folder, port],
        lambda port: seam.policy(seam.inbound(port, name="in", version=version, client_auth=client_auth, ca=seam.pki.ca)))


def ask(seam, server, version, cert):
    """What a native client gets for its request: the whole answer, or the error that the server gave it."""
    try:
        with connect(seam, server.port, version, cert) as sock:
            sock.sendall(b"GET /index.html HTTP/1.0\r\n\r\n")
            return b"".join(iter(lambda: sock.recv(65536), b""))
    except OSError as error:
        return error


@pytest.mark.parametrize("cert, alert", [(None, "(?i)certificate required|handshake failure|bad certificate"),
                                         ("other_client", "(?i)unknown ca|bad certificate|certificate unknown")])
def test_client_certificate_is_required(seam, version, cert, alert):
    server = start_authenticating(seam, version, "required")
    answer = ask(seam, server, version, cert and getattr(seam.pki, cert))
    assert isinstance(answer, ssl.SSLError), f"a client without a good certificate got {answer!r}"
    assert re.search(alert, str(answer)), f"the client was told {answer}"
    failed, = server.audit.wait("fail", rule="in", direction="inbound")
    assert failed["reason"] and failed["alert"]["sent"], failed
    assert b"GET" not in server.stdout + server.stderr.encode(), "the server program got to see the request"
    assert not server.audit.find("open")


@pytest.mark.parametrize("client_auth", ["required", "optional"])
def test_client_certificate_is_accepted(seam, version, client_auth):
    server = start_authenticating(seam, version, client_auth)
    assert b"secret" in ask(seam, server, version, seam.pki.client)
    opened, = check_opened(server)
    assert opened["verify"] == "ok" and opened["peer"]["san"] == ["dns:client.example"], opened
    assert opened["peer"]["sha256"].replace(":", "").lower() == seam.pki.client.sha256()
    assert "client one" in opened["peer"]["subject"] and "Test ca" in opened["peer"]["issuer"]


@pytest.mark.parametrize("client_auth", ["none", "optional"])
def test_client_certificate_may_be_missing(seam, version, client_auth):
    server = start_authenticating(seam, version, client_auth)
    assert b"secret" in ask(seam, server, version, None)
    opened, = check_opened(server)
    assert "peer" not in opened


def test_client_sends_its_certificate(seam, version):
    server = start_server(seam, Echo, version=version, client_ca=seam.pki.ca)
    policy = seam.policy(seam.outbound(server.port, cert=seam.pki.client.cert, key=seam.pki.client.key))
    assert probe(seam, "blocking", server.port, policy).call == "none"
    assert ("DNS", "client.example") in server.seen[0].peer_cert["subjectAltName"]


def test_client_has_no_certificate(seam):
    """In TLS 1.2 the server's refusal is part of the handshake; later versions tell it afterwards."""
    server = start_server(seam, Sink, version="1.2", client_ca=seam.pki.ca)
    program = probe(seam, "blocking", server.port, seam.policy(seam.outbound(server.port)))
    # OpenSSL sends handshake_failure, which does not say that it is about the certificate.
    assert program.call == "connect" and program.errno in ("EPROTO", "EKEYREJECTED"), program.story()
    failed, = program.audit.wait("fail")
    assert failed["alert"]["received"], f"the server gave up, not the client: {failed}"
    assert server.seen[0].data == b""


def test_alpn(seam, version):
    server = start_server(seam, Http, version=version)
    server.context.set_alpn_protocols(["h2", "http/1.1"])
    policy = seam.policy(seam.outbound(server.port, alpn="http/1.1"))
    program = seam.run(["curl", "-sSf", f"http://localhost:{server.port}/10"], policy)
    opened, = check_opened(program)
    assert opened["alpn"] == "http/1.1"


def test_program_under_a_broken_policy_makes_no_connection(seam):
    server = start_plain_server(seam, Sink)
    policy = seam.policy(seam.outbound(server.port, min_version="1.1"))
    program = probe(seam, "blocking", server.port, policy, "127.0.0.1")
    assert (program.call, program.errno) == ("connect", "EACCES"), program.story()
    assert "min_version" in program.stderr, f"the reason is to be on standard error:\n{program.story()}"
    assert server.seen == [], "the program reached the server without a policy"


def test_missing_policy_file_makes_no_connection(seam):
    server = start_plain_server(seam, Sink)
    program = probe(seam, "blocking", server.port, seam.dir / "nowhere.conf", "127.0.0.1")
    assert (program.call, program.errno) == ("connect", "EACCES"), program.story()
    assert server.seen == []
