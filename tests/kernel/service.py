# SPDX-License-Identifier: GPL-3.0-or-later
"""A covered server for tests in the guest, and who connects to it. One serves all tests of a file, since a program takes seconds to
start there."""
import json
import select
import socket
import ssl
import sys

from peers import TIMEOUT_S, client_context, content
from process import free_port
from seam import rule

SUITES = {
    "1.2": {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305"},
    "1.3": {"TLS_AES_128_GCM_SHA256": None, "TLS_AES_256_GCM_SHA384": None, "TLS_CHACHA20_POLY1305_SHA256": None},
}
ALL = [(version, suite) for version in SUITES for suite in SUITES[version]]
FILE_LEN = 300_001

# Does on each connection what its first line says, and notes how it ended.
SERVER = """
import ctypes, json, os, resource, select, socket, sys, threading, time
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

def environment(name):
    return os.environ if name == "covered" else {}

def execute(sock, name, *argv):
    "Another program goes on with it."
    child = os.fork()
    if child == 0:
        for number in (0, 1):
            os.dup2(sock.fileno(), number)
        os.execve(argv[0], argv, environment(name))
    sock.close()
    os.waitpid(child, 0)

def inherit(sock, name, *argv):
    "The same, under the number that it has."
    child = os.fork()
    if child == 0:
        os.set_inheritable(sock.fileno(), True)
        os.execve("/bin/bash", ["bash", "-c", f"exec {' '.join(argv)} <&{sock.fileno()} >&{sock.fileno()}"], environment(name))
    sock.close()
    os.waitpid(child, 0)

def spawn(sock, name, *argv):
    child = os.posix_spawn(argv[0], argv, environment(name),
                           file_actions=[(os.POSIX_SPAWN_DUP2, sock.fileno(), number) for number in (0, 1)])
    sock.close()
    os.waitpid(child, 0)

def limited(sock, *argv):
    "By a user who may have no more processes."
    child = os.fork()
    if child == 0:
        os.setgid(65534), os.setuid(65534)
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        for number in (0, 1):
            os.dup2(sock.fileno(), number)
        os.execve(argv[0], argv, os.environ)
    sock.close()
    os.waitpid(child, 0)

def streams(sock):
    "libc writes to it by itself, and the program goes on."
    child = os.fork()
    if child == 0:
        os.dup2(sock.fileno(), 1)
        libc = ctypes.CDLL(None)
        libc.puts(b"by a stream")
        libc.fflush(None)
        os._exit(0)
    os.waitpid(child, 0)
    sock.sendall(b"and by the program")

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

def passed_to(sock, path):
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(path)
        socket.send_fds(other, [b"."], [sock.fileno()])
        other.recv(1)

DOES = {f.__name__: f for f in (echo, sendfile, splice, burst, edges, slow, fork, execute, inherit, spawn, limited, streams, passed,
                             passed_to)}

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

class Service:
    """The covered server, with a port for each of `rules`, which name a version, a suite and what else the rule says."""

    def __init__(self, seam, rules):
        self.seam = seam
        self.folder = seam.make_dir("served")
        (self.folder / "file").write_bytes(content(FILE_LEN))
        self.ports = {which: free_port() for which in rules}
        self.versions = {which: version for which, (version, _, _) in rules.items()}
        cert = seam.pki.good
        policy = seam.policy(*(rule("inbound", self.ports[which], name=str(number), cert=cert.cert, key=cert.key,
                                    min_version=version, max_version=version, ciphers=suite, **keys)
                               for number, (which, (version, suite, keys)) in enumerate(rules.items())))
        self.program = seam.start([sys.executable, "-c", SERVER, self.folder, *self.ports.values()], policy)
        self.program.until(lambda: all(self.program.listens(port) for port in self.ports.values()), "it listened", 60)
        self.told, self.peer = 0, {}

    def connect(self, which, what, *args):
        plain = socket.create_connection(("127.0.0.1", self.ports[which]), TIMEOUT_S)
        secure = client_context(self.seam.pki, self.versions[which]).wrap_socket(plain, server_hostname="localhost",
                                                                                 suppress_ragged_eofs=False)
        self.expect(secure)
        secure.sendall(" ".join([what, *map(str, args)]).encode() + b"\n")
        return secure

    def expect(self, peer):
        """The next result is of this connection; None: of one that somebody else makes."""
        self.told = len(self.results())
        self.peer = {"remote": "{}:{}".format(*peer.getsockname())} if peer else {}

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
        return self.program.audit.wait("close", **self.peer)[-1]


def read_all(secure):
    got = b""
    while part := secure.recv(65536):
        got += part
    return got


def end(secure):
    """In good order, from this side."""
    with secure:
        secure.unwrap().close()


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
