# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that want to know (seamtls.h): what they are told of their connections, and TLS that starts when they say so."""
import hashlib
import socket
import socketserver
import ssl
import subprocess
import sys
import threading

import pytest

from aware import EXAMPLES, script
from capture import Capture
from peers import Echo, client_context, connect, read_exactly, server_context, start_plain_server, start_server
from seam import built, rule

pytestmark = pytest.mark.tls_only


def example(name):
    return [built("tools", "aware")] if name == "c" else [sys.executable, EXAMPLES / "aware.py"]


class Line:
    """The examples' protocol over a plain socket that may become a TLS one, and one again: Python's ssl module."""

    def __init__(self, sock):
        self.sock = sock

    def read(self):
        line = b""
        while not line.endswith(b"\n") and (byte := self.sock.recv(1)):
            line += byte
        return line.decode().rstrip("\n")

    def write(self, text):
        self.sock.sendall(text.encode() + b"\n")

    def ask(self, text):
        self.write(text)
        return self.read()

    def start(self, context, **role):
        self.sock = context.wrap_socket(self.sock, suppress_ragged_eofs=False, **role)

    def stop(self):
        self.sock = self.sock.unwrap()


class Gate:
    """Lets one handshake through each time that it is opened."""

    def __init__(self):
        self.permits = threading.Semaphore(0)

    def open(self):
        self.permits.release()

    def wait(self):
        return self.permits.acquire(timeout=60)


def handler(context, gate=None):
    """The server's side of the protocol, by OpenSSL. Each handshake waits until the gate is opened."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            line = Line(self.request._sock)
            while text := line.read():
                line.write(text)
                if text == "STARTTLS":
                    assert gate is None or gate.wait()
                    line.start(context, server_side=True)
                elif text == "STOPTLS":
                    line.stop()
            if isinstance(line.sock, ssl.SSLSocket) and line.sock.version():
                line.stop()

    return Handler


def start_lines(seam, cert=None, version=None, gate=None):
    """A server of that protocol that is OpenSSL's; its connections begin in the clear."""
    return start_plain_server(seam, handler(server_context(cert or seam.pki.good, version), gate))


def run_gated(seam, peer, policy, text, gate, args=(), handshakes=1):
    """The gate is opened whenever the program has printed EINPROGRESS."""
    program = seam.start([*script(text), str(peer.port), *args], policy)
    for count in range(1, handshakes + 1):
        program.until(lambda: program.stdout.count(b"EINPROGRESS") >= count, "it began")
        gate.open()
    assert program.wait(60) == 0, program.story()
    return program.stdout.decode().splitlines()


def fields(line):
    assert line.startswith("# conn=") or line.startswith("conn="), line
    return dict(part.split("=", 1) for part in line.removeprefix("# ").split(" ", 8) if "=" in part)


def states(output):
    return [fields(line)["state"] for line in output.splitlines() if line.startswith("# ")]


# --- The examples

@pytest.mark.parametrize("server", ["c", "py"])
@pytest.mark.parametrize("client", ["c", "py"])
def test_examples_at_both_ends(seam, client, server, version):
    program = seam.serve(lambda port: [*example(server), "server", port],
                         lambda port: seam.policy(seam.inbound(port, version=version, start="program")))
    capture = Capture(seam, program.port)
    lines = ["in-the-clear", "WHO", "STARTTLS", "WHO", "sealed-word", "STOPTLS", "clear-again", "STARTTLS", "sealed-again"]
    done = seam.run([*example(client), "client", "localhost", program.port, *lines],
                    seam.policy(seam.outbound(program.port, version=version, start="program")))
    said = done.stdout.decode()
    words = [line for line in said.splitlines() if not line.startswith(("#", "conn="))]
    assert words == [line for line in lines if line != "WHO"]
    assert states(said) == ["waiting"] * 2 + ["open"] * 3 + ["waiting"] * 2 + ["open"] * 2
    seen = capture.finish()
    assert b"in-the-clear" in seen and b"clear-again" in seen
    assert b"sealed" not in seen and b"state=open" not in seen
    who = [fields(line) for line in said.splitlines() if line.startswith("conn=")]
    assert [entry["role"] for entry in who] == ["-", "server"]
    for covered in (done, program):
        opened = covered.audit.wait("open", 2)
        assert len({event["conn"] for event in opened}) == 1
        closed = covered.audit.wait("close", 2)
        assert closed[0]["reason"] == "the program has ended TLS; the connection goes on in the clear"
        assert not covered.audit.find("fail") and not covered.audit.find("pass")
    assert opened[0]["conn"] == who[1]["conn"]


@pytest.mark.parametrize("client", ["c", "py"])
def test_client_with_openssl(seam, client, version):
    peer = start_lines(seam, version=version)
    lines = ["clear", "STARTTLS", "sealed", "STOPTLS", "clear", "STARTTLS", "sealed"]
    done = seam.run([*example(client), "client", "localhost", peer.port, *lines],
                    seam.policy(seam.outbound(peer.port, start="program")))
    said = done.stdout.decode()
    assert states(said) == ["waiting", "open", "open", "waiting", "waiting", "open", "open"], said
    peer.wait_ended()
    assert peer.seen[0].error is None
    told = fields(said.splitlines()[5])
    assert told["version"] == {"1.2": "0303", "1.3": "0304"}[version]
    assert told["verify"] == "ok" and "dns:localhost" in said


@pytest.mark.parametrize("server", ["c", "py"])
def test_server_with_openssl(seam, server, version):
    program = seam.serve(lambda port: [*example(server), "server", port],
                         lambda port: seam.policy(seam.inbound(port, start="program")))
    with socket.create_connection(("localhost", program.port)) as sock:
        line = Line(sock)
        assert line.ask("clear") == "clear"
        for _ in range(2):
            assert line.ask("STARTTLS") == "STARTTLS"
            line.start(client_context(seam.pki, version), server_hostname="localhost")
            assert line.ask("sealed") == "sealed"
            assert fields(line.ask("WHO"))["name"] == "localhost"
            assert line.ask("STOPTLS") == "STOPTLS"
            line.stop()
            assert line.ask("clear") == "clear"
        assert fields(line.ask("WHO"))["state"] == "waiting"
        line.sock.close()
    assert program.audit.wait("pass", protocol=None)[0]["reason"].startswith("in the clear at its end")


@pytest.mark.parametrize("client", ["c", "py"])
def test_without_the_library(seam, client):
    peer = start_lines(seam)
    done = subprocess.run([*example(client), "client", "localhost", str(peer.port), "clear", "STARTTLS", "secret"],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1 and "# no seamtls: " in done.stdout
    assert "Protocol not available" in done.stderr
    peer.wait_ended()


# --- What is told

def run(seam, port, policy, text, status=0, args=(), **options):
    program = seam.run([*script(text), str(port), *args], policy, status=status, **options)
    return program, program.stdout.decode().splitlines()


QUERY = """
sock = dial(port)
told = info(sock)
print(sorted(told.items()))
for name in (RULE, SERVER_NAME, ALPN, CIPHER, GROUP, VERIFY, PEER_SUBJECT, ISSUER, SHA256, PEER_SAN, NAMES, REASON):
    print(get(sock, name))
print(len(get(sock, CERTIFICATE)), get(sock, CERTIFICATE).hex())
print(get(sock, CERTIFICATE, 0)[1] == len(get(sock, CERTIFICATE)), get(sock, CERTIFICATE, 0)[0])
sock.sendall(b"x" * 1000)
sock.recv(1000, socket.MSG_WAITALL)
told = info(sock)
print(told["bytes_in"], told["bytes_out"], told["handshake_us"] > 0, told["age_us"] >= told["handshake_us"])
sock.shutdown(socket.SHUT_WR)
print(state(sock))
sock.recv(1)
"""


def test_query(seam, version):
    peer = start_server(seam, Echo, version=version)
    program, said = run(seam, peer.port, seam.policy(seam.outbound(peer.port, alpn="h2, http/1.1")), QUERY)
    told = dict(eval(said[0]))
    opened = program.audit.wait("open")[0]
    assert told == {**told, "size": 80, "state": 4, "policy": 2, "role": 1, "plane": 1, "flags": 4 | 8, "error": 0,
                    "version": {"1.2": 0x303, "1.3": 0x304}[version], "alert_sent": -1, "alert_received": -1}
    assert f"{told['conn']:016x}" == opened["conn"]
    assert told["cipher"] in (0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC030, 0xC02C)
    rule_name, name, alpn, cipher, group, verify, subject, issuer, sha256, san, names, reason = [
        text.decode().split("\0")[:-1] for text in map(eval, said[1:13])]
    assert (rule_name, name, alpn, verify, reason) == ([f"outbound-{peer.port}"], ["localhost"], [], ["ok"], [])
    assert (cipher, group) == ([opened["cipher"]], [opened["group"]])
    assert (subject, issuer) == ([opened["peer"]["subject"]], [opened["peer"]["issuer"]])
    assert (sha256, san) == ([opened["peer"]["sha256"]], opened["peer"]["san"])
    assert "localhost" in names
    size, der = said[13].split()
    assert hashlib.sha256(bytes.fromhex(der)).hexdigest() == opened["peer"]["sha256"] and len(der) == 2 * int(size)
    assert said[14] == "True ENOBUFS"
    assert said[15] == "1000 1000 True True"
    assert said[16] == "closing"


SERVER = """
listener = socket.create_server(("127.0.0.1", port))
while True:
    sock, _ = listener.accept()
    with sock:
        print(state(sock), flush=True)
        while data := sock.recv(65536):
            sock.sendall(data)
        told = info(sock)
        print(STATES[told["state"]], ROLES[told["role"]], told["flags"], aware.ask(sock, VERIFY), aware.ask(sock, PEER_SUBJECT),
              aware.ask(sock, SERVER_NAME), aware.ask(sock, NAMES), flush=True)
"""


@pytest.mark.parametrize("client_auth", ["none", "required"])
def test_query_of_a_server(seam, client_auth):
    keys = {"client_auth": client_auth, "ca": seam.pki.ca} if client_auth == "required" else {}
    program = seam.serve(lambda port: [*script(SERVER), str(port)], lambda port: seam.policy(seam.inbound(port, **keys)))
    with connect(seam, program.port, cert=seam.pki.client if keys else None) as sock:
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
    program.audit.wait("close")
    program.until(lambda: program.stdout.count(b"\n") == 2, "it told both states")
    first, last = program.stdout.decode().splitlines()
    assert first in ("establishing", "open")
    state, role, flags, *rest = last.split(" ", 3)
    assert (state, role) == ("closing", "server")
    assert int(flags) == (1 | 4 | 8 if keys else 1)
    assert rest[0].startswith("ok CN=" if keys else "none - localhost -")


def test_failed_connection_says_why(seam):
    peer = start_server(seam, Echo, cert=seam.pki.wrong_name)
    _, said = run(seam, peer.port, seam.policy(seam.outbound(peer.port)), """
sock = socket.socket()
sock.setblocking(False)
socket.getaddrinfo("localhost", port)
print(name_of(sock.connect_ex(("127.0.0.1", port))), state(sock))
select.select([], [sock], [], 30)
print(state(sock), name_of(info(sock)["error"]), aware.ask(sock, VERIFY))
print(aware.ask(sock, REASON))
""")
    assert said[0].startswith("EINPROGRESS")
    assert said[1].startswith("failed EKEYREJECTED certificate is for")
    assert said[2].startswith("the peer's certificate is not trusted: certificate is for")


PLAIN = """
print(state(socket.socket()), put(socket.socket(), STOP))
sock = dial(port)
told = info(sock)
print(state(sock), told["policy"], told["conn"], get(sock, RULE), get(sock, VERIFY), b"localhost" in get(sock, NAMES))
print(put(sock, START), put(sock, STOP), put(sock, REKEY))
listener = socket.create_server(("127.0.0.1", 0))
print(state(listener), put(listener, START))
"""


@pytest.mark.parametrize("action", ["pass", "observe", None])
def test_connection_that_is_left_alone(seam, action):
    peer = start_plain_server(seam, Echo)
    rules = [rule("outbound", peer.port, action=action)] if action else []
    _, said = run(seam, peer.port, seam.policy(*rules), PLAIN)
    assert said == ["ENOTCONN ENOTCONN", "passthrough 1 0 b'' b'' True", "EACCES EACCES EACCES", "ENOTCONN ENOTCONN"]


def test_disabled_is_as_not_loaded(seam):
    """And what the kernel says is what seamtls_is_absent() knows, for every kind of socket."""
    peer = start_plain_server(seam, Echo)
    text = """
for family in (socket.AF_INET, socket.AF_INET6):
    sock = socket.socket(family)
    print(get(sock, INFO)[0], get(sock, CERTIFICATE, 0)[0], put(sock, START), put(sock, STOP), put(sock, REKEY, struct.pack("i", 1)))
sock = dial(port)
print(get(sock, INFO)[0], put(sock, START, packed()))
"""
    absent = ["EOPNOTSUPP EOPNOTSUPP ENOPROTOOPT ENOPROTOOPT ENOPROTOOPT",
              "ENOPROTOOPT ENOPROTOOPT ENOPROTOOPT ENOPROTOOPT ENOPROTOOPT", "EOPNOTSUPP ENOPROTOOPT"]
    done = subprocess.run([*script(text), str(peer.port)], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.splitlines() == absent
    disabled = {"LD_PRELOAD": str(seam.library), "SEAMTLS_DISABLE": "1"}
    done = subprocess.run(["env", *(f"{name}={value}" for name, value in disabled.items()), *script(text), str(peer.port)],
                          capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.splitlines() == absent


def test_lengths_and_pointers(seam):
    peer = start_server(seam, Echo)
    _, said = run(seam, peer.port, seam.policy(seam.outbound(peer.port)), """
sock = dial(port)
whole = get(sock, INFO)
stable = len(whole) - 40
for room in (0, 1, 4, 8, 79, 80, 81, 4096):
    got = get(sock, INFO, room)
    assert len(got) == min(room, 80) and got[:stable] == whole[:room][:stable], (room, got)
print(get(sock, INFO, -1)[0], get(sock, RULE, -1)[0])
print(get(sock, INFO, at=ctypes.c_void_p(1))[0], get(sock, RULE, at=ctypes.c_void_p(1))[0], get(sock, CERTIFICATE, at=ctypes.c_void_p(1))[0])
print(name_of(libc.getsockopt(sock.fileno(), SOL_SEAMTLS, INFO, None, None) and ctypes.get_errno()))
need = len(get(sock, RULE))
print(get(sock, RULE, need - 1) == ("ENOBUFS", need), get(sock, RULE, need).endswith(b"\\0"))
print(get(sock, 0)[0], get(sock, 999)[0], put(sock, 999), put(sock, INFO))
udp, unix = socket.socket(type=socket.SOCK_DGRAM), socket.socketpair()[0]
print(get(udp, INFO)[0], put(udp, START), get(unix, INFO)[0])
read, write = os.pipe()
print(name_of(libc.getsockopt(read, SOL_SEAMTLS, INFO, None, None) and ctypes.get_errno()),
      name_of(libc.setsockopt(999, SOL_SEAMTLS, START, None, 0) and ctypes.get_errno()))
""")
    assert said == ["EINVAL EINVAL", "EFAULT EFAULT EFAULT", "EFAULT", "True True", "ENOPROTOOPT ENOPROTOOPT ENOPROTOOPT ENOPROTOOPT",
                    "EOPNOTSUPP ENOPROTOOPT EOPNOTSUPP", "ENOTSOCK EBADF"]


# --- TLS when the program says so

def controlled(seam, port, **keys):
    return seam.policy(seam.outbound(port, start="program", **keys))


BEGIN = """
sock = dial(port)
line = lambda text: (sock.sendall(text + b"\\n"), read_line(sock))[1]
print(line(b"STARTTLS"))
"""


def test_wrong_arguments_change_nothing(seam):
    peer = start_lines(seam)
    _, said = run(seam, peer.port, controlled(seam, peer.port), BEGIN + """
print(put(sock, START, packed(flags=1)), put(sock, START, packed(reserved=1)), put(sock, START, packed(role=3)))
print(put(sock, START, packed(name=b"x" * 256)), put(sock, START, packed(name=b"not a name")), put(sock, START, packed(role=2)))
print(put(sock, START, packed(), 15), put(sock, START, packed() + b"\\0\\0\\1"), put(sock, START, b"\\0" * 5000), put(sock, START, ctypes.c_void_p(8), 272))
print(put(sock, STOP), put(sock, REKEY), state(sock))
print(put(sock, START, packed() + b"\\0" * 16), put(sock, START), line(b"sealed"), state(sock))
""")
    assert said[1:] == ["EINVAL EINVAL EINVAL", "EINVAL EINVAL EACCES", "EINVAL E2BIG E2BIG EFAULT", "EALREADY ENOTCONN waiting",
                        "ok EISCONN b'sealed\\n' open"]


@pytest.mark.parametrize("cert, keys, name, want", [
    ("good", {}, "localhost", "ok"),
    ("good", {}, "", "ok"),
    ("good", {"verify": "chain"}, "localhost", "ok"),
    ("good", {"verify": "chain"}, "other.example", "EKEYREJECTED"),
    ("good", {"verify": "none"}, "other.example", "EKEYREJECTED"),
    ("good", {}, "other.example", "EKEYREJECTED"),
    ("wrong_name", {}, "", "EKEYREJECTED"),
    ("wrong_name", {}, "localhost", "EKEYREJECTED"),
    ("wrong_name", {"verify": "none"}, "", "ok"),
    ("good", {"server_name": "other.example"}, "localhost", "EKEYREJECTED"),
    ("other", {}, "localhost", "EKEYREJECTED"),
])
def test_name_tightens_and_never_loosens(seam, cert, keys, name, want):
    peer = start_lines(seam, getattr(seam.pki, cert))
    program, said = run(seam, peer.port, controlled(seam, peer.port, **keys), BEGIN + """
print(put(sock, START, packed(name=sys.argv[2].encode())))
print(outcome(lambda: line(b"sealed")))
""", args=[name])
    assert said[1] == want
    assert said[2] == ("b'sealed\\n'" if want == "ok" else "EPIPE")
    assert bool(program.audit.find("fail")) == (want != "ok")


def test_name_for_who_connects_by_address(seam):
    peer = start_lines(seam)
    _, said = run(seam, peer.port, controlled(seam, peer.port), """
sock = dial(port, "127.0.0.1")
sock.sendall(b"STARTTLS\\n")
read_line(sock)
print(put(sock, START, packed(name=b"localhost")), aware.ask(sock, SERVER_NAME))
""")
    assert said == ["ok localhost"]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("wait", ["poll", "select", "epoll", "edge", "registered before"])
def test_without_blocking(seam, wait, version):
    gate = Gate()
    peer = start_lines(seam, version=version, gate=gate)
    said = run_gated(seam, peer, controlled(seam, peer.port), """
sock = dial(port)
how = sys.argv[2]
epoll = select.epoll()
if how == "registered before":
    epoll.register(sock, select.EPOLLIN | select.EPOLLOUT)
sock.sendall(b"STARTTLS\\n")
print(read_line(sock))
sock.setblocking(False)
print(put(sock, START), put(sock, START), outcome(lambda: sock.send(b"x")), outcome(lambda: sock.recv(1)), len(epoll.poll(0)), flush=True)
if how == "poll":
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    print([event for _, event in poll.poll(20000)] == [select.POLLOUT])
elif how == "select":
    print(len(select.select([], [sock], [], 20)[1]) == 1)
else:
    if how != "registered before":
        epoll.register(sock, select.EPOLLOUT | (select.EPOLLET if how == "edge" else 0))
    print([event & select.EPOLLOUT for _, event in epoll.poll(20)] == [select.EPOLLOUT])
print(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), state(sock))
sock.setblocking(True)
sock.sendall(b"sealed\\n")
print(read_line(sock))
sock.sendall(b"STOPTLS\\n")
read_line(sock)
sock.setblocking(False)
while (r := put(sock, STOP)) == "EINPROGRESS":
    select.select([sock], [], [], 20)
print(r, state(sock))
sock.setblocking(True)
sock.sendall(b"clear\\n")
print(read_line(sock), len(epoll.poll(0)) if how == "registered before" else 1)
""", gate, args=[wait])
    assert said[1] == "EINPROGRESS EALREADY EAGAIN EAGAIN 0"
    assert said[2:] == ["True", "0 open", "b'sealed\\n'", "ok waiting", "b'clear\\n' 1"]


def test_entries_of_epoll_are_known_the_second_time(seam):
    """Of a handshake the program sees nothing, whenever it has registered the descriptor."""
    gate = Gate()
    peer = start_lines(seam, gate=gate)
    said = run_gated(seam, peer, controlled(seam, peer.port), """
sock = dial(port)
epoll = select.epoll()
epoll.register(sock, select.EPOLLIN | select.EPOLLOUT)
for _ in range(3):
    sock.setblocking(True)
    sock.sendall(b"STARTTLS\\n")
    read_line(sock)
    sock.setblocking(False)
    print(put(sock, START), len(epoll.poll(0)), flush=True)
    print([event for _, event in epoll.poll(20)] == [select.EPOLLOUT], state(sock))
    sock.setblocking(True)
    sock.sendall(b"STOPTLS\\n")
    read_line(sock)
    print(put(sock, STOP), [event for _, event in epoll.poll(20)] == [select.EPOLLOUT])
""", gate, handshakes=3)
    assert said == ["EINPROGRESS 0", "True open", "ok True"] * 3


def test_failure_without_blocking(seam):
    gate = Gate()
    peer = start_lines(seam, seam.pki.wrong_name, gate=gate)
    said = run_gated(seam, peer, controlled(seam, peer.port), BEGIN + """
sock.setblocking(False)
print(put(sock, START), flush=True)
select.select([], [sock], [], 20)
print(name_of(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)), sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), state(sock))
print(outcome(lambda: sock.send(b"secret")), put(sock, START))
""", gate)
    assert said[1:] == ["EINPROGRESS", "EKEYREJECTED 0 failed", "EPIPE ENOTCONN"]


class Silent(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.recv(9)
        self.request.sendall(b"STARTTLS\n")
        while self.request.recv(65536):
            pass


@pytest.mark.parametrize("policy_s, program_ms, reason", [(60, 100, "within the 100 ms that the program gave it"),
                                                          (1, 60000, "within the 1000 ms that")])
def test_time_for_the_handshake(seam, policy_s, program_ms, reason):
    peer = start_plain_server(seam, Silent)
    program, said = run(seam, peer.port, controlled(seam, peer.port, handshake_timeout=policy_s), BEGIN + """
print(put(sock, START, packed(timeout_ms=int(sys.argv[2]))))
""", args=[str(program_ms)])
    assert said[1] == "ETIMEDOUT"
    assert reason in program.audit.find("fail")[0]["reason"]


class Injector(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.recv(9)
        self.request.sendall(b"STARTTLS\n250 forged answer\n")
        self.request.recv(100)


def test_words_in_the_clear_before_the_handshake_are_refused(seam):
    """And a program that does not look at the result says nothing in the clear."""
    peer = start_plain_server(seam, Injector)
    capture = Capture(seam, peer.port)
    program, said = run(seam, peer.port, controlled(seam, peer.port), BEGIN + """
sock.recv(1, socket.MSG_PEEK)
print(put(sock, START), outcome(lambda: sock.send(b"the secret")), outcome(lambda: sock.recv(100)))
""")
    assert said[1] == "EPROTO EPIPE b''"
    assert "18 bytes that were sent in the clear" in program.audit.find("fail")[0]["reason"]
    assert b"the secret" not in capture.finish()


def test_end_of_tls_is_read_twice(seam):
    """By a blocking program that had to wait for what came before: the kernel has nothing that tells of this end."""
    peer = start_lines(seam)
    program = seam.run([*script("""
sock = dial(port)
sock.sendall(b"STARTTLS\\n")
print(read_line(sock), put(sock, START))
sock.sendall(b"sealed\\n")
print(read_line(sock))
sock.sendall(b"STOPTLS\\n")
read_line(sock)
print(sock.recv(1), sock.recv(1))
print(put(sock, STOP), state(sock))
sock.sendall(b"clear\\n")
print(read_line(sock))
"""), str(peer.port)], controlled(seam, peer.port))
    assert program.stdout.decode().splitlines() == ["b'STARTTLS\\n' ok", "b'sealed\\n'", "b'' b''", "ok waiting", "b'clear\\n'"]


def test_client_that_speaks_on_in_the_clear(seam):
    """Behind STARTTLS, where a server would take it for protected."""
    program = seam.serve(lambda port: [*example("c"), "server", port],
                         lambda port: seam.policy(seam.inbound(port, start="program")))
    with socket.create_connection(("localhost", program.port)) as sock:
        sock.sendall(b"STARTTLS\nWHO\n")
        assert Line(sock).read() == "STARTTLS"
        assert b"state" not in read_exactly(sock, 1000)
    assert "does not speak TLS" in program.audit.wait("fail")[0]["reason"]


def test_hello_that_is_there_already(seam):
    program = seam.serve(lambda port: [*example("c"), "server", port],
                         lambda port: seam.policy(seam.inbound(port, start="program")))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context(seam.pki).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    with socket.create_connection(("localhost", program.port)) as sock:
        sock.sendall(b"STARTTLS\n" + outgoing.read())
        assert Line(sock).read() == "STARTTLS"
        incoming.write(sock.recv(65536))
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                incoming.write(sock.recv(65536))
        tls.write(b"hello\n")
        sock.sendall(outgoing.read())
        incoming.write(sock.recv(65536))
        assert tls.version()
    program.audit.wait("open")


def hello_from(rest):
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(9)
            self.request.sendall(b"STARTTLS\n")
            self.request.recv(65536)
            self.request.sendall(rest)
            if len(rest) % 2:
                self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    return Handler


@pytest.mark.parametrize("rest, want", [
    (b"", "ECONNRESET"),                                # it leaves
    (b"\x16\x03\x03\x00\x7a\x02", "ECONNRESET"),       # half a record
    (b"\x16\x03\x03\x00\x7a", "ECONNRESET"),           # a reset in the middle
    (b"500 we do not do that after all\r\n", "EPROTO"),
    (b"\x15\x03\x03\x00\x02\x02\x28", "EPROTO"),       # an alert
    (b"\x16\x03\x03\xff\xff" + b"x" * 1000, "EPROTO"), # a record that is too long
], ids=["end", "half", "reset", "words", "alert", "long"])
def test_peer_that_does_something_else(seam, rest, want):
    peer = start_plain_server(seam, hello_from(rest))
    program, said = run(seam, peer.port, controlled(seam, peer.port), BEGIN + """
print(put(sock, START), state(sock), outcome(lambda: sock.send(b"secret")))
""")
    assert said[1] == f"{want} failed EPIPE"
    assert len(program.audit.find("fail")) == 1


def test_threads_start_it_once(seam):
    peer = start_lines(seam)
    _, said = run(seam, peer.port, controlled(seam, peer.port), """
import threading
for _ in range(10):
    sock = dial(port)
    sock.sendall(b"STARTTLS\\n")
    read_line(sock)
    got = []
    def work():
        got.append(put(sock, START))
        got.append(state(sock) in ("establishing", "open"))
    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sock.sendall(b"sealed\\n")
    print(got.count("ok"), set(got) <= {"ok", "EALREADY", "EISCONN", True}, state(sock), read_line(sock))
    sock.close()
""")
    assert said == ["1 True open b'sealed\\n'"] * 10


def test_connection_started_without_blocking_from_the_beginning(seam):
    peer = start_lines(seam)
    _, said = run(seam, peer.port, controlled(seam, peer.port), """
socket.getaddrinfo("localhost", port)
sock = socket.socket()
sock.setblocking(False)
print(name_of(sock.connect_ex(("127.0.0.1", port))))
select.select([], [sock], [], 20)
print(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), state(sock), sock.send(b"STARTTLS\\n"))
select.select([sock], [], [], 20)
print(read_line(sock))
r = put(sock, START)
while r == "EINPROGRESS":
    select.select([], [sock], [], 20)
    r = put(sock, START)
print(r in ("ok", "EISCONN"), state(sock))
""")
    assert said == ["EINPROGRESS", "0 waiting 9", "b'STARTTLS\\n'", "True open"]


@pytest.mark.parametrize("end", ["close", "exit", "reset"])
def test_program_that_never_starts(seam, end):
    peer = start_lines(seam)
    program, said = run(seam, peer.port, controlled(seam, peer.port), """
sock = dial(port)
sock.sendall(b"clear\\n")
print(read_line(sock), state(sock))
if sys.argv[2] == "reset":
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
if sys.argv[2] == "exit":
    os.dup(sock.fileno())
    sys.exit()
sock.close()
""", args=[end])
    assert said == ["b'clear\\n' waiting"]
    passed = program.audit.wait("pass", protocol=None)
    assert len(passed) == 1 and passed[0]["reason"].endswith("the program never started TLS")
    assert passed[0]["rule"] == f"outbound-{peer.port}" and passed[0]["remote"] == f"127.0.0.1:{peer.port}"


def test_connection_that_was_refused_may_be_made_again(seam):
    peer = start_lines(seam)
    program, said = run(seam, peer.port, seam.policy(seam.outbound(f"{peer.port}, 1", start="program")), """
sock = socket.socket()
print(outcome(lambda: sock.connect(("127.0.0.1", 1))), state(sock))
sock.setblocking(False)
print(outcome(lambda: sock.connect(("127.0.0.1", 1))) in ("EINPROGRESS", "ECONNREFUSED"))
select.select([], [sock], [], 20)
print(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in (0, errno.ECONNREFUSED), put(sock, START))
sock.setblocking(True)
socket.getaddrinfo("localhost", port)
for _ in range(3):
    r = outcome(lambda: sock.connect(("127.0.0.1", port)))
    if r is None:
        break
print(r, outcome(lambda: sock.connect(("127.0.0.1", port))), state(sock))
sock.sendall(b"STARTTLS\\n")
read_line(sock)
print(put(sock, START), state(sock))
""")
    assert said == ["ECONNREFUSED ENOTCONN", "True", "True ENOTCONN", "None EISCONN waiting", "ok open"]


def test_processes_share_it(seam):
    peer = start_lines(seam)
    _, said = run(seam, peer.port, controlled(seam, peer.port), BEGIN + """
sock.set_inheritable(True)
def in_child(work):
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        work()
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(pid, 0)
in_child(lambda: print("child", put(sock, START), state(sock), aware.ask(sock, VERIFY)))
print("parent", state(sock), hex(info(sock)["version"])[:4], get(sock, VERIFY)[0], line(b"sealed"))
in_child(lambda: print("child", line(b"STOPTLS"), put(sock, STOP), state(sock)))
print("parent", state(sock), line(b"clear"), line(b"STARTTLS"), put(sock, START), aware.ask(sock, VERIFY))
in_child(lambda: print("child", line(b"sealed"), aware.ask(sock, VERIFY)))
""")
    assert said[1:] == ["child ok open ok", "parent open 0x30 ENODATA b'sealed\\n'", "child b'STOPTLS\\n' ok waiting",
                        "parent waiting b'clear\\n' b'STARTTLS\\n' ok ok", "child b'sealed\\n' ok"]


def test_fork_in_the_middle_of_the_handshake(seam):
    """The child goes on with it when the parent has closed, and the parent's close says nothing."""
    gate = Gate()
    peer = start_lines(seam, gate=gate)
    said = run_gated(seam, peer, controlled(seam, peer.port), """
sock = dial(port)
sock.sendall(b"STARTTLS\\n")
read_line(sock)
sock.setblocking(False)
r = put(sock, START)
ready, done = os.pipe(), os.pipe()
pid = os.fork()
if pid == 0:
    os.read(ready[0], 1)
    print(r, state(sock), flush=True)
    print(select.select([], [sock], [], 20)[1] == [sock], state(sock), aware.ask(sock, VERIFY))
    sock.setblocking(True)
    sock.sendall(b"sealed\\n")
    print(read_line(sock), flush=True)
    os._exit(0)
sock.close()
os.write(ready[1], b"x")
os.waitpid(pid, 0)
""", gate)
    assert said == ["EINPROGRESS establishing", "True open ok", "b'sealed\\n'"]


class Talkative(socketserver.BaseRequestHandler):
    """After the handshake: data, close_notify and words in the clear in one go."""
    context = None

    def handle(self):
        line = Line(self.request._sock)
        line.read()
        line.write("STARTTLS")
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.context.wrap_bio(incoming, outgoing, server_side=True)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                line.sock.sendall(outgoing.read())
                incoming.write(line.sock.recv(65536))
        tls.write(b"sealed\n")
        with pytest.raises(ssl.SSLWantReadError):
            tls.unwrap()
        line.sock.sendall(outgoing.read() + b"clear\n")
        while data := line.sock.recv(65536):
            incoming.write(data)
            if data.endswith(b"thanks\n"):
                self.request.seen.data = data
                break


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_words_in_the_clear_right_behind_close_notify(seam, version):
    context = server_context(seam.pki.good, version)
    peer = start_plain_server(seam, type("Handler", (Talkative,), {"context": context}))
    _, said = run(seam, peer.port, controlled(seam, peer.port), BEGIN + """
print(put(sock, START), sock.recv(1, socket.MSG_PEEK), put(sock, STOP))
print(sock.recv(1000), select.select([sock], [], [], 20)[0] == [sock], sock.recv(1000), sock.recv(1000), state(sock))
print(put(sock, STOP), sock.recv(1000), state(sock))
sock.sendall(b"thanks\\n")
""")
    assert said[1] == "ok b's' EPROTO"
    assert said[2:] == ["b'sealed\\n' True b'' b'' closing", "ok b'clear\\n' waiting"]
    peer.wait_ended()
    assert peer.seen[0].data.endswith(b"thanks\n")


def test_new_keys(seam, version):
    peer = start_server(seam, Echo, version=version)
    _, said = run(seam, peer.port, seam.policy(seam.outbound(peer.port)), """
sock = dial(port)
print(put(sock, REKEY, struct.pack("i", 2)), put(sock, REKEY, b"x"), put(sock, REKEY, ctypes.c_void_p(8), 4))
for which in (0, 1, 1, 0):
    print(put(sock, REKEY, struct.pack("i", which)))
    sock.sendall(b"word" * 5000)
    assert sock.recv(20000, socket.MSG_WAITALL) == b"word" * 5000
print(put(sock, REKEY), put(sock, START), put(sock, STOP))
sock.shutdown(socket.SHUT_WR)
print(put(sock, REKEY), sock.recv(10))
""")
    can = "ok" if version == "1.3" else "EPROTONOSUPPORT"
    assert said == ["EINVAL EINVAL EFAULT", *[can] * 4, f"{can} EACCES EACCES",
                    f"{'EPIPE' if version == '1.3' else can} b''"]


def test_new_keys_as_openssl_sees_them(seam):
    cert = seam.pki.good
    server = seam.serve(lambda port: ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", cert.cert, "-key", cert.key,
                                      "-rev", "-msg"])
    _, said = run(seam, server.port, seam.policy(seam.outbound(server.port)), """
sock = dial(port)
for which in (0, 1):
    print(put(sock, REKEY, struct.pack("i", which)))
    sock.sendall(b"drow\\n")
    print(read_line(sock))
sock.close()
""")
    assert said == ["ok", "b'word\\n'"] * 2
    updates = [line for line in server.stdout.decode(errors="replace").splitlines() if "KeyUpdate" in line]
    assert [line[:3] for line in updates] == ["<<<", "<<<", ">>>"]


def test_no_context(seam):
    """The key does not belong to the certificate: said when the program listens, as with any rule."""
    program = seam.start([*example("c"), "server", "1"], seam.policy(
        seam.inbound("1-65535", start="program", key=seam.pki.wrong_name.key)))
    assert program.wait(30) == 1 and "Permission denied" in program.stderr


def test_accepted_as_client(seam):
    """Who accepts may be the client: the peer is verified as any server is."""
    program = seam.serve(lambda port: [*script("""
listener = socket.create_server(("127.0.0.1", port))
for _ in range(2):
    sock, _ = listener.accept()
    print(put(sock, START, packed(role=1, name=read_line(sock).strip())), state(sock), flush=True)
    print(outcome(lambda: sock.send(b"x")), flush=True)
"""), str(port)], lambda port: seam.policy(seam.inbound(port, start="program", ca=seam.pki.ca)))
    for name, works in (("localhost", True), ("other.example", False)):
        with socket.create_connection(("localhost", program.port)) as sock:
            sock.sendall(f"{name}\n".encode())
            context = server_context(seam.pki.good)
            if works:
                with context.wrap_socket(sock, server_side=True) as tls:
                    assert tls.recv(1) == b"x"
            else:
                with pytest.raises(OSError):
                    context.wrap_socket(sock, server_side=True).recv(1)
    program.until(lambda: program.stdout.count(b"\n") == 4, "it said what came of both")
    assert program.stdout.decode().splitlines() == ["ok open", "1", "EKEYREJECTED failed", "EPIPE"]
    assert program.audit.find("open")[0]["direction"] == "inbound"
