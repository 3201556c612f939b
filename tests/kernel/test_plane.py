# SPDX-License-Identifier: GPL-3.0-or-later
"""
The plane `kernel` in a kernel that has TLS: run in tests/kernel/guest. One covered server and one covered client serve all tests,
since a program takes seconds to start there.
"""
import json
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
from peers import TIMEOUT_S, Echo, client_context, content, echo_exchange, start_server
from process import free_port
from seam import rule

pytestmark = pytest.mark.tls_only

SUITES = {
    "1.2": {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305"},
    "1.3": {"TLS_AES_128_GCM_SHA256": None, "TLS_AES_256_GCM_SHA384": None, "TLS_CHACHA20_POLY1305_SHA256": None},
}
ALL = [(version, suite) for version in SUITES for suite in SUITES[version]]
FILE_LEN = 300_001
HANDS_ON = ALL[3]  # of the server's rules, the one with hand_on = kernel

# Does on each connection what its first line says, and notes how it ended.
SERVER = """
import json, os, select, socket, sys, threading, time
from pathlib import Path
folder = Path(sys.argv[1])

def read_line(sock):
    line = b""
    while not line.endswith(b"\\n"):
        part = sock.recv(1)
        if not part:
            raise EOFError
        line += part
    return line.decode().split()

def echo(sock):
    while data := sock.recv(65536):
        sock.sendall(data)

def sendfile(sock):
    with open(folder / "file", "rb") as file:
        sock.sendall(b"head")
        size, at = os.stat(file.fileno()).st_size, 0
        while at < size:
            at += os.sendfile(sock.fileno(), file.fileno(), at, size)
    sock.shutdown(socket.SHUT_WR)
    sock.recv(1)

def splice(sock):
    inside, outside = os.pipe()
    while n := os.splice(sock.fileno(), outside, 10000):
        while n:
            n -= os.splice(inside, sock.fileno(), n)
    os.close(inside), os.close(outside)

def burst(sock):
    "Non-blocking, into a peer that does not read yet, and closed at once."
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 100000)
    sock.setblocking(False)
    sent = 0
    try:
        while True:
            sent += sock.send(bytes([sent // 1000 % 251]) * 1000)
    except BlockingIOError:
        pass
    return sent

def edges(sock):
    "Edge-triggered, by a program that takes a short count for the end of what is there."
    sock.setblocking(False)
    poll, got = select.epoll(), 0
    poll.register(sock, select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET)
    while True:
        poll.poll()
        while True:
            try:
                data = sock.recv(50000)
            except BlockingIOError:
                break
            got += len(data)
            if not data:
                return got
            if len(data) < 50000:
                break

def slow(sock):
    "Level-triggered: how often it is woken for nothing."
    sock.setblocking(False)
    spurious = got = 0
    while True:
        select.select([sock], [], [])
        try:
            data = sock.recv(65536)
        except BlockingIOError:
            spurious += 1
            continue
        if not data:
            return [got, spurious]
        got += len(data)

def fork(sock):
    child = os.fork()
    if child == 0:
        sock.sendall(b"child ")
        os._exit(0)
    os.waitpid(child, 0)
    sock.sendall(b"parent")

def leave(sock, *argv):
    "Another program, which the library is not in, goes on with it."
    child = os.fork()
    if child == 0:
        for number in (0, 1):
            os.dup2(sock.fileno(), number)
        os.execve(argv[0], argv, {})
    sock.close()
    os.waitpid(child, 0)

def passed(sock):
    "Over a Unix socket, to a process that knows it as nothing but a descriptor."
    here, there = socket.socketpair()
    child = os.fork()
    if child == 0:
        sock.close()
        _, fds, _, _ = socket.recv_fds(there, 1, 1)
        os.write(fds[0], b"passed ")
        os._exit(0)
    socket.send_fds(here, [b"."], [sock.fileno()])
    os.waitpid(child, 0)
    sock.sendall(b"on")

DOES = {f.__name__: f for f in (echo, sendfile, splice, burst, edges, slow, fork, leave, passed)}

def serve(sock):
    what, result = [], None
    try:
        what = read_line(sock)
        result = DOES[what[0]](sock, *what[1:])
    except OSError as error:
        result = type(error).__name__
    sock.close()
    print(json.dumps([what, result]), flush=True)
    os.write(done, b".")

ended, done = os.pipe()
listeners = [socket.create_server(("127.0.0.1", int(port)), backlog=16) for port in sys.argv[2:]]
while True:
    for ready in select.select([ended, *listeners], [], [])[0]:
        if ready == ended:
            os.read(ended, 1) # a closed connection may have something left: the next wait sees to it
            continue
        sock, _ = ready.accept()
        threading.Thread(target=serve, args=[sock], daemon=True).start()
"""

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


class Service:
    """The covered server, with a port for each suite."""

    def __init__(self, seam):
        self.seam = seam
        self.folder = seam.make_dir("served")
        (self.folder / "file").write_bytes(content(FILE_LEN))
        self.ports = {which: free_port() for which in ALL}
        cert = seam.pki.good
        rules = [rule("inbound", port, name=which[1], cert=cert.cert, key=cert.key, min_version=which[0], max_version=which[0],
                      ciphers=which[1], plane="kernel", hand_on="kernel" if which == HANDS_ON else None)
                 for which, port in self.ports.items()]
        self.program = seam.start([sys.executable, "-c", SERVER, self.folder, *self.ports.values()], seam.policy(*rules))
        self.program.until(lambda: all(self.program.listens(port) for port in self.ports.values()), "it listened", 60)
        self.told = 0

    def connect(self, which, what, *args):
        plain = socket.create_connection(("127.0.0.1", self.ports[which]), TIMEOUT_S)
        secure = client_context(self.seam.pki, which[0]).wrap_socket(plain, server_hostname="localhost",
                                                                     suppress_ragged_eofs=False)
        secure.sendall(" ".join([what, *args]).encode() + b"\n")
        return secure

    def results(self):
        return [json.loads(line) for line in self.program.stdout.decode().splitlines()]

    def result(self, what):
        """What the server says of the connection that has just ended."""
        self.program.until(lambda: len(self.results()) > self.told, "the server was done with it", 60)
        words, result = self.results()[self.told]
        self.told += 1
        assert words[:1] == [what]
        return result

    def closed(self):
        """The audit of it."""
        return self.program.audit.wait("close", self.told)[-1]


@pytest.fixture(scope="module")
def service(shared):
    return Service(shared)


def read_all(secure):
    got = b""
    while part := secure.recv(65536):
        got += part
    return got


def end(secure):
    """In good order, from this side."""
    with secure:
        secure.unwrap().close()


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
        dribble.send(content(5000), pieces=10)
    got, spurious = service.result("slow")
    assert got == 5000 and spurious <= 25


class Dribble:
    """A TLS client whose records can be had before they are sent."""

    def __init__(self, service, which, what):
        self.plain = socket.create_connection(("127.0.0.1", service.ports[which]), TIMEOUT_S)
        self.plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.inward, self.outward = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = client_context(service.seam.pki, which[0]).wrap_bio(self.inward, self.outward, server_hostname="localhost")
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.plain.sendall(self.outward.read())
                self.inward.write(self.plain.recv(65536))
        self.tls.write(what.encode() + b"\n")
        self.plain.sendall(self.outward.read())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.tls.unwrap()
        except ssl.SSLError:
            pass
        self.plain.sendall(self.outward.read())
        self.plain.close()

    def record(self, data):
        self.tls.write(data)
        return self.outward.read()

    def send(self, data, pieces):
        record = self.record(data)
        step = len(record) // pieces
        for at in range(0, len(record), step):
            self.plain.sendall(record[at:at + step])
            # Until the other end has it, so that the pieces come as pieces.
            select.select([self.plain], [], [], 0.02)


@pytest.mark.parametrize("how", ["changed", "too_long", "no_record", "cut"])
def test_bad_record(service, version, how):
    which = next(which for which in ALL if which[0] == version)
    dribble = Dribble(service, which, "echo")
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
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{service.ports[ALL[3]]}", "-CAfile", service.seam.pki.ca, "-tls1_3"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
        client.stdin.write(b"echo\nhello\n")
        client.stdin.flush()
        while client.stdout.readline() != b"hello\n":
            pass
        client.stdin.write(b"K\n")
        client.stdin.flush()
        kernel = tuple(int(part) for part in Path("/proc/sys/kernel/osrelease").read_text().split("-")[0].split(".")[:2])
        if kernel >= (6, 14):
            client.stdin.write(b"again\n")
            client.stdin.flush()
            while client.stdout.readline() != b"again\n":
                pass
            client.kill()
        result = service.result("echo")
        client.kill()
        client.communicate()
    if kernel < (6, 14):
        assert result == "ConnectionResetError" and "KeyUpdate" in service.closed()["reason"]


def test_fork(service):
    secure = service.connect(ALL[3], "fork")
    assert read_all(secure) == b"child parent"
    end(secure)
    assert service.result("fork") is None


def relays():
    return {name for name in Path("/proc").glob("[0-9]*/comm") if name.read_text() == "seamtls-relay\n"}


@pytest.mark.parametrize("which", [ALL[0], HANDS_ON], ids=["relay", "kernel"])
def test_a_program_that_is_not_covered(service, which):
    before = relays()
    secure = service.connect(which, "leave", "/bin/cat")
    echo_exchange(secure, content(50_000))
    secure.setblocking(True)
    assert len(relays() - before) == (0 if which == HANDS_ON else 1)
    if which == HANDS_ON:
        # Nobody is there to take close_notify for what it is, and to answer it.
        with pytest.raises(OSError):
            secure.unwrap()
        secure.close()
    else:
        end(secure)
    assert service.result("leave") is None
    reason = service.closed().get("reason", "")
    assert ("handed on" in reason) == (which == HANDS_ON), reason


@pytest.mark.parametrize("which", [ALL[0], HANDS_ON], ids=["relay", "kernel"])
def test_passed_on(service, which):
    secure = service.connect(which, "passed")
    got = b""
    while len(got) < len(b"passed on"):
        got += secure.recv(100)
    assert got == b"passed on"
    if which == HANDS_ON:
        with pytest.raises(ssl.SSLError):
            secure.recv(1)
        secure.close()
    else:
        end(secure)
    assert service.result("passed") is None


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
