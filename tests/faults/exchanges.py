# SPDX-License-Identifier: GPL-3.0-or-later
"""One exchange of a covered program (exchange.c) with a peer of OpenSSL's, with one thing that goes wrong in the program."""
import contextlib
import itertools
import os
import select
import shutil
import signal
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import observe
from built import built
from peers import client_context, server_context

# That end the program, the latter two before it has a handler.
KILLS = {-signal.SIGKILL: "=kill", -signal.SIGUSR1: "=SIGUSR1", -signal.SIGUSR2: "=SIGUSR2"}
LENGTH = 100_000
PATTERN = bytes((place * 7 + (place >> 8) * 13 + (place >> 16)) & 0xff for place in range(LENGTH))
RUN_S = 30
PEER_S = 20
LAST = ("127.0.0.2", 0)  # from where comes who ends the peer's waiting


class Outcome:
    """What became of it."""

    def __init__(self, fault):
        self.fault = fault
        self.status = None
        self.lines = []
        self.errors = ""
        self.leaks = []
        self.hit = 0
        self.received = b""  # by the peer
        self.peer_error = None

    def problem(self):
        """What must not be, whatever goes wrong; None if all is well."""
        killed = self.status in KILLS and (self.fault or "").endswith(KILLS[self.status])
        if self.leaks:
            return f"plaintext: {self.leaks[0]}"
        if self.status is None or self.status == -signal.SIGALRM:
            return "it did not end"
        if self.status not in (0, 1) and not killed:
            return f"it ended with {self.status}"
        if self.received != PATTERN[:len(self.received)]:
            return "the peer received wrong bytes"
        if self.status == 0 and (len(self.received) != LENGTH or (self.peer_error and not self.may_lose_the_end())):
            return f"it is done, and the peer has {len(self.received)} bytes, {self.peer_error!r}"
        if self.status == 1 and not self.lines:
            return "it does not say what failed"
        return None

    def may_lose_the_end(self):
        """Where the kernel refuses to send close_notify, the peer has all, and does not know for certain."""
        return (self.fault or "").startswith("sendto@") and not self.fault.endswith(("EINTR", "EAGAIN", "short"))

    def __str__(self):
        return (f"{self.fault} (hit {self.hit}): status {self.status}, {self.lines[-1:]}, the peer got {len(self.received)} bytes, "
                f"{self.peer_error!r}; {self.errors[-300:]}")


class Exchanges:
    """Exchanges of one kind, one after the other. `role` is the covered program's."""
    numbers = itertools.count(1)

    def __init__(self, seam, role, version, *more, policy=None):
        self.role, self.more = role, more
        self.directory = seam.make_dir("exchanges")
        if policy is None:
            policy = (seam.outbound if role == "client" else seam.inbound)("1-65535", version=version)
        self.policy = seam.policy(policy)
        self.environment = lambda audit: seam.environment(self.policy, audit, None)
        if role == "client":
            self.context = server_context(seam.pki.good, version)
            self.listener = socket.create_server(("127.0.0.1", 0))
        else:
            self.context = client_context(seam.pki, version)

    def run(self, fault=None, before=None, limit=(), **environment):
        """before: what is done with the audit's directory first; limit: a command before the program's."""
        outcome = Outcome(fault)
        directory = self.directory / str(next(Exchanges.numbers))
        audit, report = directory / "audit", directory / "report"
        audit.mkdir(parents=True)
        if before:
            before(audit)
        way = "out" if self.role == "client" else "in"
        options = ["-p", f"{way}:1-65535", *(["-f", fault] if fault else [])]
        command = [*observe.observer(report, *options), *limit, str(built("tests", "faults", "exchange")), self.role]
        if self.role == "client":
            command += [str(self.listener.getsockname()[1]), str(LENGTH)]
        with subprocess.Popen([*command, *self.more], env={**self.environment(audit), **environment}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as child:
            peer = threading.Thread(target=self.peer_of, args=(child, outcome))
            peer.start()
            try:
                outcome.status = child.wait(RUN_S)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
            if self.role == "client":
                # A program that came to nothing leaves the peer waiting for it.
                socket.create_connection(self.listener.getsockname(), source_address=LAST).close()
            peer.join(PEER_S)
            if self.role == "client":
                self.drain()
            outcome.lines += child.stdout.read().decode(errors="replace").splitlines()
            outcome.errors = child.stderr.read().decode(errors="replace")
        self.read_report(report, outcome)
        self.last_audit = audit
        return outcome

    def read_report(self, report, outcome):
        """Its last line comes when the last process of the program has ended."""
        while "\nsum: " not in report.read_text():
            select.select([], [], [], 0.002)
        text = report.read_text()
        outcome.leaks = observe.leaks(report)
        outcome.hit = int(text.split("fault: hit ")[1].split()[0]) if "fault: hit " in text else 0
        observe.reap(report)

    def forget(self):
        shutil.rmtree(self.last_audit.parent)

    def peer_of(self, child, outcome):
        try:
            plain = self.meet(child, outcome)
            if plain is None:
                return
            plain.settimeout(PEER_S)
            with self.context.wrap_socket(plain, server_side=self.role == "client", do_handshake_on_connect=False,
                                          server_hostname=None if self.role == "client" else "localhost",
                                          suppress_ragged_eofs=False) as secure:
                secure.do_handshake()
                if self.role == "client":
                    self.echo(secure, outcome)
                else:
                    self.ask(secure, outcome)
        except OSError as error:
            outcome.peer_error = error

    def meet(self, child, outcome):
        """The connection; None if the program has ended before there is one."""
        if self.role == "client":
            plain, address = self.listener.accept()
            return plain if address[0] != LAST[0] else plain.close()
        line = child.stdout.readline().decode()
        if not line.strip().isdigit():
            outcome.lines = line.splitlines()
            return None
        return socket.create_connection(("127.0.0.1", int(line)))

    def drain(self):
        """What nobody has accepted, to the last, which the peer may have had already."""
        self.listener.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.listener.accept()[0].close()
        self.listener.setblocking(True)

    def echo(self, secure, outcome):
        while data := secure.recv(65536):
            outcome.received += data
            secure.sendall(data)
        secure.unwrap()

    def ask(self, secure, outcome):
        secure.sendall(PATTERN)
        while len(outcome.received) < LENGTH and (data := secure.recv(65536)):
            outcome.received += data
        secure.unwrap()
