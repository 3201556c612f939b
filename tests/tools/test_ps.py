# SPDX-License-Identifier: GPL-3.0-or-later
"""`seamtls ps`: what the log says, of connections that this test itself has."""

import contextlib
import os
import socket
import time

import pytest

from audit_files import rows

NOW_US = int(time.time()) * 1_000_000


def text(address):
    return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"


@contextlib.contextmanager
def connection(family, host, mapped=False):
    """The ends of a connection, as the audit would have them, and its socket."""
    with socket.create_server((host, 0), family=family) as server, socket.socket(socket.AF_INET6 if mapped else family) as client:
        client.connect(("::ffff:" + host if mapped else host, server.getsockname()[1]))
        with server.accept()[0] as accepted:
            yield {"local": text(accepted.getpeername()), "remote": text(accepted.getsockname())}, client


def event(kind, ends, conn=1, **fields):
    return kind, {"time_us": NOW_US, "pid": os.getpid(), "conn": conn, "program": "/bin/app", "direction": "outbound"} | ends | fields


@pytest.fixture
def ps(seamtls, audit_dir):
    def run(*args):
        result = seamtls("ps", "--format=json", *args, audit_dir)
        assert (result.returncode, result.stderr) == (0, "")
        return rows(result)

    return run


@pytest.mark.parametrize("family, host, mapped", [(socket.AF_INET, "127.0.0.1", False), (socket.AF_INET6, "::1", False), (socket.AF_INET, "127.0.0.1", True)])
def test_open_now(make, ps, family, host, mapped):
    with connection(family, host, mapped) as (ends, _):
        make("a", event("open", ends, rule="db", version="TLSv1.3", cipher="TLS_AES_128_GCM_SHA256", plane="user"))
        row, = ps()
        assert int(row.pop("age_s")) < 600
        assert row == {"state": "protected", "pid": str(os.getpid()), "program": "/bin/app", "rule": "db", "direction": "outbound",
                       "version": "TLSv1.3", "cipher": "TLS_AES_128_GCM_SHA256", "plane": "user"} | ends
        make("a", event("close", ends, conn=2))
        assert len(ps()) == 1, "another's end"
        make("a", event("close", ends))
        assert ps() == []


def test_the_latest_counts(make, ps):
    """Ports are used again: what the log had at this one before is over."""
    with connection(socket.AF_INET, "127.0.0.1") as (ends, _):
        make("a", event("open", ends, conn=1, rule="old"), event("observe", ends, conn=2, rule="new"))
        assert [(row["state"], row["rule"]) for row in ps()] == [("clear", "new")]


def test_what_has_no_socket_is_stale(make, ps):
    with connection(socket.AF_INET, "127.0.0.1") as (ends, _):
        pass
    make("a", event("observe", ends, conn=3), event("open", ends, conn=4), event("open", ends, conn=5, pid=2**22 - 1))
    make("a", event("open", ends, conn=6), event("fail", ends, conn=6))
    assert ps() == []
    assert sorted(row["state"] for row in ps("--stale")) == ["stale: no process", "stale: no socket"]


def test_a_process_id_that_is_another_process_now(make, ps):
    with connection(socket.AF_INET, "127.0.0.1") as (ends, _):
        pass
    make("a", event("open", ends, time_us=1_000_000))
    assert [row["state"] for row in ps("--stale")] == ["stale: no process"]


def test_filters_and_hostile_text(make, ps, seamtls, audit_dir):
    with connection(socket.AF_INET, "127.0.0.1") as (ends, _):
        make("a", event("open", ends, program="/bin/\x1b[2Jx", rule=b"\xff"))
        assert len(ps("--direction=outbound")) == 1 and ps("--direction=inbound") == []
        assert "\x1b" not in seamtls("ps", audit_dir).stdout
    make("a", *[event("open", {"local": name, "remote": name}, conn=9) for name in ["", "x" * 64, ":", "1.2.3.4:", "[::1]:1"]])
    assert ps() == []


@pytest.mark.parametrize("args", [["--format=xml"], ["--since=x"], ["--nothing"]])
def test_misuse(seamtls, args):
    result = seamtls("ps", *args)
    assert (result.returncode, result.stdout) == (2, "")
