# SPDX-License-Identifier: GPL-3.0-or-later
"""MariaDB, redis that replicates, and a broker of messages. PostgreSQL has a file of its own."""
import hashlib

import pytest

import mariadb
import mosquitto
import stunnel
from peers import BIG, SMALL, connect, content, digest, read_exactly
from seam import check_opened, need
from servers import start_redis

ROWS = 3000
# A large value each way, many rows at once, and many statements one after the other.
SQL = """
create database if not exists it; use it;
create or replace table one (id int primary key, data longblob);
insert into one values (0, unhex('{value}'));
select sha2(data, 256), hex(data) from one where id = 0;
insert into one select seq, md5(seq) from seq_1_to_{rows};
select data from one where id > 0 order by id;
{singles}
"""
SINGLES = 300


def sql():
    singles = "\n".join(f"select md5(id) from one where id = {i};" for i in range(SINGLES))
    return SQL.format(value=content(BIG).hex(), rows=ROWS, singles=singles).encode()


def answer():
    def hashes(numbers):
        return [hashlib.md5(str(i).encode()).hexdigest() for i in numbers]
    value = f"{digest(content(BIG))}\t{content(BIG).hex().upper()}"
    return "\n".join([value, *hashes(range(1, ROWS + 1)), *hashes(range(SINGLES)), ""])


@pytest.fixture(scope="module", params=["one-thread-per-connection", "pool-of-threads"])
def database(shared, request):
    return mariadb.start(shared, lambda port: shared.policy(shared.inbound(port)), request.param)


def check_sql(seam, port, policy=None):
    program = seam.run(mariadb.client(port), policy, stdin=sql())
    assert digest(program.stdout) == digest(answer().encode()), program.story()
    return program


def test_mariadb_server(seam, database, version):
    check_sql(seam, stunnel.originate(seam, database.port, version=version))
    check_opened(database, version=f"TLSv{version}", direction="inbound")


def test_mariadb_both_ends(seam, database, version):
    policy = seam.policy(seam.outbound(database.port, version=version))
    check_opened(check_sql(seam, database.port, policy), version=f"TLSv{version}")


def test_mariadb_client(seam, version):
    server = mariadb.start(seam)
    port = stunnel.terminate(seam, server.port, version=version)
    program = check_sql(seam, port, seam.policy(seam.outbound(port)))
    check_opened(program, version=f"TLSv{version}", server_name="localhost")


# --- redis

def resp(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def command(sock, *words):
    """The answer of one line, or the string that it announces."""
    sock.sendall(resp(*words))
    line = b""
    while not line.endswith(b"\r\n"):
        line += read_exactly(sock, 1)
    return read_exactly(sock, int(line[1:]) + 2)[:-2] if line[:1] == b"$" else line[:-2]


def fill(sock, first, count):
    sock.sendall(b"".join(resp(b"SET", b"key:%d" % i, content(SMALL)) for i in range(first, first + count)))
    assert read_exactly(sock, 5 * count) == b"+OK\r\n" * count


def is_linked(sock):
    return b"master_link_status:up" in command(sock, b"INFO", b"replication")


@pytest.mark.parametrize("load", ["disabled", "swapdb"])
def test_redis_replication(seam, version, load):
    """The replica is server and client, and takes its first copy from a child of the other; then the link is cut."""
    need("redis-server")
    master = start_redis(seam, lambda port: seam.policy(seam.inbound(port, version=version)), "--repl-diskless-sync",
                         "yes", "--repl-diskless-sync-delay", "0", "--enable-debug-command", "local")
    with connect(seam, master.port, version) as sock:
        assert command(sock, b"SET", b"big", content(BIG) * 5) == b"+OK"
        fill(sock, 0, 500)
        replica = start_redis(
            seam, lambda port: seam.policy(seam.inbound(port), seam.outbound(master.port, server_name="localhost")),
            "--replicaof", "127.0.0.1", master.port, "--repl-diskless-load", load, "--enable-debug-command", "local")
        with connect(seam, replica.port, version) as other:
            replica.until(lambda: is_linked(other), "it replicated")
            for first in (500, 1000):
                fill(sock, first, 500)
                assert command(sock, b"WAIT", b"1", b"30000") == b":1"
                assert command(other, b"DBSIZE") == b":%d" % (first + 501)
                command(sock, b"CLIENT", b"KILL", b"TYPE", b"replica")
                replica.until(lambda: is_linked(other), "it was back")
            assert digest(command(other, b"GET", b"big")) == digest(content(BIG) * 5)
            assert command(other, b"DEBUG", b"DIGEST") == command(sock, b"DEBUG", b"DIGEST")
    if seam.covering:
        assert len(replica.audit.wait("open", 2, direction="outbound", version=f"TLSv{version}")) >= 2
        assert not master.audit.find("fail") and not replica.audit.find("fail"), replica.audit.text()


def test_redis_failover(seam):
    """The replica goes on alone, and its old primary becomes its replica: each is a client of the other in turn."""
    need("redis-server")
    to_any = f'[rule "peers"]\ndirection = outbound\naction = tls\nca = {seam.pki.ca}\n'
    at_once = ("--repl-diskless-sync-delay", "0")
    one, two = (start_redis(seam, lambda port: seam.policy(seam.inbound(port), to_any), *at_once) for _ in range(2))
    with connect(seam, one.port) as first, connect(seam, two.port) as second:
        for follower, sock, leader in ((two, second, one), (one, first, two)):
            other = first if leader is one else second
            assert command(other, b"REPLICAOF", b"NO", b"ONE") == b"+OK"
            fill(other, 0 if leader is one else 300, 300)
            assert command(sock, b"REPLICAOF", b"localhost", b"%d" % leader.port) == b"+OK"
            follower.until(lambda: b"master_link_status:up" in command(sock, b"INFO", b"replication"), "it replicated")
        # After a partial resynchronisation the link is up before what was missing has come.
        one.until(lambda: command(first, b"DBSIZE") == b":600", "it had what the other has")
        assert command(second, b"DBSIZE") == b":600"
    for server in (one, two):
        if server.covered:
            server.audit.wait("open", direction="outbound", rule="peers", server_name="localhost")
            assert not server.audit.find("fail"), server.audit.text()


# --- MQTT

ENDS = {"broker": (True, False), "clients": (False, True), "both": (True, True)}


@pytest.mark.parametrize("ends", ENDS)
def test_mosquitto(seam, version, ends):
    """A session gets messages while nobody is there, and is then taken up; what is not covered has OpenSSL."""
    broker_covered, clients_covered = ENDS[ends]
    broker = mosquitto.start(seam, broker_covered, version)
    where = (broker.port, clients_covered, version, "-q", "1", "-t", "some/topic")
    lines = [content(SMALL)[i:i + 20].hex().encode() for i in range(500)]
    large = seam.dir / "large"
    large.write_bytes(content(BIG).hex().encode())
    mosquitto.run(seam, "mosquitto_sub", *where, "-c", "-i", "one", "-E")
    programs = [mosquitto.run(seam, "mosquitto_pub", *where, "-l", stdin=b"\n".join(lines) + b"\n"),
                mosquitto.run(seam, "mosquitto_pub", *where, "-f", large)]
    programs.append(mosquitto.run(seam, "mosquitto_sub", *where, "-c", "-i", "one", "-C", len(lines) + 1))
    assert digest(programs[-1].stdout) == digest(b"\n".join([*lines, large.read_bytes(), b""])), programs[-1].story()
    for program in [broker, *programs]:
        check_opened(program, version=f"TLSv{version}")


BRIDGE = """
connection upstream
address localhost:{port}
topic # in 1
restart_timeout 1
try_private false
"""


def test_mosquitto_bridge(seam, version):
    """A broker that is a client of another one, whose TLS is OpenSSL's, and has clients of its own."""
    upstream = mosquitto.start(seam, False, version)
    message = seam.dir / "message"
    message.write_bytes(content(BIG))
    where = (False, version, "-q", "1", "-t", "some/topic")
    mosquitto.run(seam, "mosquitto_pub", upstream.port, *where, "-r", "-f", message)
    broker = mosquitto.start(seam, True, None, BRIDGE.format(port=upstream.port),
                             [seam.outbound(upstream.port, name="bridge", version=version)])
    got = mosquitto.run(seam, "mosquitto_sub", broker.port, *where, "-N", "-C", "1")
    assert digest(got.stdout) == digest(content(BIG)), got.story()
    if broker.covered:
        opened, *_ = broker.audit.wait("open", rule="bridge", version=f"TLSv{version}")
        assert opened["server_name"] == "localhost" and opened["verify"] == "ok", opened
