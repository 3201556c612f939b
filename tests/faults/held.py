# SPDX-License-Identifier: GPL-3.0-or-later
"""A covered program (holder.c) that has talked to the test's own end of a connection, and what only the two of them know."""
import resource
import secrets
import socket
from pathlib import Path

from built import built
from known import of_connection
from peers import client_context, server_context
from recorded import Recorded

PROGRAM = ("tests", "faults", "holder")
CIPHERS_12 = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
RECVFROM = "45"  # recvfrom(2) of x86-64
TIMEOUT_S = 60


class Held:
    """
    `then` is what the program does after the exchange, as in holder.c. `known` has the secrets of the connection; they come from
    this end, so that nothing in the program has to let them out.
    """

    def __init__(self, seam, role, version, then, policy, cert, **options):
        self.seam, self.then, self.word, self.rest = seam, then, secrets.token_bytes(24), secrets.token_bytes(2000)
        self.directory = seam.make_dir("cwd")
        self.keylog = seam.dir / "peer.keys"
        if role == "server":
            self._start(["server", then], policy, options)
            self.program.until(lambda: self.program.stdout.count(b"\n") > 0, "it listened")
            self.sock = socket.create_connection(("127.0.0.1", int(self.program.stdout.split()[0])), TIMEOUT_S)
            self.peer = Recorded(self.sock, self._context(client_context(seam.pki, version)), server_hostname="localhost")
            self.peer.send(self.word)
            assert self.peer.receive(100) == self.word
        else:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                port = listener.getsockname()[1]
                self._start(["client", then, port], policy(port), {"stdin": self.word, **options})
                listener.settimeout(TIMEOUT_S)
                self.sock, _ = listener.accept()
            self.sock.settimeout(TIMEOUT_S)
            self.peer = Recorded(self.sock, self._context(server_context(cert, version)), server_side=True)
            self.peer.send(self.peer.receive(100))
        self.program.until(lambda: b"exchanged" in self.program.stdout, "it had exchanged")
        if then == "part":
            self.peer.send(self.rest)
        self.program.until(lambda: b"holding" in self.program.stdout, "it went on")
        if then == "receive":
            self.program.until(self._is_in_call, "it waited for more")
        self.known = {**of_connection(self.keylog, self.peer.server_random()), "plaintext": self.word,
                      "plaintext, not read yet": self.rest[1:]}
        seam.cleanups.append(self.sock.close)

    def _context(self, context):
        context.set_ciphers(CIPHERS_12)
        context.keylog_filename = self.keylog
        return context

    def _start(self, argv, policy, options):
        before = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
        try:
            self.program = self.seam.start([built(*PROGRAM), *argv], policy, cwd=self.directory, **options)
        finally:
            resource.setrlimit(resource.RLIMIT_CORE, before)

    def _is_in_call(self):
        return Path(f"/proc/{self.program.pid}/syscall").read_text().split()[0] == RECVFROM
