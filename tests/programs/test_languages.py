# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers and clients in several languages, each with OpenSSL as the other end, with many connections at once."""
import concurrent.futures

import pytest

import languages
from peers import BIG, SMALL, Echo, Http, connect, content, digest, echo_exchange, start_server
from seam import check_opened, need
from traffic import ask

CLIENTS = 12
SIZE = 300_007


@pytest.fixture(params=languages.SERVERS)
def server(seam, shared, request):
    command = languages.SERVERS[request.param](shared)
    return seam.serve(lambda port: [*command, port], lambda port: seam.policy(seam.inbound(port)))


def exchange(seam, port, number):
    """Clients of both versions; one in three closes without a byte."""
    version = ("1.2", "1.3")[number % 2]
    with connect(seam, port, version) as sock:
        if number % 3 == 2:
            return
        data = content(SIZE + number)
        assert digest(echo_exchange(sock, data)) == digest(data)


def test_server(seam, server):
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        for done in [pool.submit(exchange, seam, server.port, number) for number in range(CLIENTS)]:
            done.result(60)
    opened = check_opened(server, CLIENTS, direction="inbound")
    assert not seam.covering or {event["version"] for event in opened} == {"TLSv1.2", "TLSv1.3"}


@pytest.mark.parametrize("name", languages.CLIENTS)
def test_client(seam, shared, version, name):
    server = start_server(seam, Echo, version=version)
    program = seam.run([*languages.CLIENTS[name](shared), "localhost", server.port],
                       seam.policy(seam.outbound(server.port)), stdin=content(BIG))
    assert digest(program.stdout) == digest(content(BIG)), program.story()
    for opened in check_opened(program, version=f"TLSv{version}", direction="outbound"):
        assert opened["server_name"] == "localhost"


@pytest.mark.parametrize("name", languages.HTTP_CLIENTS)
def test_http_client(seam, shared, version, name):
    server = start_server(seam, Http, version=version)
    program = seam.run([*languages.HTTP_CLIENTS[name](shared), f"http://localhost:{server.port}/{BIG}"],
                       seam.policy(seam.outbound(server.port)))
    assert digest(program.stdout) == digest(content(BIG)), program.story()
    check_opened(program, version=f"TLSv{version}")


@pytest.mark.parametrize("workers", ["1", "3"])
def test_php_web_server(seam, version, workers):
    """php -S, by itself and with workers that it forks."""
    need("php")
    folder = seam.make_dir("site")
    for size in (SMALL, BIG):
        (folder / str(size)).write_bytes(content(size))
    server = seam.serve(lambda port: ["php", "-S", f"127.0.0.1:{port}", "-t", folder],
                        lambda port: seam.policy(seam.inbound(port)), env={"PHP_CLI_SERVER_WORKERS": workers})
    for size in (SMALL, BIG, SMALL):
        with connect(seam, server.port, version) as sock:
            head, body = ask(sock, f"/{size}")
            assert b" 200 " in head and digest(body) == digest(content(size)), head
    check_opened(server, 3, version=f"TLSv{version}")
