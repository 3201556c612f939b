# SPDX-License-Identifier: GPL-3.0-or-later
"""
Every cause of a failure, with a peer that brings it about: the audit says what, who, against what and what to do; so does the table
that people read; and clients that come and go without a word are counted apart.
"""
import os
import socket
import socketserver
import struct
import subprocess
import sys

import pytest

from clients import probe
from peers import Http, Sink, connect, start_plain_server, start_server
from seam import need, rule
from servers import BLOCKING_ECHO

pytestmark = pytest.mark.tls_only
PYTHON = sys.executable


def log(seam, program, *options):
    env = {**os.environ, "SEAMTLS_AUDIT": str(program.audit.dir)}
    return subprocess.run([seam.tool, *options], capture_output=True, text=True, env=env, timeout=30, check=True).stdout


def check(seam, program, cause, *words, kind="fail", **fields):
    """The event is there, once, with its cause, and both forms say what to do."""
    event = program.audit.wait(kind, cause=cause)[-1]
    for word in words:
        assert word in event["reason"], event
    assert {name: event.get(name) for name in fields} == fields, event
    if cause != "probe":
        assert len(event["advice"]) > 20, event
        assert f"what to do: {event['advice']}" in log(seam, program, "log", f"--cause={cause}")
    return event


# --- A server refuses, or is refused

def s_server(seam, *options, cert=None):
    """A real one."""
    need("openssl")
    cert = cert or seam.pki.good
    return seam.serve(lambda port: ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", cert.cert, "-key", cert.key, "-rev", *options])


OUTBOUND = {  # the server's options and certificate, what the rule says, the cause, words of the reason
    "name": ([], "wrong_name", {}, "name", ["'dns:elsewhere.example'", "'localhost'"]),
    "chain": ([], "other", {}, "chain", ["trusted CAs", "Test other-ca"]),
    "expired": ([], "expired", {}, "expired", ["has expired (not after "]),
    "version": (["-tls1_2"], "good", {"min_version": "1.3"}, "nothing_in_common", ["version"]),
    "version the other way": (["-tls1_3"], "good", {"max_version": "1.2"}, "nothing_in_common", ["version"]),
    "cipher": (["-tls1_2", "-cipher", "AES128-SHA:ECDHE-ECDSA-AES128-SHA"], "good", {}, "nothing_in_common", ["alert handshake_failure"]),
    "group": (["-groups", "secp521r1"], "good", {}, "nothing_in_common", ["alert handshake_failure"]),
    "protocol": (["-alpn", "http/1.1"], "good", {"alpn": "h2"}, "nothing_in_common", ["alert no_application_protocol"]),
    "not allowed": ([], "good", {"allow_peer": "dns:somebody.else"}, "not_allowed", ["dns:localhost"]),
}


@pytest.mark.parametrize("case", OUTBOUND)
def test_a_server(seam, case):
    options, cert, keys, cause, words = OUTBOUND[case]
    server = s_server(seam, *options, cert=getattr(seam.pki, cert))
    client = probe(seam, "blocking", server.port, seam.policy(seam.outbound(server.port, name="mine", **keys)))
    check(seam, client, cause, *words, rule="mine", direction="outbound", remote=f"127.0.0.1:{server.port}")


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("shown", [None, "other_client"])
def test_a_client_certificate_that_is_missing_or_refused(seam, version, shown):
    cert = getattr(seam.pki, shown) if shown else None
    server = s_server(seam, "-Verify", "1", "-verify_return_error", "-CAfile", seam.pki.ca)
    keys = {"cert": cert.cert, "key": cert.key} if cert else {}
    policy = seam.policy(seam.outbound(server.port, version=version, **keys))
    source = "import socket, sys\ns = socket.create_connection(('localhost', int(sys.argv[1])))\ns.sendall(b'word\\n')\ns.recv(9)"
    client = seam.run([PYTHON, "-c", source, server.port], policy, status=1)
    # With TLS 1.3 the client is through before the server has looked.
    event = check(seam, client, "certificate_refused", kind="fail" if version == "1.2" else "close")
    assert event["alert"]["received"] in ("unknown_ca", "certificate_required", "handshake_failure"), event


class Says(socketserver.BaseRequestHandler):
    """What is sent after the ClientHello; then whatever ends it."""
    what, reset, waits = b"", False, False

    def handle(self):
        self.request.recv(65536)
        self.request.sendall(self.what)
        if self.reset:
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.request._sock.close()
        elif self.waits:
            self.request.recv(65536)


ALERT = bytes.fromhex("150303000202")
PEERS = {
    "garbage": ({"what": b"\0\1\2\3garbage of no kind at all"}, {}, "plaintext", ["the peer"]),
    "plain http": ({"what": b"HTTP/1.1 400 Bad Request\r\n\r\n"}, {}, "plaintext", ["the peer does not speak TLS", "HTTP/1.1 400"]),
    "silent": ({"waits": True}, {"handshake_timeout": "1"}, "timeout", ["handshake"]),
    "hangs up": ({}, {}, "closed", ["the peer closed the connection"]),
    "reset": ({"reset": True}, {}, "reset", ["reset"]),
    "another alert": ({"what": ALERT + b"\x50", "waits": True}, {}, "alert", ["alert internal_error"]),
    "an alert for the certificate": ({"what": ALERT + b"\x2a", "waits": True}, {}, "certificate_refused", ["alert bad_certificate"]),
    "malformed": ({"what": bytes.fromhex("1603030006020000020303"), "waits": True}, {}, "tampered", []),
}


@pytest.mark.parametrize("case", PEERS)
def test_a_peer(seam, case):
    behaves, keys, cause, words = PEERS[case]
    server = start_plain_server(seam, type("Peer", (Says,), behaves))
    client = probe(seam, "blocking", server.port, seam.policy(seam.outbound(server.port, **keys)))
    check(seam, client, cause, *words, remote=f"127.0.0.1:{server.port}")


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_truncated(seam, version):
    """A real server is killed in the middle."""
    server = s_server(seam)
    policy = seam.policy(seam.outbound(server.port, version=version))
    source = """
import os, signal, socket, sys
sock = socket.create_connection(("localhost", int(sys.argv[1])))
sock.sendall(b"word\\n")
assert sock.recv(5) == b"drow\\n"
os.kill(int(sys.argv[2]), signal.SIGKILL)
try:
    sock.recv(5)
except ConnectionResetError:
    sock.close()
"""
    client = seam.run([PYTHON, "-c", source, server.port, server.pid], policy)
    check(seam, client, "truncated", "without close_notify", kind="close")


# --- Clients

def echo(seam, **keys):
    return seam.serve(lambda port: [PYTHON, "-c", BLOCKING_ECHO, port], lambda port: seam.policy(seam.inbound(port, name="web", **keys)))


def s_client(seam, port, *options):
    need("openssl")
    return seam.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost", *options], status=None, stdin=b"")


INBOUND = {  # what the rule says, the client's options, the cause, words of the reason
    "version": ({"min_version": "1.3"}, ["-tls1_2"], "nothing_in_common", ["version"]),
    "cipher": ({"max_version": "1.2"}, ["-cipher", "AES128-SHA"], "nothing_in_common", ["cipher suite"]),
    "group": ({}, ["-groups", "secp521r1"], "nothing_in_common", ["group"]),
    "protocol": ({"alpn": "h2"}, ["-alpn", "http/1.1"], "nothing_in_common", ["protocol"]),
    "no certificate": ({"client_auth": "required", "ca": "CA"}, [], "no_certificate", ["no certificate"]),
    "certificate": ({"client_auth": "required", "ca": "CA"}, ["-cert", "OTHER.cert", "-key", "OTHER.key"], "chain", ["trusted"]),
    "does not trust us": ({}, ["-CAfile", "OTHER_CA", "-verify_return_error"], "certificate_refused", ["alert unknown_ca"]),
}


@pytest.mark.parametrize("case", INBOUND)
def test_a_client(seam, case):
    keys, options, cause, words = INBOUND[case]
    other = seam.pki.other_client
    names = {"CA": seam.pki.ca, "OTHER.cert": other.cert, "OTHER.key": other.key, "OTHER_CA": seam.pki.other_ca}
    server = echo(seam, **{key: names.get(value, value) for key, value in keys.items()})
    s_client(seam, server.port, *[names.get(option, option) for option in options])
    check(seam, server, cause, *words, rule="web", direction="inbound")


def come_and_go(port, what=b"", reset=False):
    with socket.create_connection(("127.0.0.1", port), 20) as sock:
        sock.sendall(what)
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_probes_are_counted_apart(seam):
    server = echo(seam)
    come_and_go(server.port)
    come_and_go(server.port, reset=True)
    come_and_go(server.port, b"GET / HTTP/1.0\r\n\r\n")
    with connect(seam, server.port) as sock:
        sock.sendall(b"word")
        assert sock.recv(4) == b"word"
    server.audit.wait("open")
    check(seam, server, "probe", "before")
    check(seam, server, "plaintext", "the peer does not speak TLS", "GET / HTTP")
    assert len(server.audit.wait("fail", 2, cause="probe")) == 2
    table = log(seam, server, "stat")
    assert [line.split()[1] for line in table.splitlines() if line.startswith("failed ")] == ["1"] and "probe" in table, table


def test_a_client_that_breaks_off(seam):
    """In the middle of its ClientHello."""
    server = echo(seam)
    come_and_go(server.port, bytes.fromhex("160301020001000100"))
    check(seam, server, "closed", "the peer closed the connection")
    come_and_go(server.port, bytes.fromhex("160301020001000100"), reset=True)
    check(seam, server, "reset", "reset")


# --- This side

@pytest.mark.parametrize("key", ["garbage", "missing", "another's"])
def test_a_key_that_cannot_be_used(seam, key):
    path = seam.make_dir() / "server.key"
    if key == "garbage":
        path.write_text("garbage\n")
    elif key == "another's":
        path.write_bytes(seam.pki.other.key.read_bytes())
    server = start_server(seam, Sink)
    policy = seam.policy(seam.outbound(server.port, cert=seam.pki.good.cert, key=path))
    client = probe(seam, "blocking", server.port, policy)
    assert client.errno == "EACCES" and str(path) in client.stderr
    if key != "missing":  # that is an error of the policy
        check(seam, client, "key", str(path), kind="deny")


def test_a_key_that_the_program_may_not_read(seam):
    if os.geteuid() != 0:
        pytest.skip("only root may start a program as somebody else")
    path = seam.make_dir() / "server.key"
    path.write_bytes(seam.pki.good.key.read_bytes())
    path.chmod(0o600)
    server = start_server(seam, Sink)
    policy = seam.policy(seam.outbound(server.port, cert=seam.pki.good.cert, key=path))
    client = probe(seam, "blocking", server.port, policy, user="www-data")
    check(seam, client, "key", str(path), "Permission denied", kind="deny")


def test_policy(seam):
    server = start_plain_server(seam, Http)
    client = probe(seam, "blocking", server.port, seam.policy(rule("outbound", server.port, name="never", action="deny")))
    check(seam, client, "policy", kind="deny", rule="never")
