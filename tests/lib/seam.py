# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs programs under seamtls, or, to prove that a test is right, without it.

SEAMTLS_TEST_MODE=native leaves the library away and takes TLS from the peers as well: the same program, the
same exchange, over plain TCP. A test that fails then is wrong itself. Tests that are about TLS are skipped.

SEAMTLS_TEST_PLANE=kernel has every rule say `plane = kernel`, for a kernel that has TLS.
"""
import os
import shutil
import tempfile
from pathlib import Path

import pytest

import observe
import sanitizers
from audit import Audit
from built import built
from process import Program, free_port

NATIVE = os.environ.get("SEAMTLS_TEST_MODE") == "native"
PLANE = os.environ.get("SEAMTLS_TEST_PLANE")
RUN_TIMEOUT_S = 60
PORT_ATTEMPTS = 5
IN_USE = ("address already in use", "eaddrinuse", "could not bind")


def need(*programs):
    """Skips the test where a program that it needs is not installed."""
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")


def section(kind, name, keys):
    title = f'[{kind} "{name}"]' if name else f"[{kind}]"
    lines = [f"{key} = {value}" for key, value in keys.items() if value is not None]
    return "\n".join([title, *lines, ""])


def rule(direction, port, name=None, action="tls", **keys):
    """The text of a rule for one port; any profile key may be given too."""
    port_key = "local_port" if direction == "inbound" else "remote_port"
    if action == "tls" and PLANE:
        keys = {"plane": PLANE, **keys}
    return section("rule", name or f"{direction}-{port}",
                   {"direction": direction, port_key: port, "action": action, **keys})


def versions(version):
    """The keys that allow one TLS version ("1.2", "1.3"), or all (None)."""
    return {"min_version": version, "max_version": version} if version else {}


class Seam:
    """Starts programs for one test (or one file of tests) and ends them after it."""

    def __init__(self, pki):
        self.pki = pki
        self.covering = not NATIVE
        self.programs = []
        self.cleanups = []
        self.observed = []
        self.dir = Path(tempfile.mkdtemp(prefix="seamtls-test-"))
        self.dir.chmod(0o755)

    @property
    def library(self):
        return built("shim", "libseamtls.so")

    @property
    def tool(self):
        return built("tools", "seamtls")

    def close(self):
        problems = []
        for cleanup in [*reversed(self.cleanups), *(p.stop for p in reversed(self.programs))]:
            try:
                cleanup()
            except AssertionError as problem:
                problems.append(str(problem))
        problems += sanitizers.reports(self.dir)
        problems += [leak for report in self.observed for leak in observe.leaks(report)]
        for report in self.observed:
            observe.reap(report)
        shutil.rmtree(self.dir)
        assert not problems, "\n\n".join(problems)

    def make_dir(self, prefix="d", user=None):
        path = Path(tempfile.mkdtemp(prefix=prefix + "-", dir=self.dir))
        path.chmod(0o755)
        if user:
            shutil.chown(path, user, user)
        return path

    def policy(self, *sections, **global_keys):
        """Writes a policy; connections without a rule pass unless global_keys say otherwise."""
        text = section("global", None, {"default": "pass", **global_keys}) + "\n" + "\n".join(sections)
        path = self.make_dir("policy") / "policy.conf"
        path.write_text(text)
        return path

    def inbound(self, port, cert=None, version=None, **keys):
        """A rule that makes a server speak TLS on `port`."""
        cert = cert or self.pki.good
        return rule("inbound", port, **{"cert": cert.cert, "key": cert.key, **versions(version), **keys})

    def outbound(self, port, version=None, **keys):
        """A rule that makes a client speak TLS to `port`, trusting the test's CA."""
        return rule("outbound", port, **{"ca": self.pki.ca, **versions(version), **keys})

    def environment(self, policy, audit_dir, extra):
        env = {name: value for name, value in os.environ.items() if not name.startswith("SEAMTLS_")}
        env.update(extra or {})
        if policy is not None and self.covering:
            env |= {"LD_PRELOAD": sanitizers.preload(self.library), "SEAMTLS_POLICY": str(policy), "SEAMTLS_AUDIT": str(audit_dir),
                    **sanitizers.options(audit_dir.parent)}
        return env

    def observe(self, argv, policy):
        """The command, with an observer around it where there is to be one."""
        argv, report = observe.wrap(argv, policy if self.covering else None)
        for earlier in self.observed[-4:]:
            observe.reap(earlier)
        if report:
            self.observed.append(report)
        return argv

    def start(self, argv, policy=None, env=None, user=None, **options):
        """Starts a program, under seamtls if a policy is given; fails if the library is not in the process."""
        directory = self.make_dir("program", user)
        audit_dir = directory / "audit"
        audit_dir.mkdir()
        if user:
            shutil.chown(audit_dir, user, user)
        observed = self.observe(argv, None if "SEAMTLS_DISABLE" in (env or {}) else policy)
        program = Program(observed, directory, env=self.environment(policy, audit_dir, env), user=user, **options)
        program.name = os.path.basename(argv[0])
        self.programs.append(program)
        program.covered = policy is not None and self.covering
        program.audit = Audit(self.tool, audit_dir) if program.covered else None
        if program.covered:
            self.check_covered(program)
        return program

    def check_covered(self, program):
        """The loader only warns when it cannot preload, so look into the process itself."""
        program.in_process = False

        def decided():
            if not has_started(program.pid):
                return program.ended()
            maps = memory_maps(program.pid)
            program.in_process = str(self.library) in maps
            return program.in_process or "/libc.so.6" in maps or program.ended()

        program.until(decided, "its libraries were mapped")
        if not program.in_process:
            # It may have come and gone already; then what it wrote to the audit is the proof.
            assert program.ended() and "cannot be preloaded" not in program.stderr, (
                f"{self.library} is not in the process of {program.story()}")

    def run(self, argv, policy=None, timeout_s=RUN_TIMEOUT_S, status=0, **options):
        """Runs a program to its end, and expects its exit status to be `status` (None: any)."""
        program = self.start(argv, policy, **options)
        program.status = program.wait(timeout_s)
        if program.covered and not program.in_process:
            assert program.audit.events(), f"no sign that the library was in the process of {program.story()}"
        assert status is None or program.status == status, f"expected exit status {status}:\n{program.story()}"
        return program

    def serve(self, argv, policy=None, ready=None, **options):
        """
        Starts a server that has to be told its port: argv(port) is its command, policy(port) its policy.
        Between finding a free port and the server's bind another may take it; then it is tried again.
        """
        for attempt in range(PORT_ATTEMPTS):
            port = free_port()
            program = self.start(argv(port), policy(port) if policy else None, **options)
            try:
                program.until(lambda: program.listens(port), f"it listened on port {port}")
            except AssertionError as problem:
                taken = any(words in str(problem).lower() for words in IN_USE)
                if not taken or attempt + 1 == PORT_ATTEMPTS:
                    raise
                continue
            program.port = port
            if ready:
                ready(program)
            return program
        raise AssertionError("not reached")


def has_started(pid):
    """Until a child has become the program, a moment after Popen has returned, its memory is that of this process."""
    try:
        return Path(f"/proc/{pid}/auxv").read_bytes() != Path("/proc/self/auxv").read_bytes()
    except OSError:
        return False


def memory_maps(pid):
    try:
        return Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return ""


def check_opened(program, count=1, **fields):
    """The audit of a covered program shows `count` protected connections, opened and closed. Returns the open events."""
    if not program.covered:
        return []
    opened = program.audit.wait("open", count, **fields)
    program.audit.wait("close", count)
    assert not program.audit.find("fail"), f"failed connections in the audit:\n{program.audit.text()}"
    return opened
