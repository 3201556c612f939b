# SPDX-License-Identifier: GPL-3.0-or-later
"""The library beside others that look into a process: preloads, plug-ins, debuggers; and what a program does to lock itself in."""
import os
from pathlib import Path

import pytest

from peers import Sink, Echo, start_server
from seam import NATIVE, built, check_opened, need
from servers import PYTHON

# Libraries that stand in for functions of libc too, and where Debian has them.
PRELOADS = {
    "jemalloc": "libjemalloc.so.2",
    "tcmalloc": "libtcmalloc_minimal.so.4",
    "faketime": "faketime/libfaketime.so.1",
    "stdbuf": "/usr/libexec/coreutils/libstdbuf.so",
}

EXCHANGE = """
import socket, sys, threading
def one(text):
    with socket.create_connection(("localhost", int(sys.argv[1]))) as sock:
        sock.sendall(text)
        sock.shutdown(socket.SHUT_WR)
        got = b""
        while part := sock.recv(65536):
            got += part
        assert got == text, (len(got), len(text))
threads = [threading.Thread(target=one, args=(bytes([i]) * 200001,)) for i in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print("good")
"""

# `how` is a statement that sends b"hello" on the descriptor `fd`.
SEND = """
import ctypes, os, socket, sys
port, plugin = int(sys.argv[1]), sys.argv[2]
sock = socket.create_connection(("localhost", port))
fd = sock.fileno()
{how}
sock.close()
print("good")
"""
WAYS = {
    "plug-in": 'assert ctypes.CDLL(plugin).plugin_say(fd, b"hello") == 5',
    "deep-bound plug-in": 'assert ctypes.CDLL(plugin, os.RTLD_NOW | os.RTLD_DEEPBIND).plugin_say(fd, b"hello") == 5',
    "libc's handle": 'assert ctypes.CDLL("libc.so.6").send(fd, b"hello", 5, 0) == 5',
    "a version of libc's handle": '''
libc = ctypes.CDLL("libc.so.6")
libc.dlvsym.restype = ctypes.c_void_p
versions = (b"GLIBC_2.2.5", b"GLIBC_2.17")
send = next(filter(None, (libc.dlvsym(ctypes.c_void_p(libc._handle), b"send", version) for version in versions)))
assert ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int)(send)(fd, b"hello", 5, 0) == 5
''',
    "the program's handle": 'assert ctypes.CDLL(None).send(fd, b"hello", 5, 0) == 5',
    "not dumpable": 'assert ctypes.CDLL(None).prctl(4, 0, 0, 0, 0) == 0; sock.sendall(b"hello")',
}

NEW_NAMESPACE = """
import ctypes, os, socket, sys
sock = socket.create_connection(("localhost", int(sys.argv[1])))
program = ctypes.CDLL(None)
program.dlmopen.restype = ctypes.c_void_p
program.dlerror.restype = ctypes.c_char_p
print(program.dlmopen(ctypes.c_long(-1), b"libm.so.6", os.RTLD_NOW) is not None)
print("seamtls" in (program.dlerror() or b"").decode())
"""

AT_END = """
import ctypes, os, socket, sys
sock = socket.create_connection(("localhost", int(sys.argv[1])))
plugin = ctypes.CDLL(sys.argv[2])
assert plugin.plugin_say(sock.fileno(), b"hello") == 5
plugin.plugin_say_at_end(sock.fileno())
sock.detach()
"""


def place(name):
    path = Path(name)
    if not path.is_absolute():
        path = Path("/usr/lib") / f"{os.uname().machine}-linux-gnu" / name
    if not path.exists():
        pytest.skip(f"{path} is not installed")
    return path


@pytest.fixture
def plugin():
    return built("tests", "programs", "libplugin.so")


@pytest.mark.tls_only
@pytest.mark.parametrize("order", ["before", "behind"])
@pytest.mark.parametrize("name", PRELOADS)
def test_other_preloads(seam, name, order):
    other = place(PRELOADS[name])
    both = [other, seam.library] if order == "before" else [seam.library, other]
    server = start_server(seam, Echo)
    program = seam.run(["/usr/bin/env", "LD_PRELOAD=" + ":".join(map(str, both)), PYTHON, "-c", EXCHANGE, server.port],
                       seam.policy(seam.outbound(server.port)), env={"FAKETIME": "+0"})
    assert program.stdout == b"good\n", program.story()
    check_opened(program, 4)


@pytest.mark.parametrize("way", WAYS)
def test_no_way_around(seam, way, plugin):
    server = start_server(seam, Sink)
    program = seam.run([PYTHON, "-c", SEND.format(how=WAYS[way]), server.port, plugin],
                       seam.policy(seam.outbound(server.port)))
    assert program.stdout == b"good\n", program.story()
    server.wait_ended()
    assert server.seen[0].data == b"hello", program.story()
    check_opened(program)


@pytest.mark.tls_only
def test_new_namespaces_are_refused(seam):
    server = start_server(seam, Sink)
    program = seam.run([PYTHON, "-c", NEW_NAMESPACE, server.port], seam.policy(seam.outbound(server.port)))
    assert program.stdout == b"False\nTrue\n", program.story()


def test_destructors_may_still_send(seam, plugin):
    server = start_server(seam, Sink)
    program = seam.run([PYTHON, "-c", AT_END, server.port, plugin], seam.policy(seam.outbound(server.port)))
    server.wait_ended()
    assert server.seen[0].data == b"hello and last words", program.story()
    check_opened(program)


@pytest.mark.parametrize("case", ["raw_copy", "stream_first"])
def test_valgrind(seam, case):
    need("valgrind")
    # Cryptography is slow in there.
    keys = {"handshake_timeout": "28", "groups": "x25519"}
    policy = seam.policy(seam.inbound("1-65535", **keys), seam.outbound("1-65535", **keys))
    suppressions = Path(__file__).with_name("valgrind.supp")
    program = seam.run(["valgrind", "-q", "--error-exitcode=9", f"--suppressions={suppressions}",
                        built("tests", "transparency", "calls"), case], policy, timeout_s=120)
    assert b"received" in program.stdout and "== " not in program.stderr, program.story()


@pytest.mark.parametrize("tool", [["strace", "-f", "-o", "/dev/null"], ["gdb", "-q", "-batch", "-ex", "run", "--args"]],
                         ids=["strace", "gdb"])
def test_tracers(seam, tool):
    need(tool[0])
    policy = seam.policy(seam.inbound("1-65535"), seam.outbound("1-65535"))
    program = seam.run([*tool, built("tests", "transparency", "calls"), "bare_fork"], policy, timeout_s=120)
    assert b"received 'parent child', then the end" in program.stdout, program.story()


@pytest.mark.skipif(NATIVE, reason="about the library's memory")
def test_shared_keys_are_not_dumped(seam):
    source = "import socket, sys\nsock = socket.create_connection(('localhost', int(sys.argv[1])))\nsock.sendall(b'x')\nsock.recv(1)\n"
    server = start_server(seam, Sink)
    program = seam.start([PYTHON, "-c", source, server.port], seam.policy(seam.outbound(server.port)))
    program.audit.wait("open", 1)
    flags = [line.split()[1:] for line in Path(f"/proc/{program.pid}/smaps").read_text().splitlines()
             if line.startswith("VmFlags")]
    assert sum("dd" in words and "sh" in words for words in flags) == 2, "the mappings of connections and of sessions"
