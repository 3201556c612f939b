# SPDX-License-Identifier: GPL-3.0-or-later
"""
The numbered cases of what a program can do with a connection: each is run over plain TCP and, under the library,
with a peer that speaks TLS, and both have to see the same; and so has it if the connection is left alone, and observed.
SEAMTLS_FAMILY picks one cases_FAMILY.c, or more.
"""
import difflib
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

import ktls
import sanitizers
from audit import Audit
from seam import NATIVE, PLANE, built
from unfit import UNFIT

FAMILIES = os.environ["SEAMTLS_FAMILY"].split() if "SEAMTLS_FAMILY" in os.environ else [
    path.stem.removeprefix("cases_") for path in sorted(Path(__file__).parent.glob("cases_*.c"))]
CONTROL_FDS = (900, 901)
RUN_TIMEOUT_S = 60
OBSERVED = "observed"
# All hold, and these are where the library has a look at what libc's calls have done.
OBSERVED_FAMILIES = {"accept", "connect", "descriptors", "files", "flags", "messages", "process", "stdio", "write"}
VERSIONS = ["plain"] if NATIVE else ["1.2", "1.3"]
HUNG = -signal.SIGALRM
# For a capture in which nothing but TLS may be (tests/faults/observe): the plain runs, and so the comparison, are left out.
COVERED_ONLY = bool(os.environ.get("SEAMTLS_TEST_COVERED_ONLY"))


def program(family):
    return built("tests", "transparency", f"cases_{family}")


def unfit(name):
    reason = UNFIT.get(sanitizers.NAME, {}).get(name)
    return [pytest.mark.skip(reason=reason)] if reason else []


def listed():
    """Each case with each of its roles and modes; and what it says under the library, if that differs on purpose."""
    for family in FAMILIES:
        lines = subprocess.run([program(family), "--list"], check=True, text=True, capture_output=True).stdout
        for line in lines.splitlines():
            number, name, roles, modes, covered, because = line.split("\t")
            assert bool(covered) == bool(because), f"{name}: a difference needs its reason"
            for role in roles.split():
                for mode in modes.split():
                    yield pytest.param(family, name, role, mode, covered.replace("\\n", "\n"), marks=unfit(name),
                                       id=f"{family}-{number}-{name}-{role}-{mode}")


class Lab:
    """The peers, and runs of cases with them."""

    def __init__(self, seam):
        self.seam = seam
        self.path = seam.dir / "peer"
        cert = seam.pki.good
        env = {"SEAMTLS_TEST_NO_KEY_UPDATES": "1"} if PLANE == "kernel" and not ktls.rekeys() else {}
        self.server = seam.start([built("tests", "transparency", "peer"), self.path, cert.cert, cert.key, seam.pki.ca], env=env)
        self.server.until(self.path.exists, "the peer's socket was there")
        self.policies = {version: seam.policy(seam.inbound("1-65535", version=version),
                                              seam.outbound("1-65535", version=version))
                         for version in ("1.2", "1.3")}
        self.policies[OBSERVED] = seam.policy(default="observe")
        self.plain = {}

    def control(self, mode, number):
        """A descriptor to a new peer, by its number."""
        with socket.socket(socket.AF_UNIX) as door:
            door.connect(str(self.path))
            door.sendall(f"mode {mode}\n".encode())
            os.dup2(door.fileno(), number)

    def run(self, argv, version):
        """The transcript, and the audit's directory, of one run."""
        directory = self.seam.make_dir("run")
        (directory / "audit").mkdir()
        env = self.seam.environment(self.policies.get(version), directory / "audit", None)
        if version == "plain":
            # The cases are built with the sanitizer too.
            env |= sanitizers.options(None)
        for number in CONTROL_FDS:
            self.control("plain" if version == OBSERVED else version, number)
        argv = self.seam.observe(argv, self.policies.get(version))
        child = subprocess.Popen(argv, env=env, pass_fds=CONTROL_FDS, stdin=subprocess.DEVNULL, process_group=0,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
        for number in CONTROL_FDS:
            os.close(number)
        try:
            out, err = child.communicate(timeout=RUN_TIMEOUT_S)
        finally:
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        found = sanitizers.reports(directory)
        if found:
            pytest.fail("\n\n".join(found), pytrace=False)
        if child.returncode != 0 or err:
            became = "hung" if child.returncode == HUNG else f"ended with {child.returncode}"
            pytest.fail(f"{' '.join(argv)}, {version}: {became} after:\n{out}{err}", pytrace=False)
        return out, directory / "audit"

    def run_plain(self, argv):
        key = tuple(argv)
        if key not in self.plain:
            self.plain[key] = self.run(argv, "plain")[0]
        return self.plain[key]


@pytest.fixture(scope="module")
def lab(shared):
    return Lab(shared)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("family, name, role, mode, covered", listed())
def test_case(lab, family, name, role, mode, covered, version):
    check_case(lab, family, name, role, mode, covered, version)


@pytest.mark.skipif(NATIVE or COVERED_ONLY, reason="nothing is protected")
@pytest.mark.parametrize("family, name, role, mode, covered", [
    case for case in listed() if case.values[0] in OBSERVED_FAMILIES])
def test_observed(lab, family, name, role, mode, covered):
    check_case(lab, family, name, role, mode, covered, OBSERVED)


def check_case(lab, family, name, role, mode, covered, version):
    argv = [str(program(family)), name, role, mode]
    plain = None if COVERED_ONLY else lab.run_plain(argv)
    if NATIVE:
        return
    transcript, audit_dir = lab.run(argv, version)
    audit = Audit(lab.seam.tool, audit_dir)
    expected = plain if version == OBSERVED else covered or plain
    if not COVERED_ONLY and transcript != expected:
        difference = difflib.unified_diff(expected.splitlines(), transcript.splitlines(),
                                          "expected", "seen", lineterm="", n=20)
        told = [f"audit: {event['event']} {event.get('reason', '')}" for event in audit.events()]
        pytest.fail("\n".join([*difference, *told]), pytrace=False)
    if version == OBSERVED:
        assert audit.find("observe") and not audit.find("open"), f"nothing was observed:\n{audit.text()}"
    else:
        assert audit.find("open", version=f"TLSv{version}"), f"nothing was protected:\n{audit.text()}"
