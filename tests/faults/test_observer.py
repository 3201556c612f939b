# SPDX-License-Identifier: GPL-3.0-or-later
"""The observer sees what leaves a process, by whatever call; under the library it finds nothing but TLS."""
import os
import subprocess
from pathlib import Path

import pytest

import observe
from built import built
from peers import Echo, Sink, start_plain_server, start_server
from process import free_port
from seam import NATIVE
from servers import PYTHON

pytestmark = [pytest.mark.tls_only, pytest.mark.skipif(NATIVE, reason="it is about the library")]

# A way to send 64 bytes of text each, on a connection `sock`.
WAYS = {
    "write": "os.write(sock.fileno(), text)",
    "writev": "os.writev(sock.fileno(), [text[:10], text[10:]])",
    "pwritev2": "ctypes.CDLL(None).syscall(328, sock.fileno(), vector(text), 1, -1, -1, 0)",
    "sendto": "sock.send(text)",
    "sendmsg": "sock.sendmsg([text])",
    "sendmmsg": "ctypes.CDLL(None).sendmmsg(sock.fileno(), messages(text), 1, 0)",
    "sendfile": "os.sendfile(sock.fileno(), full_file(text).fileno(), 0, len(text))",
    "splice": "os.splice(full_pipe(text), sock.fileno(), len(text))",
    "child": "os.fork() or (sock.send(text), os._exit(0)); os.wait()",
    "thread": "thread = threading.Thread(target=sock.send, args=[text]); thread.start(); thread.join()",
    "program": "subprocess.run(['cat'], stdout=sock, input=text, check=True)",
}
SEND = """
import ctypes, os, socket, subprocess, sys, tempfile, threading
text = b"it is plain to see, " * 3 + b"now."

def vector(text):
    global kept
    kept = ctypes.create_string_buffer(text, len(text))
    return (ctypes.c_size_t * 2)(ctypes.addressof(kept), len(text))

def messages(text):
    global part
    part = vector(text)
    message = (ctypes.c_size_t * 8)()
    message[2:4] = [ctypes.addressof(part), 1]
    return message

def full_file(text):
    global file
    file = tempfile.TemporaryFile()
    file.write(text)
    file.flush()
    return file

def full_pipe(text):
    read, write = os.pipe()
    os.write(write, text)
    return read

with socket.create_connection(("localhost", int(sys.argv[1]))) as sock:
    exec(sys.argv[2])
    sock.shutdown(socket.SHUT_WR)
    sock.recv(1)
"""


@pytest.fixture
def reports(seam, monkeypatch):
    directory = seam.make_dir("reports")
    monkeypatch.setattr(observe, "DIRECTORY", str(directory))
    return directory


def summary(program, report):
    """The last line, which comes when the program has ended."""
    assert program.wait(60) == 0, program.story()
    end = f"leaks {len(observe.leaks(report))}\n"
    # The program was reaped before its tracer has written that.
    while not report.read_text().endswith(end):
        os.sched_yield()
    return report.read_text().splitlines()[-1]


@pytest.mark.parametrize("way", WAYS)
def test_it_sees_plaintext(seam, way):
    server, report = start_plain_server(seam, Sink), seam.dir / "report"
    command = observe.observer(report, "-p", f"out:{server.port}")
    program = seam.start([*command, PYTHON, "-c", SEND, server.port, WAYS[way]])
    assert summary(program, report).startswith("sum: connections 1, ")
    found = observe.leaks(report)
    assert len(found) == 1 and f"remote port {server.port}" in found[0], report.read_text()


def test_it_sees_plaintext_in_records(seam):
    """That look like TLS from outside."""
    server, report = start_plain_server(seam, Sink), seam.dir / "report"
    command = observe.observer(report, "-p", f"out:{server.port}")
    code = r"sock.send(b'\x17\x03\x03\x00\x40' + text)"
    summary(seam.start([*command, PYTHON, "-c", SEND, server.port, code]), report)
    assert "text" in observe.leaks(report)[0]


def test_a_test_fails_by_it(seam, reports):
    """The harness takes a leak for what it is."""
    server = start_plain_server(seam, Sink)
    policy = seam.policy(seam.outbound(server.port))
    argv = seam.observe([PYTHON, "-c", SEND, server.port, WAYS["sendto"]], policy)
    assert "leaks 1" in summary(seam.start(argv), seam.observed[0])
    assert len(observe.leaks(seam.observed.pop())) == 1


@pytest.mark.parametrize("way", WAYS)
def test_it_finds_nothing_under_the_library(seam, reports, way):
    server = start_server(seam, Sink)
    program = seam.start([PYTHON, "-c", SEND, server.port, WAYS[way]], seam.policy(seam.outbound(server.port)))
    assert not summary(program, seam.observed[0]).startswith("sum: connections 0, ")
    server.wait_ended()
    assert server.seen[0].data == b"it is plain to see, " * 3 + b"now."


def test_what_a_policy_protects(seam):
    port = free_port()
    assert observe.ports_of(seam.policy(seam.outbound(port))) == ["-p", f"out:{port}"]
    assert observe.ports_of(seam.policy(seam.outbound(port, starttls="smtp"))) == ["-p", f"+out:{port}"]
    assert observe.ports_of(seam.policy(seam.inbound(port, accept="both"))) == []
    assert observe.ports_of(seam.dir / "nothing") == []


def test_the_wire(seam):
    """Cases in a network namespace of their own: every byte that crosses it is TLS's."""
    if os.geteuid() != 0:
        pytest.skip("has to be root to have a network of its own")
    root = Path(__file__).parents[2]
    done = subprocess.run([root / "tests" / "faults" / "observe", "--capture", root / "tests/transparency/test_cases.py", "-k",
                           "client-nonblocking and 1.3"], env={**os.environ, "SEAMTLS_FAMILY": "files"}, text=True,
                          capture_output=True, timeout=120, check=False)
    if "Operation not permitted" in done.stderr:
        pytest.skip("no network namespace can be had here")
    assert done.returncode == 0 and ", problems 0\n" in done.stdout and "leaks 0\n" in done.stdout, done.stdout + done.stderr


def test_the_reader_of_captures_finds_plaintext(seam):
    """The control: a capture of plain TCP is full of it."""
    from capture import Capture
    server = start_plain_server(seam, Echo)
    capture = Capture(seam, server.port)
    seam.run([PYTHON, "-c", SEND, server.port, WAYS["sendto"]])
    capture.finish()
    done = subprocess.run([built("tests", "faults", "capture"), capture.path], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "no TLS record: 69 74 20 69 73" in done.stdout, done
