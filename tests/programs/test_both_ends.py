# SPDX-License-Identifier: GPL-3.0-or-later
"""Both programs under seamtls: neither knows of TLS, and the network carries nothing else."""
import pytest

import nginx
import stunnel
from peers import BIG, SMALL, content, digest
from seam import check_opened, need
from servers import start_redis


@pytest.fixture(autouse=True)
def tools():
    need("curl", "nginx", "redis-server", "redis-cli", "redis-benchmark")


@pytest.mark.parametrize("sendfile", ["on", "off"])
def test_curl_and_nginx(seam, version, sendfile):
    folder = seam.make_dir("site")
    for size in (SMALL, BIG):
        (folder / str(size)).write_bytes(content(size))
    server = nginx.start(seam, folder, version=version, sendfile=sendfile)
    url = f"http://localhost:{server.port}"
    program = seam.run(["curl", "-sSf", f"{url}/{BIG}", f"{url}/{SMALL}", f"{url}/{BIG}"],
                       seam.policy(seam.outbound(server.port, version=version)))
    assert digest(program.stdout) == digest(content(BIG) + content(SMALL) + content(BIG)), program.story()
    client, = check_opened(program) or [None]
    opened, = check_opened(server) or [None]
    if seam.covering:
        for name in ("version", "cipher", "group"):
            assert client[name] == opened[name], f"both ends' audit name the same {name}"
        assert (client["local"], client["remote"]) == (opened["remote"], opened["local"])


def redis_round(seam, port, version):
    """Sets a large value from standard input and reads it back; both times with redis-cli under seamtls."""
    value = content(BIG).hex().encode()
    cli = ["redis-cli", "-h", "localhost", "-p", port]
    policy = seam.policy(seam.outbound(port, version=version))
    done = seam.run([*cli, "-x", "set", "key"], policy, stdin=value)
    assert done.stdout == b"OK\n", done.story()
    got = seam.run([*cli, "get", "key"], policy)
    assert digest(got.stdout.rstrip(b"\n")) == digest(value), got.story()
    for program in (done, got):
        check_opened(program, version=f"TLSv{version}")


def test_redis_cli_and_server(seam, version):
    server = start_redis(seam, lambda port: seam.policy(seam.inbound(port)))
    redis_round(seam, server.port, version)
    check_opened(server, 2)


def test_redis_cli_and_terminator(seam, version):
    """Only the client is under seamtls; stunnel takes the TLS off in front of a plain server."""
    server = start_redis(seam)
    redis_round(seam, stunnel.terminate(seam, server.port, version=version), version)


def test_redis_benchmark(seam):
    server = start_redis(seam, lambda port: seam.policy(seam.inbound(port)))
    program = seam.run(["redis-benchmark", "-h", "localhost", "-p", server.port, "-c", "20", "-n", "4000", "-d", "3000",
                        "-P", "4", "-t", "set,get", "-q"], seam.policy(seam.outbound(server.port)))
    assert program.stdout.count(b"requests per second") == 2, program.story()
    check_opened(server, 20)
