# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests for a kernel with TLS: tests/kernel/guest has one."""
import socket

import pytest

TCP_ULP = 31


def pytest_sessionstart(session):
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as sock:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
        except OSError as error:
            pytest.exit(f"this kernel has no TLS ({error}): run the tests by tests/kernel/guest", 1)
