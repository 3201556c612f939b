# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands over the audit log make of what real connections left in it."""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys

import pytest

from clients import probe
from peers import Echo, Http, Sink, start_plain_server, start_server
from pki import KEYS, Cert, openssl
from process import free_port
from seam import check_opened, need, rule
from servers import BLOCKING_ECHO, start_python

pytestmark = pytest.mark.tls_only


def command(seam, *args, status=0):
    done = subprocess.run([seam.tool, *map(str, args)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status, done.stderr
    return done


def stat(seam, audit, section):
    """The rows of a section, by name."""
    done = command(seam, "stat", "--format=json", audit.dir)
    return {row.get("name"): row for row in map(json.loads, done.stdout.splitlines()) if row["section"] == section}


# What the peer does, what the rule says in addition, and the cause that is counted.
CAUSES = {
    "name": ({"cert": "wrong_name"}, {}),
    "expired": ({"cert": "expired"}, {}),
    "chain": ({"cert": "other"}, {}),
    "not_allowed": ({}, {"allow_peer": "dns:somebody.else"}),
    "nothing_in_common": ({"version": "1.2"}, {"version": "1.3"}),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_causes(seam, cause):
    of_peer, of_rule = CAUSES[cause]
    if "cert" in of_peer:
        of_peer = {"cert": getattr(seam.pki, of_peer["cert"])}
    server = start_server(seam, Sink, **of_peer)
    program = probe(seam, "blocking", server.port, seam.policy(seam.outbound(server.port, **of_rule)))
    program.audit.wait("fail")
    assert {name: row["failed"] for name, row in stat(seam, program.audit, "cause").items()} == {cause: 1}


def test_cause_of_plaintext(seam):
    server = start_plain_server(seam, Http)
    program = probe(seam, "blocking", server.port, seam.policy(seam.outbound(server.port)))
    program.audit.wait("fail")
    assert list(stat(seam, program.audit, "cause")) == ["plaintext"]


def test_probes_are_no_failures(seam):
    server = start_python(seam, BLOCKING_ECHO, name="in")
    socket.create_connection(("127.0.0.1", server.port)).close()
    server.audit.wait("fail")
    total = stat(seam, server.audit, "total")[None]
    assert (total["probes"], total["failed"]) == (1, 0)
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.sendall(b"\x16\x03\x01")
    server.audit.wait("fail", 2)
    assert list(stat(seam, server.audit, "cause")) == ["closed"], server.audit.text()


def test_protected_and_clear(seam):
    plain, tls = start_plain_server(seam, Echo), start_server(seam, Echo)
    text = [seam.outbound(tls.port, name="tls"), rule("outbound", free_port(), name="unused", action="deny")]
    policy = seam.policy(*text, default="observe")
    program = probe(seam, "blocking", tls.port, policy)
    other = probe(seam, "blocking", plain.port, policy)
    program.audit.wait("close")
    total = stat(seam, program.audit, "total")[None]
    assert (total["protected"], total["clear"], total["failed"]) == (1, 0, 0)
    assert stat(seam, other.audit, "peer")[f"localhost:{plain.port}"]["clear"] == 1
    assert stat(seam, program.audit, "rule")["tls"]["bytes_out"] == 1600
    unused = command(seam, "stat", "--format=json", "-p", policy, program.audit.dir).stdout
    assert [row["name"] for row in map(json.loads, unused.splitlines()) if row["section"] == "unused_rule"] == ["unused"]


FORKING = """
import os, socket, sys
server = socket.create_server(("127.0.0.1", 0))
for _ in range(4):
    if os.fork() == 0:
        for _ in range(10):
            socket.create_connection(server.getsockname()).close()
        os._exit(0)
for _ in range(40):
    server.accept()[0].close()
for _ in range(4):
    os.wait()
"""


def test_the_log_of_processes_is_whole(seam):
    """With a key, and files so small that each process goes through several."""
    key = seam.make_dir("key") / "audit.key"
    key.write_bytes(os.urandom(32))
    policy = seam.policy(default="observe", audit_key=key, audit_max_size="2K", audit_keep="1d")
    program = seam.run([sys.executable, "-c", FORKING], policy)
    assert len(program.audit.find("observe", protocol=None)) == 80
    done = command(seam, "log", "--verify", f"--key={key}", "--format=json", program.audit.dir)
    files = list(map(json.loads, done.stdout.splitlines()))
    assert len(files) > 5 and {row["state"] for row in files} == {"whole"}, done.stdout
    assert sum(row["records"] for row in files) == len(program.audit.events())


def test_a_key_that_cannot_be_read(seam):
    """It is as if the audit could not be written."""
    server = start_plain_server(seam, Echo)
    nowhere = seam.dir / "nowhere"
    policy = seam.policy(rule("outbound", server.port, action="observe"), audit="required", audit_key=nowhere)
    program = probe(seam, "blocking", server.port, policy)
    assert (program.call, program.errno) == ("connect", "EACCES") and "audit_key" in program.stderr, program.story()


WAITING = """
import socket, sys
for port in map(int, sys.argv[1:]):
    socks = [socket.create_connection(("localhost", port)) for _ in range(2)]
    globals()[f"kept{port}"] = socks[0]
    socks[1].close()
print("connected", flush=True)
sys.stdin.read() or __import__("signal").pause()
"""


def listed(seam, audit, *args):
    done = command(seam, "ps", "--format=json", *args, audit.dir)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_connections_that_are_open_now(seam):
    tls, plain = start_server(seam, Echo), start_plain_server(seam, Echo)
    policy = seam.policy(seam.outbound(tls.port, name="tls"), default="observe")
    program = seam.start([sys.executable, "-c", WAITING, tls.port, plain.port], policy)
    program.until(lambda: b"connected" in program.stdout, "it has connected")
    program.audit.wait("close")

    def both():
        return sorted(listed(seam, program.audit), key=lambda row: row["state"])

    program.until(lambda: len(both()) == 2, "those that were closed are gone")
    clear, protected = both()
    assert (clear["state"], clear["remote"]) == ("clear", f"127.0.0.1:{plain.port}") and "version" not in clear
    assert (protected["state"], protected["remote"], protected["rule"]) == ("protected", f"127.0.0.1:{tls.port}", "tls")
    assert protected["version"].startswith("TLSv1") and protected["cipher"] and protected["pid"] == program.pid
    assert protected["tcp_bytes_out"] > 100 and protected["tcp_bytes_in"] > 500, "a handshake at least"
    assert "TLS_" in command(seam, "ps", program.audit.dir).stdout
    assert len(listed(seam, program.audit, "--rule=tls")) == 1

    os.kill(program.pid, signal.SIGKILL)
    program.wait(30)
    tls.wait_ended(2)
    stale, = listed(seam, program.audit, "--stale", "--rule=tls")
    assert stale["state"] == "stale: no process" and stale["local"] == protected["local"]
    assert [row for row in listed(seam, program.audit) if row["rule"] == "tls"] == []


# A server and its client, as they are: unmodified, and without TLS.
WEB = [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1"]


def start_web(seam, port, policy):
    program = seam.start([*WEB, port], policy, cwd=seam.make_dir("web"))
    program.until(lambda: program.listens(port), "it listens")
    return program


def fetch(seam, port, policy, status=0):
    return seam.run(["curl", "-sS", "-o", "/dev/null", f"http://127.0.0.1:{port}/"], policy, status=status)


def suggested(seam, logs, *args):
    directory = seam.make_dir("all")
    for number, log in enumerate(logs):
        for path in log.dir.glob("*.audit"):
            shutil.copy(path, directory / f"{number}-{path.name}")
    given = [f"--ca={seam.pki.ca}", f"--cert={seam.pki.good.cert}", f"--key={seam.pki.good.key}"]
    path = seam.make_dir("policy") / "policy.conf"
    path.write_text(command(seam, "suggest", "--loopback", *given, *args, directory).stdout)
    command(seam, "check", path)
    return path


def test_from_the_clear_to_tls(seam):
    """Observe, suggest, permissive, enforce: nothing breaks on the way, and in the end nothing is in the clear."""
    need("curl")
    port = free_port()
    observe = seam.policy(default="observe")
    server = start_web(seam, port, observe)
    client = fetch(seam, port, observe)
    server.audit.wait("observe")
    client.audit.wait("observe")
    server.stop()
    logs = (server.audit, client.audit)

    permissive, enforce = suggested(seam, logs), suggested(seam, logs, "--stage=enforce")
    server = start_web(seam, port, permissive)
    fetch(seam, port, permissive)
    server.audit.wait("pass")
    client = fetch(seam, port, enforce)
    check_opened(client)
    server.audit.wait("open")
    server.stop()

    server = start_web(seam, port, enforce)
    client = fetch(seam, port, enforce)
    server.audit.wait("close")
    for audit in (server.audit, client.audit):
        total = stat(seam, audit, "total")[None]
        assert (total["protected"], total["clear"]) == (1, 0)
    fetch(seam, port, None, status=None)
    server.audit.wait("fail")
    assert list(stat(seam, server.audit, "cause")) == ["plaintext"]


def live(seam, port, policy, *args, status=0, host="localhost"):
    """{what: (verdict, detail)} of a handshake; of certificates the details are joined."""
    done = command(seam, "doctor", "--live", "--format=json", "-p", policy, *args, f"{host}:{port}", status=status)
    found = {}
    for row in map(json.loads, done.stdout.splitlines()):
        before = found[row["what"]][1] + "; " if row["what"].startswith("certificate ") and row["what"] in found else ""
        found[row["what"]] = (row["verdict"], before + row["detail"])
    return found


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_handshake_step_by_step(seam, version):
    server = start_server(seam, Echo, version=version)
    found = live(seam, server.port, seam.policy(seam.outbound(server.port, name="echo")))
    assert found["rule"][1].startswith('"echo" ') and found["handshake"][0] == "ok"
    assert found["version"][1] == f"TLSv{version}" and found["cipher suite"][1].startswith("TLS_")
    assert found["verification"] == ("ok", "ok") and f"sha256 {seam.pki.good.sha256()}" in found["certificate 1"][1]
    assert "dns:localhost" in found["certificate 1"][1] and found["certificate 1"][1].endswith("its issuer is a trusted CA")


@pytest.mark.parametrize("cert, words", [("wrong_name", "not for 'localhost'"), ("expired", "has expired"), ("other", "trusted CAs")])
def test_a_handshake_that_fails(seam, cert, words):
    server = start_server(seam, Echo, cert=getattr(seam.pki, cert))
    found = live(seam, server.port, seam.policy(seam.outbound(server.port)), status=1)
    assert found["handshake"][0] == "no" and words in found["handshake"][1] and getattr(seam.pki, cert).sha256() in found["certificate 1"][1]
    assert found["what to do"][1]


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """PEM of a root, an intermediate CA and a server's certificate below that, and the keys."""
    base = tmp_path_factory.mktemp("chain")

    def issue(name, issuer, extensions, *kind):
        (base / f"{name}.ext").write_text(extensions)
        openssl("req", "-new", *kind, "-nodes", "-keyout", base / f"{name}.key", "-out", base / f"{name}.csr", "-subj", f"/CN={name}")
        by = ["-signkey", base / f"{name}.key"] if issuer is None else ["-CA", base / f"{issuer}.pem", "-CAkey", base / f"{issuer}.key", "-CAcreateserial"]
        openssl("x509", "-req", "-in", base / f"{name}.csr", *by, "-days", "300", "-extfile", base / f"{name}.ext", "-out", base / f"{name}.pem")

    authority = "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n"
    issue("root", None, authority, *KEYS["ecdsa"])
    issue("between", "root", authority, *KEYS["rsa"])
    issue("server", "between", "subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature\n", *KEYS["ecdsa"])
    return base


MISSING = "its issuer is neither sent nor trusted"
# What is sent, what is trusted, whether the handshake is good, and what is said of which certificate.
CHAINS = [
    (["server", "between"], "root", True, {1: "key EC, P-256", 2: "its issuer is a trusted CA"}),
    (["server", "between", "root"], "root", True, {2: "key RSA, 2048 bits", 3: "its issuer is a trusted CA"}),
    (["server"], "root", False, {1: MISSING}),
    (["server", "root"], "root", False, {1: "the next certificate is not its issuer's: the peer should send that one here"}),
    (["server", "between"], "server", False, {1: "issued by CN=between", 2: MISSING}),
    (["server", "between", "root"], "server", False, {3: "it is self-signed and not trusted"}),
]


@pytest.mark.parametrize("sent, trusted, good, words", CHAINS, ids=["-".join(case[0]) + "-" + case[1] for case in CHAINS])
def test_the_whole_chain(seam, chain, sent, trusted, good, words):
    cert = chain / "sent.pem"
    cert.write_text("".join((chain / f"{name}.pem").read_text() for name in sent))
    server = start_server(seam, Sink, cert=Cert(cert, chain / "server.key"))
    found = live(seam, server.port, seam.policy(seam.outbound(server.port, ca=chain / f"{trusted}.pem")), status=0 if good else 1)
    assert len([what for what in found if what.startswith("certificate ")]) == len(sent)
    assert all(word in found[f"certificate {number}"][1] for number, word in words.items()), found
    assert ("what to do" in found) != good


def test_a_handshake_with_nobody(seam):
    plain = start_plain_server(seam, Http)
    policy = seam.policy(seam.outbound(plain.port, name="a"), rule("outbound", 1, name="b", action="pass"))
    found = live(seam, plain.port, policy, status=1)
    assert found["handshake"][0] == "no" and "does not speak TLS" in found["handshake"][1]
    found = live(seam, free_port(), policy, "--rule=a", status=1)
    assert found["connection"][0] == "no"
    for args, status in [(["--rule=b"], 1), (["--rule=c"], 1), ([], 1)]:
        done = command(seam, "doctor", "--live", "-p", policy, *args, "localhost:1", status=status)
        assert done.stdout == "" and done.stderr
    assert command(seam, "doctor", "--live", "-p", policy, "localhost", status=2).stdout == ""


GREETING = """
import socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    sock = server.accept()[0]
    try:
        sock.sendall(b"220 here ESMTP\\r\\n")
        sock.recv(100)
    except OSError:
        pass
    sock.close()
"""


def test_a_handshake_behind_an_upgrade(seam):
    port = free_port()
    server = seam.start([sys.executable, "-c", GREETING, port], seam.policy(seam.inbound(port, starttls="smtp")))
    server.until(lambda: server.listens(port), "it listens")
    found = live(seam, port, seam.policy(seam.outbound(port, starttls="smtp")))
    assert found["starttls"][0] == found["handshake"][0] == "ok"
    found = live(seam, port, seam.policy(seam.outbound(port, starttls="imap", handshake_timeout=2)), status=1)
    assert found["starttls"][0] == "no"
