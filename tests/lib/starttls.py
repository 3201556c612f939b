# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers in this process that upgrade to TLS, as a protocol has it or wrongly: scripts of what is said in the clear."""
import socketserver

from peers import Server, server_context

OID = b"1.3.6.1.4.1.1466.20037"
LDAP_REQUEST = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x16" + OID
LDAP_SUCCESS = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"
SSL_REQUEST = b"\0\0\0\x08\x04\xd2\x16\x2f"

LINE = object()  # is heard

# What a server says in the clear, and hears.
SCRIPTS = {
    "smtp": [b"220 mx.test ESMTP\r\n", LINE, b"250-mx.test\r\n250-SIZE 1000\r\n250 STARTTLS\r\n", LINE, b"220 go\r\n"],
    "imap": [b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready\r\n", LINE, b"S1 OK go\r\n"],
    "pop3": [b"+OK ready <1@test>\r\n", LINE, b"+OK go\r\n"],
    "nntp": [b"200 ready\r\n", LINE, b"382 go\r\n"],
    "pgsql": [SSL_REQUEST, b"S"],
    "ldap": [LDAP_REQUEST, LDAP_SUCCESS],
}
GREETINGS = {
    "smtp": b"220 mx.test ESMTP\r\n",
    "imap": b"* OK ready\r\n",
    "pop3": b"+OK ready <1@test>\r\n",
    "nntp": b"200 ready\r\n",
}


class Upgrading(Server):
    """Says and hears its script, and is a TLS server from then on. What a client says is given as bytes, or LINE."""

    def __init__(self, script, handler, context):
        self.script = script
        super().__init__(handler, context)

    def serve_one(self, request, client_address, seen):
        seen.plain = b""
        hears = self.script[0] is LINE or self.script[0] in (SSL_REQUEST, LDAP_REQUEST)
        for step in self.script:
            if step is LINE:
                seen.plain += hear(request, lambda heard: heard.endswith(b"\n"))
            elif hears:
                seen.plain += hear(request, lambda heard, size=len(step): len(heard) == size)
                hears = False
            else:
                request.sendall(step)
        super().serve_one(request, client_address, seen)


def hear(request, is_all):
    heard = b""
    while not is_all(heard):
        byte = request.recv(1)
        if not byte:
            raise ConnectionResetError("the client has gone")
        heard += byte
    return heard


class Answers(socketserver.BaseRequestHandler):
    """Answers each line with it, in upper case."""

    def handle(self):
        for line in self.request.makefile("rb"):
            self.request.seen.data += line
            self.request.sendall(line.upper())


def start_upgrading(seam, protocol=None, script=None, handler=Answers, tls=True, version=None):
    server = Upgrading(script or SCRIPTS[protocol], handler, server_context(seam.pki.good, version) if tls else None)
    seam.cleanups.append(server.stop)
    return server
