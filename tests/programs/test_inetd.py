# SPDX-License-Identifier: GPL-3.0-or-later
"""Superservers and the programs that they start: C with stdio, a static program, a shell script, rsync."""
import shutil
import socketserver
import subprocess

import pytest

import inetd
import rsync
from peers import BIG, connect, content, digest, echo_exchange, read_exactly, start_server
from seam import NATIVE, check_opened, need
from servers import PYTHON

# Answers each line in capitals.
STDIO = r"""
#define _GNU_SOURCE
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t len;

	while ((len = getline(&line, &room, stdin)) > 0) {
		int last = strcmp(line, "quit\n") == 0;

		for (ssize_t i = 0; i < len; i++)
			putchar(toupper((unsigned char)line[i]));
		if (fflush(stdout) != 0)
			return 1;
		if (last)
			return 0;
	}
	return ferror(stdin) ? 2 : 3;
}
"""

STATIC = """#!{busybox} sh
exec {busybox} awk '{{ print toupper($0); fflush() }} /^quit$/ {{ exit }}'
"""

# Builtins and other programs in turn.
SHELL = """#!/bin/sh
while read -r line; do
    case $line in
    quit) echo QUIT; exit ;;
    *) echo "$line" | tr a-f A-F ;;
    esac
done
"""


def stdio(seam):
    need("cc")
    path = seam.make_dir("stdio") / "program"
    subprocess.run(["cc", "-O1", "-Wall", "-o", path, "-x", "c", "-"], input=STDIO.encode(), check=True)
    return path


def static(seam):
    need("busybox")
    return inetd.write_script(seam, STATIC.format(busybox=shutil.which("busybox")))


def shell(seam):
    return inetd.write_script(seam, SHELL)


PROGRAMS = {"stdio": stdio, "static": static, "shell": shell}


def converse(sock):
    """A line and its answer in turn, then many lines at once, and the program's end."""
    for size in (1, 40, 3000):
        line = content(size).hex().encode() + b"\n"
        sock.sendall(line)
        assert read_exactly(sock, len(line)) == line.upper()
    lines = b"".join(content(size).hex().encode() + b"\n" for size in range(500, 3000, 250)) + b"quit\n"
    assert digest(echo_exchange(sock, lines)) == digest(lines.upper())
    assert sock.recv(1) == b"", "the program has ended, and its connection with it"


@pytest.mark.parametrize("kind", inetd.KINDS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_program_for_each_connection(seam, kind, program):
    server = inetd.start(seam, kind, PROGRAMS[program](seam))
    for _ in range(2):
        with connect(seam, server.port) as sock:
            converse(sock)
    check_opened(server, 2)


@pytest.mark.parametrize("covered", [True, False], ids=["covered", "alone"])
def test_rsync_daemon_of_inetd(seam, version, covered):
    """
    It looks for the addresses of its standard input. inetd either leaves it the environment, and so the library, or
    not; then what it finds is a socket without addresses, which will do.
    """
    need("rsync")
    root, back = seam.make_dir("root"), seam.make_dir("back")
    (root / "file").write_bytes(content(BIG))
    config = rsync.write_config(seam, root)
    program = inetd.write_script(seam, f"#!/bin/sh\nexec rsync --daemon --config={config}\n")
    server = seam.serve(inetd.openbsd(seam, program, options=["-E"] if covered else []),
                        lambda port: seam.policy(seam.inbound(port, version=version)))
    client = seam.run(["rsync", "-rt", f"rsync://localhost:{server.port}/data/", back],
                      seam.policy(seam.outbound(server.port)))
    assert rsync.tree(back) == rsync.tree(root), client.story()
    if covered or NATIVE:
        assert "(127.0.0.1)" in (config.parent / "log").read_text()
    check_opened(client, version=f"TLSv{version}")
    check_opened(server, version=f"TLSv{version}")


ACCEPTS = """#!{python}
import socket
listener = socket.socket(fileno=0)
assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
connection, address = listener.accept()
assert connection.family == socket.AF_INET and address[0] == "127.0.0.1" and connection.getpeername() == address
stream = connection.makefile("rwb")
for line in stream:
    stream.write(line.upper())
    stream.flush()
    if line == b"quit\\n":
        break
"""


def test_program_for_a_listening_socket(seam, version):
    """inetd's `wait`: the program accepts for itself, and is covered since inetd leaves the environment alone (-E)."""
    program = inetd.write_script(seam, ACCEPTS.format(python=PYTHON))
    server = seam.serve(inetd.openbsd(seam, program, "wait", ["-E"]),
                        lambda port: seam.policy(seam.inbound(port, version=version)))
    for _ in range(2):
        with connect(seam, server.port, version) as sock:
            converse(sock)
    for opened in check_opened(server, 2, version=f"TLSv{version}"):
        assert opened["pid"] != server.pid


class Conversation(socketserver.BaseRequestHandler):
    """converse() with a program that has connected."""

    def handle(self):
        converse(self.request)
        self.request.seen.data += b"all"


@pytest.mark.parametrize("how", ["nofork", "pipes", "socketpair"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_socat_connects_for_a_program(seam, how, program):
    need("socat")
    server = start_server(seam, Conversation)
    option = "" if how == "socketpair" else f",{how}"
    client = seam.run(["socat", f"TCP:localhost:{server.port}", f"EXEC:{PROGRAMS[program](seam)}{option}"],
                      seam.policy(seam.outbound(server.port)))
    server.wait_ended()
    assert server.seen[0].data == b"all", (server.seen[0].error, client.story())
    check_opened(client, direction="outbound")
