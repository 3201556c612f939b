# SPDX-License-Identifier: GPL-3.0-or-later
"""`plane = kernel`, on any kernel: where it has no TLS the library goes on, and says so. tests/kernel has the rest."""
import sys

import pytest

from peers import BIG, Echo, connect, content, echo_exchange, start_server
from seam import check_opened
from servers import BLOCKING_ECHO, start_python
from test_audit import CLIENT

pytestmark = pytest.mark.tls_only


def check_plane(opened):
    if opened["plane"] == "user":
        assert "plane = kernel, and the connection is still protected by this library: " in opened["reason"], opened
    else:
        assert opened["plane"] == "kernel", opened


def test_client(seam, version):
    server = start_server(seam, Echo, version=version)
    policy = seam.policy(seam.outbound(server.port, plane="kernel"))
    program = seam.run([sys.executable, "-c", CLIENT, server.port], policy, env={"SEAMTLS_DEBUG": "2"})
    opened, = check_opened(program)
    check_plane(opened)
    closed, = program.audit.find("close")
    assert closed["plane"] == opened["plane"], closed
    assert (closed["bytes_in"], closed["bytes_out"]) == (123_456, 123_456), closed
    assert closed["alert"] == {"sent": "close_notify", "received": "close_notify"}, closed


def test_server(seam, version):
    server = start_python(seam, BLOCKING_ECHO, version=version, plane="kernel")
    for size in (1, 16384, BIG):
        with connect(seam, server.port, version) as sock:
            echo_exchange(sock, content(size))
    for opened in server.audit.wait("open", 3):
        check_plane(opened)


def test_program_that_controls_tls_keeps_it_out_of_the_kernel(seam):
    server = start_server(seam, Echo)
    policy = seam.policy(seam.outbound(server.port, plane="kernel", start="program"))
    program = seam.run([sys.executable, "-c", STARTS, server.port], policy)
    opened, = check_opened(program)
    assert opened["plane"] == "user" and "start = program" in opened["reason"], opened


STARTS = """
import socket, sys
sock = socket.create_connection(("localhost", int(sys.argv[1])))
sock.setsockopt(0x5ea7, 32, b"")
sock.sendall(b"hello")
assert sock.recv(5) == b"hello"
"""
