# SPDX-License-Identifier: GPL-3.0-or-later
"""
The plane `kernel` in a kernel that has TLS: run in tests/kernel/guest.
"""
import os
import select
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

import ktls
from capture import Capture
from peers import TIMEOUT_S, Echo, content, echo_exchange, start_server
from seam import rule
from service import ALL, FILE_LEN, SUITES, Dribble, Service, end, read_all

pytestmark = pytest.mark.tls_only

CLIENT = """
import socket, sys
for port in sys.argv[1:]:
    sock = socket.create_connection(("localhost", int(port)))
    data = bytes(range(256)) * 200
    sock.sendall(data)
    got = b""
    while len(got) < len(data):
        got += sock.recv(65536)
    assert got == data
    sock.shutdown(socket.SHUT_WR)
    assert sock.recv(1) == b""
    sock.close()
"""


@pytest.fixture(scope="module")
def service(shared):
    return Service(shared, {which: (*which, {"plane": "kernel"}) for which in ALL})


@pytest.mark.parametrize("which", ALL, ids=lambda which: which[1])
def test_server(service, which):
    secure = service.connect(which, "echo")
    echo_exchange(secure, content(100_001))
    secure.setblocking(True)
    assert ktls.local(service.ports[which]) == ktls.in_both_directions(*which)
    end(secure)
    assert service.result("echo") is None
    closed = service.closed()
    assert closed["plane"] == "kernel" and closed["alert"] == {"sent": "close_notify", "received": "close_notify"}, closed
    assert (closed["bytes_in"], closed["bytes_out"]) == (100_006, 100_001), closed
    opened = service.program.audit.find("open")[-1]
    assert opened["plane"] == "kernel" and opened["cipher"] == which[1] and "reason" not in opened, opened


class LookAndEcho(Echo):
    """Notes what the kernel says of the client's end, which waits for ours."""

    def handle(self):
        super().handle()
        self.request.seen.kernel = ktls.remote(self.request.getsockname()[1])


def test_client(shared):
    servers = {which: start_server(shared, LookAndEcho, version=which[0]) for which in ALL}
    for which, server in servers.items():
        if SUITES[which[0]][which[1]]:
            server.context.set_ciphers(SUITES[which[0]][which[1]])
    policy = shared.policy(*(rule("outbound", server.port, name=which[1], ca=shared.pki.ca, ciphers=which[1], min_version=which[0],
                                  max_version=which[0], plane="kernel") for which, server in servers.items()))
    program = shared.run([sys.executable, "-c", CLIENT, *(server.port for server in servers.values())], policy)
    for event in ("open", "close"):
        assert [(each["rule"], each["plane"]) for each in program.audit.find(event)] == [(suite, "kernel") for _, suite in ALL]
    for which, server in servers.items():
        server.wait_ended()
        assert server.seen[0].error is None
        assert server.seen[0].kernel == ktls.in_both_directions(*which)


def test_rings(shared):
    """io_uring, which no preload sees. TLS 1.2, where no ticket comes that a plain read would be refused for."""
    ring = Path(os.environ["SEAMTLS_BUILD"], "tests", "kernel", "ring")
    if not ring.exists():
        pytest.skip("liburing-dev was not there when this was built")
    server = start_server(shared, Echo, version="1.2")
    program = shared.run([ring, server.port], shared.policy(shared.outbound(server.port, verify="chain", plane="kernel")))
    assert program.stdout == b"sent 20000\nreceived 20000, the same\n"
    assert program.audit.find("close")[0]["plane"] == "kernel"


@pytest.mark.parametrize("what", ["sendfile", "splice"])
def test_file(service, version, what):
    which = next(which for which in ALL if which[0] == version)
    secure = service.connect(which, what)
    if what == "splice":
        echo_exchange(secure, content(FILE_LEN))
        secure.setblocking(True)
    else:
        assert read_all(secure) == b"head" + content(FILE_LEN)
    end(secure)
    assert service.result(what) is None
    assert service.closed()["bytes_out"] >= FILE_LEN


def test_nothing_is_lost_at_a_close(service):
    """What the kernel's TLS keeps, because TCP has no room for it, goes out although the program has closed."""
    secure = service.connect(ALL[3], "burst")
    sent = service.result("burst")
    got = read_all(secure)
    assert len(got) == sent and got == b"".join(bytes([at // 1000 % 251]) * 1000 for at in range(0, sent, 1000))[:sent]
    secure.close()


def test_edges(service):
    """close_notify right behind data, and no FIN: no edge comes for it."""
    secure = service.connect(ALL[3], "edges")
    secure.sendall(content(70_000))
    secure.settimeout(TIMEOUT_S)
    secure.unwrap().close()
    assert service.result("edges") == 70_000


def test_part_of_a_record(service):
    """A record that comes byte by byte wakes a program for each piece at most."""
    which = ALL[3]
    with Dribble(service, which, "slow") as dribble:
        service.expect(dribble.plain)
        dribble.send(content(5000), pieces=10)
    got, spurious = service.result("slow")
    assert got == 5000 and spurious <= 25


@pytest.mark.parametrize("how", ["changed", "too_long", "no_record", "cut"])
def test_bad_record(service, version, how):
    which = next(which for which in ALL if which[0] == version)
    dribble = Dribble(service, which, "echo")
    service.expect(dribble.plain)
    record = bytearray(dribble.record(b"secret" * 10))
    if how == "changed":
        record[-1] ^= 1
    elif how == "too_long":
        record[3:5] = b"\x48\x00"
    elif how == "no_record":
        record = b"GET / HTTP/1.1\r\n\r\n" + bytes(100)
    else:
        record = record[:20]
    dribble.plain.sendall(record)
    if how == "cut":
        dribble.plain.shutdown(socket.SHUT_WR)
    assert service.result("echo") == "ConnectionResetError"
    closed = service.closed()
    reason = {"changed": "does not authenticate", "too_long": "larger than TLS allows", "no_record": "no TLS record",
              "cut": "without close_notify"}[how]
    assert reason in closed["reason"], closed
    if how == "changed":
        assert closed["alert"]["sent"] == "bad_record_mac", closed
    dribble.plain.close()


def test_key_update(service):
    """A kernel before 6.14 cannot follow; the connection ends, and the audit says why."""
    service.expect(None)
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{service.ports[ALL[3]]}", "-CAfile", service.seam.pki.ca, "-tls1_3"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
        client.stdin.write(b"echo\nhello\n")
        client.stdin.flush()
        while client.stdout.readline() != b"hello\n":
            pass
        client.stdin.write(b"K\n")
        client.stdin.flush()
        if ktls.rekeys():
            client.stdin.write(b"again\n")
            client.stdin.flush()
            while client.stdout.readline() != b"again\n":
                pass
            client.kill()
        result = service.result("echo")
        client.kill()
        client.communicate()
    if not ktls.rekeys():
        assert result == "ConnectionResetError" and "KeyUpdate" in service.closed()["reason"]


def test_fork(service):
    secure = service.connect(ALL[3], "fork")
    assert read_all(secure) == b"child parent"
    end(secure)
    assert service.result("fork") is None


def test_nothing_in_the_clear(service):
    capture = Capture(service.seam, service.ports[ALL[3]])
    secure = service.connect(ALL[3], "echo")
    marker = b"not for the network " * 1000
    echo_exchange(secure, marker)
    secure.setblocking(True)
    end(secure)
    service.result("echo")
    secure = service.connect(ALL[3], "sendfile")
    assert len(read_all(secure)) == FILE_LEN + 4
    end(secure)
    service.result("sendfile")
    seen = capture.finish()
    assert b"not for the network" not in seen and content(FILE_LEN)[1000:1100] not in seen
