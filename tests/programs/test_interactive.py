# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that people type into, and what shells do with a connection of their own."""
import socketserver

import pytest

from peers import BIG, SMALL, Http, content, digest, start_server
from seam import check_opened, need


class Greeter(socketserver.BaseRequestHandler):
    """Says something, listens to a line, says it in capitals and closes."""

    def handle(self):
        stream = self.request.makefile("rwb")
        stream.write(content(3000).hex().encode() + b"\r\n")
        stream.flush()
        self.request.seen.data = stream.readline()
        stream.write(self.request.seen.data.upper())
        stream.flush()


# What is typed does not end before telnet does.
TELNET = "exec telnet localhost $1 < <(echo hello; exec tail -f --pid=$$ /dev/null)"


def test_telnet(seam, version):
    need("telnet", "bash")
    server = start_server(seam, Greeter, version=version)
    client = seam.run(["bash", "-c", TELNET, "bash", server.port], seam.policy(seam.outbound(server.port)))
    assert content(3000).hex().encode() in client.stdout, client.story()
    assert b"HELLO" in client.stdout and "Connection closed by foreign host" in client.stderr, client.story()
    assert server.seen[0].data.rstrip() == b"hello"
    check_opened(client, version=f"TLSv{version}")


def test_lftp_speaks_http(seam, version):
    need("lftp")
    server = start_server(seam, Http, version=version)
    url = f"http://localhost:{server.port}"
    script = f"set net:max-retries 1; set net:timeout 20; set cmd:fail-exit yes; cat {url}/{BIG} {url}/{SMALL}; bye"
    client = seam.run(["lftp", "-c", script], seam.policy(seam.outbound(server.port)))
    assert digest(client.stdout) == digest(content(BIG) + content(SMALL)), client.story()
    check_opened(client, version=f"TLSv{version}")


# The answer read by builtins, and the rest of it by another program on the same descriptor.
BASH_HTTP = r"""
exec {sock}<>/dev/tcp/localhost/$1
printf 'GET /%s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$2" >&$sock
read -r protocol status rest <&$sock
while IFS= read -r line <&$sock && [ "$line" != $'\r' ]; do
    case $line in Content-Length:*) length=${line//[^0-9]/};; esac
done
echo "$status $length" >&2
head -c "$length" <&$sock
exec {sock}>&-
"""

BASH_WAYS = r"""
exec 3<>/dev/tcp/localhost/$1
{ read -r greeting; echo hello >&3; read -r answer; } <&3
exec 3>&-
echo "${#greeting} $answer"
"""


@pytest.mark.parametrize("size", [SMALL, BIG])
def test_bash_speaks_http(seam, version, size):
    need("bash")
    server = start_server(seam, Http, version=version)
    client = seam.run(["bash", "-c", BASH_HTTP, "bash", server.port, size], seam.policy(seam.outbound(server.port)))
    assert client.stderr.split()[-2:] == ["200", str(size)], client.story()
    assert digest(client.stdout) == digest(content(size)), client.story()
    check_opened(client, version=f"TLSv{version}")


def test_bash_reads_and_writes(seam):
    need("bash")
    server = start_server(seam, Greeter)
    client = seam.run(["bash", "-c", BASH_WAYS, "bash", server.port], seam.policy(seam.outbound(server.port)))
    assert client.stdout == b"6001 HELLO\n", client.story()
    check_opened(client)
