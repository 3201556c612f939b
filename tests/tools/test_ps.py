# SPDX-License-Identifier: GPL-3.0-or-later
"""`seamtls ps`: what the log says, of connections that this test itself has."""

import contextlib
import os
import socket
import subprocess
import sys
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
        assert row.pop("age_s") < 600 and (row.pop("tcp_bytes_in"), row.pop("tcp_bytes_out")) == (0, 0)
        assert row == {"state": "protected", "pid": os.getpid(), "program": "/bin/app", "rule": "db", "direction": "outbound",
                       "version": "TLSv1.3", "cipher": "TLS_AES_128_GCM_SHA256", "plane": "user"} | ends
        make("a", event("close", ends, conn=2))
        assert len(ps()) == 1, "another's end"
        make("a", event("close", ends))
        assert ps() == []


@pytest.mark.parametrize("family, host, mapped", [(socket.AF_INET, "127.0.0.1", False), (socket.AF_INET6, "::1", False), (socket.AF_INET, "127.0.0.1", True)])
def test_bytes_as_the_kernel_counts_them(make, ps, family, host, mapped):
    with connection(family, host, mapped) as (ends, client):
        make("a", event("open", ends), event("observe", {"local": ends["remote"], "remote": ends["local"]}, conn=2))
        client.sendall(b"x" * 12345)
        counts = {row["state"]: (row["tcp_bytes_in"], row["tcp_bytes_out"]) for row in ps()}
        assert counts == {"protected": (0, 12345), "clear": (12345, 0)}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can look into other network namespaces")
def test_another_network_namespace(make, ps):
    """A container's connections, with their bytes."""
    script = """import fcntl, socket, struct, sys
s = socket.socket(); fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 1))
server = socket.create_server(("127.0.0.1", 0)); client = socket.create_connection(server.getsockname()); client.sendall(b"x" * 777)
print("%s:%d %s:%d" % (*client.getsockname(), *client.getpeername()), flush=True); sys.stdin.read()"""
    with subprocess.Popen(["unshare", "-n", sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as there:
        local, remote = there.stdout.readline().split()
        make("a", event("open", {"local": local, "remote": remote}))
        row, = ps()
        assert (row["local"], row["tcp_bytes_out"]) == (local, 777)
        there.stdin.close()


def test_order_and_state(make, ps):
    with connection(socket.AF_INET, "127.0.0.1") as (a, _), connection(socket.AF_INET, "127.0.0.1") as (b, talks), connection(socket.AF_INET, "127.0.0.1") as (c, _):
        talks.sendall(b"x")
        make("a", event("open", a, conn=1, rule="z", pid=7), event("open", b, conn=2, rule="m", pid=9, time_us=NOW_US - 5_000_000),
             event("observe", c, conn=3, rule="a", pid=8, time_us=NOW_US - 2_000_000))
        for order, rules in (("age", "maz"), ("bytes", "maz"), ("pid", "zam"), ("rule", "amz"), ("program", "maz")):
            assert "".join(row["rule"] for row in ps(f"--sort={order}")) == rules, order
        assert [row["rule"] for row in ps("--state=clear")] == ["a"] and [row["rule"] for row in ps("--state=protected")] == ["m", "z"]


def test_the_latest_counts(make, ps):
    """Ports are used again: what the log had at this one before is over."""
    with connection(socket.AF_INET, "127.0.0.1") as (ends, _):
        make("a", event("open", ends, conn=1, rule="old"), event("observe", ends, conn=2, rule="new"))
        assert [(row["state"], row["rule"]) for row in ps()] == [("clear", "new")]


def test_few_among_many(make, ps, seamtls, audit_dir):
    """What is open now is found among what is not, over IPv6, too, and with long fields around it."""
    others = [event("open" if n % 2 else "observe", {"local": f"10.0.{n % 256}.1:{n}", "remote": "10.9.9.9:443"}, conn=n + 10) for n in range(2000)]
    with connection(socket.AF_INET, "127.0.0.1") as (a, _), connection(socket.AF_INET6, "::1") as (b, _):
        make("a", *others[:1000], event("open", a, conn=1, rule="x" * 100, label="y" * 100, peer_san=["dns:" + "z" * 90] * 16), *others[1000:])
        make("b", *others, event("observe", b, conn=2), event("observe", b, conn=2, protocol="tls"))
        assert sorted((row["state"], row["local"]) for row in ps()) == sorted([("protected", a["local"]), ("own TLS", b["local"])])


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


@pytest.mark.parametrize("args", [["--format=xml"], ["--sort=x"], ["--state=open"], ["--since=x"], ["--nothing"]])
def test_misuse(seamtls, args):
    result = seamtls("ps", *args)
    assert (result.returncode, result.stdout) == (2, "")
