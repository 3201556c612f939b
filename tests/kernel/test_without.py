# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel that lacks its TLS, or a cipher, or loses it: the library goes on by itself, and says why."""
import subprocess
import sys
from pathlib import Path

import pytest

from peers import Echo, connect, content, echo_exchange, start_server
from process import START_TIMEOUT_S, Program
from seam import check_opened
from servers import BLOCKING_ECHO, start_python

LOADER = Path("/proc/sys/kernel/modprobe")  # which is how the kernel loads what it is asked for
AES, CHACHA = "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"

CLIENT = """
import socket, sys
for port in sys.argv[1:]:
    with socket.create_connection(("localhost", int(port))) as sock:
        sock.sendall(b"some words")
        assert sock.recv(10, socket.MSG_WAITALL) == b"some words"
"""


def unload(seam, *names):
    """Connections that are over may hold a module for a moment."""
    waits = Program(["sh", "-c", f"until modprobe -r {' '.join(names)}; do :; done"], seam.make_dir("unload"))
    assert waits.wait(START_TIMEOUT_S) == 0


@pytest.fixture
def nothing_loads():
    """Beyond what is loaded then, which is all of it."""
    load_all = ["modprobe", "-a", "tls", "gcm", "ctr", "ghash_generic", "chacha20poly1305", "chacha_generic", "poly1305_generic"]
    subprocess.run(load_all, check=True)
    before = LOADER.read_text()
    LOADER.write_text("/bin/false")
    yield
    LOADER.write_text(before)
    subprocess.run(load_all, check=True)


def planes(program):
    return [(opened["plane"], opened.get("reason", "").partition("by this library: ")[2]) for opened in program.audit.find("open")]


@pytest.mark.usefixtures("nothing_loads")
def test_cipher_is_missing(seam):
    unload(seam, "chacha20poly1305")
    servers = {cipher: start_server(seam, Echo, version="1.3") for cipher in (CHACHA, AES)}
    policy = seam.policy(*(seam.outbound(server.port, ciphers=cipher) for cipher, server in servers.items()))
    program = seam.run([sys.executable, "-c", CLIENT, *(server.port for server in servers.values())], policy)
    check_opened(program, 2)
    assert planes(program) == [("user", "the kernel has no module for ChaCha20-Poly1305"), ("kernel", "")]


@pytest.mark.usefixtures("nothing_loads")
def test_tls_is_missing_from_now_on(seam):
    """A program that has used it goes on without."""
    server = start_python(seam, BLOCKING_ECHO)
    with connect(seam, server.port) as sock:
        echo_exchange(sock, content(20_000))
    server.audit.wait("close")
    unload(seam, "tls")
    with connect(seam, server.port) as sock:
        echo_exchange(sock, content(20_000))
    check_opened(server, 2)
    assert [plane for plane, _ in planes(server)] == ["kernel", "user"]
    program = seam.run([sys.executable, "-c", CLIENT, start_server(seam, Echo).port], seam.policy(seam.outbound("1-65535")))
    check_opened(program)
    assert planes(program) == [("user", "the kernel's module 'tls' is not loaded (modprobe tls)")]
