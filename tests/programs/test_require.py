# SPDX-License-Identifier: GPL-3.0-or-later
"""`require`: a program's own TLS, or SSH, passes; what is in the clear does not, by whatever way it wants to go. And `deny`."""
import socket
import socketserver
import sys

import pytest

import nginx
from capture import Capture
from peers import Echo, Http, Sink, connect, content, digest, echo_exchange, start_plain_server, start_server
from seam import need, rule
from servers import INETD, start_redis
from ssh import Ssh
from tap import Tap

pytestmark = pytest.mark.tls_only
PYTHON = sys.executable


def requires(seam, direction, port, what="tls", action="pass"):
    return seam.policy(rule(direction, port, action=action, require=what, name="own"))


def check_refused(program, who="the program", **fields):
    denied = program.audit.wait("deny", protocol="clear", rule="own", **fields)[0]
    assert denied["reason"].startswith(f"{who} speaks in the clear, and the rule says 'require = ")
    assert denied["cause"] == "unprotected" and "action = tls" in denied["advice"]
    first = [e for e in program.audit.events() if e["event"] in ("pass", "observe") and e["conn"] == denied["conn"]]
    assert len(first) == 1 and "protocol" not in first[0]
    return denied


# --- What passes

@pytest.mark.parametrize("action", ["pass", "observe"])
def test_a_client_with_tls(seam, version, action):
    need("curl")
    peer = start_server(seam, Http, version=version)
    program = seam.run(["curl", "-sS", "--cacert", seam.pki.ca, f"https://localhost:{peer.port}/700"],
                       requires(seam, "outbound", peer.port, action=action))
    assert program.stdout == content(700)
    assert program.audit.wait(action, protocol="tls")[0]["version"] == f"TLSv{version or '1.3'}"
    assert len(program.audit.events()) == 3 and not program.audit.find("deny")


NGINX_TLS = "ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {cert}; ssl_certificate_key {key};"


def start_nginx(seam, more=""):
    need("nginx")
    site = seam.make_dir("site")
    (site / "700").write_bytes(content(700))
    (site / "big").write_bytes(content(700_001))
    (site / "700").chmod(0o644)
    (site / "big").chmod(0o644)
    folder = seam.make_dir("nginx")

    def argv(port):
        config = folder / "nginx.conf"
        user = f"user {nginx.WORKER};" if nginx.os.geteuid() == 0 else ""
        text = nginx.CONFIG.format(dir=folder, site=site, port=port, sendfile="on", workers=2, user=user,
                                   more=NGINX_TLS.format(cert=seam.pki.good.cert, key=seam.pki.good.key) + more)
        config.write_text(text.replace(f"listen 127.0.0.1:{port};", f"listen 127.0.0.1:{port} ssl;"))
        return [nginx.shutil.which("nginx"), "-p", folder, "-e", "stderr", "-c", config]

    return seam.serve(argv, lambda port: requires(seam, "inbound", port))


def test_a_server_with_tls(seam, version):
    """And its clients without are refused: nginx would have told them so, in the clear."""
    need("curl")
    server = start_nginx(seam)

    def get(path):
        return seam.run(["curl", "-sS", "--cacert", seam.pki.ca, f"--tlsv{version}", "--tls-max", version,
                         f"https://localhost:{server.port}/{path}"]).stdout

    assert get("700") == content(700) and digest(get("big")) == digest(content(700_001))
    with socket.create_connection(("127.0.0.1", server.port), 20) as sock:
        sock.sendall(b"GET /700 HTTP/1.0\r\n\r\n")
        try:
            assert sock.recv(1000) == b""
        except ConnectionResetError:
            pass
    check_refused(server, "the peer", direction="inbound")
    assert {e["version"] for e in server.audit.wait("pass", 2, protocol="tls")} == {f"TLSv{version}"}
    assert get("700") == content(700)


def test_asynchronous_server(seam):
    source = """
import asyncio, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", int(sys.argv[1]), ssl=context)
    await server.serve_forever()
asyncio.run(main())
"""
    server = seam.serve(lambda port: [PYTHON, "-c", source, port, seam.pki.good.cert, seam.pki.good.key],
                        lambda port: requires(seam, "inbound", port))
    for _ in range(3):
        with connect(seam, server.port) as sock:
            assert echo_exchange(sock, content(100_000)) == content(100_000)
    assert len(server.audit.wait("pass", 3, protocol="tls")) == 3


@pytest.mark.parametrize("what", ["ssh", "tls, ssh"])
def test_ssh(seam, what):
    ssh = Ssh(seam)
    server = ssh.start(lambda port: requires(seam, "inbound", port, what))
    client = seam.run(ssh.command(server.port, "cat"), requires(seam, "outbound", server.port, what), stdin=content(100_000))
    assert client.stdout == content(100_000)
    assert client.audit.wait("pass", protocol="ssh")


def test_ssh_is_not_tls(seam):
    ssh = Ssh(seam)
    server = ssh.start()
    client = seam.run(ssh.command(server.port, "true"), requires(seam, "outbound", server.port), status=255)
    assert client.audit.wait("deny", rule="own")


# --- What does not

def test_a_client_in_the_clear(seam):
    need("curl")
    peer = start_plain_server(seam, Http)
    capture = Capture(seam, peer.port)
    program = seam.run(["curl", "-sS", f"http://localhost:{peer.port}/700?secret"], requires(seam, "outbound", peer.port), status=None)
    assert program.status != 0 and "require = tls" in program.stderr and "what to do: have the program" in program.stderr
    assert b"secret" not in capture.finish()
    check_refused(program, application="http", direction="outbound")
    assert peer.seen[0].data == b""


class Greeter(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(b"220 secret ESMTP\r\n")
        self.request.seen.data += self.request.recv(100)


CALLS = """
import ctypes, os, socket, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
port, path = int(sys.argv[1]), sys.argv[2]
open(path, "wb").write(b"GET /secret HTTP/1.0\\r\\n\\r\\n" * 50)
sock = socket.create_connection(("127.0.0.1", port))
fd = sock.fileno()
word = b"GET /secret HTTP/1.0\\r\\n\\r\\n"
def stream(mode):
    libc.fdopen.restype = ctypes.c_void_p
    return ctypes.c_void_p(libc.fdopen(fd, mode))
class Aio(ctypes.Structure):
    _fields_ = [("fd", ctypes.c_int), ("op", ctypes.c_int), ("prio", ctypes.c_int), ("buf", ctypes.c_void_p),
                ("len", ctypes.c_size_t), ("rest", ctypes.c_char * 200)]
def pipe():
    r, w = os.pipe()
    os.write(w, word)
    return r
def pass_on():
    a, b = socket.socketpair()
    socket.send_fds(a, [b"x"], [fd])
    _, (other,), _, _ = socket.recv_fds(b, 1, 1)
    return os.write(other, word)
def spawn(*argv):
    os.set_inheritable(fd, True)
    return os.waitpid(os.posix_spawn(argv[0], argv, os.environ), 0)
try:
    print("said", %s)
except OSError as error:
    print("error", error.errno)
"""
SENDING = {
    "write": "os.write(fd, word)",
    "writev": "os.writev(fd, [b'', word])",
    "sendmsg": "sock.sendmsg([word])",
    "sendto": "sock.sendto(word, ('127.0.0.1', port))",
    "one byte": "[os.write(fd, b'\\x16'), os.write(fd, word)]",
    "false hello": "[os.write(fd, bytes.fromhex('160301000501') + b'1234'), os.write(fd, word)]",
    "record and more": "os.write(fd, bytes.fromhex('160301000501') + b'1234' + word)",
    "sendfile": "os.sendfile(fd, os.open(path, os.O_RDONLY), 0, 100)",
    "splice": "os.splice(pipe(), fd, 100) if hasattr(os, 'splice') else os.write(fd, word)",
    "libc splice": "libc.splice(pipe(), None, fd, None, 100, 0)",
    "dup": "os.write(os.dup(fd), word)",
    "dup2": "(os.dup2(fd, 50), os.write(50, word))",
    "dprintf": "libc.dprintf(fd, word)",
    "stream": "(lambda f: [libc.fputs(word, f), libc.fflush(f)])(stream(b'w'))",
    "aio": "libc.aio_write(ctypes.byref(Aio(fd, 0, 0, ctypes.cast(ctypes.c_char_p(word), ctypes.c_void_p), len(word))))",
    "thread": "(lambda t: [t.start(), t.join()])(threading.Thread(target=os.write, args=(fd, word)))",
    "child": "os.waitpid(os.fork() or [os.write(fd, word), os._exit(0)][0], 0)",
    "system call": "libc.syscall(1, fd, word, len(word))",
    "passed on": "pass_on()",
    "spawned": "spawn('/bin/sh', '-c', f'echo secret >&{fd}')",
    "executed": "[os.set_inheritable(fd, True), os.execv('/bin/sh', ['sh', '-c', f'echo secret >&{fd}'])]",
    "standard output": "[os.dup2(fd, 1), os.execv('/bin/echo', ['echo', 'secret'])]",
    "static program": "[os.dup2(fd, 1), os.execv('/bin/busybox', ['busybox', 'echo', 'secret'])]",
}


@pytest.mark.parametrize("way", SENDING)
def test_no_way_out_in_the_clear(seam, way):
    if way == "static program":
        need("busybox")
    peer = start_plain_server(seam, Sink)
    program = seam.run([PYTHON, "-c", CALLS % SENDING[way], peer.port, seam.make_dir() / "file"],
                       requires(seam, "outbound", peer.port), status=None)
    peer.wait_ended()
    assert b"secret" not in peer.seen[0].data, program.story()
    if way not in ("aio",):
        program.audit.wait("deny", protocol="clear", rule="own")


RECEIVING = {
    "read": "os.read(fd, 100)",
    "readv": "os.readv(fd, [bytearray(3), bytearray(100)])",
    "recvmsg": "sock.recvmsg(100)",
    "peek": "sock.recv(100, socket.MSG_PEEK)",
    "one byte": "[os.read(fd, 1) for _ in range(20)]",
    "waitall": "sock.recv(18, socket.MSG_WAITALL)",
    "trunc": "sock.recv(100, socket.MSG_TRUNC)",
    "libc splice": "(lambda p: [libc.splice(fd, None, p[1], None, 100, 0), os.set_blocking(p[0], False), os.read(p[0], 100)])(os.pipe())",
    "stream": "(lambda f: [libc.fread(ctypes.create_string_buffer(9), 1, 9, f)])(stream(b'r'))",
    "child": "os.waitpid(os.fork() or [os.read(fd, 9), print('secret'), os._exit(0)][0], 0)",
    "spawned": "spawn('/bin/sh', '-c', f'cat <&{fd}')",
}


@pytest.mark.parametrize("way", RECEIVING)
def test_nothing_in_the_clear_comes_in(seam, way):
    """The server speaks first."""
    peer = start_plain_server(seam, Greeter)
    program = seam.run([PYTHON, "-c", CALLS % RECEIVING[way], peer.port, seam.make_dir() / "file"],
                       requires(seam, "outbound", peer.port), status=None)
    assert b"secret" not in program.stdout, program.story()
    if way not in ("trunc", "libc splice"):
        check_refused(program, "the peer")


def test_what_was_received_is_wiped(seam):
    source = """
import ctypes, socket, sys
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
buffer = ctypes.create_string_buffer(64)
libc = ctypes.CDLL(None, use_errno=True)
print(libc.read(sock.fileno(), buffer, 64), ctypes.get_errno(), buffer.raw.strip(b"\\0"))
print(libc.read(sock.fileno(), buffer, 64))
"""
    peer = start_plain_server(seam, Greeter)
    program = seam.run([PYTHON, "-c", source, peer.port], requires(seam, "outbound", peer.port))
    assert program.stdout == b"-1 13 b''\n0\n"


def test_a_server_that_speaks_first(seam):
    """redis does not, but tells everybody off in the clear."""
    redis = start_redis(seam, lambda port: requires(seam, "inbound", port))
    with socket.create_connection(("127.0.0.1", redis.port), 20) as sock:
        sock.sendall(b"PING\r\n")
        try:
            assert sock.recv(100) == b""
        except ConnectionResetError:
            pass
    check_refused(redis, "the peer", application="redis")


def test_inherited_by_a_covered_program(seam):
    """inetd's: the program's own TLS passes through the relay, and what is in the clear does not."""
    need("openssl")
    server = seam.serve(lambda port: [PYTHON, "-c", INETD, port, "cat"], lambda port: requires(seam, "inbound", port))
    with socket.create_connection(("127.0.0.1", server.port), 20) as sock:
        sock.sendall(b"GET /\r\n")
        try:
            assert sock.recv(100) == b""
        except ConnectionResetError:
            pass
    check_refused(server, "the peer")


def test_a_peer_that_answers_in_the_clear(seam):
    need("curl")

    class Plain(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(1000)
            self.request.sendall(b"HTTP/1.1 400 secret\r\n\r\n")

    peer = start_plain_server(seam, Plain)
    program = seam.run(["curl", "-sSk", f"https://localhost:{peer.port}/"], requires(seam, "outbound", peer.port), status=None)
    assert program.status != 0
    check_refused(program, "the peer")


def test_starttls_is_not_enough(seam):
    """It begins in the clear, and may stay so: action = tls with starttls does not."""
    need("openssl")
    peer = start_plain_server(seam, Greeter)
    program = seam.run(["openssl", "s_client", "-starttls", "smtp", "-connect", f"127.0.0.1:{peer.port}"],
                       requires(seam, "outbound", peer.port), status=None, stdin=b"")
    check_refused(program, "the peer", application="smtp")


def test_nonblocking_and_again(seam):
    """What connect() and epoll say is TCP's."""
    source = """
import select, socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
for _ in range(3):
    sock = socket.socket()
    sock.setblocking(False)
    epoll = select.epoll()
    epoll.register(sock, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
    assert sock.connect_ex(("127.0.0.1", int(sys.argv[1]))) == 115
    while not epoll.poll(1)[0][1] & select.EPOLLOUT:
        pass
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    secure = context.wrap_socket(sock, server_hostname="localhost", do_handshake_on_connect=False)
    while True:
        try:
            secure.do_handshake()
            break
        except ssl.SSLWantReadError:
            select.select([secure], [], [])
    secure.setblocking(True)
    secure.sendall(b"word")
    print(secure.recv(4))
"""
    peer = start_server(seam, Echo)
    program = seam.run([PYTHON, "-c", source, peer.port, seam.pki.ca], requires(seam, "outbound", peer.port))
    assert program.stdout == b"b'word'\n" * 3
    assert len(program.audit.wait("pass", 3, protocol="tls")) == 3


def test_descriptors_are_the_programs_again(seam):
    """FD_CLOEXEC is what the program has set, before and after: kept while the library has the connection, given back then."""
    source = """
import fcntl, os, socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
sock = socket.socket()
os.set_inheritable(sock.fileno(), True)
sock.connect(("127.0.0.1", int(sys.argv[1])))
flags = lambda: (fcntl.fcntl(sock.fileno(), fcntl.F_GETFD), int(open(f"/proc/self/fdinfo/{sock.fileno()}").read().split()[3], 8) >> 19 & 1)
print(flags())
secure = context.wrap_socket(sock, server_hostname="localhost")
sock = secure
print(flags())
secure.sendall(b"word")
print(secure.recv(4))
"""
    peer = start_server(seam, Echo)
    program = seam.run([PYTHON, "-c", source, peer.port, seam.pki.ca], requires(seam, "outbound", peer.port))
    assert program.stdout == b"(0, 1)\n(0, 0)\nb'word'\n"


# --- How old it may be

OLD = ["-cipher", "ALL:@SECLEVEL=0"]
VERSIONS = {"1.0": "-tls1", "1.1": "-tls1_1", "1.2": "-tls1_2", "1.3": "-tls1_3"}


def s_server(seam, version, policy=None, cipher=OLD):
    good = seam.pki.good
    return seam.serve(lambda port: ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", good.cert, "-key", good.key,
                                    "-rev", VERSIONS[version], *cipher], policy)


def s_client(seam, port, policy=None, cipher=OLD, version=None):
    return seam.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-quiet", "-CAfile", seam.pki.ca, *cipher,
                     *([VERSIONS[version]] if version else ["-min_protocol", "TLSv1"])], policy, status=None, stdin=b"terces\nCLOSE\n")


def record_types(data):
    """Of the records of TLS that follow each other (RFC 8446 5.1)."""
    types = []
    while data:
        types.append(data[0])
        data = data[5 + int.from_bytes(data[3:5], "big"):]
    return types


@pytest.mark.parametrize("side, what, version, passes", [
    ("outbound", "tls", "1.0", True), ("outbound", "tls1.2", "1.0", False), ("outbound", "tls1.2", "1.1", False),
    ("outbound", "tls1.2", "1.2", True), ("outbound", "tls1.2", "1.3", True), ("outbound", "tls1.3", "1.2", False),
    ("outbound", "tls1.3", "1.3", True), ("outbound", "tls1.3, ssh", "1.1", False),
    ("inbound", "tls", "1.1", True), ("inbound", "tls1.2", "1.1", False), ("inbound", "tls1.3", "1.2", False), ("inbound", "tls1.3", "1.3", True),
])
def test_the_lowest_version(seam, side, what, version, passes):
    """Refused when the ServerHello comes, or is about to go: no data of the program's follows it."""
    need("openssl")
    if side == "outbound":
        tap = Tap(seam, s_server(seam, version).port)
        client = s_client(seam, tap.port, requires(seam, "outbound", tap.port, what))
        judged = client
    else:
        judged = server = s_server(seam, version, lambda port: requires(seam, "inbound", port, what))
        tap = Tap(seam, server.port)
        client = s_client(seam, tap.port)
    tap.finish()
    if passes:
        assert b"secret" in client.stdout, client.story()
        assert judged.audit.wait("pass", protocol="tls")[0]["version"] == f"TLSv{version}"
        return
    assert b"secret" not in client.stdout
    denied = judged.audit.wait("deny", rule="own")[0]
    who = "the peer" if side == "outbound" else "the program"
    assert denied["reason"] == f"{who} agrees on TLSv{version}, and the rule says 'require = {what}'"
    assert (denied["protocol"], denied["version"], denied["cause"]) == ("tls", f"TLSv{version}", "unprotected") and denied["advice"]
    assert set(record_types(tap.sent) + record_types(tap.received)) <= {21, 22}  # alerts and the handshake's


def test_what_encrypts_nothing(seam):
    need("openssl")
    null = ["-cipher", "NULL:@SECLEVEL=0"]
    tap = Tap(seam, s_server(seam, "1.2", cipher=null).port)
    client = s_client(seam, tap.port, requires(seam, "outbound", tap.port), null, "1.2")
    assert b"terces" not in tap.finish()
    reason = client.audit.wait("deny", rule="own")[0]["reason"]
    assert reason.startswith("the peer agrees on a cipher suite that encrypts nothing (TLS_") and "_NULL_" in reason


@pytest.mark.parametrize("program", ["curl", "gnutls-cli"])
def test_others_below_the_lowest(seam, program):
    need(program)
    peer = start_server(seam, Http, version="1.2")
    argv = {"curl": ["curl", "-sS", "--cacert", seam.pki.ca, f"https://localhost:{peer.port}/700"],
            "gnutls-cli": ["gnutls-cli", "--x509cafile", seam.pki.ca, "-p", peer.port, "localhost"]}[program]
    client = seam.run(argv, requires(seam, "outbound", peer.port, "tls1.3"), status=None, stdin=b"GET /700 HTTP/1.0\r\n\r\n")
    assert client.status != 0 and client.audit.wait("deny", rule="own")[0]["version"] == "TLSv1.2"
    assert not peer.seen[0].data


def test_an_alert_opens_nothing(seam):
    """The peer refuses the handshake; whoever then goes on in the clear does not get far."""
    class Refusing(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(1000)
            self.request.sendall(bytes.fromhex("15030300020228"))
            self.request.seen.data += self.request.recv(1000)

    source = """
import socket, sys
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sock.sendall(bytes.fromhex("160301000501") + b"1234")
print(sock.recv(100).hex())
try:
    sock.sendall(b"GET /secret HTTP/1.0")
except OSError as error:
    print(error.errno)
"""
    peer = start_plain_server(seam, Refusing)
    program = seam.run([PYTHON, "-c", source, peer.port], requires(seam, "outbound", peer.port))
    assert program.stdout == b"15030300020228\n13\n"
    peer.wait_ended()
    assert peer.seen[0].data == b""


# --- deny

WAYS_TO_CONNECT = {
    "connect": "socket.socket().connect(to)",
    "connect_ex": "(lambda e: (_ for _ in ()).throw(OSError(e, '')))(socket.socket().connect_ex(to))",
    "sendto": "socket.socket().sendto(b'secret', 0x20000000, to)",
    "sendmsg": "socket.socket().sendmsg([b'secret'], [], 0x20000000, to)",
    "nonblocking": "(lambda s: (s.setblocking(False), s.connect(to)))(socket.socket())",
    "six": "(lambda s: s.connect(('::ffff:127.0.0.1', to[1])))(socket.socket(socket.AF_INET6))",
    "inherited": "(lambda r: (_ for _ in ()).throw(OSError(13, '')) if r == 9 else None)(os.WEXITSTATUS(os.waitpid(os.fork() or os._exit("
                 "9 if raises(lambda: socket.socket().connect(to)) else 0), 0)[1]))",
}
DENIED = """
import os, socket, sys
to = ("127.0.0.1", int(sys.argv[1]))
def raises(call):
    try:
        call()
    except PermissionError:
        return True
try:
    %s
    print("connected")
except OSError as error:
    print(error.errno)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 0))
udp.sendto(b"udp", udp.getsockname())
a, b = socket.socketpair()
a.send(b"unix")
print(udp.recv(9), b.recv(9))
"""


@pytest.mark.parametrize("way", WAYS_TO_CONNECT)
@pytest.mark.parametrize("by", ["default", "rule"])
def test_deny_enforces(seam, way, by):
    peer = start_plain_server(seam, Sink)
    policy = seam.policy(default="deny") if by == "default" else seam.policy(rule("outbound", peer.port, action="deny", name="no"))
    program = seam.run([PYTHON, "-c", DENIED % WAYS_TO_CONNECT[way], peer.port], policy)
    assert program.stdout == b"13\nb'udp' b'unix'\n"
    assert not peer.seen and program.audit.wait("deny")[0]["reason"] == "denied by policy"


@pytest.mark.parametrize("by", ["default", "rule"])
def test_deny_takes_no_client(seam, by):
    server = seam.serve(lambda port: [PYTHON, "-c", INETD, port, "echo", "secret"], lambda port: seam.policy(
        default="deny") if by == "default" else seam.policy(rule("inbound", port, action="deny", name="no")))
    with socket.create_connection(("127.0.0.1", server.port), 20) as sock:
        try:
            assert sock.recv(100) == b""
        except ConnectionResetError:
            pass
    assert server.audit.wait("deny")[0]["direction"] == "inbound"
