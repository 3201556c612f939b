# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates, keys, CAs and the policy change while programs run: what is new is for new connections."""
import hashlib
import os
import select
import shutil
import socket
import ssl
import time

import pytest

from peers import Echo, TIMEOUT_S, client_context, connect, start_server
from seam import rule, section
from servers import PYTHON

pytestmark = pytest.mark.tls_only

# Threads, so that an old connection goes on while new ones come.
ECHO = """
import os, socketserver, sys
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
server = Server(("127.0.0.1", int(sys.argv[1])), Echo)
for change in sys.argv[2:]:
    exec(change)
server.serve_forever(0.05)
"""
PREFORK = "[0 for _ in range(2) if os.fork() == 0]"
LOOK_AGAIN_S = 0.05


def fingerprint(der):
    return hashlib.sha256(der).hexdigest()


def shown(seam, port, cert=None):
    """The certificate that the server shows now, by its fingerprint; data goes both ways."""
    context = client_context(seam.pki, cert=cert)
    context.check_hostname = False
    context.load_verify_locations(seam.pki.other_ca)
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            secure.sendall(b"ping")
            assert secure.recv(4) == b"ping"
            return fingerprint(secure.getpeercert(binary_form=True))


def until(condition, what):
    """Changes are looked for when a connection comes, at most once a second."""
    end = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < end, f"never came: {what}"
        select.select([], [], [], LOOK_AGAIN_S)


def put(source, target):
    """As certbot and editors do: another file takes the name."""
    beside = target.with_name(target.name + ".new")
    shutil.copy(source, beside)
    beside.chmod(0o644)
    os.replace(beside, target)


def put_pair(cert, folder):
    put(cert.cert, folder / "tls.crt")
    put(cert.key, folder / "tls.key")


def start_echo(seam, policy, *changes, **options):
    return seam.serve(lambda port: [PYTHON, "-c", ECHO, port, *changes], policy, **options)


@pytest.fixture
def folder(seam):
    made = seam.make_dir("credentials")
    put_pair(seam.pki.good, made)
    return made


@pytest.fixture
def server(seam, folder):
    """One whose certificate and key are in `folder`."""
    return start_echo(seam, lambda port: seam.policy(
        rule("inbound", port, name="web", cert=folder / "tls.crt", key=folder / "tls.key")))


def reloads(server, text="reloaded"):
    return [e["reason"] for e in server.audit.find("policy") if e["reason"].startswith(text)]


def test_renamed_files(seam, server, folder):
    with connect(seam, server.port) as old:
        old.sendall(b"before")
        assert old.recv(6) == b"before"
        put_pair(seam.pki.good_rsa, folder)
        until(lambda: shown(seam, server.port) == seam.pki.good_rsa.sha256(), "the new certificate")
        old.sendall(b"after")
        assert old.recv(5) == b"after"
    assert reloads(server) == ["reloaded what the rule 'web' uses: its files have changed"]
    key = folder / "tls.key"
    warned = [e for e in server.audit.find("policy", rule="web") if "every user" in e["reason"]]
    assert [e["reason"] for e in warned] == [f"warning: every user of this machine can read the key in '{key}'"]


def test_links_that_lead_elsewhere(seam):
    """certbot's links into archive/, and Kubernetes' ..data."""
    folder = seam.make_dir("mounted")
    for name, cert in ("..1", seam.pki.good), ("..2", seam.pki.good_rsa):
        (folder / name).mkdir()
        put_pair(cert, folder / name)
    (folder / "..data").symlink_to("..1")
    for name in "tls.crt", "tls.key":
        (folder / name).symlink_to(f"..data/{name}")
    server = start_echo(seam, lambda port: seam.policy(
        rule("inbound", port, cert=folder / "tls.crt", key=folder / "tls.key")))
    assert shown(seam, server.port) == seam.pki.good.sha256()
    (folder / "..tmp").symlink_to("..2")
    os.replace(folder / "..tmp", folder / "..data")
    until(lambda: shown(seam, server.port) == seam.pki.good_rsa.sha256(), "the new certificate")


def test_written_in_place_and_by_halves(seam, server, folder):
    def write(source, target):
        with open(target, "r+b") as file:
            file.write(source.read_bytes())
            file.truncate()

    def old_stays():
        assert shown(seam, server.port) == seam.pki.good.sha256()
        return bool(reloads(server, "not reloaded"))

    write(seam.pki.good_rsa.cert, folder / "tls.crt")
    until(old_stays, "a word on the pair that is none")
    write(seam.pki.good_rsa.key, folder / "tls.key")
    until(lambda: shown(seam, server.port) == seam.pki.good_rsa.sha256(), "the new certificate")
    reason, = reloads(server, "not reloaded")
    assert "tls.key' does not belong to the certificate" in reason


@pytest.mark.parametrize("spoil", ["garbage", "removed"])
def test_bad_files_leave_the_old_in_use(seam, server, folder, spoil):
    if spoil == "garbage":
        (folder / "tls.key").write_text("not a key\n")
    else:
        (folder / "tls.crt").unlink()

    def told():
        assert shown(seam, server.port) == seam.pki.good.sha256()
        return bool(reloads(server, "not reloaded"))

    until(told, "a word on the bad file")
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        told()
    assert len(reloads(server, "not reloaded")) == 1, server.audit.text()
    assert server.stderr.count("not reloaded") == 1, server.story()
    put_pair(seam.pki.good_rsa, folder)
    until(lambda: shown(seam, server.port) == seam.pki.good_rsa.sha256(), "the new certificate")


def test_ca_directory(seam):
    authorities = seam.make_dir("authorities")
    put(seam.pki.ca, authorities / "one.pem")
    server = start_echo(seam, lambda port: seam.policy(seam.inbound(port, ca=authorities, client_auth="required")))

    def accepts(cert):
        try:
            return bool(shown(seam, server.port, cert))
        except (ssl.SSLError, ConnectionError):
            return False

    assert accepts(seam.pki.client) and not accepts(seam.pki.other_client)
    put(seam.pki.other_ca, authorities / "two.pem")
    until(lambda: accepts(seam.pki.other_client), "trust in another CA")
    (authorities / "one.pem").unlink()
    until(lambda: not accepts(seam.pki.client), "the end of trust")
    put(seam.pki.ca, authorities / "two.pem")
    until(lambda: accepts(seam.pki.client), "trust in what a file of the directory has become")


CLIENT = """
import socket, sys
for line in sys.stdin:
    try:
        socket.create_connection(("localhost", int(sys.argv[1]))).close()
        print("connected", flush=True)
    except OSError as error:
        print(error.strerror, flush=True)
"""


def test_ca_of_a_client(seam):
    """The same process trusts another CA at its next connection."""
    server = start_server(seam, Echo, cert=seam.pki.other)
    ca = seam.make_dir("ca") / "ca.pem"
    put(seam.pki.ca, ca)
    turns = seam.make_dir("turns") / "turns"
    os.mkfifo(turns)
    program = seam.start(["sh", "-c", f"exec {PYTHON} -c '{CLIENT}' {server.port} < {turns}"],
                         seam.policy(seam.outbound(server.port, ca=ca)))

    with open(turns, "w", encoding="ascii") as turn:
        def connects():
            seen = program.stdout.count(b"\n")
            print(file=turn, flush=True)
            program.until(lambda: program.stdout.count(b"\n") > seen, "it tried")
            return program.stdout.split(b"\n")[-2] == b"connected"

        assert not connects()
        put(seam.pki.other_ca, ca)
        until(connects, "trust in the new CA")


def test_forked_workers_notice(seam, folder):
    server = start_echo(seam, lambda port: seam.policy(
        rule("inbound", port, name="web", cert=folder / "tls.crt", key=folder / "tls.key")), PREFORK)
    for _ in range(12):
        assert shown(seam, server.port) == seam.pki.good.sha256()
    put_pair(seam.pki.good_rsa, folder)
    until(lambda: all(shown(seam, server.port) == seam.pki.good_rsa.sha256() for _ in range(12)),
          "the new certificate from every worker")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs privileges to lose")
@pytest.mark.parametrize("way", ["os.setgid(65534); os.setuid(65534)", "os.chroot({jail!r})"], ids=["setuid", "chroot"])
def test_out_of_reach(seam, folder, way):
    """What was read before stays in use; where files can still be read they are."""
    (folder / "tls.key").chmod(0o600)
    jail = seam.make_dir("jail")
    server = start_echo(seam, lambda port: seam.policy(
        rule("inbound", port, name="web", cert=folder / "tls.crt", key=folder / "tls.key")), way.format(jail=str(jail)))
    assert shown(seam, server.port) == seam.pki.good.sha256()
    put(seam.pki.good_rsa.cert, folder / "tls.crt")
    shutil.copy(seam.pki.good_rsa.key, folder / "tls.key")
    (folder / "tls.key").chmod(0o600)

    def told():
        assert shown(seam, server.port) == seam.pki.good.sha256()
        return bool(reloads(server, "not reloaded"))

    until(told, "a word on files that cannot be read")
    if "setuid" in way:
        (folder / "tls.key").chmod(0o644)
        until(lambda: shown(seam, server.port) == seam.pki.good_rsa.sha256(), "the new certificate")


# --- The policy

def write_policy(path, *sections, **global_keys):
    beside = path.with_name("next")
    beside.write_text(section("global", None, global_keys) + "\n" + "\n".join(sections))
    os.replace(beside, path)


def is_protected(seam, port):
    """Whether a client that speaks TLS gets through; else one that does not has to."""
    try:
        return bool(shown(seam, port))
    except (ssl.SSLError, ConnectionError):
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as plain:
            plain.sendall(b"ping")
            return plain.recv(4) != b"ping"


def test_policy(seam):
    path = seam.make_dir("policy") / "policy.conf"
    extra = path.with_name("extra")
    extra.mkdir()
    write_policy(path, include="extra/*.conf")
    server = start_echo(seam, lambda port: path)
    assert not is_protected(seam, server.port)

    (extra / "web.conf").write_text(seam.inbound(server.port))
    until(lambda: is_protected(seam, server.port), "TLS by an included file")
    with connect(seam, server.port) as old:
        (extra / "web.conf").write_text("[rule broken\n")
        until(lambda: is_protected(seam, server.port) and reloads(server, "not reloaded"), "a word on the bad policy")
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            assert is_protected(seam, server.port)
        reason, = reloads(server, "not reloaded")
        assert "web.conf:1: " in reason and "the policy before stays in use" in reason
        (extra / "web.conf").write_text(rule("inbound", server.port, action="deny"))

        def denied():
            try:
                shown(seam, server.port)
            except (ssl.SSLError, ConnectionError):
                return True
            return False

        until(denied, "the new rule")
        old.sendall(b"still here")
        assert old.recv(10) == b"still here"
    assert any(f"{path}, 1 rules" in reason for reason in reloads(server))


def test_policy_with_bad_credentials_is_refused_as_a_whole(seam, folder):
    path = seam.make_dir("policy") / "policy.conf"

    def web(port, cert, key, **keys):
        return rule("inbound", port, name="web", cert=cert, key=key, **keys)

    def policy(port):
        write_policy(path, web(port, folder / "tls.crt", folder / "tls.key"))
        return path

    server = start_echo(seam, policy)
    assert shown(seam, server.port) == seam.pki.good.sha256()
    other = seam.make_dir("other")
    put_pair(seam.pki.good_rsa, other)
    put(seam.pki.good.key, other / "tls.key")
    write_policy(path, web(server.port, other / "tls.crt", other / "tls.key", max_version="1.2"))
    until(lambda: shown(seam, server.port) == seam.pki.good.sha256() and reloads(server, "not reloaded"),
          "a word on the pair that is none")
    # The policy is as it was; its key is not.
    put(seam.pki.good_rsa.key, other / "tls.key")
    until(lambda: shown(seam, server.port) == seam.pki.good_rsa.sha256(), "the new policy")


def test_policy_out_of_reach_of_a_key(seam, folder):
    """A policy that changes elsewhere does not need a key again that can be read no more."""
    if os.geteuid() != 0:
        pytest.skip("needs privileges to lose")
    (folder / "tls.key").chmod(0o600)
    path = seam.make_dir("policy") / "policy.conf"

    def policy(port):
        write_policy(path, rule("inbound", port, name="web", cert=folder / "tls.crt", key=folder / "tls.key"))
        return path

    server = start_echo(seam, policy, "os.setgid(65534); os.setuid(65534)")
    assert shown(seam, server.port) == seam.pki.good.sha256()
    write_policy(path, rule("outbound", 1, name="first", action="deny"),
                 rule("inbound", server.port, name="web", cert=folder / "tls.crt", key=folder / "tls.key"))
    until(lambda: shown(seam, server.port) == seam.pki.good.sha256() and reloads(server), "the new policy")
    assert shown(seam, server.port) == seam.pki.good.sha256()
