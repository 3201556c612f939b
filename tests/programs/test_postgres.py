# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL: psql under seamtls, the server under seamtls, and both."""
import hashlib

import pytest

import postgres
import stunnel
from seam import check_opened

BIG = "".join(hashlib.md5(str(i).encode()).hexdigest() for i in range(1, postgres.BIG_ROWS + 1))


@pytest.fixture(scope="module")
def plain(shared):
    """A server that the library has nothing to do with."""
    return postgres.start(shared)


@pytest.fixture(scope="module")
def covered(shared):
    return postgres.start(shared, lambda port: shared.policy(shared.inbound(port)))


def ask(seam, port, policy=None):
    program = seam.run(postgres.psql(port, postgres.BIG_QUERY), policy)
    assert program.stdout.decode().strip() == BIG, program.story()
    return program


def test_psql(seam, plain, version):
    port = stunnel.terminate(seam, plain.port, version=version)
    program = ask(seam, port, seam.policy(seam.outbound(port)))
    check_opened(program, version=f"TLSv{version}", server_name="localhost")


def test_server(seam, covered, version):
    """Its postmaster accepts and forks; the backend serves the connection, and the postmaster closes its copy."""
    port = stunnel.originate(seam, covered.port, version=version)
    for _ in range(3):
        ask(seam, port)
    if seam.covering:
        covered.audit.wait("open", 3, version=f"TLSv{version}", direction="inbound")


def test_both_ends(seam, covered, version):
    policy = seam.policy(seam.outbound(covered.port, version=version))
    check_opened(ask(seam, covered.port, policy), version=f"TLSv{version}")


def test_large_upload(seam, covered):
    policy = seam.policy(seam.outbound(covered.port))
    program = seam.run(postgres.psql(covered.port, f"select md5('{BIG[:100_000]}')"), policy)
    assert program.stdout.decode().strip() == hashlib.md5(BIG[:100_000].encode()).hexdigest(), program.story()


def test_pgbench(seam, covered):
    """Many short connections at first, then four at once, each with thousands of round trips."""
    policy = seam.policy(seam.outbound(covered.port))
    env = {"PGSSLMODE": "disable", "PGGSSENCMODE": "disable"}
    server = ["-h", "localhost", "-p", covered.port, "-U", postgres.USER, "postgres"]
    pgbench = postgres.tool("pgbench")
    seam.run([pgbench, "-i", "-q", *server], policy, env=env)
    seam.run([pgbench, "-n", "-C", "-c", "2", "-t", "10", *server], policy, env=env)
    program = seam.run([pgbench, "-n", "-c", "4", "-j", "2", "-t", "100", *server], policy, env=env)
    assert "400/400" in program.stdout.decode(), program.story()
    check_opened(program, 4)
