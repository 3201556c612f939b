# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit of real programs' connections: every field of DESIGN 2.4, and numbers that are right."""
import datetime
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from audit import Audit
from clients import WAYS, probe
from peers import BIG, Echo, Http, Sink, connect, content, echo_exchange, start_plain_server, start_server
from process import free_port
from seam import check_opened, need, rule
from servers import BLOCKING_ECHO, start_python

pytestmark = pytest.mark.tls_only

CLIENT = """
import socket, sys
sock = socket.create_connection(("localhost", int(sys.argv[1])))
sock.sendall(bytes(123_456))
sock.shutdown(socket.SHUT_WR)
size = 0
while part := sock.recv(65536):
    size += len(part)
sock.close()
assert size == 123_456
"""

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def check_common(event, program, executable):
    assert TIME.fullmatch(event["time"]), f"a time in UTC with microseconds: {event}"
    assert event["pid"] == program.pid and event["uid"] == os.geteuid(), event
    assert os.path.realpath(event["program"]) == os.path.realpath(executable), event


def near_now(event):
    then = datetime.datetime.strptime(event["time"], "%Y-%m-%dT%H:%M:%S.%fZ")
    return abs((datetime.datetime.utcnow() - then).total_seconds()) < 120


def test_open_and_close_of_a_client(seam, version):
    server = start_server(seam, Echo, version=version)
    policy = seam.policy(seam.outbound(server.port, name="to the echo"))
    program = seam.run([sys.executable, "-c", CLIENT, server.port], policy, env={"SEAMTLS_LABEL": "job-7"})
    opened, = check_opened(program)
    closed, = program.audit.find("close")
    for event in (opened, closed):
        check_common(event, program, sys.executable)
        assert near_now(event), event
        assert event["rule"] == "to the echo" and event["direction"] == "outbound" and event["label"] == "job-7", event
        assert event["remote"] == f"127.0.0.1:{server.port}", event
        assert re.fullmatch(r"127\.0\.0\.1:\d+", event["local"]) and event["local"] != event["remote"], event
    assert opened["conn"] == closed["conn"]
    assert opened["version"] == f"TLSv{version}" and opened["server_name"] == "localhost", opened
    assert opened["cipher"].startswith("TLS_"), f"an IANA name: {opened}"
    assert re.search("25519|256", opened["group"]), opened
    assert opened["resumed"] is False and opened["verify"] == "ok" and opened["plane"] in ("user", "kernel"), opened
    assert 0 < opened["handshake_us"] < 60_000_000, opened
    check_peer(opened["peer"], seam.pki.good)
    assert (closed["bytes_in"], closed["bytes_out"]) == (123_456, 123_456), closed
    assert closed["duration_us"] >= 0, closed


def check_peer(peer, cert):
    assert "localhost" in peer["subject"] and "Test ca" in peer["issuer"], peer
    assert peer["san"] == ["dns:localhost", "ip:127.0.0.1", "ip:::1"], peer
    assert peer["sha256"].lower().replace(":", "") == cert.sha256(), peer
    assert re.fullmatch("[0-9A-F]+", peer["serial"]) and "2049" in str(peer["not_after"]), peer


def test_open_and_close_of_a_server(seam, version):
    server = start_python(seam, BLOCKING_ECHO, name="in", version=version)
    conns = set()
    for size in (1, 16384, BIG):
        with connect(seam, server.port, version) as sock:
            remote = "{}:{}".format(*sock.getsockname())
            assert echo_exchange(sock, content(size)) == content(size)
        opened, = server.audit.wait("open", remote=remote)
        closed, = server.audit.wait("close", remote=remote)
        check_common(opened, server, sys.executable)
        assert opened["rule"] == closed["rule"] == "in" and opened["direction"] == "inbound", opened
        assert opened["local"] == f"127.0.0.1:{server.port}" and opened["server_name"] == "localhost", opened
        assert (closed["bytes_in"], closed["bytes_out"]) == (size, size), closed
        assert "peer" not in opened, opened
        conns.add(opened["conn"])
    assert len(conns) == 3, "a connection's id is its own"


def test_pass_is_audited(seam):
    check_left_alone(seam, "pass")


def test_observe_is_audited(seam):
    check_left_alone(seam, "observe")


def check_left_alone(seam, action):
    server = start_plain_server(seam, Echo)
    program = probe(seam, "blocking", server.port, seam.policy(rule("outbound", server.port, action=action, name="plain")))
    assert program.call == "none", program.story()
    event, = program.audit.wait(action, rule="plain", direction="outbound", protocol=None)
    check_common(event, program, sys.executable)
    assert event["remote"] == f"127.0.0.1:{server.port}" and "version" not in event, event
    assert not program.audit.find("open")


def test_default_is_observed(seam):
    server = start_plain_server(seam, Echo)
    program = probe(seam, "blocking", server.port, seam.policy(default="observe"))
    assert program.call == "none", program.story()
    event, = program.audit.wait("observe", remote=f"127.0.0.1:{server.port}", protocol=None)
    assert "rule" not in event, event


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("by_default", [False, True])
def test_deny_is_audited(seam, how, by_default):
    server = start_plain_server(seam, Sink)
    denied = rule("outbound", server.port, action="deny", name="never")
    policy = seam.policy(default="deny") if by_default else seam.policy(denied)
    program = probe(seam, how, server.port, policy, "127.0.0.1")
    assert (program.call, program.errno) == ("connect", "EACCES"), program.story()
    event, = program.audit.wait("deny", direction="outbound")
    assert event.get("rule") == (None if by_default else "never"), event
    assert server.seen == [], "a denied connection reached the server"


def test_broken_policy_is_audited(seam):
    policy = seam.policy(rule("outbound", free_port(), action="tsl"))
    program = probe(seam, "blocking", free_port(), policy, "127.0.0.1")
    assert program.errno == "EACCES", program.story()
    event, *_ = program.audit.wait("policy")
    assert "action" in event["reason"] and "tsl" in event["reason"], event


def test_disabled_library_leaves_all_alone(seam):
    server = start_plain_server(seam, Echo)
    policy = seam.policy(seam.outbound(server.port))
    program = seam.start([sys.executable, "-c", CLIENT, server.port], policy, env={"SEAMTLS_DISABLE": "1"})
    assert program.wait(60) == 0, program.story()


def test_locked_policy_cannot_be_disabled(seam):
    """`locked` in a policy that the environment chose binds that environment's SEAMTLS_DISABLE as well."""
    server = start_plain_server(seam, Sink)
    # The audit's directory is the policy's too, whatever the environment says.
    rule = seam.outbound(server.port, handshake_timeout=1)
    policy = seam.policy(rule, locked="yes", audit_dir=seam.make_dir("audit"))
    program = seam.start([sys.executable, "-c", CLIENT, server.port], policy, env={"SEAMTLS_DISABLE": "1"})
    assert program.wait(60) != 0, program.story()
    assert not program.audit.events(), "the audit went where the environment said"
    server.wait_ended()
    assert bytes(100) not in server.seen[0].data, "the program's data left in the clear"


def test_required_audit_that_cannot_be_written(seam):
    """With audit = required there is no connection without a record of it."""
    server = start_server(seam, Sink)
    nowhere = seam.dir / "file"
    nowhere.write_text("not a directory")
    policy = seam.policy(seam.outbound(server.port), audit="required", audit_dir=nowhere / "audit", locked="yes")
    program = seam.start([sys.executable, "-c", CLIENT, server.port], policy)
    assert program.wait(60) != 0, program.story()
    assert not any(seen.data for seen in server.seen)


def test_curl_is_named_in_the_audit(seam):
    need("curl")
    curl = shutil.which("curl")
    server = start_server(seam, Http)
    program = seam.run([curl, "-sSf", f"http://localhost:{server.port}/10"], seam.policy(seam.outbound(server.port)))
    opened, = check_opened(program)
    check_common(opened, program, curl)


# Fills what there is of a disk, goes on, makes room, and goes on again.
FILLING = """
import os, socket, sys
audit, server = os.environ["SEAMTLS_AUDIT"], socket.create_server(("127.0.0.1", 0), backlog=100)
def connect(count):
    for _ in range(count):
        socket.create_connection(server.getsockname()).close()
connect(1)
with open(audit + "/filler", "wb", 0) as file:
    try:
        while True:
            file.write(bytes(1024))
    except OSError:
        pass
connect(60)
os.unlink(audit + "/filler")
connect(5)
print("done", flush=True)
sys.stdin.read() or __import__("signal").pause()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk(seam):
    """The program does not notice, the log says how many events are missing, and is whole otherwise."""
    policy = seam.policy(default="observe")
    program = seam.start(["unshare", "--mount", "--propagation", "private", "sh", "-c",
                          'mount -t tmpfs -o size=32k none "$SEAMTLS_AUDIT" && exec "$0" "$@"', sys.executable, "-c", FILLING], policy)
    program.until(lambda: b"done" in program.stdout, "it has filled the disk")
    inside = Audit(seam.tool, f"/proc/{program.pid}/root{program.audit.dir}")
    lost = sum(event["lost"] for event in inside.find("lost"))
    seen = sum(event["event"] == "observe" for event in inside.events())
    assert lost > 0 and lost + seen == 2 * 66, inside.text()  # that each was made, and what it was
    assert inside.find("lost")[0]["reason"] == "No space left on device"
    done = subprocess.run([seam.tool, "log", "--verify", "--format=json", inside.dir], capture_output=True, text=True, check=False)
    assert {json.loads(line)["state"] for line in done.stdout.splitlines()} == {"unsealed"}, done.stdout
