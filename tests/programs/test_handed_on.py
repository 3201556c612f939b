# SPDX-License-Identifier: GPL-3.0-or-later
"""
Connections that programs hand to others: inetd and its kind, subprocesses, workers, shells. The other program may be
covered, or one that no preload reaches.
"""
import shutil
import socket

import pytest

from peers import BIG, Echo, Sink, connect, content, digest, echo_exchange, read_exactly, start_plain_server, start_server
from seam import NATIVE, check_opened, need, rule
from servers import INETD, PYTHON

SUBPROCESS = """
import socket, subprocess, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    connection, _ = listener.accept()
    how = sys.argv[2]
    if how == "stdio":
        child = subprocess.Popen(sys.argv[3:], stdin=connection, stdout=connection)
    else:
        script = f'exec cat <&{connection.fileno()} >&{connection.fileno()}'
        child = subprocess.Popen(["sh", "-c", script], pass_fds=[connection.fileno()])
    connection.close()
    child.wait()
"""

# A pool of one worker process that is passed each connection over a Unix socket.
WORKERS = """
import multiprocessing, multiprocessing.reduction, socket, sys
def work(pipe):
    while True:
        connection = socket.socket(fileno=multiprocessing.reduction.recv_handle(pipe))
        assert connection.family == socket.AF_INET and connection.getpeername()[0] == "127.0.0.1"
        while data := connection.recv(65536):
            connection.sendall(data)
        connection.close()
if __name__ == "__main__":
    ours, theirs = multiprocessing.Pipe()
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    worker = multiprocessing.get_context("fork").Process(target=work, args=(theirs,), daemon=True)
    worker.start()
    while True:
        connection, _ = listener.accept()
        multiprocessing.reduction.send_handle(ours, connection.fileno(), worker.pid)
        connection.close()
"""

# The parent has a look at the connection after it has passed it on, and then closes its copy.
WORKERS_AND_A_LOOK = WORKERS.replace("""
        multiprocessing.reduction.send_handle(ours, connection.fileno(), worker.pid)
""", """
        multiprocessing.reduction.send_handle(ours, connection.fileno(), worker.pid)
        try:
            connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass
""")

# What a program sees of the connection on its standard input.
LOOK = """
import socket, sys
with socket.socket(fileno=0) as connection:
    print(connection.family.name, connection.getpeername()[0], connection.getsockname()[1], connection.proto)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
"""

COPY = """
import sys
while data := sys.stdin.buffer.read1(65536):
    sys.stdout.buffer.write(data)
    sys.stdout.flush()
"""

BASH = """
exec 3<>/dev/tcp/localhost/$1
echo "by a builtin" >&3
printf '%s\\n' "and another" >&3
cat "$2" >&3
echo "the end" >&3
head -c "$3" <&3
"""


def static_cat():
    need("busybox")
    return [shutil.which("busybox"), "cat"]


PROGRAMS = {"cat": lambda: ["cat"], "static": static_cat, "shell": lambda: ["sh", "-c", "exec cat"],
            "python": lambda: [PYTHON, "-c", COPY]}


@pytest.fixture(params=PROGRAMS)
def echoing(request):
    return PROGRAMS[request.param]()


def check_echo(seam, server, version=None, times=2):
    for _ in range(times):
        with connect(seam, server.port, version) as sock:
            assert digest(echo_exchange(sock, content(BIG))) == digest(content(BIG))
    for opened in check_opened(server, times):
        assert opened["direction"] == "inbound"


def serve(seam, source, *argv, **keys):
    return seam.serve(lambda port: [PYTHON, "-c", source, port, *argv],
                      lambda port: seam.policy(seam.inbound(port, **keys)))


def test_inetd(seam, version, echoing):
    check_echo(seam, serve(seam, INETD, *echoing, version=version), version)


def test_inetd_with_a_program_that_says_nothing(seam, version):
    """It may have gone before the handshake is done. Its peer hears the end of a stream, and nothing worse."""
    server = serve(seam, INETD, "true", version=version)
    for _ in range(5):
        with connect(seam, server.port, version) as sock:
            assert sock.recv(1) == b""
    check_opened(server, 5)


def test_subprocess(seam, echoing):
    """vfork() in Python's own way, where the child runs in its parent's memory."""
    check_echo(seam, serve(seam, SUBPROCESS, "stdio", *echoing))


def test_descriptor_for_a_subprocess(seam):
    check_echo(seam, serve(seam, SUBPROCESS, "descriptor"))


def test_worker_is_passed_connections(seam, version):
    check_echo(seam, serve(seam, WORKERS, version=version), version)


def test_parent_looks_at_what_it_has_passed(seam, version):
    """The handshake is the receiver's, and not the parent's that is about to close its copy."""
    check_echo(seam, serve(seam, WORKERS_AND_A_LOOK, version=version), version, times=5)


def test_program_sees_the_addresses(seam):
    server = serve(seam, INETD, PYTHON, "-c", LOOK)
    with connect(seam, server.port) as sock:
        assert read_exactly(sock, 1000).decode() == f"AF_INET 127.0.0.1 {server.port} {socket.IPPROTO_TCP}\n"


def test_relay_is_told_of_in_the_audit(seam):
    if NATIVE:
        pytest.skip("there is no audit over plain TCP")
    server = serve(seam, INETD, "cat")
    check_echo(seam, server, times=1)
    assert server.audit.wait("close")[0]["plane"] == "relay"


# What the child has written is with its relay when the parent ends the stream.
CHILD_AND_END = """
import socket, subprocess, sys
with socket.create_connection(("localhost", int(sys.argv[1]))) as sock:
    subprocess.run(["cat"], stdout=sock, input=b"from the child", check=True)
    sock.shutdown(socket.SHUT_WR)
    assert sock.recv(1) == b""
"""


def test_the_end_comes_after_what_a_child_has_written(seam):
    server = start_server(seam, Sink)
    policy = seam.policy(seam.outbound(server.port))
    for _ in range(10):
        seam.run([PYTHON, "-c", CHILD_AND_END, server.port], policy)
    server.wait_ended(10)
    assert [seen.data for seen in server.seen] == [b"from the child"] * 10


def test_bash_redirections(seam):
    """Builtins write by libc's streams, other commands by themselves; what each writes keeps its order."""
    need("bash")
    server = start_server(seam, Echo)
    data = seam.dir / "data"
    data.write_bytes(content(BIG))
    sent = b"by a builtin\nand another\n" + content(BIG) + b"the end\n"
    program = seam.run(["bash", "-c", BASH, "bash", server.port, data, len(sent)],
                       seam.policy(seam.outbound(server.port)))
    assert digest(program.stdout) == digest(sent), program.story()
    check_opened(program)


# --- A program that is started with a connection by somebody who is not covered

def start_uncovered_inetd(seam, argv, policy):
    """`argv` under seamtls for each connection, by an inetd that is not; its port."""
    audit_dir = seam.make_dir("audit")

    def command(port):
        env = seam.environment(policy(port), audit_dir, None)
        chosen = [f"{name}={env[name]}" for name in ("LD_PRELOAD", "SEAMTLS_POLICY", "SEAMTLS_AUDIT") if name in env]
        return [PYTHON, "-c", INETD, port, "env", *chosen, *argv]

    return seam.serve(command)


def test_started_by_inetd(seam, version):
    server = start_uncovered_inetd(seam, ["cat"], lambda port: seam.policy(seam.inbound(port, version=version)))
    with connect(seam, server.port, version) as sock:
        assert digest(echo_exchange(sock, content(BIG))) == digest(content(BIG))


@pytest.mark.tls_only
@pytest.mark.parametrize("policy", ["denied", "broken", "bad_key"])
def test_started_by_inetd_and_refused(seam, policy):
    """What policy does not allow is a connection at its end, and never one in the clear."""
    policies = {
        "denied": lambda port: seam.policy(rule("inbound", port, action="deny")),
        "broken": lambda port: seam.policy(seam.inbound(port, min_version="1.1")),
        "bad_key": lambda port: seam.policy(seam.inbound(port, key=seam.pki.client.key)),
    }
    server = start_uncovered_inetd(seam, ["sh", "-c", "echo secret; exec cat"], policies[policy])
    with socket.create_connection(("127.0.0.1", server.port), 20) as plain:
        plain.sendall(b"hello\n")
        received = b""
        try:
            while data := plain.recv(1000):
                received += data
        except ConnectionError:
            pass
    assert b"secret" not in received and b"hello" not in received


# --- Environments that programs build

STARTS_CLIENT = """
import subprocess, sys
client = "import socket, sys; s = socket.create_connection(('localhost', int(sys.argv[1]))); s.sendall(b'data'); s.close()"
subprocess.run([sys.executable, "-c", client, sys.argv[1]], env={"PATH": "/usr/bin:/bin"}, check=True)
"""


VFORKS_FIRST = """
import socket, subprocess, sys
subprocess.run(["true"], env={"PATH": "/usr/bin:/bin"}, check=True)
with socket.create_connection(("localhost", int(sys.argv[1]))) as sock:
    sock.sendall(b"data")
"""

EMPTIES = """
import os, socket, sys
os.environ.clear()
assert os.popen("env").read().count("SEAMTLS") == 0
with socket.create_connection(("localhost", int(sys.argv[1]))) as sock:
    sock.sendall(b"data")
"""


@pytest.mark.parametrize("source", [VFORKS_FIRST, EMPTIES], ids=["vfork", "empty"])
def test_environment_before_the_first_connection(seam, source):
    """A vfork child is the first to ask for the policy; or the program has emptied its environment before it asks."""
    server = start_server(seam, Sink)
    check_opened(seam.run([PYTHON, "-c", source, server.port], seam.policy(seam.outbound(server.port))))
    server.wait_ended()
    assert server.seen[0].data == b"data", server.seen[0].error


@pytest.mark.tls_only
def test_children_with_an_environment_of_their_own(seam):
    server = start_server(seam, Sink)
    program = seam.run([PYTHON, "-c", STARTS_CLIENT, server.port],
                       seam.policy(seam.outbound(server.port), cover_children="yes"))
    opened, = check_opened(program)
    assert opened["pid"] != program.pid
    assert server.seen[0].data == b"data"


@pytest.mark.tls_only
def test_children_are_left_alone_by_default(seam):
    server = start_plain_server(seam, Sink)
    program = seam.start([PYTHON, "-c", STARTS_CLIENT, server.port], seam.policy(seam.outbound(server.port)))
    assert program.wait(60) == 0, program.story()
    server.wait_ended()
    assert server.seen[0].data == b"data" and not program.audit.find("open")


def test_environment_is_what_the_program_made_it(seam):
    """Only what loads and sets up the library is added, and only if a policy says so."""
    source = "import subprocess; print(subprocess.run(['env'], env={'A': 'b'}, capture_output=True, text=True).stdout, end='')"
    assert seam.run([PYTHON, "-c", source], seam.policy()).stdout == b"A=b\n"
    names = {"LD_PRELOAD", "SEAMTLS_POLICY", "SEAMTLS_AUDIT"} if not NATIVE else set()
    program = seam.run([PYTHON, "-c", source], seam.policy(cover_children="yes"))
    assert {line.split("=")[0] for line in program.stdout.decode().splitlines()} - {"_"} == {"A"} | names
