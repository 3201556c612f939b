# SPDX-License-Identifier: GPL-3.0-or-later
"""
Mixed traffic for some time: servers of every kind and clients of every kind, covered and OpenSSL's, with connections broken
off, policies and certificates that change, processes that are killed and started again. In the end nothing was lost or
doubled, and what lived through it has as many descriptors, mappings and as much memory as before.
"""
import contextlib
import os
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from built import built
from peers import Echo, start_server
from process import free_port
from seam import rule, section, versions

HERE = Path(__file__).parent
PYTHON = "/usr/bin/python3"
WARM = 0.2           # of the time, before what is compared in the end is looked at
MEMORY_MOST = 12 << 20
EXCHANGES_MOST = 40  # between two events
IDLE_S = 60
# What `seamtls log --verify` may say of the files of processes that live, or were killed.
STATES = {"whole", "unsealed", "cut"}


class Server:
    def __init__(self, name, how, version, starttls=None):
        self.name, self.how, self.version, self.starttls = name, how, version, starttls
        self.port = free_port()
        self.program = None
        self.kills = []


class Kill:
    """Which connections were a killed process's: those that it had, and all that were begun until the next one listened."""

    def __init__(self, server):
        self.began = time.monotonic()
        os.kill(server.program.pid, signal.SIGSTOP)
        self.ports = {remote for local, remote, _ in connections() if local == server.port}
        server.program.kill()
        self.ended = None

    def explains(self, port, began, connected):
        return port in self.ports or (began < self.ended and connected > self.began)


def connections():
    """(local port, remote port, state) of all of TCP's."""
    with open("/proc/net/tcp", encoding="ascii") as lines:
        next(lines)
        return [(*(int(field[at].rpartition(":")[2], 16) for at in (1, 2)), field[3]) for field in map(str.split, lines)]


def links_of(directory):
    links = {}
    for number in sorted(os.listdir(directory), key=int):
        with contextlib.suppress(OSError):  # the directory's own
            links[int(number)] = os.readlink(directory / number)
    return links


def without_audit(links):
    """The last audit file stays open until there is another, for threads that are about to write to it."""
    files = [number for number, link in links.items() if link.endswith(".audit")]
    assert len(files) <= 2, links
    return {number: link for number, link in links.items() if number not in files}


class Measure:
    """What must not grow."""

    def __init__(self, pid):
        proc = Path("/proc") / str(pid)
        maps = (proc / "maps").read_text().splitlines()
        self.links = without_audit(links_of(proc / "fd"))
        self.descriptors = len(self.links)
        self.shared = sum("/dev/zero" in line for line in maps)
        self.mappings = len(maps)
        self.memory = int(re.search(r"VmRSS:\s+(\d+)", (proc / "status").read_text()).group(1)) * 1024

    def __str__(self):
        return f"{self.descriptors} descriptors, {self.shared} shared segments, {self.mappings} mappings, {self.memory >> 10} KB"

    def problems(self, before):
        if self.descriptors > before.descriptors:
            yield f"descriptors ({self.links} after {before.links})"
        if self.shared > before.shared + 1:
            yield "shared segments"
        if self.memory > before.memory + MEMORY_MOST:
            yield "memory"


class Soak:
    def __init__(self, seam, seconds, say=print):
        self.seam, self.seconds, self.say = seam, seconds, say
        self.random = random.Random(1)
        self.servers = [Server("async", "asyncio", "1.3"), Server("threads", "threads", None), Server("forks", "forks", "1.2"),
                        Server("mortal", "threads", "1.3"), Server("mail", "threads", None, "smtp")]
        self.foreign = start_server(seam, Echo)
        self.clients = {}  # process -> its line of life
        self.counts = {"exchanges": 0, "bytes": 0, "excused": 0, "events": 0, "killed": 0}
        self.wrong = []
        self.dir = seam.make_dir("soak")
        self.cert, self.key = self.dir / "cert.pem", self.dir / "key.pem"
        self.audit = self.dir / "audit"
        self.audit.mkdir()
        self.policy = self.dir / "policy.conf"
        self.change_certificate()
        self.change_policy()

    # --- What changes

    def replace(self, path, text):
        temporary = path.with_suffix(".new")
        temporary.write_text(text)
        temporary.chmod(0o600)
        temporary.rename(path)

    def change_certificate(self):
        cert = self.random.choice([self.seam.pki.good, self.seam.pki.good_rsa])
        self.replace(self.key, cert.key.read_text())
        self.replace(self.cert, cert.cert.read_text())

    def change_policy(self):
        text = [section("global", None, {"default": "pass", "audit_dir": self.audit, "audit_max_size": "4M"}),
                f"# {secrets.token_hex(8)}\n"]
        for server in self.servers:
            keys = {"cert": self.cert, "key": self.key, "starttls": server.starttls, **versions(server.version)}
            text += [rule("inbound", server.port, **keys), rule("outbound", server.port, ca=self.seam.pki.ca, starttls=server.starttls)]
        text.append(rule("outbound", self.foreign.port, ca=self.seam.pki.ca))
        self.replace(self.policy, "\n".join(text))

    def break_policy(self):
        """Who runs goes on with what there was; so nobody may be about to read its first policy."""
        text = self.policy.read_text()
        self.wait_for_exchanges(1)
        self.replace(self.policy, "[rule\n" + text)
        self.wait_for_exchanges(1)
        self.replace(self.policy, text)

    def abort(self):
        """A stranger who goes in the middle of the handshake, or says something else."""
        server = self.random.choice([server for server in self.servers if server.name != "mortal"])
        with socket.create_connection(("127.0.0.1", server.port)) as sock, contextlib.suppress(OSError):
            if self.random.random() < 0.5:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.send(self.random.choice([b"", b"\x16\x03\x01", b"GET / HTTP/1.0\r\n\r\n", self.random.randbytes(600)]))

    def kill_client(self):
        program = self.random.choice(list(self.clients))
        server, arguments, covered = self.clients.pop(program)
        program.kill()
        self.read(program, server, arguments, covered)
        self.counts["killed"] += 1
        self.start_client(server, *arguments, covered=covered)

    def kill_server(self):
        mortal = next(server for server in self.servers if server.name == "mortal")
        mortal.kills.append(Kill(mortal))
        self.counts["killed"] += 1
        self.start(mortal)
        mortal.kills[-1].ended = time.monotonic()

    # --- Processes

    def program(self, argv, covered):
        env = {"SEAMTLS_LABEL": "soak"}
        if covered:
            # The policy's directory, not the harness's.
            argv = ["env", f"SEAMTLS_AUDIT={self.audit}", f"LD_PRELOAD={self.seam.library}", f"SEAMTLS_POLICY={self.policy}", *argv]
        return self.seam.start(argv, env=env)

    def start(self, server):
        argv = [PYTHON, "-B", HERE / "server.py", server.port, server.how, *(["220 soak ESMTP"] if server.starttls else [])]
        server.program = self.program(argv, True)
        server.program.until(lambda: server.program.listens(server.port), "it listened")

    def start_client(self, server, *arguments, covered):
        argv = [PYTHON, "-B", HERE / "client.py", server.port, self.random.randrange(1 << 30), *arguments]
        self.clients[self.program(argv, covered)] = (server, arguments, covered)

    def start_clients(self):
        ca = ["--tls", self.seam.pki.ca]
        for server in self.servers:
            greeting = ["--greeting"] if server.starttls else []
            self.start_client(server, *greeting, covered=True)
            if not server.starttls:
                self.start_client(server, *ca, covered=False)
        self.start_client(self.foreign, covered=True)

    def stop_clients(self):
        for program in self.clients:
            program.popen.send_signal(signal.SIGTERM)
        for program, (server, arguments, covered) in list(self.clients.items()):
            program.wait(120)
            self.read(program, server, arguments, covered)
        self.clients.clear()

    def read(self, program, server, arguments, covered):
        # Who was killed may have been in the middle of a line.
        for line in program.stdout.decode().rpartition("\n")[0].splitlines():
            word, *rest = line.split(" ", 4)
            if word == "ok":
                self.counts["exchanges"] += 1
                self.counts["bytes"] += int(rest[0])
            elif word == "error" and self.is_excused(server, int(rest[0]), float(rest[1]), float(rest[2])):
                self.counts["excused"] += 1
            else:
                name = getattr(server, "name", "OpenSSL's")
                self.wrong.append(f"{'covered' if covered else 'OpenSSL'} client of {name} {arguments[:1]}: {line}")
        if "Traceback" in program.stderr:
            self.wrong.append(program.stderr[-600:])

    def is_excused(self, server, *connection):
        return any(kill.explains(*connection) for kill in getattr(server, "kills", []))

    def done(self):
        """How many exchanges each client has done."""
        return {program: (b"\n" + program.stdout).count(b"\nok ") for program in self.clients}

    def wait_for_exchanges(self, count):
        before = self.done()
        self.servers[0].program.until(lambda: all(now >= before[program] + count for program, now in self.done().items()),
                                      f"each client had done {count} exchanges")

    def wait_for_some(self, end):
        """Until all together have done some more, or the time is over."""
        enough = sum(self.done().values()) + self.random.randint(1, EXCHANGES_MOST)
        self.servers[0].program.until(lambda: sum(self.done().values()) >= enough or time.monotonic() > end, "there was traffic")

    # --- The whole

    def measure(self):
        """When all is quiet."""
        measures = {}
        for server in self.servers:
            if server.name == "mortal":
                continue
            server.program.until(lambda at=server: not self.is_busy(at), "it was quiet", IDLE_S)
            measures[server.name] = Measure(server.program.pid)
        return measures

    def is_busy(self, server):
        return len(server.program.group()) > 1 or len(os.listdir(f"/proc/{server.program.pid}/task")) > 1 or \
            any(local == server.port and state in ("01", "08") for local, _, state in connections())

    def traffic(self, seconds):
        self.start_clients()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.wait_for_some(end)
            self.random.choice([self.change_policy, self.change_certificate, self.break_policy, self.abort, self.abort, self.abort,
                                self.kill_client, self.kill_server])()
            self.counts["events"] += 1
        self.stop_clients()

    def verify(self):
        """The audit has no file that was changed."""
        done = subprocess.run([self.seam.tool, "log", "--verify", "--format=json", self.audit], capture_output=True, text=True,
                              timeout=600, check=False)
        states = re.findall(r'"state":\s*"([^"]+)"', done.stdout)
        assert states and set(states) <= STATES, done.stdout[-2000:] + done.stderr[-2000:]
        return {state: states.count(state) for state in STATES}

    def run(self):
        for server in self.servers:
            self.start(server)
        self.traffic(self.seconds * WARM)
        before = self.measure()
        self.traffic(self.seconds * (1 - WARM))
        after = self.measure()
        problems = list(self.wrong)
        for name, measure in after.items():
            self.say(f"{name}: {before[name]}; then {measure}")
            problems += [f"{name}: {what} grew: {before[name]}; then {measure}" for what in measure.problems(before[name])]
        self.say(", ".join(f"{count} {name}" for name, count in self.counts.items()))
        self.say(f"audit files: {self.verify()}")
        shutil.rmtree(self.audit)
        assert not problems, f"{len(problems)} problems:\n" + "\n".join(problems[:40])
        assert self.counts["exchanges"] > 10
