# SPDX-License-Identifier: GPL-3.0-or-later
"""
`starttls`: the upgrade is the library's affair. Small programs at its border: what they see of the greeting in whatever
way they wait for it, and that nothing of theirs leaves where the upgrade is refused, stripped or tampered with.
"""
import re
import select
import socket
import socketserver

import pytest

from clients import FAILING_CALL, WAYS, probe
from peers import TIMEOUT_S, Sink, client_context
from process import free_port
from seam import check_opened
from servers import INETD, PYTHON
from starttls import GREETINGS, LDAP_REQUEST, LDAP_SUCCESS, LINE, SSL_REQUEST, start_upgrading

pytestmark = pytest.mark.tls_only
GREETERS = list(GREETINGS)

# Waits for the greeting, reads it in small pieces, says a line, waits for the answer. Prints both.
WAITER = """
import asyncio, select, socket, sys
how, port = sys.argv[1], int(sys.argv[2])

def waiter(sock):
    if how == "poll":
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return lambda: poll.poll(20000)
    if how == "select":
        return lambda: select.select([sock], [], [], 20)[0]
    epoll = select.epoll()
    epoll.register(sock, select.EPOLLIN | (select.EPOLLET if how == "edge" else 0))
    return lambda: epoll.poll(20)

def line(sock, wait):
    got = b""
    while not got.endswith(b"\\n"):
        assert wait(), (how, got)
        while True:
            try:
                piece = sock.recv(5)
            except BlockingIOError:
                break
            assert piece, got
            got += piece
            if how != "edge":
                break
    return got

def stepwise():
    sock = socket.create_connection(("localhost", port))
    wait = lambda: True
    if how != "blocking":
        sock.setblocking(False)
        wait = waiter(sock)
    print(line(sock, wait).decode(), end="")
    sock.send(b"noop\\r\\n")
    print(line(sock, wait).decode(), end="")
    sock.close()

async def loop():
    reader, writer = await asyncio.open_connection("localhost", port)
    print((await asyncio.wait_for(reader.readline(), 20)).decode(), end="")
    writer.write(b"noop\\r\\n")
    print((await asyncio.wait_for(reader.readline(), 20)).decode(), end="")
    writer.close()
    await writer.wait_closed()

asyncio.run(loop()) if how == "asyncio" else stepwise()
"""


@pytest.mark.parametrize("how", ["blocking", "poll", "select", "level", "edge", "asyncio"])
def test_greeting_is_waited_for(seam, version, how):
    server = start_upgrading(seam, "smtp", version=version)
    program = seam.run([PYTHON, "-c", WAITER, how, server.port],
                       seam.policy(seam.outbound(server.port, starttls="smtp", version=version)))
    assert program.stdout == b"220 mx.test ESMTP\r\nNOOP\r\n", program.story()
    check_opened(program, version=f"TLSv{version}", direction="outbound")
    server.wait_ended()
    assert server.seen[0].data == b"noop\r\n"


@pytest.mark.parametrize("how", ["blocking", "poll", "edge", "asyncio"])
def test_greeting_at_first_use(seam, how):
    """Nothing begins before the program waits for it."""
    server = start_upgrading(seam, "smtp")
    program = seam.run([PYTHON, "-c", WAITER, how, server.port],
                       seam.policy(seam.outbound(server.port, starttls="smtp", handshake_at="first_use")))
    assert program.stdout == b"220 mx.test ESMTP\r\nNOOP\r\n", program.story()


@pytest.mark.parametrize("protocol", GREETERS)
def test_greeting(seam, protocol):
    """Whatever the server has greeted with; less what it says of capabilities, which hold in the clear only."""
    server = start_upgrading(seam, protocol)
    program = seam.run([PYTHON, "-c", WAITER, "poll", server.port],
                       seam.policy(seam.outbound(server.port, starttls=protocol)))
    assert program.stdout == GREETINGS[protocol] + b"NOOP\r\n", program.story()


FORKER = """
import os, socket, sys
sock = socket.create_connection(("localhost", int(sys.argv[1])))
if os.fork() == 0:
    print(sock.recv(3).decode(), sock.recv(100, socket.MSG_PEEK).decode(), end="", flush=True)
    os._exit(0)
os.wait()
sock.sendall(sock.recv(100))
print(sock.recv(100).decode(), end="")
"""


def test_greeting_is_shared_with_a_child(seam):
    server = start_upgrading(seam, "smtp")
    program = seam.run([PYTHON, "-c", FORKER, server.port], seam.policy(seam.outbound(server.port, starttls="smtp")))
    assert program.stdout == b"220  mx.test ESMTP\r\n MX.TEST ESMTP\r\n", program.story()


@pytest.mark.parametrize("script", [
    "read -r line <&3; echo \"$line\"; echo noop >&3; read -r line <&3; echo \"$line\"",
    "head -n 1 <&3; echo noop >&3; head -n 1 <&3",
], ids=["itself", "children"])
def test_greeting_is_handed_on(seam, script):
    """To a program that reads it from its standard input, through a relay."""
    server = start_upgrading(seam, "smtp")
    program = seam.run(["bash", "-c", f"exec 3<>/dev/tcp/localhost/{server.port}; {script}"],
                       seam.policy(seam.outbound(server.port, starttls="smtp")))
    assert program.stdout.split() == b"220 mx.test ESMTP NOOP".split(), program.story()


def test_program_closes_without_having_read(seam):
    """As over plain TCP, the server hears a reset or an end; either way the program sees nothing of it."""
    server = start_upgrading(seam, "smtp")
    seam.run([PYTHON, "-c", "import socket, sys; socket.create_connection(('localhost', int(sys.argv[1]))).close()",
              server.port], seam.policy(seam.outbound(server.port, starttls="smtp")))
    server.wait_ended()


# A script, and what the audit says of it.
EHLO = [b"220 mx.test\r\n", LINE]
REFUSED = {
    "smtp-stripped": ("smtp", [*EHLO, b"250-mx.test\r\n250 SIZE 9\r\n"], "the server does not offer STARTTLS"),
    "smtp-refused": ("smtp", [*EHLO, b"250-a\r\n250 STARTTLS\r\n", LINE, b"454 4.7.0 not now\r\n"],
                     "answered STARTTLS with '454 4.7.0 not now'"),
    "smtp-busy": ("smtp", [b"421 too many\r\n"], "greeted with '421 too many'"),
    "smtp-injected": ("smtp", [*EHLO, b"250-a\r\n250 STARTTLS\r\n", LINE, b"220 go\r\n250 injected\r\n"],
                      "somebody may have put it there"),
    "smtp-escapes": ("smtp", [b"500 \x1b[2J\xff\r\n"], r"greeted with '500 \?\[2J\?'"),
    "smtp-endless": ("smtp", [b"220 " + b"x" * 9000], "a line of more than 4096 bytes"),
    "smtp-other": ("smtp", [b"\x16\x03\x01\0\x05hello\n"], "a control character"),
    "smtp-closed": ("smtp", EHLO, "closed the connection before the upgrade"),
    "imap-preauth": ("imap", [b"* PREAUTH you are root\r\n"], "PREAUTH"),
    "imap-refused": ("imap", [b"* OK hi\r\n", LINE, b"S1 NO never\r\n"], "'S1 NO never'"),
    "imap-injected": ("imap", [b"* OK hi\r\n", LINE, b"S1 OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"],
                      "somebody may have put it there"),
    "pop3-refused": ("pop3", [b"+OK hi\r\n", LINE, b"-ERR what\r\n"], "answered STLS with '-ERR what'"),
    "nntp-refused": ("nntp", [b"200 hi\r\n", LINE, b"580 no\r\n"], "answered STARTTLS with '580 no'"),
    "pgsql-refused": ("pgsql", [SSL_REQUEST, b"N"], "the server does not offer TLS"),
    "pgsql-error": ("pgsql", [SSL_REQUEST, b"E\0\0\0\x08"], "with an error"),
    "pgsql-injected": ("pgsql", [SSL_REQUEST, b"SR\0\0\0\x08\0\0\0\0"], "somebody may have put it there"),
    "ldap-refused": ("ldap", [LDAP_REQUEST, b"\x30\x12\x02\x01\x01\x78\x0d\x0a\x01\x34\x04\x00\x04\x06no TLS"],
                     "the result 52: 'no TLS'"),
    "ldap-injected": ("ldap", [LDAP_REQUEST, LDAP_SUCCESS + b"\x30\x05\x02\x01\x02\x61\x00"],
                      "somebody may have put it there"),
    "ldap-other": ("ldap", [LDAP_REQUEST, b"HTTP/1.0 400 Bad Request\r\n\r\n"], "does not speak LDAP"),
}
OURS = re.compile(rb"(EHLO \[127\.0\.0\.1\]\r\n(STARTTLS\r\n)?|S1 STARTTLS\r\n|STLS\r\n|STARTTLS\r\n|)", re.S)


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("case", REFUSED)
def test_refused_upgrade(seam, case, how):
    """The connection fails, and nothing of the program's has left."""
    protocol, script, reason = REFUSED[case]
    server = start_upgrading(seam, script=script, handler=Sink, tls=False)
    if case == "smtp-closed":
        server.handle = lambda *_: None
    program = probe(seam, how, server.port, seam.policy(seam.outbound(server.port, starttls=protocol)))
    assert program.call == FAILING_CALL[how], program.story()
    assert program.errno == ("ECONNRESET" if case == "smtp-closed" else "EPROTO"), program.story()
    event, = program.audit.wait("fail", direction="outbound")
    assert "starttls" in event["reason"] and re.search(reason, event["reason"]), event
    assert event["cause"] == "starttls" and event["advice"], event
    assert not program.audit.find("open")
    server.wait_ended()
    plain = server.seen[0].plain + server.seen[0].data
    assert plain in (SSL_REQUEST, LDAP_REQUEST) or OURS.fullmatch(plain), plain


def test_wrong_certificate(seam):
    server = start_upgrading(seam, "smtp")
    program = probe(seam, "blocking", server.port,
                    seam.policy(seam.outbound(server.port, starttls="smtp", server_name="elsewhere.example")))
    assert (program.call, program.errno) == ("connect", "EKEYREJECTED"), program.story()
    server.wait_ended()
    assert server.seen[0].data == b""


def test_server_says_nothing(seam):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        program = probe(seam, "blocking", port,
                        seam.policy(seam.outbound(port, starttls="imap", handshake_timeout=1)))
    assert (program.call, program.errno) == ("connect", "ETIMEDOUT"), program.story()
    event, = program.audit.wait("fail")
    assert "handshake_timeout = 1 s" in event["reason"] and "starttls" in event["reason"], event


def test_server_that_never_comes_to_an_end(seam):
    """Its lines do not buy it time."""
    server = start_upgrading(seam, script=[b"220-a\r\n"] * 3, tls=False,
                             handler=type("Drip", (socketserver.BaseRequestHandler,), {"handle": drip}))
    program = probe(seam, "blocking", server.port,
                    seam.policy(seam.outbound(server.port, starttls="smtp", handshake_timeout=1)))
    assert (program.call, program.errno) == ("connect", "ETIMEDOUT"), program.story()


def drip(handler):
    """A line now and then, for as long as somebody listens."""
    while not select.select([handler.request], [], [], 0.2)[0]:
        handler.request.sendall(b"220-b\r\n")


# --- Servers

# Greets, and answers each line with it in upper case, in several ways.
SERVER = """
import asyncio, os, select, signal, socket, sys, tempfile
how, port, greeting = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode() + b"\\r\\n"

def serve(sock):
    stream = sock.makefile("rwb", 0)
    if how == "sendfile":
        with tempfile.TemporaryFile() as text:
            text.write(greeting)
            text.flush()
            assert os.sendfile(sock.fileno(), text.fileno(), 0, 1000) == len(greeting)
    else:
        stream.write(greeting[:7])
        stream.write(greeting[7:])
    for line in stream:
        stream.write(line.upper())

def blocking():
    listener = socket.create_server(("127.0.0.1", port))
    while True:
        sock, _ = listener.accept()
        if how == "fork":
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            if os.fork() == 0:
                listener.close()
                try:
                    serve(sock)
                finally:
                    os._exit(0)
        else:
            try:
                serve(sock)
            except OSError:
                pass
        sock.close()

def turn(sock, state, epoll):
    if state["out"]:
        state["out"] = state["out"][sock.send(state["out"]):]
    try:
        data = sock.recv(100)
        state["end"] = not data
        state["out"] += data.upper()
    except BlockingIOError:
        pass

def evented():
    # Asks whether it may write before it greets, as many do.
    listener = socket.create_server(("127.0.0.1", port))
    listener.setblocking(False)
    epoll, conns = select.epoll(), {}
    epoll.register(listener, select.EPOLLIN)
    edge = select.EPOLLET if how == "edge" else 0
    while True:
        for fd, _ in epoll.poll():
            if fd == listener.fileno():
                sock, _ = listener.accept()
                sock.setblocking(False)
                conns[sock.fileno()] = sock, {"out": greeting, "end": False}
                epoll.register(sock, select.EPOLLIN | select.EPOLLOUT | edge)
                continue
            sock, state = conns[fd]
            try:
                turn(sock, state, epoll)
            except OSError:
                state["end"] = True
            if state["end"]:
                del conns[fd]
                sock.close()
            else:
                epoll.modify(sock, select.EPOLLIN | (select.EPOLLOUT if state["out"] else 0) | edge)

async def one(reader, writer):
    writer.write(greeting)
    try:
        while line := await reader.readline():
            writer.write(line.upper())
    except OSError:
        pass
    writer.close()

async def loop():
    server = await asyncio.start_server(one, "127.0.0.1", port)
    await server.serve_forever()

{"asyncio": lambda: asyncio.run(loop()), "level": evented, "edge": evented}.get(how, blocking)()
"""
HOWS = ["blocking", "sendfile", "fork", "level", "edge", "asyncio"]


def start_covered(seam, how, protocol, greeting, **keys):
    return seam.serve(lambda port: [PYTHON, "-c", SERVER, how, port, greeting],
                      lambda port: seam.policy(seam.inbound(port, starttls=protocol, **keys)))


class Client:
    """In the clear at first."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        self.stream = self.sock.makefile("rwb", 0)

    def line(self):
        return self.stream.readline()

    def ask(self, text, lines=1):
        self.stream.write(text)
        return b"".join(self.line() for _ in range(lines))

    def upgrade(self, seam, version=None):
        self.stream.close()
        self.sock = client_context(seam.pki, version).wrap_socket(self.sock, server_hostname="localhost")
        self.stream = self.sock.makefile("rwb", 0)

    def close(self):
        self.stream.close()
        self.sock.close()


@pytest.mark.parametrize("how", HOWS)
def test_server(seam, version, how):
    """What the client says before TLS never reaches the program."""
    server = start_covered(seam, how, "smtp", "220 mx.test ESMTP", version=version)
    for _ in range(2):
        client = Client(server.port)
        assert client.line() == b"220 mx.test ESMTP\r\n"
        assert client.ask(b"EHLO me\r\n", 2) == b"250-mx.test\r\n250 STARTTLS\r\n"
        assert client.ask(b"AUTH PLAIN AHgAeQ==\r\n").startswith(b"530 5.7.0 ")
        assert client.ask(b"STARTTLS\r\n").startswith(b"220 ")
        client.upgrade(seam, version)
        assert client.ask(b"ehlo again\r\n") == b"EHLO AGAIN\r\n"
        client.close()
    check_opened(server, 2, version=f"TLSv{version}", direction="inbound")


def test_greeting_goes_out_at_once(seam):
    """The program has something else to do than to wait for the answer."""
    server = seam.serve(
        lambda port: [PYTHON, "-c", "import signal, socket, sys\n"
                      "sock, _ = socket.create_server(('127.0.0.1', int(sys.argv[1]))).accept()\n"
                      "sock.sendall(b'220 busy\\r\\n')\nsignal.pause()", port],
        lambda port: seam.policy(seam.inbound(port, starttls="smtp")))
    client = Client(server.port)
    assert client.line() == b"220 busy\r\n"
    client.close()


def test_client_that_comes_and_goes(seam):
    """One after the other: clients that do not wait for the greeting and leave, pipeline, are gone, go on in the clear."""
    server = start_covered(seam, "asyncio", "smtp", "220 mx.test ESMTP")
    client = Client(server.port)
    assert client.ask(b"EHLO early\r\n", 3) == b"220 mx.test ESMTP\r\n250-mx.test\r\n250 STARTTLS\r\n"
    assert client.ask(b"QUIT\r\n", 2).startswith(b"221 ")
    event, = server.audit.wait("fail")
    assert "ended the connection before it asked for TLS" in event["reason"], event
    client = Client(server.port)
    client.line()
    client.ask(b"STARTTLS\r\nMAIL FROM:<a@b>\r\n", 0)
    assert client.line() == b""
    assert "somebody may have put it there" in server.audit.wait("fail", 2)[-1]["reason"]
    client = Client(server.port)
    client.close()
    server.audit.wait("fail", 3)
    client = Client(server.port)
    client.line()
    assert client.ask(b"STARTTLS\r\n").startswith(b"220 ")
    client.sock.sendall(b"EHLO in the clear\r\n")
    event = server.audit.wait("fail", 4)[-1]
    assert "does not speak TLS" in event["reason"] and "EHLO in the clear" in event["reason"], event
    client = Client(server.port)
    client.line()
    client.ask(b"STARTTLS\r\n")
    client.upgrade(seam)
    assert client.ask(b"still here\r\n") == b"STILL HERE\r\n"


def test_client_says_nothing(seam):
    """Its time begins with the greeting."""
    server = start_covered(seam, "level", "pop3", "+OK hi", handshake_timeout=1)
    client = Client(server.port)
    assert client.line() == b"+OK hi\r\n"
    assert client.line() == b""
    event, = server.audit.wait("fail")
    assert "(starttls) within handshake_timeout = 1 s" in event["reason"], event


@pytest.mark.parametrize("protocol, greeting", [("smtp", "220 mx.test ESMTP"), ("imap", "* OK ready"),
                                                ("pop3", "+OK ready"), ("nntp", "200 ready")])
def test_openssl(seam, protocol, greeting):
    """openssl's client speaks the upgrade by itself."""
    server = start_covered(seam, "blocking", protocol, greeting)
    client = seam.run(["openssl", "s_client", "-quiet", "-no_ign_eof", "-starttls", protocol, "-connect",
                       f"localhost:{server.port}", "-CAfile", seam.pki.ca, "-verify_return_error"], stdin=b"hello\n")
    opened, = server.audit.wait("open")
    assert opened["direction"] == "inbound", opened
    closed, = server.audit.wait("close")
    assert closed["bytes_in"] == len(b"hello\n"), (closed, client.story())


# One thread that is both ends; then a server that inetd has started.
ITSELF = """
import socket, sys
port = int(sys.argv[1])
listener = socket.create_server(("127.0.0.1", port))
client = socket.create_connection(("localhost", port))
server, _ = listener.accept()
server.sendall(b"220 myself\\r\\n")
print(client.recv(100).decode(), end="")
client.sendall(b"up")
print(server.recv(100).decode())
server.sendall(b"down")
print(client.recv(100).decode())
"""


def test_both_ends_in_one_thread(seam):
    port = free_port()
    program = seam.run([PYTHON, "-c", ITSELF, port], seam.policy(
        seam.inbound(port, starttls="smtp"), seam.outbound(port, starttls="smtp")))
    assert program.stdout == b"220 myself\r\nup\ndown\n", program.story()


def test_inetd(seam):
    """The greeting of a program on standard output goes through its relay, before there is TLS."""
    script = r"printf '220 sh\r\n'; while read -r line; do echo got $line; done"
    server = seam.serve(lambda port: [PYTHON, "-c", INETD, port, "sh", "-c", script],
                        lambda port: seam.policy(seam.inbound(port, starttls="smtp")))
    client = Client(server.port)
    assert client.line() == b"220 sh\r\n"
    assert client.ask(b"STARTTLS\r\n").startswith(b"220 ")
    client.upgrade(seam)
    assert client.ask(b"hello\n") == b"got hello\n"
    client.close()
    opened, = server.audit.wait("open")
    assert opened["plane"] == "relay", opened


MANY = """
import asyncio, sys
async def one(port, number):
    reader, writer = await asyncio.open_connection("localhost", port)
    assert (await reader.readline()) == b"220 many\\r\\n"
    writer.write(b"number %d\\n" % number)
    assert (await reader.readline()) == b"NUMBER %d\\n" % number
    writer.close()
async def main(port):
    await asyncio.gather(*(one(port, number) for number in range(100)))
asyncio.run(main(int(sys.argv[1])))
"""


def test_many_at_once(seam):
    server = start_covered(seam, "asyncio", "smtp", "220 many")
    silent = [Client(server.port) for _ in range(20)]  # which hold nobody up
    client = seam.run([PYTHON, "-c", MANY, server.port], seam.policy(seam.outbound(server.port, starttls="smtp")))
    check_opened(client, 100)
    for other in silent:
        assert other.line() == b"220 many\r\n"
        other.close()


# --- PostgreSQL's own request, by a program that would rather have TLS

ASKER = """
import asyncio, select, socket, sys
how, port = sys.argv[1], int(sys.argv[2])
SSL, GSS = bytes.fromhex("0000000804d2162f"), bytes.fromhex("0000000804d21630")

def waiter(sock):
    if how == "blocking":
        return lambda: True
    sock.setblocking(False)
    if how == "poll":
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return lambda: poll.poll(20000)
    if how == "select":
        return lambda: select.select([sock], [], [], 20)[0]
    epoll = select.epoll()
    epoll.register(sock, select.EPOLLIN | (select.EPOLLET if how == "edge" else 0))
    assert not epoll.poll(0)
    return lambda: epoll.poll(20)

def stepwise():
    sock = socket.create_connection(("localhost", port))
    wait = waiter(sock)
    for request in GSS, SSL:
        sock.send(request)
        assert wait(), how
        print(sock.recv(1).decode())
        if how not in ("blocking", "edge"):
            poll = select.poll()
            poll.register(sock, select.POLLIN)
            assert not poll.poll(0)
    sock.send(b"startup\\n")
    assert wait(), how
    print(sock.recv(100).decode(), end="")

async def loop():
    reader, writer = await asyncio.open_connection("localhost", port)
    await asyncio.sleep(0)
    for request in GSS, SSL:
        writer.write(request)
        print((await asyncio.wait_for(reader.readexactly(1), 20)).decode())
    writer.write(b"startup\\n")
    print((await asyncio.wait_for(reader.readline(), 20)).decode(), end="")

asyncio.run(loop()) if how == "asyncio" else stepwise()
"""


@pytest.mark.parametrize("how", ["blocking", "poll", "select", "level", "edge", "asyncio"])
def test_program_asks_for_encryption(seam, version, how):
    """It is told that there is none, and goes on in what is TLS already."""
    server = start_upgrading(seam, "pgsql", version=version)
    program = seam.run([PYTHON, "-c", ASKER, how, server.port],
                       seam.policy(seam.outbound(server.port, starttls="pgsql", version=version)))
    assert program.stdout == b"N\nN\nSTARTUP\n", program.story()
    server.wait_ended()
    assert (server.seen[0].plain, server.seen[0].data) == (SSL_REQUEST, b"startup\n")
